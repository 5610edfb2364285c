"""What a table is made of: columns in words, each figure with its bounds, some with a small picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracelab.display.tables.bounds import bounded, ends, intervals
from tracelab.display.tables.headings import headings
from tracelab.display.tables.sparklines import Trend, blocks, ranges, trends
from tracelab.display.words import in_words

if TYPE_CHECKING:
    from collections.abc import Collection

    import polars as pl

    from tracelab.display.words import Column


@dataclass(frozen=True, slots=True)
class Cells:
    """One column of a table.

    `texts` are its values in words, None where one is null; `number` stands to the right, `whole` is never cut. Of a
    figure that other columns bound, `intervals` holds what they say in brackets, and `bounds` their names. A trend has
    its numbers in `trends`, and block characters in `texts`; `labels` say between which values it lies.
    """

    name: str
    heading: str
    dtype: str
    texts: tuple[str | None, ...]
    number: bool
    whole: bool
    bounds: tuple[str, ...] = ()
    intervals: tuple[str, ...] = ()
    trends: tuple[Trend, ...] = ()
    labels: tuple[str | None, ...] = ()

    def names(self) -> tuple[str, ...]:
        """Give the columns of the frame that stand in this one."""
        return self.name, *self.bounds


def cells(frame: pl.DataFrame, *, shares: Collection[str], drawn: Collection[str]) -> list[Cells]:
    """Put a frame into the columns of a table; `drawn` are its trends."""
    words = {column.name: column for column in in_words(frame, shares=shares)}
    figures = bounded(frame.schema)
    folded = {name for bounds in figures.values() for name in bounds.names()}
    kept = [name for name in frame.columns if name not in folded]
    above = headings(kept)
    columns = []
    for name in kept:
        if name in drawn:
            columns.append(_trend(frame[name], words[name], above[name]))
            continue
        column, bounds = words[name], figures.get(name)
        inside: tuple[str, ...] = ()
        if bounds is not None:
            lower, upper = (words[each] if each is not None else None for each in bounds)
            inside = intervals(lower, upper, column, ends(frame, bounds))
        columns.append(
            Cells(
                name, above[name], column.dtype, column.texts, column.number, column.whole,
                bounds.names() if bounds else (), inside,
            )
        )  # fmt: skip
    return columns


def _trend(column: pl.Series, words: Column, heading: str) -> Cells:
    numbers = tuple(trends(column))
    return Cells(
        column.name, heading, words.dtype, tuple(map(blocks, numbers)), number=False, whole=True,
        trends=numbers, labels=tuple(ranges(column)),
    )  # fmt: skip
