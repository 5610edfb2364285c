"""Traces that are put together again, where the audit is sure which belong together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.auditing.evidence import Evidence
from tracelab.auditing.measures.lost_roots import lost_roots
from tracelab.auditing.measures.split_calls import split_calls
from tracelab.conforming import FrameT, takes_any_frame, with_tree

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Ints

JOINED: Final = "joined"
ORIGINAL: Final = "original_trace_id"
_ADDED: Final = {JOINED: pl.Boolean(), ORIGINAL: pl.String()}
_ROW: Final = "__row"
_HOME: Final = "__home"


@takes_any_frame
def repair_splits(spans: FrameT) -> FrameT:
    """Join traces that are parts of one, where there is no doubt about it.

    These are what `audit` finds as `split-trace` and as `lost-in-process`, as far as nothing else fits: the root lies
    in one unanswered call only, that call holds one such root only, and coincidence gives hardly any on that edge; or
    the process worked on one request only when the root began. The root gets the span that called it as its parent
    (lost work gets the span with which its request began), and all spans of its trace move to the trace of that span.
    What is not sure stays as it is.

    Parameters
    ----------
    spans
        The spans. What `repair_splits` joined before is judged anew, together with what has been added since.

    Returns
    -------
    The frame in its old order of rows, its tree computed anew, with `trace_id` and `parent_span_id` of what was joined,
    and at its end `joined` (Boolean, whether the span has been moved) and `original_trace_id` (String, the trace that
    it was recorded in, null where that is unchanged). A LazyFrame is computed when it is collected.

    Examples
    --------
    >>> from tracelab.synthetic import generate_system
    >>> spans, _ = generate_system(1, faults={"context-lost-http": 1})
    >>> repaired = repair_splits(spans)
    >>> repaired["trace_id"].n_unique() < spans["trace_id"].n_unique()
    True
    >>> repaired.filter("joined").height == repaired["original_trace_id"].count() > 0
    True
    """
    if isinstance(spans, pl.LazyFrame):
        schema = {name: dtype for name, dtype in spans.collect_schema().items() if name not in _ADDED}
        return spans.map_batches(
            _repaired,
            predicate_pushdown=False,
            projection_pushdown=False,
            slice_pushdown=False,
            schema={**schema, **_ADDED},
        )
    return _repaired(spans)


def _repaired(spans: pl.DataFrame) -> pl.DataFrame:
    frame = _as_recorded(spans)
    nothing = [pl.lit(value=False).alias(JOINED), pl.lit(None, dtype=pl.String).alias(ORIGINAL)]
    if not frame.height:
        return frame.with_columns(nothing)
    evidence = Evidence(frame.with_row_index(_ROW))
    joins = _sure(evidence)
    moved = joins.moved(evidence) if joins.root.size else None
    if moved is None:
        return frame.with_columns(nothing)
    told = moved.sort(_ROW).select("trace_id", "parent_span_id", *_ADDED)
    return with_tree(frame.with_columns(told))


def _as_recorded(spans: pl.DataFrame) -> pl.DataFrame:
    """Take back what was joined before, so that everything is judged together."""
    if any(spans.schema.get(name) != dtype for name, dtype in _ADDED.items()):
        return spans.drop(_ADDED, strict=False)
    frame = spans.with_columns(pl.coalesce(ORIGINAL, "trace_id").alias(_HOME))
    moved = frame.filter(pl.col(JOINED) & pl.col(ORIGINAL).is_not_null())
    if not moved.height:
        return spans.drop(_ADDED)
    homes = frame.select("trace_id", "span_id", above=_HOME).unique(["trace_id", "span_id"])
    frame = frame.join(
        homes,
        left_on=["trace_id", "parent_span_id"],
        right_on=["trace_id", "span_id"],
        how="left",
        maintain_order="left",
    )
    was_root = pl.col(JOINED) & (pl.col("above") != pl.col(_HOME))
    return with_tree(
        frame.with_columns(
            pl.col(_HOME).alias("trace_id"),
            pl.when(was_root.fill_null(value=False)).then(None).otherwise("parent_span_id").alias("parent_span_id"),
        ).drop(_HOME, "above", *_ADDED)
    )


def _sure(evidence: Evidence) -> _Joins:
    """List the roots that are sure to belong below a span of another trace."""
    root, above = [], []
    if (splits := split_calls(evidence)) is not None:
        root.append(splits.root[splits.sure])
        above.append(splits.call[splits.sure])
    if (lost := lost_roots(evidence)) is not None:
        root.append(lost.rows[lost.sure])
        above.append(lost.above[lost.sure])
    none = np.empty(0, dtype=np.int64)
    roots, place = np.unique(np.concatenate((none, *root)), return_index=True)
    return _Joins(roots, np.concatenate((none, *above))[place])


@dataclass(frozen=True)
class _Joins:
    """Roots, and the span of another trace that each belongs below."""

    root: Ints
    above: Ints

    def moved(self, evidence: Evidence) -> pl.DataFrame | None:
        """Move what belongs together into one trace; None if nothing can be."""
        part = _parts(evidence)
        target = np.arange(int(part.max()) + 1)
        other = part[self.root] != part[self.above]
        target[part[self.root][other]] = part[self.above][other]
        # Any span of a part tells the trace of all of it.
        span = np.zeros(target.size, dtype=np.int64)
        span[part] = np.arange(part.size)
        last = _settled(evidence, part, target, span)
        joined = last[part] != part
        if not joined.any():
            return None
        roots = target[part[self.root]] != part[self.root]
        parent = np.full(evidence.count, -1, dtype=np.int64)
        parent[self.root[roots]] = self.above[roots]
        named = pl.Series(parent)
        trace, ids = evidence.frame["trace_id"], evidence.frame["span_id"]
        return evidence.frame.with_columns(
            trace.gather(span[last[part]]).alias("trace_id"),
            pl.coalesce(ids.gather(named.set(named < 0, None)), "parent_span_id").alias("parent_span_id"),
            pl.Series(JOINED, joined),
            pl.when(pl.Series(joined)).then(trace).alias(ORIGINAL),
        )


def _parts(evidence: Evidence) -> Ints:
    """Give numbers to what moves together: a trace, or where it has several roots each fragment."""
    roots = np.bincount(evidence.trace[evidence.true_root], minlength=int(evidence.trace.max()) + 1)
    return np.where(roots[evidence.trace] > 1, roots.size + evidence.forest.root, evidence.trace)


def _settled(evidence: Evidence, part: Ints, target: Ints, span: Ints) -> Ints:
    """Follow every part to the one that it ends up in, and take back (in `target`) what cannot be joined.

    That is what leads in a circle or back to its own trace, and what has a span id that is there already.
    """
    while True:
        last = target
        for _ in range(int(target.size).bit_length()):
            last = last[last]
        trace = evidence.trace[span]
        moved = target != np.arange(target.size)
        bad = moved & ((target[last] != last) | (trace[last] == trace))
        if not bad.any():
            bad = _clashing(evidence, part, last) & moved
        if not bad.any():
            return last
        target[bad] = np.flatnonzero(bad)


def _clashing(evidence: Evidence, part: Ints, last: Ints) -> Flags:
    """Mark the parts that have the id of a span in another part of the same new trace."""
    clashing = np.zeros(last.size, dtype=bool)
    grows = np.zeros(last.size, dtype=bool)
    grows[last[last != np.arange(last.size)]] = True
    rows = np.flatnonzero(grows[last[part]])
    table = pl.DataFrame(
        {"part": part[rows], "last": last[part[rows]], "span_id": evidence.frame["span_id"].gather(rows)}
    )
    several = pl.col("part").n_unique().over("last", "span_id") > 1
    clashing[table.filter(several)["part"].to_numpy()] = True
    return clashing
