"""The parent/child structure of spans, as columns.

A nested set: every span is an interval from `tree_left` to `tree_right` that encloses the intervals of all its
descendants. One counter runs through the whole frame, so intervals of different traces never meet and the columns
survive every filter. Everything is computed on whole columns, level by level; no loop runs over spans.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from tracelab.errors import SchemaError
from tracelab.schema import SPAN_SCHEMA, TREE_COLUMNS, in_order

Rows = npt.NDArray[np.int64]

NO_PARENT: Final = -1
IDENTITY: Final = (
    "trace_id", "span_id", "parent_span_id", "name", "kind", "service_name", "start_time", "duration",
)  # fmt: skip
"""The columns that a tree is made of."""

_MAX_SPANS: Final = 2**31 - 1
_ROW_BITS: Final = 31
_ROOM: Final = 2**62


@dataclass(frozen=True, slots=True)
class Tree:
    """The structure of a frame's spans, one array item per row.

    Attributes
    ----------
    parent
        Row of the parent; -1 for the root of a fragment. Cycles are cut.
    depth, left, right
        The nested set; `depth` counts from 0 at the root of the fragment.
    cut
        Rows at which a cycle was cut.
    """

    parent: Rows
    depth: Rows
    left: Rows
    right: Rows
    cut: Rows


def build_tree(spans: pl.DataFrame) -> Tree:
    """Compute the structure of the spans: parents, depths and the nested set."""
    if spans.height > _MAX_SPANS:
        raise SchemaError(
            f"{spans.height:,} spans are more than one frame can number ({_MAX_SPANS:,}). Split the frame."
        )
    order = _sibling_order(spans)
    rank = np.empty_like(order)
    rank[order] = np.arange(order.size)
    by_row = parent_index(spans)
    # From here on spans are numbered in sibling order, so that sorting by parent alone sorts siblings too.
    parent = np.where(by_row[order] >= 0, rank[by_row[order]], NO_PARENT)
    children, first, levels = _levels(parent)
    cut = _cycle_cuts(parent, levels)
    if cut.size:
        parent[cut] = NO_PARENT
        children, first, levels = _levels(parent)
    depth, left, right = _nested_set(parent, children, first, levels)
    back = np.where(parent >= 0, order[parent], NO_PARENT)
    return Tree(back[rank], depth[rank], left[rank], right[rank], order[cut])


def parent_index(spans: pl.DataFrame) -> Rows:
    """Find the row of every span's parent by its id; -1 where it has none in its trace.

    This is the one place that looks parents up. An id that several spans share names the span that starts first (then
    the longest, then by name), but for the pair that Zipkin's shared spans leave behind, one client and one server
    with the same id: there a server span is a child of the client span and any other is a child of the server span.
    Cycles are left as they are; a span may be its own parent.
    """
    result = np.full(spans.height, NO_PARENT, dtype=np.int64)
    traces = [spans["trace_id"].hash(seed) for seed in (1, 3)]
    owners = pl.DataFrame(_keys(traces, spans["span_id"])).with_row_index("parent")
    children = pl.DataFrame([*_keys(traces, spans["parent_span_id"]), spans["parent_span_id"].is_not_null()])
    found = children.with_row_index("row").filter("parent_span_id").join(owners, on="key")
    rows = found["row"].to_numpy()
    # A child that found two owners knows an id that several spans share.
    if (found["check"] == found["check_right"]).all() and np.bincount(rows, minlength=1).max() <= 1:
        result[rows] = found["parent"].to_numpy()
        return result
    found = _parents_by_rules(spans)
    result[found["row"].to_numpy()] = found["parent"].to_numpy()
    return result


def _keys(traces: list[pl.Series], ids: pl.Series) -> list[pl.Series]:
    """Give two numbers for the ids of every span: to compare numbers is several times faster than to compare texts.

    The second tells whether the first was the same for other ids by chance.
    """
    return [
        (trace ^ ids.hash(seed)).alias(name) for trace, name, seed in zip(traces, ("key", "check"), (2, 4), strict=True)
    ]


def _parents_by_rules(spans: pl.DataFrame) -> pl.DataFrame:
    """Find parents where several spans share an id."""
    ids = spans.lazy().select("trace_id", "span_id", "parent_span_id", "kind", "start_time", "duration", "name")
    rows = ids.with_row_index("row")
    owners = (
        rows.sort("start_time", "duration", "name", "row", descending=[False, True, False, False])
        .group_by("trace_id", "span_id", maintain_order=True)
        .agg(
            pl.col("row").cast(pl.Int64),
            kinds=pl.col("kind").cast(pl.String),
        )
        .select(
            "trace_id",
            "span_id",
            pl.when(_is_shared()).then(_row_of("server")).otherwise(pl.col("row").list.first()).alias("row"),
            pl.when(_is_shared()).then(_row_of("client")).alias("client"),
        )
    )
    return (
        rows.filter(pl.col("parent_span_id").is_not_null())
        .select("row", "trace_id", "parent_span_id", "kind")
        .join(owners, left_on=["trace_id", "parent_span_id"], right_on=["trace_id", "span_id"])
        .select(
            "row",
            parent=pl.when(pl.col("kind") == "server").then(pl.coalesce("client", "row_right")).otherwise("row_right"),
        )
        .collect()
    )


def schema_with_tree(schema: pl.Schema) -> dict[str, pl.DataType]:
    """Give the schema that `add_tree` makes of this one."""
    dtypes = {**schema, **{name: SPAN_SCHEMA[name] for name in TREE_COLUMNS}}
    return {name: dtypes[name] for name in in_order(list(dtypes))}


def add_tree(spans: pl.DataFrame) -> pl.DataFrame:
    """Add (or compute anew) the tree columns of a frame that is in order."""
    tree = build_tree(spans)
    parent = pl.Series(np.where(tree.parent >= 0, tree.parent, np.arange(spans.height)))
    other_service = spans["service_name"].gather(parent) != spans["service_name"]
    enters = other_service.to_numpy() | (tree.parent < 0) | spans["kind"].is_in(["server", "consumer"]).to_numpy()
    frame = spans.with_columns(
        pl.Series("depth", tree.depth, dtype=pl.UInt32),
        pl.Series("tree_left", tree.left, dtype=pl.UInt32),
        pl.Series("tree_right", tree.right, dtype=pl.UInt32),
        pl.Series("entry", enters, dtype=pl.Boolean),
    )
    return frame.select(in_order(frame.columns))


def _is_shared() -> pl.Expr:
    """Tell whether an id belongs to exactly one client and one server span."""
    return pl.col("kinds").list.sort() == pl.lit(["client", "server"], dtype=pl.List(pl.String))


def _row_of(kind: str) -> pl.Expr:
    return pl.col("row").list.get(pl.col("kinds").list.eval(pl.element() == kind).list.arg_max(), null_on_oob=True)


def _sibling_order(spans: pl.DataFrame) -> Rows:
    """List the rows so that traces stand together by first start, and spans in a trace by start, then id."""
    trace, first = _trace_numbers(spans)
    times = spans["start_time"].to_physical()
    since = times.to_numpy() - first[trace]
    if (int(since.max(initial=0)) + 1) * first.size > _ROOM:
        since = times.rank("dense").to_numpy().astype(np.int64)
    # One number to sort by is several times faster than two.
    key = trace * (int(since.max(initial=0)) + 1) + since
    order = np.argsort(key)
    key = key[order]
    equal = key[1:] == key[:-1]
    places = np.flatnonzero(np.concatenate((equal, [False])) | np.concatenate(([False], equal)))
    if places.size:
        tied = pl.Series(order[places])
        rest = spans.select(pl.col("span_id", "name", "duration").gather(tied))
        rest = rest.with_columns(key=key[places], row=tied)
        order[places] = rest.sort("key", "span_id", "name", "duration", "row")["row"].to_numpy()
    return order


def _trace_numbers(spans: pl.DataFrame) -> tuple[Rows, Rows]:
    """Give the number of each row's trace, counted by first start, then id, and the first start of each trace."""
    encoded: Any = spans["trace_id"].hash().to_arrow().dictionary_encode()
    # `to_numpy` would import pandas.
    codes = np.frombuffer(encoded.indices.buffers()[1], dtype=np.int32, count=len(encoded))
    rows = np.empty(len(encoded.dictionary), dtype=np.int64)
    rows[codes] = np.arange(codes.size)
    first = np.full(rows.size, np.iinfo(np.int64).max)
    np.minimum.at(first, codes, spans["start_time"].to_physical().to_numpy())
    traces = pl.DataFrame({"first": first, "trace_id": spans["trace_id"].gather(pl.Series(rows))})
    order = traces.with_row_index("code").sort("first", "trace_id")["code"].to_numpy()
    number = np.empty_like(rows)
    number[order] = np.arange(order.size)
    return number[codes], first[order]


