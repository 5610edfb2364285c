"""The spans of a frame put together by trace, as places in arrays: what every policy is evaluated on."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from tracelab.forest import numbered

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Ints

Codes: TypeAlias = npt.NDArray[np.int8]
ItemT = TypeVar("ItemT", bound=np.generic)


@dataclass(frozen=True)
class Groups:
    """Rows of a frame, in groups that stand one behind the other: the spans that one decision is made on.

    Attributes
    ----------
    frame
        The spans.
    rows
        The rows of the frame, group by group; None where the frame has them in this order itself.
    starts
        Where each group begins among `rows`; none is empty.
    """

    frame: pl.DataFrame
    rows: Ints | None = field(repr=False)
    starts: Ints = field(repr=False)

    @cached_property
    def places(self) -> int:
        """How many rows are in a group."""
        return self.frame.height if self.rows is None else self.rows.size

    @cached_property
    def sizes(self) -> Ints:
        """How many rows each group has."""
        return np.diff(self.starts, append=self.places)

    @cached_property
    def group(self) -> Ints:
        """The number of the group of each place."""
        return np.repeat(np.arange(self.starts.size), self.sizes)

    @cached_property
    def first_rows(self) -> Ints:
        """The row at the beginning of each group."""
        return self.starts if self.rows is None else self.rows[self.starts]

    def placed(self, values: npt.NDArray[ItemT]) -> npt.NDArray[ItemT]:
        """Give what stands in the rows of a column in the order of the places."""
        return values if self.rows is None else values[self.rows]

    def any(self, marked: Flags) -> Flags:
        """Say which groups have a row that is marked; there is a mark for each row of the frame."""
        if not self.starts.size:
            return np.zeros(0, dtype=bool)
        found = np.zeros(self.starts.size, dtype=bool)
        places = np.flatnonzero(self.placed(marked))
        if places.size * 8 < self.places:
            found[np.searchsorted(self.starts, places, "right") - 1] = True
            return found
        return np.logical_or.reduceat(self.placed(marked), self.starts)

    def least(self, values: Ints) -> Ints:
        """Give the least value of each group."""
        placed = self.placed(values)
        return np.minimum.reduceat(placed, self.starts) if self.starts.size else placed[:0]

    def most(self, values: Ints) -> Ints:
        """Give the largest value of each group."""
        placed = self.placed(values)
        return np.maximum.reduceat(placed, self.starts) if self.starts.size else placed[:0]

    def total(self, values: Ints) -> Ints:
        """Give the sum of each group."""
        placed = self.placed(values)
        return np.add.reduceat(placed, self.starts) if self.starts.size else placed[:0]

    def only(self, chosen: Flags) -> Groups:
        """Give the groups of the places that are chosen; a group that loses all its rows is gone."""
        places = np.flatnonzero(chosen)
        group = self.group[places]
        starts = np.flatnonzero(np.diff(group, prepend=-1))
        return Groups(self.frame, places if self.rows is None else self.rows[places], starts)


def trace_groups(frame: pl.DataFrame) -> Groups:
    """Put the spans together by trace, in the order of the frame's first spans where they stand together there."""
    if not frame.height:
        return Groups(frame, None, np.zeros(0, dtype=np.int64))
    trace_id = frame["trace_id"]
    left = frame["tree_left"].to_numpy()
    if (left[1:] > left[:-1]).all():
        tops = _tops(frame)
        starts = (
            np.flatnonzero(_changes(trace_id)) if tops is None else tops[_changes(trace_id.gather(pl.Series(tops)))]
        )
        if trace_id.gather(pl.Series(starts)).n_unique() == starts.size:
            return Groups(frame, None, starts)
    number = numbered(trace_id)
    rows = np.argsort(number, kind="stable")
    return Groups(frame, rows, np.flatnonzero(np.diff(number[rows], prepend=-1)))


def _tops(frame: pl.DataFrame) -> Ints | None:
    """Find where fragments begin in a frame in tree order; None where one is not there with all its spans.

    Only there a trace begins, so that the ids of all other spans need not be compared.
    """
    tops = np.flatnonzero(frame["depth"].to_numpy() == 0)
    if not tops.size or tops[0] != 0:
        return None
    left, right = (frame[name].to_numpy() for name in ("tree_left", "tree_right"))
    sizes = np.diff(tops, append=frame.height)
    first, last = left[tops].astype(np.int64), right[tops].astype(np.int64)
    whole = (left[tops + sizes - 1] <= last) & ((last - first + 1) // 2 == sizes)
    return tops if whole.all() else None


def _changes(values: pl.Series) -> Flags:
    changes = (values != values.shift(1)).fill_null(value=True)
    return changes.to_numpy()
