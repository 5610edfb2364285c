"""How findings about splits speak of coincidence."""

from __future__ import annotations

from tracelab.display.words import format_number


def by_coincidence(expected: float, *, fits: str = "") -> str:
    """Say how many matches there would be if nothing were wrong, or how many that fit in such a way."""
    number = "less than one" if expected < 1 else f"about {format_number(round(expected))}"
    return f"Coincidence alone would give {number}{fits}."
