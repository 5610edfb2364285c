"""Expressions that look at other spans of the trace: its root, the parent, the children, the nested set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.forest import FOREST_COLUMNS, Forest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracelab.array_types import Ints

_ROW: Final = pl.UInt32()
_NESTED_SET: Final = pl.Struct({"left": pl.Int64(), "right": pl.Int64(), "parent": pl.Int64()})


def parent_row() -> pl.Expr:
    """Give the row of each span's parent; null where it has none in the frame."""
    return _forest_expression(_parent_row, _ROW)


def root_row() -> pl.Expr:
    """Give the row of the root of each span's trace; null where the trace has none.

    Of several roots it is the last in tree order. A span that only links to its parent, as OpenTracing writes it, is no
    root.
    """
    columns = ["trace_id", "parent_span_id", "tree_left", "links"]
    return pl.struct(columns).map_batches(_root_row, return_dtype=_ROW)


def child_count() -> pl.Expr:
    """Count the children of each span; in a trace without a root they count as none."""
    return _forest_expression(_child_count, pl.Int64())


def nested_set() -> pl.Expr:
    """Give `left`, `right` and `parent` of Tempo's nested set, which counts from 1 in every trace, as a struct.

    A root's `parent` is -1. Spans under a missing parent have no numbers: all three are 0.
    """
    return _forest_expression(_nested_set, _NESTED_SET)


def trace_duration() -> pl.Expr:
    """Give the time from the first start to the last end in each span's trace."""
    start = pl.col("start_time")
    return ((start + pl.col("duration")).max() - start.min()).over("trace_id")


def _forest_expression(function: Callable[[Forest], pl.Series], dtype: pl.DataType) -> pl.Expr:
    return pl.struct(FOREST_COLUMNS).map_batches(
        lambda columns: function(Forest.of(columns.struct.unnest())), return_dtype=dtype
    )


def _parent_row(forest: Forest) -> pl.Series:
    return _rows(forest.parent)


def _rows(rows: Ints) -> pl.Series:
    series = pl.Series(rows)
    return pl.select(pl.when(series >= 0).then(series).cast(_ROW)).to_series()


def _root_row(columns: pl.Series) -> pl.Series:
    spans = columns.struct.unnest().with_row_index("row")
    roots = spans.filter(pl.col("parent_span_id").is_null())
    linked = roots.filter(pl.col("links").list.len() > 0).explode("links").unnest("links", separator=":")
    following = linked.filter(
        pl.col("links:trace_id") == pl.col("trace_id"),
        pl.col("links:attributes").map.get("opentracing.ref_type") == "child_of",
    )
    last = roots.join(following, on="row", how="anti").sort("tree_left").unique("trace_id", keep="last")
    found = spans.select("trace_id").join(last, on="trace_id", how="left", maintain_order="left")
    return found["row"].cast(_ROW)


def _child_count(forest: Forest) -> pl.Series:
    count = forest.left.size
    parents = forest.parent
    children = np.bincount(parents[parents >= 0], minlength=count)
    return pl.Series(np.where(_has_root(forest), children, 0))


def _has_root(forest: Forest) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Tell whether each span's trace has a root in the frame."""
    rooted = np.zeros(int(forest.trace.max(initial=0)) + 1, dtype=bool)
    rooted[forest.trace[forest.frame["parent_span_id"].is_null().to_numpy()]] = True
    return rooted[forest.trace]


def _nested_set(forest: Forest) -> pl.Series:
    """Count the spans of every trace anew, passing over the fragments that hang on no root."""
    left, right, trace = forest.left, forest.right, forest.trace
    rootless = np.zeros(left.size, dtype=bool) if forest.rootless is None else forest.rootless
    order = np.argsort(left)
    # The numbers that orphans use up are not given to anybody: count how many went by so far.
    skipped_tops = order[rootless[order] & (forest.depth[order] == 0)]
    widths = np.concatenate([[0], np.cumsum(right[skipped_tops] - left[skipped_tops] + 1)])
    skipped = widths[np.searchsorted(left[skipped_tops], left)]
    first = np.full(int(trace.max(initial=0)) + 1, np.iinfo(np.int64).max)
    shifted = left - skipped
    np.minimum.at(first, trace[~rootless], shifted[~rootless])
    local = np.where(rootless, 0, shifted - first[trace] + 1)
    parents = forest.parent
    above = np.where(forest.depth == 0, -1, np.where(parents >= 0, local[np.maximum(parents, 0)], 0))
    return pl.DataFrame(
        {
            "left": local,
            "right": np.where(rootless, 0, local + right - left),
            "parent": np.where(rootless, 0, above),
        }
    ).to_struct("")
