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

_MOST_PARTS: Final = 48
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
        count = max(1, min(count, steps, _MOST_PARTS))
        edges = [self.start + steps * number // count * step for number in range(count)] + [self.end]
        return [Window(edges[number], edges[number + 1]) for number in reversed(range(count))]

    def cut_by(self, starts: pl.Series, step: int, growth: float = 1) -> list[Window]:
        """Cut it into parts that are likely to be answered whole, the latest first, by what a cut answer held of it.

        The time that the traces of the answer are from is halved: most are there. What lies before and behind it is
        cut into pieces a little shorter than that time, as if traces were as dense there, but never into many. Where
        the next answers may hold several times as much, by `growth`, all of it is cut as if it were so dense.
        """
        inside = starts.filter(starts.is_between(self.start, self.end, closed="left"))
        first, last = inside.min(), inside.max()
        if not (isinstance(first, int) and isinstance(last, int)):
            return self.parts(2, step)
        low = self.start + (first - self.start) // step * step
        high = min(self.end, self.start + ((last - self.start) // step + 1) * step)
        if growth > 1:
            return self.parts(round(_SPARE * (self.end - self.start) / (high - low) / growth), step)
        dense = Window(low, high)
        around = [
            piece
            for rest in (Window(high, self.end), Window(self.start, low))
            if rest.end > rest.start
            for piece in rest.parts(round(_SPARE * (rest.end - rest.start) / (high - low)), step)
        ]
        return sorted([*dense.parts(2, step), *around], key=lambda window: -window.start)


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
