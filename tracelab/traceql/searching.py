"""Search: one row for every matching spanset, as Tempo's search answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.conforming import takes_any_frame
from tracelab.schema import ATTRIBUTES, DURATION, TIME
from tracelab.traceql.engine import plain_errors, planned
from tracelab.traceql.expressions.tree_intrinsics import root_row
from tracelab.traceql.expressions.unknown_names import warn_of_unknown
from tracelab.traceql.expressions.values import Value, as_text, one_column, texts_of
from tracelab.traceql.spansets.plans import SPAN_COLUMNS
from tracelab.traceql.spansets.stages import Run, Spansets
from tracelab.traceql.syntax import nodes as n

if TYPE_CHECKING:
    from tracelab.array_types import Ints
    from tracelab.traceql.spansets.aggregates import Attribute

SEARCH_SCHEMA: Final = pl.Schema(
    {
        "trace_id": pl.String(),
        "root_service_name": pl.String(),
        "root_name": pl.String(),
        "start_time": TIME,
        "duration": DURATION,
        "matched": pl.UInt32(),
        "span_ids": pl.List(pl.String()),
        "values": ATTRIBUTES,
    }
)
"""The columns of a search's answer, before those of selected fields."""

_TRACE_COLUMNS: Final = ("span_id", "name", "service_name", "start_time", "duration", "links")


@takes_any_frame
def search(spans: pl.DataFrame | pl.LazyFrame, traceql: str) -> pl.DataFrame:
    """Find the spansets that a TraceQL query matches: one row each, with the trace they are of.

    Parameters
    ----------
    spans
        A span frame. What is said of a trace (its root, start and duration) is said of its spans in this frame.
    traceql
        The query, as for `query`.

    Returns
    -------
    One row per spanset, which is a trace unless `by(...)` splits it: `trace_id`, `root_service_name`, `root_name`
    (String; empty where the trace has no root), `start_time` (Datetime), `duration` (Duration, first start to last
    end), `matched` (UInt32, how many spans), `span_ids` (List(String), in tree order), `values` (Map(String, String):
    `by(...)` keys and aggregates under their canonical text), and for every field of `select(...)` a column under its
    canonical text that lists its value for each of the `span_ids` (a selected `duration` or `name` that would hide one
    of these is called `span:duration`). Sorted by `start_time`, newest first, then `trace_id` and the first matching
    span.

    Raises
    ------
    QuerySyntaxError
        The text is no query.
    QueryTypeError
        The query compares or combines what never goes together.
    QueryError
        It is a query for `query_metrics`, it divides by zero, it is larger than what can be answered in good time, or
        it is no text.
    SchemaError
        The frame lacks a column that the query reads.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... web::GET /pay  ========  http.route=/pay
    ...   bank::charge ..====!
    ...   bank::log    .......=
    ... ''')
    >>> found = search(spans, "{ } | by(resource.service.name) | count() > 1 | select(name)")
    >>> found.select("root_name", "matched", "values", "name").rows()
    [('GET /pay', 2, {'by(resource.service.name)': 'bank', 'count()': '2'}, ['charge', 'log'])]
    """
    stages, plan = planned(spans, traceql, "search")
    plan.columns.require("a search", *SPAN_COLUMNS, *_TRACE_COLUMNS)
    with plain_errors():
        warn_of_unknown(plan.columns, stages)
        plan.add_all(stages)
        fields = {field: plan.add_value(field) for field in _selected(stages)}
        root = plan.name(root_row())
        inputs = plan.columns.with_helpers(spans.lazy()).select(
            *SPAN_COLUMNS[:2], *_TRACE_COLUMNS, *SPAN_COLUMNS[2:], *plan.selected()
        )
        frame = inputs.collect()
        run = Run(frame, plan)
        found = run.pipeline(stages)
        return _answer(run, found, root, {field: fields[field] for field in dict.fromkeys(found.selected)})


def _selected(stages: tuple[n.Stage, ...]) -> list[n.Attribute | n.Intrinsic]:
    return [field for stage in stages if isinstance(stage, n.Select) for field in stage.fields]


