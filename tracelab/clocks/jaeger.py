"""The clock skew adjuster of Jaeger's query service (`CorrectClockSkew`), level by level for all traces at once.

A span on another host than its parent is put in the middle of it if it would fit and does not; what is below it on the
same host moves with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.forest import NOBODY, cut_cycles
from tracelab.numbering import coded
from tracelab.schema import KIND

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Ints
    from tracelab.forest import Forest

_ADDRESS: Final = "resource.host.ip"
_KEYS: Final = ("resource.host.id", _ADDRESS, "resource.host.name")
_FIRST_ITEM: Final = r'^\s*\[\s*"([^"]*)"'
_SERVER: Final = KIND.categories.index_of("server")


@dataclass(frozen=True)
class Adjusted:
    """What Jaeger would do to spans in places.

    Attributes
    ----------
    shift
        Nanoseconds to add to the times of each span.
    orphan, repeated, circular, too_far
        Mark the spans that it warns of: their parent is missing; their id is that of an earlier span; they are in or
        below a cycle; the shift would be too large. All but the first are left as they are.
    """

    shift: Ints
    orphan: Flags
    repeated: Flags
    circular: Flags
    too_far: Flags


def jaeger_columns(spans: pl.DataFrame | pl.LazyFrame) -> list[str]:
    """List the columns that name hosts to Jaeger."""
    names = spans.columns if isinstance(spans, pl.DataFrame) else spans.collect_schema().names()
    there = set(names)
    return [name for name in (*_KEYS, "more_attributes") if name in there]


def adjusted(frame: pl.DataFrame, forest: Forest, row: Ints, most: int | None) -> Adjusted:
    """Adjust spans as Jaeger does; `row` tells in which order they came, `most` how far one may be moved."""
    host = _hosts(frame)
    repeated, parent = _first_of_each_id(frame, forest, row)
    start, length = (frame[name].to_physical().to_numpy() for name in ("start_time", "duration"))
    delta = np.zeros(start.size, dtype=np.int64)
    shift = np.zeros(start.size, dtype=np.int64)
    too_far = np.zeros(start.size, dtype=bool)
    circular = ~repeated
    rooted = (parent == NOBODY) & ~repeated & ~cut_cycles(frame, forest)
    circular[rooted] = False
    children, first, count = _children(np.where(repeated, NOBODY, parent))
    level = np.flatnonzero(rooted)
    while (level := _below(level, children, first, count)).size:
        above = parent[level]
        delta[level] = delta[above]
        other = level[(host[level] != host[above]) | (host[level] < 0)]
        delta[other] = _skews(start, length, other, parent[other], start[parent[other]] + shift[parent[other]])
        far = np.zeros(level.size, dtype=bool) if most is None else np.abs(delta[level]) > most
        too_far[level] = far
        shift[level] = np.where(far, 0, delta[level])
        circular[level] = False
    orphan = rooted & frame["parent_span_id"].is_not_null().to_numpy()
    return Adjusted(shift, orphan, repeated, circular, too_far)


def _skews(start: Ints, length: Ints, child: Ints, parent: Ints, parent_start: Ints) -> Ints:
    """Give what is to be added to the times of children, whose parents have their times already."""
    behind = parent_start - start[child]
    room = length[parent] - length[child]
    fits = (behind <= 0) & (-behind <= room)
    return np.where(room < 0, np.maximum(behind, 0), np.where(fits, 0, behind + room // 2))


def _hosts(frame: pl.DataFrame) -> Ints:
    """Give every span a number of its host; -1 where none is named. An address is the first of a list of them."""
    columns = set(frame.columns)
    places = []
    for key in _KEYS:
        if key in columns:
            places.append(_host_named(key, frame[key].dtype))
        if "more_attributes" in columns:
            text = pl.col("more_attributes").map.get(key)
            # Lists stand there as JSON.
            places.append(pl.coalesce(text.str.extract(_FIRST_ITEM, 1), text) if key == _ADDRESS else text)
    texts = frame.select(pl.coalesce(*places, pl.lit(None, dtype=pl.String)).replace("", None).alias("host"))
    return coded(texts.to_series())[0]


def _host_named(key: str, dtype: pl.DataType) -> pl.Expr:
    """Read the name of a host. One that is no text is none, and hides what else there is; but for an address."""
    if dtype == pl.String:
        return pl.col(key)
    if key == _ADDRESS:
        return pl.col(key).list.first().cast(pl.String) if isinstance(dtype, pl.List) else pl.lit(None, dtype=pl.String)
    return pl.when(pl.col(key).is_not_null()).then(pl.lit(""))


def _first_of_each_id(frame: pl.DataFrame, forest: Forest, row: Ints) -> tuple[Flags, Ints]:
    """Mark the spans whose id an earlier one has, and give parents among the others.

    Jaeger tells the two sides of a call apart before that share one id, a client and a server.
    """
    repeated = np.zeros(row.size, dtype=bool)
    keys = frame.select(pl.col("trace_id").hash(1) ^ pl.col("span_id").hash(2)).to_series()
    if keys.n_unique() == row.size:
        return repeated, forest.parent
    ids = frame.select(pl.struct("trace_id", "span_id").rank("dense").cast(pl.Int64) - 1).to_series().to_numpy()
    kind = frame["kind"].to_physical().to_numpy()
    parent = forest.parent
    shared = (parent >= 0) & (kind == _SERVER)
    shared[shared] = ids[parent[shared]] == ids[shared]
    ids = np.where(shared, ids + row.size, ids)
    order = np.lexsort((row, ids))
    begins = np.concatenate(([True], ids[order][1:] != ids[order][:-1]))
    first = np.empty(row.size, dtype=np.int64)
    first[order] = np.repeat(order[begins], np.diff(np.flatnonzero(begins), append=row.size))
    repeated = first != np.arange(row.size)
    return repeated, np.where(parent >= 0, first[parent], NOBODY)


def _children(parent: Ints) -> tuple[Ints, Ints, Ints]:
    """List children by parent; and for every place where its children begin in the list, and how many there are."""
    children = np.flatnonzero(parent >= 0)
    children = children[np.argsort(parent[children], kind="stable")]
    count = np.bincount(parent[children], minlength=parent.size)
    return children, np.cumsum(count) - count, count


def _below(level: Ints, children: Ints, first: Ints, count: Ints) -> Ints:
    """List the children of the spans of a level."""
    counts = count[level]
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    below: Ints = children[np.repeat(first[level], counts) + within]
    return below
