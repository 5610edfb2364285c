"""Which ids are kept at a ratio: against the rules of the SDKs as they decide, one id after another."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import Any, Final

import polars as pl
import pytest

from tests.sampling.ids_by_the_thousand import RATIOS, one_span_each, random_ids
from tracelab.sampling import TraceIdRatioBased, sample_head
from tracelab.sampling.head.ratios import SDKS, SIZES, kept_ids, threshold_of
from tracelab.sampling.trace_state import NEVER

Rule = Callable[[bytes, float], bool]


def signed(eight: bytes) -> int:
    number: int = struct.unpack(">q", eight)[0]
    return number


def unsigned(eight: bytes) -> int:
    return int.from_bytes(eight, "big")


def absolute(eight: bytes, ratio: float) -> bool:
    bound = -(2**63) if ratio == 0 else 2**63 - 1 if ratio == 1 else int(ratio * (2**63 - 1))
    number = signed(eight)
    return (number if number == -(2**63) else abs(number)) < bound


def php_threshold(ratio: float) -> str:
    """Work with the bits of the number, in whole numbers of 64 bits."""
    bits = struct.unpack(">Q", struct.pack(">d", ratio))[0]
    exponent, fraction = bits >> 52 & 2047, bits & 2**52 - 1
    fraction |= 2**52 if exponent else 0
    shift = exponent - 1023 - 52 + 57
    doubled = 2**57 - (fraction >> -shift if shift < 0 else fraction << shift)
    mask = -(2**56) >> (-(exponent - 1023 + 1) + 16 & -4)
    return f"{(doubled - mask >> 1) & mask:014x}".rstrip("0") or "0"


def cpp_scale(ratio: float) -> int:
    if ratio <= 0 or ratio >= 1:
        return 0 if ratio <= 0 else 2**64 - 1
    fraction, whole = math.modf(4294967295 * ratio)
    return (int(whole) << 32) + int(math.ldexp(fraction, 32) + 4294967295 * ratio)


def cpp(trace_id: bytes, ratio: float) -> bool:
    limit = cpp_scale(ratio)
    return limit > 0 and cpp_scale(float(int.from_bytes(trace_id[:8], "little")) / float(2**64 - 1)) <= limit


RULES: Final[dict[str, Rule]] = {
    "cpp": cpp,
    "dotnet": lambda trace_id, ratio: absolute(trace_id[:8], ratio),
    "erlang": lambda trace_id, ratio: (
        unsigned(trace_id[8:]) & (2**63 - 1) < (2**63 - 1 if ratio == 1 else ratio * (2**63 - 1))
    ),
    "go": lambda trace_id, ratio: ratio >= 1 or unsigned(trace_id[8:]) >> 1 < int(ratio * 2**63),
    "java": lambda trace_id, ratio: absolute(trace_id[8:], ratio),
    "php": lambda trace_id, ratio: ratio >= 2**-56 and trace_id.hex()[-14:] >= php_threshold(ratio),
    "ruby": lambda trace_id, ratio: ratio == 1 or unsigned(trace_id[8:]) < math.ceil(ratio * (2**64 - 1)),
    "rust": lambda trace_id, ratio: ratio >= 1 or unsigned(trace_id[8:]) >> 1 < int(max(ratio, 0) * float(2**63)),
    "swift": lambda trace_id, ratio: (
        unsigned(trace_id[8:]) < (2**64 - 1 if ratio >= 1 else int(ratio * float(2**64 - 1)))
    ),
}
"""What has no real SDK in these tests: each as its source reads."""


def ids_at_the_ends(sdk: str, ratio: float) -> list[str]:
    """Give ids on both sides of every end of a range."""
    kept = kept_ids(ratio, sdk)
    ends = [end + step for pair in kept.ranges for end in pair for step in (-2, -1, 0, 1)]
    numbers = [end for end in ends if 0 <= end < SIZES[kept.number]]
    match kept.number:
        case "low" | "last":
            return [f"{7:016x}{number:016x}" for number in numbers]
        case "high":
            return [f"{number:016x}{7:016x}" for number in numbers]
        case _:
            return [f"{number.to_bytes(8, 'little').hex()}{7:016x}" for number in numbers]


@pytest.mark.parametrize("sdk", RULES)
@pytest.mark.parametrize("ratio", [*RATIOS, 1e-17, 2**-56, 1e-20, 1 - 2**-53])
def test_ids_are_kept_as_the_source_of_the_sdk_reads(sdk: str, ratio: float) -> None:
    ids = list(dict.fromkeys([*random_ids(3000), *ids_at_the_ends(sdk, ratio)]))
    expected = [each for each in ids if RULES[sdk](bytes.fromhex(each), ratio)]
    assert sample_head(one_span_each(ids), TraceIdRatioBased(ratio, sdk=sdk))["trace_id"].to_list() == expected


def test_the_vectors_of_python_and_javascript_come_out(vectors: dict[str, Any]) -> None:
    frame = one_span_each(vectors["ids"])
    for sdk in ("python", "js"):
        for ratio, digits in vectors[sdk].items():
            kept = sample_head(frame, TraceIdRatioBased(float(ratio), sdk=sdk))
            found = "".join(map(str, frame["trace_id"].is_in(kept["trace_id"].to_list()).cast(pl.Int8).to_list()))
            assert found == digits, (sdk, ratio)


def test_javascript_and_python_agree_on_half_of_the_ids_at_one_half() -> None:
    frame = one_span_each(random_ids(20_000))
    python, js = (
        set(sample_head(frame, TraceIdRatioBased(0.5, sdk=sdk))["trace_id"].to_list()) for sdk in ("python", "js")
    )
    assert abs(len(python ^ js) / frame.height - 0.5) < 0.02


@pytest.mark.parametrize("sdk", SDKS)
def test_ranges_lie_in_order_and_do_not_meet(sdk: str) -> None:
    for ratio in RATIOS:
        ranges = kept_ids(ratio, sdk).ranges
        flat = [end for pair in sorted(ranges) for end in pair]
        assert flat == sorted(flat)


def test_thresholds_are_rounded_as_the_vectors_say(vectors: dict[str, Any]) -> None:
    for case in vectors["th_precision_table"]:
        found = threshold_of(1 / case["one_in"], case["precision"], halves_up=True)
        assert (f"{found:014x}".rstrip("0") or "0") == case["th"], case
    for case in vectors["th_full_precision_python_js"]:
        expected = NEVER if case["th"] is None else int(case["threshold_hex14"], 16)
        assert threshold_of(case["probability"]) == expected, case
