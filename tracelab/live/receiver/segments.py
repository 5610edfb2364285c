"""Segments of what is held: whole traces as a span frame each, which can part from some of them."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

_TIERS: Final = (4_096, 32_768)
_IN_TIER: Final = 8
_TAIL: Final = 16
Hashes = npt.NDArray[np.uint64]
Turns = npt.NDArray[np.int64]


class Segment:
    """Whole traces as a span frame of their own, and in which turn each got its last span.

    Attributes
    ----------
    traces, turns
        The numbers of its traces in ascending order, and the turn of each.
    bytes
        What its memory holds, the texts of rows that went among it.
    learned, in_line
        What its owner knows of it.
    """

    def __init__(self, frame: pl.DataFrame, traces: Hashes, turns: Turns, memory_of: int = 0) -> None:
        # Rows hold on to the memory of the rows that they were taken from among.
        fresh = 2 * frame.height < memory_of or not memory_of
        self.frame = _on_their_own(frame) if fresh else frame
        self.traces = traces
        self.turns = turns
        self.trace_count = frame["trace_id"].n_unique()
        self.bytes = _memory(self.frame)
        self.learned = False
        self.in_line: tuple[int, pl.DataFrame] | None = None
        self._memory_of = frame.height if fresh else memory_of

    @property
    def height(self) -> int:
        """The number of spans."""
        return self.frame.height

    def parted(self, traces: Hashes) -> tuple[Segment | None, pl.DataFrame | None]:
        """Part from some traces: gives the segment without them, if there is any, and their rows."""
        going = among(self.traces, traces)
        if not going.any():
            return self, None
        moved = pl.Series(among(trace_numbers(self.frame), self.traces[going]))
        return self._some(self.frame.filter(~moved), ~going, self._memory_of), self.frame.filter(moved)

    def without_oldest(self, excess: int) -> Segment | None:
        """Part from the traces that got no span for the longest time, as many as have so many spans."""
        rows = np.searchsorted(self.traces, trace_numbers(self.frame))
        sizes = np.bincount(rows, minlength=self.traces.size)
        first = np.full(self.traces.size, self.height)
        np.minimum.at(first, rows, np.arange(self.height))
        order = np.lexsort((first, self.turns))
        count = int(np.searchsorted(np.cumsum(sizes[order]), excess)) + 1
        going = np.zeros(self.traces.size, dtype=np.bool_)
        going[order[:count]] = True
        return self._some(self.frame.filter(~pl.Series(going[rows])), ~going, 0)

    def head(self, spans: int) -> Segment | None:
        """Give the first spans of its frame, though its traces may not be whole then."""
        rows = self.frame.head(spans)
        return self._some(rows, among(self.traces, trace_numbers(rows)), 0)

    def _some(self, rows: pl.DataFrame, traces: npt.NDArray[np.bool_], memory_of: int) -> Segment | None:
        if not rows.height:
            return None
        segment = Segment(rows, self.traces[traces], self.turns[traces], memory_of)
        segment.learned = self.learned
        return segment


def segment_of(frame: pl.DataFrame, turn: int, earlier: list[Segment], touched: Hashes) -> Segment:
    """Make a segment; traces of earlier ones that are in it keep their turn, unless they were touched."""
    traces = np.unique(trace_numbers(frame))
    turns = np.full(traces.size, turn, dtype=np.int64)
    for segment in earlier:
        kept = among(traces, segment.traces) & ~among(traces, touched)
        turns[kept] = segment.turns[np.searchsorted(segment.traces, traces[kept])]
    return Segment(frame, traces, turns)


def without(segments: list[Segment], traces: Hashes) -> tuple[list[Segment], list[pl.DataFrame]]:
    """Take some traces out of the segments that they are in; gives what is left, and their rows."""
    parted = [segment.parted(traces) for segment in segments]
    return [rest for rest, _ in parted if rest is not None], [rows for _, rows in parted if rows is not None]


def small_ones(segments: list[Segment], height: int) -> tuple[list[Segment], list[Segment]]:
    """Part the last segments that are small from the others, if they are many, to make one of them and of what comes.

    So each span is put together anew a few times at most, and there are never many segments.
    """
    small = 0
    for limit in _TIERS:
        if height >= limit:
            continue
        end = small
        while end < len(segments) and segments[-1 - end].height < limit:
            end += 1
        if end - small < _IN_TIER:
            break
        height += sum(segment.height for segment in segments[len(segments) - end : len(segments) - small])
        small = end
    first = len(segments) - small
    return segments[:first], segments[first:]


def trace_numbers(spans: pl.DataFrame) -> Hashes:
    """Give a number for the trace of each span, which is that of the other half where an id was cut in two."""
    return spans["trace_id"].str.tail(_TAIL).hash().to_numpy()


def _on_their_own(rows: pl.DataFrame) -> pl.DataFrame:
    """Put rows into memory of their own; texts stay where they were first read otherwise, among all others."""
    gathered = _numbered(rows[pl.Series(np.arange(rows.height))])
    alone: Any = pl.from_arrow(gathered.to_arrow(compat_level=pl.CompatLevel.oldest()), schema=gathered.schema)
    frame: pl.DataFrame = alone
    frame.columns = rows.columns
    return frame


def _memory(frame: pl.DataFrame) -> int:
    """Give the bytes that a frame holds on to, those of others among them."""
    return int(_numbered(frame).to_arrow(compat_level=pl.CompatLevel.newest()).get_total_buffer_size())


def _numbered(frame: pl.DataFrame) -> pl.DataFrame:
    """Give columns numbers as names, for Arrow has no names with a NUL, as keys of attributes may be."""
    named = frame.clone()
    named.columns = [str(place) for place in range(frame.width)]
    return named


def among(traces: Hashes, others: Hashes) -> npt.NDArray[np.bool_]:
    """Tell which traces are among others."""
    # By sorting, since the table that numpy 2.0 would take for small ranges overflows with numbers as large as these.
    return np.isin(traces, others, kind="sort")
