"""What was measured for a rule, and how that is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from tracelab.analysis.intervals import wilson
from tracelab.checking.rules.quantities import in_words
from tracelab.display.words import format_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracelab.checking.rules.nodes import Unit

MOST_EXEMPLARS: Final = 5
_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure.

    Attributes
    ----------
    told
        What was seen, in words; why there is nothing where there is no value.
    n, counted
        How many it rests on, and of what: `request`, `span`, `trace`.
    value, lower, upper
        The figure and its interval; None for what the data do not tell.
    exemplars
        Traces that show it, the worst first.
    hint
        What would make it clearer.
    """

    told: str
    n: int
    counted: str
    value: float | None = None
    lower: float | None = None
    upper: float | None = None
    exemplars: tuple[str, ...] = ()
    hint: str = ""


def nothing(why: str, counted: str) -> Measured:
    """Say that there is nothing to measure, and why."""
    return Measured(why, 0, counted)


def exact(told: str, value: float, n: int, counted: str, exemplars: Sequence[str] = ()) -> Measured:
    """Give what was counted, of which nothing is uncertain."""
    return Measured(told, n, counted, value, value, value, tuple(exemplars[:MOST_EXEMPLARS]))


def interval(lower: float | None, upper: float | None, unit: Unit, confidence: float | None) -> str:
    """Say between which bounds a figure lies; nothing where only what was seen counts."""
    if confidence is None:
        return ""
    sure = f"{format_number(100 * confidence)} % interval"
    if lower is None and upper is None:
        return f" (too few for a {sure})"
    if upper is None:
        return f" ({sure} {in_words(lower or 0.0, unit)} or more)"
    if lower is None:
        return f" ({sure} {in_words(upper, unit)} or less)"
    return f" ({sure} {in_words(lower, unit)} to {in_words(upper, unit)})"


def share_interval(some: float, of: float, confidence: float) -> tuple[float, float]:
    """Give the bounds of Wilson's interval of a share."""
    lower, upper = wilson(pl.lit(some), pl.lit(of), confidence=confidence)
    found: tuple[float, float] = pl.select(lower.alias("lower"), upper.alias("upper")).row(0)
    return found


def listed(names: Sequence[str]) -> str:
    """List the first names, and say how many there are further."""
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def traces_of(rows: pl.DataFrame) -> tuple[str, ...]:
    """Give the first traces of some rows, each once."""
    return tuple(rows["trace_id"].unique(maintain_order=True).head(MOST_EXEMPLARS).to_list())
