"""A block whose spans are captured, with the real SDK: its frame, its report, its warnings."""

from __future__ import annotations

import sys
import warnings
from typing import Any

import polars as pl
import pytest
from opentelemetry import trace

import tracelab as tl
from tests.live.captures.making import make, names, no_provider_is_set
from tests.test_house import run
from tracelab.live import capture


def test_a_block_gives_the_frame_of_its_spans_without_any_set_up(tracer: trace.Tracer) -> None:
    with capture() as spans:
        with tracer.start_as_current_span("buy", attributes={"items": 2}) as buy:
            with tracer.start_as_current_span("pay", kind=trace.SpanKind.CLIENT):
                pass
            buy.set_status(trace.StatusCode.ERROR, "no stock")
        assert names(spans) == ["buy", "pay"]
    frame = spans.frame()
    assert frame.select("name", "depth", "kind", "status_code", "span.items").rows() == [
        ("buy", 0, "internal", "error", 2),
        ("pay", 1, "client", "unset", None),
    ]
    assert tl.conform(frame).equals(frame)
    assert no_provider_is_set()


def test_a_capture_goes_where_a_span_frame_goes(tracer: trace.Tracer) -> None:
    with capture() as spans, tracer.start_as_current_span("buy"):
        tracer.start_span("pay").end()
    assert tl.conform(spans).equals(spans.frame())
    anything: Any = spans
    assert tl.trace_summary(anything)["spans"].to_list() == [2]
    assert tl.query(anything, '{ name = "pay" }').height == 1
    assert pl.DataFrame(spans).height == len(spans) == 2
    assert "buy" in spans._repr_html_()
    assert repr(spans) == "Capture(2 spans)"


def test_a_capture_has_what_its_frame_has(tracer: trace.Tracer) -> None:
    with capture() as spans:
        make(tracer, 3)
        assert spans.height == 3
    assert spans["name"].to_list() == ["0", "1", "2"]
    assert spans[1:, "name"].to_list() == ["1", "2"]
    assert spans.filter(pl.col("name") == "1").height == 1
    assert spans.columns == spans.frame().columns
    assert {"filter", "frame", "report", "group_by"} <= set(dir(spans))
    for name in ("no_such_name", "_df", "__dataframe__"):
        assert not hasattr(spans, name)
    with pytest.raises(AttributeError, match="Neither a capture nor its frame has 'heihgt'"):
        _ = spans.heihgt


def test_a_capture_holds_columns_as_its_frame_does(tracer: trace.Tracer) -> None:
    with capture() as spans:
        make(tracer, 2)
    assert "name" in spans
    assert "price" not in spans
    assert [column.name for column in spans] == spans.columns == spans._ipython_key_completions_()


def test_what_is_done_to_a_frame_leaves_the_capture_as_it_is(tracer: trace.Tracer) -> None:
    with capture() as spans:
        make(tracer, 2)
    spans.drop_in_place("name")
    spans.frame().columns = [f"column {number}" for number in range(spans.width)]
    assert names(spans) == ["0", "1"]


def test_an_empty_block_gives_an_empty_span_frame() -> None:
    with capture() as spans:
        assert spans.frame().is_empty()
    assert spans.frame().schema == tl.SPAN_SCHEMA
    assert spans.report().select("problem", "count").rows() == [("spans", 0)]


def test_nothing_is_captured_outside_of_the_block(tracer: trace.Tracer) -> None:
    tracer.start_span("before").end()
    with capture() as spans:
        tracer.start_span("in it").end()
    tracer.start_span("after").end()
    with capture() as again:
        tracer.start_span("again").end()
    assert (names(spans), names(again)) == (["in it"], ["again"])


def test_an_error_in_the_block_passes_and_its_spans_are_kept(tracer: trace.Tracer) -> None:
    spans = capture()
    with pytest.raises(KeyError, match="stock"), spans, tracer.start_as_current_span("buy"):
        raise KeyError("stock")
    assert spans.frame().select("name", "status_code").rows() == [("buy", "error")]
    assert spans.frame()["events"][0][0]["name"] == "exception"
    assert no_provider_is_set()


def test_a_warning_comes_once_and_points_at_the_caller(tracer: trace.Tracer) -> None:
    spans = capture(max_spans=1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(3):
            with spans:
                tracer.start_span("a").end()
    assert [(str(one.message).partition(":")[0], one.filename) for one in caught] == [
        ("Not everything was captured", __file__)
    ]


def test_without_the_sdk_an_error_names_what_to_install() -> None:
    run(
        sys.executable,
        "-c",
        "import sys; sys.modules['opentelemetry.sdk'] = None; import tracelab as tl\n"
        "try: tl.capture()\n"
        "except ImportError as error: assert 'tracelab-kit[live]' in str(error)\n"
        "else: raise AssertionError",
    )
