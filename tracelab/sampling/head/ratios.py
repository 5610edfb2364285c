"""Which trace ids the samplers called TraceIdRatioBased keep: each SDK looks at other bits, and rounds otherwise."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

from tracelab.sampling.trace_state import NEVER

_32: Final = 2**32
_56: Final = 2**56
_63: Final = 2**63
_64: Final = 2**64

LOW: Final = "low"
"""The last 8 bytes of the id."""

HIGH: Final = "high"
"""The first 8 bytes."""

SWAPPED: Final = "swapped"
"""The first 8 bytes, the first of them the least: a number as it lies in the memory of today's processors."""

FOLDED: Final = "folded"
"""The four words of 32 bits, combined by exclusive or."""

LAST: Final = "last"
"""The last 7 bytes."""

RANDOM: Final = "random"
"""The random value of consistent sampling: explicit, or the last 7 bytes."""

SIZES: Final = {LOW: _64, HIGH: _64, SWAPPED: _64, FOLDED: _32, LAST: _56, RANDOM: _56}
"""How many values each of the numbers that samplers read in an id can have."""


@dataclass(frozen=True)
class Kept:
    """The ids that a sampler keeps: those in which a number lies in one of some ranges, whose ends are left out."""

    number: str
    ranges: tuple[tuple[int, int], ...]

    def __contains__(self, value: int) -> bool:
        """Say whether one value is kept."""
        # Ranges stand in order and do not meet, so that inside of one an odd number of ends lies below.
        return bisect_right([end for pair in self.ranges for end in pair], value) % 2 == 1


_Rule: TypeAlias = Callable[[float], Kept]


@lru_cache(maxsize=256)
def kept_ids(ratio: float, sdk: str) -> Kept:
    """Give the ids that an SDK's sampler keeps at a ratio from 0 to 1."""
    return SDKS[sdk](ratio)


def kept_from(threshold: int) -> Kept:
    """Give what consistent sampling keeps: the random values that reach the threshold."""
    return _kept(RANDOM, (threshold, _56))


def _kept(number: str, *ranges: tuple[int, int]) -> Kept:
    return Kept(number, tuple((start, stop) for start, stop in ranges if start < stop))


def _python(ratio: float) -> Kept:
    return _kept(LOW, (0, round(ratio * _64)))


def _js(ratio: float) -> Kept:
    return _kept(FOLDED, (0, _32 if ratio == 1 else math.floor(ratio * (_32 - 1))))


def _go(ratio: float) -> Kept:
    # The lowest bit is shifted out.
    return _kept(LOW, (0, 2 * int(ratio * _63)))


def _java(ratio: float) -> Kept:
    return _by_absolute_value(LOW, ratio)


def _dotnet(ratio: float) -> Kept:
    return _by_absolute_value(HIGH, ratio)


def _by_absolute_value(number: str, ratio: float) -> Kept:
    """Keep ids whose absolute value, as a signed number, is below a bound; the least number has a negative one."""
    if ratio == 0:
        return _kept(number)
    bound = _63 - 1 if ratio == 1 else int(ratio * _63)
    return _kept(number, (0, bound), (_63, _63 + 1), (_64 - bound + 1, _64))


def _ruby(ratio: float) -> Kept:
    return _kept(LOW, (0, math.ceil(ratio * _64)))


def _php(ratio: float) -> Kept:
    """Keep the last 56 bits from a threshold on, of which four hex digits count after those that are f."""
    if ratio < 2**-56:
        return _kept(LAST)
    mantissa, exponent = math.frexp(ratio)
    digits = 4 * ((16 - exponent) // 4)
    step = max(0, 56 - digits)
    # One bit more than it keeps, to round by; what lies below is cut off.
    doubled = 2 * _56 - int(math.ldexp(mantissa, exponent + 57))
    threshold = (doubled + (1 << step)) >> 1 >> step << step
    return _kept(LAST, (threshold, _56))


def _cpp(ratio: float) -> Kept:
    """Keep what is, as a fraction of all, put on the same scale of 64 bits as the ratio and not above it."""
    most = _cpp_scaled(ratio)
    if most == 0:
        return _kept(SWAPPED)
    low, high = 0, _64
    while low < high:
        middle = (low + high) // 2
        if _cpp_scaled(float(middle) / _64) <= most:
            low = middle + 1
        else:
            high = middle
    return _kept(SWAPPED, (0, low))


def _cpp_scaled(ratio: float) -> int:
    if ratio >= 1:
        return _64 - 1
    product = (_32 - 1) * ratio
    fraction, whole = math.modf(product)
    return (int(whole) << 32) + int(math.ldexp(fraction, 32) + product)


def _erlang(ratio: float) -> Kept:
    bound = _63 - 1 if ratio == 1 else math.ceil(ratio * _63)
    return _kept(LOW, (0, bound), (_63, _63 + bound))


def _swift(ratio: float) -> Kept:
    return _kept(LOW, (0, _64 - 1 if ratio == 1 else int(ratio * _64)))


SDKS: Final[dict[str, _Rule]] = {
    "cpp": _cpp,
    "dotnet": _dotnet,
    "erlang": _erlang,
    "go": _go,
    "java": _java,
    "js": _js,
    "php": _php,
    "python": _python,
    "ruby": _ruby,
    "rust": _go,
    "swift": _swift,
}
"""The rules of the SDKs, by language."""


def threshold_of(probability: float, digits: int | None = None, *, halves_up: bool = False) -> int:
    """Give the threshold of a probability.

    Parameters
    ----------
    probability
        From 0 to 1; what is nearer to 0 than to 2**-56 gives the threshold that is never reached.
    digits
        How many hex digits to keep, not counting those that are 0 or f because the probability is near 1 or 0; None
        keeps all.
    halves_up
        Whether a half is rounded up, as Go does, or to the even number, as Python does.
    """
    scaled = probability * NEVER
    share = math.floor(scaled + 0.5) if halves_up and scaled < 2**52 else round(scaled)
    if digits is None or probability in (0, 1):
        return NEVER - share
    _, near_0 = math.frexp(probability)
    _, near_1 = math.frexp(1 - probability)
    shift = 4 * max(0, 14 - digits - max(-near_0 // 4, -near_1 // 4))
    half = (1 << shift) >> 1
    return (NEVER - share + half) >> shift << shift
