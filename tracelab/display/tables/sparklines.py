"""Small pictures of how something went: a line in HTML, block characters on a terminal."""

from __future__ import annotations

import html
import math
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Final

import polars as pl

from tracelab.display.words import in_words, share_columns
from tracelab.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Sequence

_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_GAP: Final = " "
_MOST_BLOCKS: Final = 24
_MOST_POINTS: Final = 120
_WIDTH, _HEIGHT, _MARGIN = 96, 20, 2

Trend = list[float | None] | None


def trends(column: pl.Series) -> list[Trend]:
    """Give the numbers of each row of a column of lists; what is null or not finite is a gap.

    Raises
    ------
    SchemaError
        The column holds no lists of numbers.
    """
    dtype = column.dtype
    inner = dtype.inner if isinstance(dtype, pl.List | pl.Array) else None
    if inner is None or not (inner.is_numeric() or inner == pl.Duration):
        raise SchemaError(
            f"The trend {column.name!r} holds {dtype}, and a trend is a list of numbers. Pass a column of lists."
        )
    lists = column.cast(pl.List(pl.Int64)) if inner == pl.Duration else column
    return [None if values is None else [_finite(value) for value in values] for values in lists.to_list()]


def ranges(column: pl.Series) -> list[str | None]:
    """Say in words between which values each row lies, for those who do not see the picture."""
    name = column.name
    low, high = (
        pl.DataFrame({name: extreme}) if extreme.dtype != pl.Null else None
        for extreme in (column.list.min().alias(name), column.list.max().alias(name))
    )
    if low is None or high is None:
        return [None] * column.len()
    shares = share_columns(high)
    lows, highs = (in_words(frame, shares=shares)[0].texts for frame in (low, high))
    return [
        None if least is None or most is None else f"{least} to {most}" for least, most in zip(lows, highs, strict=True)
    ]


def blocks(trend: Trend) -> str | None:
    """Draw a trend with block characters, from zero; None where nothing is known.

    Examples
    --------
    >>> blocks([0, 2, None, 7])
    '▁▃ █'
    """
    if trend is None or all(value is None for value in trend):
        return None
    few = _thinned(trend, _MOST_BLOCKS)
    low, high = _extent(few)
    top = len(_BLOCKS) - 1
    return "".join(_GAP if value is None else _BLOCKS[round((value - low) / (high - low) * top)] for value in few)


def drawing(trend: Trend, label: str) -> str:
    """Draw a trend as SVG, from zero; numbers beside a gap are not joined over it."""
    few = _thinned(trend or [], _MOST_POINTS)
    low, high = _extent(few)
    right = (_WIDTH - 2 * _MARGIN) / max(len(few) - 1, 1)
    up = (_HEIGHT - 2 * _MARGIN) / (high - low)
    points = [
        None if value is None else f"{_MARGIN + number * right:.1f},{_HEIGHT - _MARGIN - (value - low) * up:.1f}"
        for number, value in enumerate(few)
    ]
    runs = [list(run) for known, run in groupby(points, key=lambda point: point is not None) if known]
    # A line of no length is drawn as a dot, since its ends are round.
    lines = "".join(f'<polyline points="{" ".join(_ended(run))}"/>' for run in runs)
    return (
        f'<svg class="trend" role="img" aria-label="{html.escape(label)}" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'width="{_WIDTH}" height="{_HEIGHT}">{lines}</svg>'
    )


def _ended(run: Sequence[str | None]) -> list[str]:
    points = [point for point in run if point is not None]
    return points if len(points) > 1 else points * 2


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _thinned(trend: Sequence[float | None], most: int) -> list[float | None]:
    """Keep the largest of neighbours where there are more numbers than places, so that no peak is lost."""
    if len(trend) <= most:
        return list(trend)
    cuts = [len(trend) * place // most for place in range(most + 1)]
    parts = (trend[start:end] for start, end in pairwise(cuts))
    return [max((value for value in part if value is not None), default=None) for part in parts]


def _extent(trend: Sequence[float | None]) -> tuple[float, float]:
    known = [value for value in trend if value is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    low, high = min(low, 0.0), max(high, 0.0)
    return low, high if high > low else low + 1.0
