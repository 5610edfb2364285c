"""Differences of means in whole nanoseconds that add up to the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def shared_out(numerators: Sequence[int], denominator: int) -> list[int]:
    """Round fractions of one denominator so that they add up to their rounded sum.

    All are rounded down, and those that lost the most get one back (the method of largest remainders).
    """
    if not denominator:
        return [0] * len(numerators)
    parts = [divmod(numerator, denominator) for numerator in numerators]
    left = rounded(sum(numerators), denominator) - sum(whole for whole, _ in parts)
    most = sorted(range(len(parts)), key=lambda place: (-parts[place][1], place))[:left]
    lucky = set(most)
    return [whole + (place in lucky) for place, (whole, _) in enumerate(parts)]


def rounded(numerator: int, denominator: int) -> int:
    """Round a fraction to the nearest whole number, halves up."""
    return (2 * numerator + denominator) // (2 * denominator) if denominator else 0
