"""compare(): how often each value of each attribute occurs in a selection of spans, and in the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

import polars as pl
import polars.selectors as cs

from tracelab.sampling.estimation.weighing import WEIGHT, checked_weights
from tracelab.schema import TYPE_SUFFIX, is_attribute, is_type_companion
from tracelab.traceql.expressions.events import COLUMNS as ITEM_COLUMNS
from tracelab.traceql.expressions.values import as_text, column_value
from tracelab.traceql.series.over_time import Series, filled
from tracelab.traceql.syntax import nodes as n

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracelab.traceql.series.windows import Window
    from tracelab.traceql.spansets.plans import Plan

META_TYPE: Final = "__meta_type"
META_ERROR: Final = "__meta_error"
_TOO_MANY: Final = "__too_many_values__"
_NIL: Final = "nil"
_INTRINSICS: Final = ("rootName", "rootServiceName", "statusMessage")
_COLUMNS: Final = {
    "name": "name",
    "kind": "kind",
    "status": "status_code",
    "instrumentation:name": "scope_name",
    "instrumentation:version": "scope_version",
    "resource.service.name": "service_name",
}
"""Intrinsics, and the one attribute, that have a column under another name."""

_CELL: Final = "traceql cell"
_CARRIED: Final = cs.by_name(_CELL, WEIGHT, require_all=False)
"""What goes with every value: the interval and side that it is counted in, and its weight, if any."""

_EMPTY: Final = pl.DataFrame(
    schema={
        META_TYPE: pl.String(),
        "attribute": pl.String(),
        "text": pl.String(),
        "value": pl.Float64(),
        "interval": pl.Int64(),
    }
)


def compared_attributes(
    spans: pl.LazyFrame,
    plan: Plan,
    conditions: list[pl.Expr],
    metric: n.Compare,
    window: Window,
    weight: Sequence[pl.Expr] = (),
) -> Series:
    """Count, in the selection and in the baseline, the spans with each value of each attribute, by weight if any.

    Values are text; of every attribute the `metric.top` most frequent ones are shown. The totals of an attribute have
    the value `nil`.
    """
    selection = plan.compiler.condition(metric.selection)
    if metric.start:
        selection &= pl.col("start_time").to_physical().is_between(metric.start, metric.end, closed="right")
    intrinsics = {name: plan.compiler.value(n.Intrinsic(name)).kinds[n.STRING] for name in _INTRINSICS}
    frame = (
        plan.columns.with_helpers(spans)
        .with_columns(
            # The interval and the side in one number, which is what everything is counted by.
            (window.interval() * 2 + selection.fill_null(False).cast(pl.Int64)).alias(_CELL),
            *(value.alias(f"traceql {name}") for name, value in intrinsics.items()),
            *weight,
        )
        .filter(*conditions, pl.col(_CELL).is_not_null())
        .select(
            _CELL,
            *([WEIGHT] if weight else []),
            *(f"traceql {name}" for name in intrinsics),
            *_read(plan.columns.schema),
        )
        .collect()
    )
    if weight:
        frame = frame.with_columns(pl.Series(WEIGHT, checked_weights(frame[WEIGHT])))
    parts = [_shown(values, metric.top) for values in _attributes(frame, list(intrinsics)) if values.height]
    counted = pl.concat([_EMPTY, *(shown for shown, _ in parts)])
    points = filled(Series(counted, (META_TYPE, "attribute", "text")), window).frame
    cut = pl.DataFrame(
        {"attribute": [name for _, name in parts if name]}, schema={"attribute": pl.String()}
    ).with_columns(
        pl.lit(window.count - 1, dtype=pl.Int64).alias("interval"),
        pl.lit(_TOO_MANY).alias(META_ERROR),
        pl.lit(_NIL).alias("text"),
    )
    together = pl.concat([points.with_columns(pl.lit(None, dtype=pl.String).alias(META_ERROR)), cut], how="diagonal")
    names = sorted(together["attribute"].unique())
    labels = [META_TYPE, META_ERROR] if cut.height else [META_TYPE]
    columns = [pl.when(pl.col("attribute") == name).then("text").alias(name) for name in names]
    return Series(together.select("interval", *labels, *columns, "value"), (*labels, *names))


def _read(schema: pl.Schema) -> list[str]:
    """List the columns that attributes are read from."""
    fixed = (*_COLUMNS.values(), "more_attributes", *ITEM_COLUMNS.values())
    return [name for name in schema if name in fixed or (is_attribute(name) and not is_type_companion(name))]


def _attributes(frame: pl.DataFrame, intrinsics: list[str]) -> Iterator[pl.DataFrame]:
    """Give every attribute with its values on the spans."""
    columns = {name: f"traceql {name}" for name in intrinsics}
    columns |= {name: column for name, column in _COLUMNS.items() if column in frame.columns}
    columns |= {column: column for column in frame.columns if is_attribute(column)}
    for name, column in columns.items():
        values = frame.select(_CARRIED, pl.col(column).alias("text"), attribute=pl.lit(name)).drop_nulls("text")
        yield values.with_columns(cs.enum().cast(pl.String))
    for entries in _entries(frame):
        yield from entries.drop_nulls("text").partition_by("attribute")


def _shown(values: pl.DataFrame, top: int) -> tuple[pl.DataFrame, str | None]:
    """Count the most frequent values of one attribute on each side, and all of them together.

    Gives the counts, and the attribute's name if it has more values than are shown.
    """
    side = (pl.col(_CELL) % 2).alias("side")
    number = pl.col(WEIGHT).sum() if WEIGHT in values.columns else pl.len()
    sums = (
        values.group_by(side, "text")
        .agg(number.alias("len"))
        .sort("side", "len", "text", descending=[False, True, False])
    )
    best = sums.filter(pl.int_range(pl.len()).over("side") < top)
    rows = values.with_columns(side).join(best.select("side", "text"), on=["side", "text"])
    counts = rows.group_by(_CELL, "attribute", "text").agg(value=number.cast(pl.Float64))
    text = as_text(column_value(pl.col("text"), counts.schema["text"])).alias("text")
    shown = counts.with_columns(text, total=pl.lit(""))
    totals = values.group_by(_CELL, "attribute").agg(value=number.cast(pl.Float64))
    both = pl.concat([shown, totals.with_columns(total=pl.lit("_total"), text=pl.lit(_NIL)).select(shown.columns)])
    name = pl.when(pl.col(_CELL) % 2 == 1).then(pl.lit("selection")).otherwise(pl.lit("baseline")) + pl.col("total")
    points = both.select(name.alias(META_TYPE), "attribute", "text", "value", interval=pl.col(_CELL) // 2)
    return points, values["attribute"][0] if best.height < sums.height else None


def _entries(frame: pl.DataFrame) -> list[pl.DataFrame]:
    """Lay out the attributes that have no column: one row per span, attribute and text."""
    parts = []
    if "more_attributes" in frame.columns:
        more = frame.select(_CARRIED, entry=pl.col("more_attributes").map.entries())
        parts.append(_exploded(more, ""))
    for scope, column in ITEM_COLUMNS.items():
        if column in frame.columns:
            items = frame.select(_CARRIED, column).filter(pl.col(column).list.len() > 0).explode(column)
            attributes = pl.col(column).struct.field("attributes").map.entries()
            parts.append(_exploded(items.select(_CARRIED, entry=attributes), f"{scope}."))
            if scope == "event":
                text = pl.col(column).struct.field("name").alias("text")
                parts.append(items.select(_CARRIED, text, attribute=pl.lit("event:name")))
    return parts


def _exploded(part: pl.DataFrame, prefix: str) -> pl.DataFrame:
    rows = part.filter(pl.col("entry").list.len() > 0).explode("entry")
    entry = pl.col("entry").struct
    key, text = (field.name for field in cast("pl.Struct", rows.schema["entry"]).fields)
    texts = rows.select(_CARRIED, entry.field(text).alias("text"), attribute=prefix + entry.field(key))
    return texts.filter(~pl.col("attribute").str.ends_with(TYPE_SUFFIX))