def _levels(parent: Rows) -> tuple[Rows, Rows, list[Rows]]:
    """Sort spans by parent, and list the spans level by level from the roots down.

    Gives the spans sorted by parent, for every span the place of its first child in that list (and one past the last),
    and the levels. Spans on a cycle or below one are in no level.
    """
    # One number of both sorts faster than places by parent, and leaves siblings in order.
    children = np.sort((parent << _ROW_BITS) | np.arange(parent.size)) & _MAX_SPANS
    first = np.cumsum(np.bincount(parent + 1, minlength=parent.size + 1))
    levels = []
    level = children[: first[0]] if parent.size else children
    while level.size:
        levels.append(level)
        counts = first[level + 1] - first[level]
        total = int(counts.sum())
        starts = np.repeat(first[level] - (np.cumsum(counts) - counts), counts)
        level = children[starts + np.arange(total)]
    return children, first, levels


def _cycle_cuts(parent: Rows, levels: list[Rows]) -> Rows:
    """Find where to cut: of every cycle the span that is first in sibling order, which starts first."""
    unreached = np.ones(parent.size, dtype=bool)
    for level in levels:
        unreached[level] = False
    rest = np.flatnonzero(unreached)
    if not rest.size:
        return rest
    # After as many steps up as there are spans, everybody stands on a cycle: doubling takes log2 of them.
    up = np.searchsorted(rest, parent[rest])
    lowest, jump = np.arange(rest.size), up
    landed = up
    for _ in range(int(rest.size).bit_length()):
        landed = landed[landed]
        lowest = np.minimum(lowest, lowest[jump])
        jump = jump[jump]
    on_cycle = np.unique(landed)
    return rest[np.unique(lowest[on_cycle])]


def _nested_set(parent: Rows, children: Rows, first: Rows, levels: list[Rows]) -> tuple[Rows, Rows, Rows]:
    """Give depth, left and right of every span."""
    size = np.ones(parent.size, dtype=np.int64)
    depth = np.zeros(parent.size, dtype=np.int64)
    for number, level in reversed(list(enumerate(levels))):
        depth[level] = number
        if number:
            np.add.at(size, parent[level], size[level])
    # How many spans come before, among the subtrees of earlier siblings.
    sizes = size[children]
    before = np.empty(parent.size, dtype=np.int64)
    before[children] = np.cumsum(sizes) - sizes
    place = np.empty(parent.size, dtype=np.int64)
    for number, level in enumerate(levels):
        if number == 0:
            place[level] = before[level]
        else:
            above = parent[level]
            place[level] = place[above] + 1 + before[level] - before[children[first[above]]]
    # When a span is entered, `place` spans were entered before it and all but its `depth` ancestors have been left.
    left = 2 * place - depth + 1
    return depth, left, left + 2 * size - 1
