from __future__ import annotations

import json

import polars as pl
import pytest

import tracelab as tl
from tracelab.synthetic import draw, generate
from tracelab.widgets.details import details_html

SPANS = draw("""
web::GET /pay     ==========
  web::render     .=
  bank::charge    ..======!   note="<img src=x onerror=alert(1)>"
    bank::ledger  ...==

web::GET /health  =
""")


def sent(gantt: tl.widgets.Gantt) -> int:
    return len(json.dumps(gantt._figure.to_plotly_json(), default=str))


def rows(gantt: tl.widgets.Gantt) -> int:
    return sum(len(bar.y or ()) for bar in gantt._figure.data if bar.type == "bar" and bar.width == 0.72)


def test_gantt_shows_the_slowest_trace_unless_told_otherwise() -> None:
    assert tl.widgets.Gantt(SPANS).visible["name"].to_list() == ["GET /pay", "render", "charge", "ledger"]
    other = SPANS["trace_id"][4]
    assert tl.widgets.Gantt(SPANS, other).visible["name"].to_list() == ["GET /health"]


def test_gantt_gives_the_selection_back_as_a_span_frame() -> None:
    gantt = tl.widgets.Gantt(SPANS)
    assert gantt.selected.is_empty()
    assert gantt.selected.schema == SPANS.schema
    gantt.selected_span_id = SPANS["span_id"][2]
    assert gantt.selected["name"].to_list() == ["charge"]
    assert "&lt;img" in gantt._details.value
    assert "<img" not in gantt._details.value


def test_gantt_click_selects_the_bar_that_was_clicked() -> None:
    gantt = tl.widgets.Gantt(SPANS)
    bars = next(trace for trace in gantt._figure.data if trace.name == "bank")
    points = type("Points", (), {"point_inds": [1]})()
    gantt._clicked(bars, points, None)
    assert gantt.selected["name"].item() == "ledger"


def test_gantt_refuses_a_span_that_is_not_in_the_trace_and_keeps_the_selection() -> None:
    gantt = tl.widgets.Gantt(SPANS)
    gantt.selected_span_id = SPANS["span_id"][1]
    with pytest.raises(tl.TracelabError, match="There is no span 'nobody'"):
        gantt.selected_span_id = "nobody"
    assert gantt.selected["name"].item() == "render"


def test_gantt_another_trace_can_be_chosen() -> None:
    gantt = tl.widgets.Gantt(SPANS)
    gantt.selected_span_id = SPANS["span_id"][1]
    gantt.trace_id = SPANS["trace_id"][4]
    assert gantt.selected.is_empty()
    assert gantt.visible["name"].to_list() == ["GET /health"]


def test_gantt_filter_keeps_matches_and_what_leads_to_them() -> None:
    gantt = tl.widgets.Gantt(SPANS)
    gantt.filter_text = "LEDGER"
    assert gantt.visible["name"].to_list() == ["GET /pay", "charge", "ledger"]
    gantt.filter_text = ""
    assert gantt.visible.height == 4


def test_gantt_folds_and_unfolds_what_is_below_a_span() -> None:
    gantt = tl.widgets.Gantt(SPANS)
    gantt.fold(SPANS["span_id"][2])
    assert gantt.visible["name"].to_list() == ["GET /pay", "render", "charge"]
    assert "▸(+1)" in gantt._figure.layout.yaxis2.ticktext[2]
    gantt.fold(SPANS["span_id"][2])
    assert gantt.visible.height == 4


def test_gantt_sends_only_the_rows_in_view_however_large_the_trace_is() -> None:
    small, large = (tl.widgets.Gantt(generate(size, spans_per_trace=size * 3)) for size in (500, 20_000))
    assert rows(small) == rows(large) == 40
    assert sent(large) < 1.3 * sent(small) < 60_000


def test_gantt_scrolls_by_slider_drag_and_selection() -> None:
    spans = generate(2_000, spans_per_trace=6_000)
    gantt = tl.widgets.Gantt(spans)
    gantt._slider.value = gantt._slider.max - 100
    assert gantt.first_row == 100
    gantt._panned(None, (239.5, 199.5))
    assert gantt.first_row == 200
    gantt._panned(None, (30.0, -12.0))
    assert gantt.first_row == 0
    last = gantt._rows["span_id"][-1]
    gantt.selected_span_id = last
    assert last in gantt.visible["span_id"]
    assert rows(gantt) == 40


def test_gantt_takes_pandas() -> None:
    assert tl.widgets.Gantt(SPANS.to_pandas()).visible.height == 4


def test_gantt_refuses_unknown_options_traces_and_empty_frames() -> None:
    with pytest.raises(TypeError, match="rowz"):
        tl.widgets.Gantt(SPANS, rowz=3)  # type: ignore[call-arg]
    with pytest.raises(tl.TracelabError, match="There is no trace 'x'"):
        tl.widgets.Gantt(SPANS, "x")
    with pytest.raises(tl.TracelabError, match="no spans to show"):
        tl.widgets.Gantt(SPANS.clear())


def test_details_show_events_links_and_sparse_attributes() -> None:
    events = [{"time": None, "name": "exception", "attributes": {"exception.type": "<Timeout>"}}]
    links = [{"trace_id": "t", "span_id": "s", "trace_state": None, "attributes": {"why": "retry"}}]
    span = SPANS.head(1).with_columns(
        pl.Series("events", [events], dtype=SPANS.schema["events"]),
        pl.Series("links", [links], dtype=SPANS.schema["links"]),
        pl.Series("more_attributes", [{"span.n": "7", "span.n:type": "int"}], dtype=SPANS.schema["more_attributes"]),
    )
    html = details_html(span)
    for text in ("Event: exception", "&lt;Timeout&gt;", "Link to span s of trace t", "retry", "span.n", ">7<"):
        assert text in html
    assert ":type" not in html
