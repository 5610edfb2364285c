"""Events outside of their spans: found by how far they are out, and not where times are merely rounded."""

from __future__ import annotations

import polars as pl
import pytest

import tracelab as tl
from tracelab.schema import EVENTS
from tracelab.synthetic import draw, generate


def with_events(*microseconds: int, grain: int = 1) -> pl.DataFrame:
    """Draw spans of 10 ms, each with an event so many microseconds after its start."""
    spans = draw("\n\n".join(["web::GET =========="] * len(microseconds)))
    odd = pl.duration(nanoseconds=0 if grain > 1 else 123_457, time_unit="ns")
    spans = spans.with_columns(pl.col("start_time") + odd)
    at = [
        [{"time": start + 1_000 * later, "name": "retry", "attributes": {}}]
        for start, later in zip(spans["start_time"].to_physical(), microseconds, strict=True)
    ]
    return spans.with_columns(pl.Series("events", at, dtype=EVENTS, strict=False))


def found(spans: pl.DataFrame) -> pl.DataFrame:
    return tl.audit(spans).filter(pl.col("rule") == "event-outside-span")


def test_events_before_the_start_and_after_the_end_are_found() -> None:
    said = found(with_events(5_000, -7_000, 19_000, 10_000))
    assert said.select("severity", "service_name", "count", "out_of").rows() == [("warning", "web", 2, 4)]
    assert "half by 8 ms" in said["finding"].item()


def test_events_at_both_ends_are_within() -> None:
    assert not found(with_events(0, 10_000)).height


@pytest.mark.parametrize("by", [-2, 10_002])
def test_rounding_to_microseconds_puts_no_event_outside(by: int) -> None:
    assert not found(with_events(by, grain=1_000)).height


def test_less_than_a_millisecond_is_only_worth_to_know() -> None:
    assert found(with_events(-400, 10_700))["severity"].to_list() == ["info"]


def test_spans_that_jaeger_moved_are_excused() -> None:
    warned = pl.lit("clock skew adjustment disabled; not applying calculated delta of 9s")
    said = found(with_events(-7_000_000).with_columns(warned.alias("span.jaeger.warnings")))
    assert said["severity"].to_list() == ["info"]


def test_events_without_a_time_are_nowhere() -> None:
    spans = with_events(1_000)
    nowhere = pl.Series("events", [[{"time": None, "name": "x", "attributes": {}}]], dtype=EVENTS, strict=False)
    assert not found(spans.with_columns(nowhere)).height


def test_spans_without_events_and_events_within_are_no_finding() -> None:
    assert not found(draw("web ===")).height
    assert not found(generate(20_000, seed=2)).height
