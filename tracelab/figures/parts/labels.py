"""Where labels of points stand, so that none covers a mark, a line or another label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracelab.figures.parts.text import text_width

if TYPE_CHECKING:
    from collections.abc import Sequence

_SIDES: Final = {
    "middle right": (1, 0),
    "middle left": (-1, 0),
    "top center": (0, 1),
    "bottom center": (0, -1),
    "top right": (1, 1),
    "top left": (-1, 1),
    "bottom right": (1, -1),
    "bottom left": (-1, -1),
}
"""The places of text as plotly names them, those first that read best, and which way each is from the point."""

_APART: Final = 1.0


@dataclass(frozen=True)
class Box:
    """A part of a plot, in pixels, upwards and to the right."""

    left: float
    right: float
    low: float
    high: float

    @classmethod
    def around(cls, x: float, y: float, radius: float) -> Box:
        """Give the box of a mark."""
        return cls(x - radius, x + radius, y - radius, y + radius)

    def meets(self, other: Box) -> bool:
        """Tell whether two overlap, or nearly touch."""
        return (
            min(self.right, other.right) - max(self.left, other.left) > -_APART
            and min(self.high, other.high) - max(self.low, other.low) > -_APART
        )

    def holds(self, other: Box) -> bool:
        """Tell whether another lies within this one."""
        within = self.left <= other.left and other.right <= self.right
        return within and self.low <= other.low and other.high <= self.high


def label_sides(
    labels: Sequence[tuple[float, float, str]], taken: Sequence[Box], area: Box, *, radius: float, size: float
) -> list[str]:
    """Say on which side of its point each label stands; nothing where no side is free.

    Parameters
    ----------
    labels
        Where each point is, and its label. The last is chosen for first: it is drawn over the others.
    taken
        What no label may cover: marks and lines.
    area
        What no label may leave.
    radius
        That of the marks that have labels.
    size
        That of the letters.
    """
    covered = list(taken)
    sides = [""] * len(labels)
    for at in reversed(range(len(labels))):
        for side in _SIDES:
            box = label_box(*labels[at], side, radius, size)
            if area.holds(box) and not any(box.meets(other) for other in covered):
                sides[at] = side
                covered.append(box)
                break
    return sides


def label_box(x: float, y: float, text: str, side: str, radius: float, size: float) -> Box:
    """Give the room of a label as plotly sets it: farther from the point than the mark is wide."""
    across, up = _SIDES[side]
    away, width = radius / 0.8 + 1, text_width(text, size)
    left = x + (away if across > 0 else -away - width if across < 0 else -width / 2)
    low = y + (away if up > 0 else -away - size if up < 0 else -size / 2)
    return Box(left, left + width, low, low + size)
