from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from tracelab.differences.paths.exact import rounded, shared_out


@given(st.lists(st.integers(-(10**20), 10**20), max_size=30), st.integers(1, 10**9))
def test_rounded_parts_add_up_to_the_rounded_whole(numerators: list[int], denominator: int) -> None:
    parts = shared_out(numerators, denominator)
    assert sum(parts) == rounded(sum(numerators), denominator)
    assert all(abs(part - Fraction(value, denominator)) < 1 for part, value in zip(parts, numerators, strict=True))


@given(st.integers(-(10**20), 10**20), st.integers(1, 10**9))
def test_a_fraction_is_rounded_to_the_nearest(numerator: int, denominator: int) -> None:
    assert abs(rounded(numerator, denominator) - Fraction(numerator, denominator)) <= Fraction(1, 2)


def test_of_nothing_nothing_is_shared_out() -> None:
    assert shared_out([], 5) == []
    assert shared_out([3, 4], 0) == [0, 0]
    assert rounded(3, 0) == 0
