"""How findings about splits speak of coincidence."""

from __future__ import annotations

from tracelab.display.words import format_number


def by_coincidence(expected: float) -> str:
    """Say how many matches there would be if nothing were wrong."""
    if expected < 1:
        return "Coincidence alone would give less than one."
    return f"Coincidence alone would give about {format_number(round(expected))}."
