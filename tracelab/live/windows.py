"""Windows of time: split until a server's answer for each is whole."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from tracelab.errors import TracelabError
from tracelab.options import instant, nanoseconds

if TYPE_CHECKING:
    import polars as pl

_MOST_PARTS: Final = 16
_SPARE: Final = 1.5
_SECOND: Final = 1_000_000_000
_AHEAD: Final = 60 * _SECOND


@dataclass(frozen=True, slots=True)
class Window:
    """A time from `start` to before `end`, in nanoseconds since 1970."""

    start: int
    end: int

    def __str__(self) -> str:
        """Write it for people, as it can be given to `start` and `end`."""
        return f"{iso(self.start)} to {iso(self.end)}"

    def parts(self, count: int, step: int) -> list[Window]:
        """Cut it into parts, the latest first, each of whole steps; itself alone where it is as short as a step."""
        steps = -(-(self.end - self.start) // step)
        count = max(1, min(count, steps))
        edges = [self.start + steps * number // count * step for number in range(count)] + [self.end]
        return [Window(edges[number], edges[number + 1]) for number in reversed(range(count))]

    def cut_by(self, starts: pl.Series, step: int) -> list[Window]:
        """Cut it into so many parts that each is likely to be answered whole, by what a cut answer held of it.

        Most servers give the latest first: if what came is from the last hundredth of the window, there is about a
        hundred times as much. If it is from all over the window, nothing is known but that it was too much.
        """
        inside = starts.filter(starts.is_between(self.start, self.end))
        oldest = inside.min()
        covered = self.end - oldest if isinstance(oldest, int) else 0
        share = max(covered, 1) / max(self.end - self.start, 1)
        return self.parts(max(2, min(_MOST_PARTS, round(_SPARE / share))), step)


def window_of(start: Any, end: Any, lookback: Any, *, step: int) -> Window:
    """Read which time is asked for: from `start`, or `lookback` before the end, to `end`, or now.

    Raises
    ------
    TracelabError
        One of them is no time, or it ends before it begins.
    """
    # The clocks of others may be ahead, and spans that end now began before.
    until = time.time_ns() + _AHEAD if end is None else instant("end", end)
    length = nanoseconds("lookback", lookback)
    if start is not None:
        since = instant("start", start)
    else:
        since = max(0, (until - _AHEAD if end is None else until) - length)
    if since >= until:
        raise TracelabError(f"`start` ({iso(since)}) must lie before `end` ({iso(until)}).")
    return Window(since // step * step, -(-until // step) * step)


def iso(moment: int) -> str:
    """Write an instant as RFC 3339 has it, to the nanosecond."""
    seconds, rest = divmod(moment, _SECOND)
    text = f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"
    return f"{text}.{rest:09d}".rstrip("0").rstrip(".") + "Z"
