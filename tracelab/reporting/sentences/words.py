"""The words that sentences are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from tracelab.analysis.intervals import wilson
from tracelab.display.words import format_share
from tracelab.markup import NO_NAME, cut, visible
from tracelab.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST: Final = 80
NUMBERS: Final = dict(enumerate(("three", "four", "five", "six", "seven", "eight", "nine", "ten"), start=3))
_CONFIDENCE: Final = 0.95


def named(text: object) -> str:
    """Write a name that somebody sent, so that it is short, seen, and has no effect."""
    shown = visible(cut(str(text), LONGEST))
    return shown if shown.strip() else NO_NAME


def operation(service: str, name: str) -> str:
    """Say which operation of which service is meant."""
    return f"{named(name)} of {named(service)}"


def interval(count: int, of: int) -> str:
    """Write Wilson's interval of a share: `1.1 - 3.5 %`."""
    lower, upper = wilson(pl.lit(count), pl.lit(of), confidence=_CONFIDENCE)
    low, high = pl.select(low=lower, high=upper).row(0)
    return f"{format_share(low).removesuffix(' %')} - {format_share(high)}"


def part(count: int, of: int, what: str, rest: str = "") -> str:
    """Say how many of how many: `11 of 557 requests`; `rest` follows, as ` to GET /`."""
    return f"The one {what.removesuffix('s')}{rest}" if of == 1 else f"{count:,} of {of:,} {what}{rest}"


def within(count: int, of: int) -> str:
    """Write the interval of a share in brackets, with a space before; nothing where there is only one."""
    return f" ({interval(count, of)})" if of > 1 else ""


def were(count: int) -> str:
    """Give the verb for so many things."""
    return "was" if count == 1 else "were"


def times(count: int) -> str:
    """Say how often."""
    return {1: "once", 2: "twice"}.get(count, f"{count:,} times")


def span_of(low: int | None, high: int | None) -> str:
    """Write the interval of a time, or nothing where a bound is not known."""
    if low is None or high is None:
        return ""
    return f" ({format_duration(low)} - {format_duration(high)})"


def listed(texts: Sequence[str]) -> str:
    """Join texts as people do: `a, b and c`."""
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


def sentence(text: str) -> str:
    """End a text as a sentence; it may begin with a name, which stays as it is."""
    return text if text.endswith(".") else f"{text}."
