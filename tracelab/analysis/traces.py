"""Traces: one row for each, with what it is about and how large."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.analysis.arrays import durations, group_starts, starts
from tracelab.analysis.failures import has_failed
from tracelab.analysis.grouping import Spans, names_of
from tracelab.conforming import takes_any_frame
from tracelab.forest import Forest, build_forest
from tracelab.sampling.estimation.weighing import WEIGHT, checked_weights
from tracelab.schema import TIME

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracelab.array_types import Flags, Ints

_FAILED: Final = "__failed"
_COUNTS: Final = ("spans", "services", "errors", "depth", "fragments", "missing_parents")


@takes_any_frame
def trace_summary(spans: Spans) -> pl.DataFrame:
    """List the traces.

    Parameters
    ----------
    spans
        The spans.

    Returns
    -------
    One row per trace, sorted by start, then id: `trace_id`, `service_name`, `name` (String, of the span that begins the
    trace: its root, or the span that starts first where there are several or none), `start_time` (Datetime, first start
    of any span), `duration` (Duration, to the last end of any span), `spans`, `services`, `errors` (UInt32; spans that
    failed, see `error_rates`), `depth` (UInt32, levels of the deepest fragment), `fragments` (UInt32, 1 if all spans
    hang together), `missing_parents` (UInt32, spans whose parent was never received).

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... web::GET /   ======
    ...   db::SELECT ..==!
    ... ''')
    >>> trace_summary(spans).select("name", "duration", "spans", "services", "errors", "depth").row(0)
    ('GET /', datetime.timedelta(microseconds=6000), 2, 2, 1, 2)
    """
    frame, forest = build_forest(spans, has_failed(spans).alias(_FAILED))
    traces = _traces(frame, forest, frame[_FAILED].fill_null(value=False).to_numpy())
    number = traces.select("trace_id").with_row_index("number")
    services = (
        frame.lazy()
        .select("trace_id", "service_name")
        .unique()
        .join(number.lazy(), on="trace_id")
        .group_by("trace_id")
        .agg(services=pl.len())
    )
    return (
        traces.lazy()
        .with_columns(
            frame["service_name"].gather(traces["place"]),
            frame["name"].gather(traces["place"]),
        )
        .join(services, on="trace_id")
        .select(
            "trace_id",
            "service_name",
            "name",
            "start_time",
            "duration",
            *(pl.col(name).cast(pl.UInt32) for name in _COUNTS),
        )
        .sort("start_time", "trace_id")
        .collect()
    )


def whole_traces(spans: Spans, groups: Sequence[pl.Expr], weight: Sequence[pl.Expr] = ()) -> pl.DataFrame:
    """Give a row per trace: `trace_id`, `start_time`, `duration`, and what `groups` say of the span that begins it.

    A window is that of the start of the trace. With a weight of spans there is one of the trace, as `trace_weights`
    has it.
    """
    tagged = [group.alias(f"__by_{number}") for number, group in enumerate(groups)]
    frame, forest = build_forest(spans, *tagged, *weight)
    traces = _traces(frame, forest, np.zeros(frame.height, dtype=bool))
    said = [
        frame[tag.meta.output_name()].gather(traces["place"]).alias(name)
        for tag, name in zip(tagged, names_of(groups), strict=True)
    ]
    answer = traces.select("trace_id", "start_time", "duration").with_columns(said)
    if not weight:
        return answer
    return answer.join(trace_weights(frame), on="trace_id", how="left", maintain_order="left")


def trace_weights(frame: pl.DataFrame) -> pl.DataFrame:
    """Give a row per trace: `trace_id` and its weight, the largest of its spans; null where that of one is not known.

    Spans of one trace that have different weights were kept by one random number, and all of them are there as often as
    the one that is kept the most rarely.
    """
    weights = frame.select("trace_id", pl.Series(WEIGHT, checked_weights(frame[WEIGHT])))
    # What is not a number is larger than any, so that it is what a trace has where one span has it.
    return weights.group_by("trace_id").agg(pl.col(WEIGHT).sort().last()).with_columns(pl.col(WEIGHT).fill_nan(None))


def first_roots(frame: pl.DataFrame, forest: Forest) -> Ints:
    """Give the place of the span that begins each trace: its root, or the first where there are several or none."""
    roots = np.flatnonzero(~forest.has_parent)
    orphaned = frame["parent_span_id"].gather(pl.Series(roots)).is_not_null().to_numpy()
    trace = forest.trace[roots]
    # Roots of a trace stand by start, then id, which a stable sort keeps.
    order = np.lexsort((starts(frame)[roots], orphaned, trace))
    return roots[order[group_starts(trace[order])]]


def _traces(frame: pl.DataFrame, forest: Forest, failed: Flags) -> pl.DataFrame:
    """Put fragments together to traces; `place` is that of the span that begins the trace."""
    roots = np.flatnonzero(~forest.has_parent)
    start = starts(frame)
    fragments = frame[roots].select(
        "trace_id",
        "span_id",
        pl.Series("place", roots),
        pl.col("start_time").alias("root_start"),
        pl.col("parent_span_id").is_not_null().alias("orphaned"),
        pl.Series("start_time", np.minimum.reduceat(start, roots)).cast(TIME),
        pl.Series("end_time", np.maximum.reduceat(start + durations(frame), roots)).cast(TIME),
        pl.Series("spans", forest.size[roots]),
        pl.Series("errors", np.add.reduceat(failed.astype(np.int64), roots)),
        pl.Series("depth", np.maximum.reduceat(forest.depth, roots) + 1),
    )
    return (
        fragments.lazy()
        .sort("orphaned", "root_start", "span_id", "place")
        .group_by("trace_id", maintain_order=True)
        .agg(
            pl.col("place").first(),
            pl.col("start_time").min(),
            duration=pl.col("end_time").max() - pl.col("start_time").min(),
            spans=pl.col("spans").sum(),
            errors=pl.col("errors").sum(),
            depth=pl.col("depth").max(),
            fragments=pl.len(),
            missing_parents=pl.col("orphaned").sum(),
        )
        .collect()
    )
