"""The sampled flag: mixed in a trace, missing on what was recorded, or never written at all."""

from __future__ import annotations

from typing import Any

import polars as pl

import tracelab as tl
from tracelab.synthetic import draw, generate

TWO_TRACES = """
    web::GET   =====  kind=server
      pay::GET .===   kind=server

    web::GET   =====  kind=server
      pay::GET .===   kind=server
"""


def found(*flags: int | None) -> list[tuple[Any, ...]]:
    spans = draw(TWO_TRACES).with_columns(flags=pl.Series(flags, dtype=pl.UInt32))
    told = tl.audit(spans).filter(pl.col("rule").is_in(["mixed-sampling-flags", "unsampled-span-recorded"]))
    return told.select("rule", "severity", "service_name", "count", "out_of").rows()


def test_a_service_that_says_otherwise_than_its_caller_is_found() -> None:
    assert found(1, 0, 1, 1) == [("mixed-sampling-flags", "warning", "pay", 1, 2)]
    assert found(0x101, 0x300, 0x101, 0x301) == [("mixed-sampling-flags", "warning", "pay", 1, 2)]


def test_a_trace_that_is_recorded_unsampled_is_found() -> None:
    assert found(0, 0, 1, 1) == [
        ("unsampled-span-recorded", "warning", "pay", 1, 2),
        ("unsampled-span-recorded", "warning", "web", 1, 2),
    ]


def test_another_flag_than_the_sampled_one_shows_that_flags_are_written() -> None:
    assert found(3, 2, 3, 2) == [("mixed-sampling-flags", "warning", "pay", 2, 2)]


def test_a_service_that_never_writes_flags_may_not_know_them() -> None:
    assert found(0x101, 0x300, 0x101, 0x300) == [("unsampled-span-recorded", "info", "pay", 2, 2)]


def test_what_nobody_writes_says_nothing() -> None:
    assert found(0, 0, 0, 0) == []
    assert found(0x100, 0x300, 0x100, 0x300) == []
    assert found(None, None, None, None) == []


def test_flags_that_are_not_known_contradict_nothing() -> None:
    assert found(1, None, 1, 1) == []


def test_sampled_spans_are_no_finding() -> None:
    assert found(1, 0x101, 3, 0x301) == []
    rules = tl.audit(generate(5_000, seed=1))["rule"].to_list()
    assert "mixed-sampling-flags" not in rules
    assert "unsampled-span-recorded" not in rules