def _answer(
    run: Run, found: Spansets, root: str, fields: dict[n.Attribute | n.Intrinsic, dict[str, str]]
) -> pl.DataFrame:
    """Put the spansets and what is known of their traces together."""
    rows = np.flatnonzero(found.members)
    if not run.forest.in_order:
        rows = rows[np.argsort(run.forest.left[rows], kind="stable")]
    labels = run.labels(found)[rows]
    members = run.frame.select("span_id", "tree_left")[rows].lazy().with_columns(**_field_columns(run, rows, fields))
    names = [name for name in members.collect_schema() if name not in ("span_id", "tree_left")]
    spansets = (
        members.with_columns(group=pl.Series(labels), trace=pl.Series(run.forest.trace[rows]), row=pl.Series(rows))
        .group_by("group", maintain_order=True)
        .agg(
            pl.col("trace", "row", "tree_left").first(),
            pl.len().cast(pl.UInt32).alias("matched"),
            pl.col("span_id").alias("span_ids"),
            *[pl.col(name) for name in names],
        )
        .collect()
    )
    values = _values(run, found.attributes, spansets["row"].to_numpy())
    placed = spansets.with_columns(values.alias("values")).join(_traces(run, spansets["trace"], root), on="trace")
    order = placed.sort("start_time", "trace_id", "tree_left", descending=[True, False, False])
    return order.select(*SEARCH_SCHEMA, *names)


def _traces(run: Run, wanted: pl.Series, root: str) -> pl.DataFrame:
    """Describe the traces that have a matching spanset."""
    spans = run.frame.with_columns(
        trace=pl.Series(run.forest.trace),
        root_service_name=pl.col("service_name").gather(pl.col(root)),
        root_name=pl.col("name").gather(pl.col(root)),
    )
    start = pl.col("start_time")
    return (
        spans.lazy()
        .filter(pl.col("trace").is_in(wanted.unique().implode()))
        .group_by("trace")
        .agg(
            pl.col("trace_id").first(),
            pl.col("root_service_name", "root_name").first().fill_null(""),
            start_time=start.min(),
            duration=(start + pl.col("duration")).max() - start.min(),
        )
        .collect()
    )


def _field_columns(
    run: Run, rows: Ints, fields: dict[n.Attribute | n.Intrinsic, dict[str, str]]
) -> dict[str, pl.Series]:
    """Give the selected fields of the matching spans, each under its canonical text."""
    columns: dict[str, pl.Series] = {}
    for field, kinds in fields.items():
        name = str(field) if str(field) not in (*SEARCH_SCHEMA, "span_id", "tree_left") else f"span:{field}"
        columns[name] = one_column(_gathered(run, kinds, rows), rows.size)
    return columns


def _gathered(run: Run, kinds: dict[str, str], rows: Ints) -> dict[str, pl.Series]:
    """Take the kinds of a value that occur on these rows."""
    parts = {kind: run.column(name).gather(rows) for kind, name in kinds.items()}
    return {kind: part for kind, part in parts.items() if part.null_count() < part.len()}


def _values(run: Run, attributes: dict[str, Attribute], rows: Ints) -> pl.Series:
    """Write what stages said of each spanset, read at its first span."""
    entries = []
    for name, attribute in attributes.items():
        texts = _attribute_texts(run, attribute, rows)
        entries.append(pl.struct(key=pl.lit(name), value=pl.lit(texts)))
    if not entries:
        return pl.Series([{}], dtype=ATTRIBUTES).new_from_index(0, rows.size)
    frame = pl.DataFrame({"row": rows}).select(pl.concat_list(entries).alias("values"))
    return frame["values"].cast(ATTRIBUTES)


def _attribute_texts(run: Run, attribute: Attribute, rows: Ints) -> pl.Series:
    if attribute.values is None or attribute.labels is None:
        kinds = _gathered(run, attribute.columns, rows)
        if not kinds:
            return pl.Series(["nil"] * rows.size, dtype=pl.String)
        return texts_of(kinds).fill_null("nil")
    groups = pl.DataFrame({"group": attribute.labels[rows]})
    placed = groups.join(attribute.values, on="group", how="left", maintain_order="left")
    value = Value({attribute.kind: pl.col("value")})
    return placed.select(as_text(value).fill_null("nil").alias("text")).to_series()
