from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest
from plotly.basedatatypes import Undefined

import tracelab as tl
from tracelab.synthetic import draw, generate
from tracelab.widgets.details import details_html
from tracelab.widgets.drawing import BARS, HITS, PATH, Canvas

SPANS = draw("""
web::GET /pay     ==========
  web::render     .=
  bank::charge    ..======!   note="<img src=x onerror=alert(1)>"
    bank::ledger  ...==

web::GET /health  =
""")


def sent(gantt: tl.widgets.Gantt) -> int:
    return len(json.dumps(gantt._canvas.figure.to_plotly_json(), default=str))


def rows(gantt: tl.widgets.Gantt) -> int:
    return len(gantt._canvas.figure.data[BARS].y)


def click(gantt: tl.widgets.Gantt, row: int) -> None:
    points = type("Points", (), {"point_inds": [row - gantt._canvas.first]})()
    gantt._clicked(gantt._canvas.figure.data[BARS], points, None)


def press(gantt: tl.widgets.Gantt, *keys: str) -> None:
    for key in keys:
        gantt._told(None, {"kind": "key", "key": key}, None)


def chain(count: int) -> pl.DataFrame:
    """Make a root that waits for very many children, one after the other."""
    return tl.conform(
        pl.DataFrame(
            {
                "trace_id": "a" * 32,
                "span_id": pl.int_range(1, count + 2, eager=True).cast(pl.String).str.pad_start(16, "0"),
                "parent_span_id": [None, *["1".rjust(16, "0")] * count],
                "name": ["root", *["child"] * count],
                "service_name": "svc",
                "start_time": pl.Series([0, *range(100, 1000 * count, 1000)]).cast(pl.Datetime("ns", "UTC")),
                "duration": pl.Series([1000 * count, *[500] * count]).cast(pl.Duration("ns")),
            }
        )
    )


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


def test_gantt_click_selects_the_row_that_was_clicked() -> None:
    gantt = tl.widgets.Gantt(SPANS)
    click(gantt, 3)
    assert gantt.selected["name"].item() == "ledger"


def test_gantt_tells_spans_apart_that_share_an_id() -> None:
    spans = draw("""
    web::GET        ==========  kind=client span_id=00000000000000aa
      shop::GET /   .========   kind=server span_id=00000000000000aa
        db::SELECT  ..==
    """)
    gantt = tl.widgets.Gantt(spans)
    assert gantt.visible["name"].to_list() == ["GET", "GET /", "SELECT"]
    click(gantt, 1)
    assert gantt.selected["service_name"].to_list() == ["shop"]
    click(gantt, 0)
    assert gantt.selected["service_name"].to_list() == ["web"]


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
    assert "(+1)" in gantt._canvas.figure.layout.yaxis2.ticktext[2]
    gantt.fold(SPANS["span_id"][2])
    assert gantt.visible.height == 4
    gantt.fold_all()
    assert gantt.visible["name"].to_list() == ["GET /pay", "render", "charge"]
    gantt.unfold_all()
    assert gantt.visible.height == 4


def test_gantt_sends_only_the_rows_in_view_however_large_the_trace_is() -> None:
    small, large = (tl.widgets.Gantt(generate(size, spans_per_trace=size * 3)) for size in (500, 8_000))
    assert rows(small) == rows(large) == 60
    assert sent(large) < 1.3 * sent(small) < 80_000


def test_gantt_sends_no_more_of_the_path_than_can_be_seen() -> None:
    assert sent(tl.widgets.Gantt(chain(20_000))) < 120_000


def test_gantt_sends_nothing_new_for_short_ways() -> None:
    gantt = tl.widgets.Gantt(generate(2_000, spans_per_trace=6_000))
    changes: list[object] = []
    gantt._canvas.figure.observe(lambda change: changes.append(change["new"]), "_py2js_update")
    gantt.first_row = 15
    assert changes == []
    assert tuple(gantt._canvas.figure.layout.yaxis2.range) == (54.5, 14.5)
    gantt.first_row = 25
    assert gantt._canvas.figure.data[BARS].y[0] == 5


def test_gantt_scrolls_by_wheel_slider_drag_and_selection() -> None:
    gantt = tl.widgets.Gantt(generate(2_000, spans_per_trace=6_000))
    slider, wheel = gantt._controls.slider, gantt._controls.gestures
    slider.value = slider.max - 100
    assert gantt.first_row == wheel.first_row == 100
    wheel.first_row = 300
    assert (gantt.first_row, slider.max - slider.value) == (300, 300)
    whole = gantt._canvas.figure.layout.xaxis2.range
    gantt._moved(None, whole, (239.5, 199.5))
    assert gantt.first_row == 200
    gantt._moved(None, whole, (30.0, -12.0))
    assert gantt.first_row == 0
    last = gantt._rows["span_id"][-1]
    gantt.selected_span_id = last
    assert last in gantt.visible["span_id"]


def test_gantt_first_row_stays_where_there_are_rows() -> None:
    gantt = tl.widgets.Gantt(generate(100, spans_per_trace=300))
    gantt.first_row = 10**9
    assert gantt.first_row == 60
    gantt.first_row = -5
    assert gantt.first_row == 0


def test_gantt_keys_walk_fold_and_let_go() -> None:
    gantt = tl.widgets.Gantt(SPANS)
    press(gantt, "ArrowDown", "ArrowDown", "ArrowDown")
    assert gantt.selected["name"].item() == "charge"
    press(gantt, "ArrowLeft")
    assert gantt.visible["name"].to_list() == ["GET /pay", "render", "charge"]
    press(gantt, "ArrowRight")
    assert gantt.visible.height == 4
    press(gantt, "ArrowDown", "ArrowLeft")
    assert gantt.selected["name"].item() == "charge"
    press(gantt, "Escape", "F1")
    assert gantt.selected.is_empty()


def test_gantt_labels_select_and_fold() -> None:
    gantt = tl.widgets.Gantt(SPANS)
    gantt._told(None, {"kind": "label", "row": 2, "fold": False}, None)
    assert gantt.selected["name"].item() == "charge"
    gantt._told(None, {"kind": "label", "row": 2, "fold": True}, None)
    assert gantt.visible.height == 3
    gantt._told(None, {"kind": "label", "row": 99, "fold": True}, None)
    assert gantt.visible.height == 3


def test_gantt_zooms_within_the_time_of_the_trace() -> None:
    gantt = tl.widgets.Gantt(SPANS)
    axis = gantt._canvas.figure.layout.xaxis2
    whole = tuple(axis.range)
    gantt._controls.gestures.time_range = [2.0, 4.0]
    assert tuple(axis.range) == (2.0, 4.0)
    gantt._controls.gestures.time_range = [-50.0, 500.0]
    assert tuple(axis.range) == whole
    gantt.zoom_to_rows()
    assert whole[0] <= axis.range[0] < axis.range[1] <= whole[1]
    gantt._told(None, {"kind": "whole"}, None)
    assert tuple(axis.range) == whole


def test_gantt_shows_a_trace_that_the_menu_does_not_offer_and_keeps_its_figure() -> None:
    spans = generate(15_000, spans_per_trace=50)
    gantt = tl.widgets.Gantt(spans)
    offered = [value for _, value in gantt._controls.menu.options]
    other = next(trace for trace in spans["trace_id"].unique().sort() if trace not in offered)
    figure = gantt._canvas.figure
    gantt.trace_id = other
    assert gantt.visible["trace_id"].unique().to_list() == [other]
    assert gantt._controls.menu.value == other
    assert gantt._canvas.figure is figure


def test_gantt_refuses_a_trace_that_there_is_not_and_keeps_the_one_shown() -> None:
    gantt = tl.widgets.Gantt(SPANS)
    before = gantt.trace_id
    with pytest.raises(tl.TracelabError, match="There is no trace 'nope'"):
        gantt.trace_id = "nope"
    assert gantt.trace_id == before == gantt.visible["trace_id"][0]
    assert repr(gantt) == f"Gantt({before!r})"


def test_gantt_every_change_names_every_trace_it_is_sent_with() -> None:
    """Plotly's model in the browser resets what one trace of a change is not told."""
    figure = Canvas().figure
    assert [figure.data[place].marker.color for place in (HITS, PATH)] == ["rgba(0, 0, 0, 0)", "#111111"]
    changes: list[dict[str, Any]] = []
    gantt = tl.widgets.Gantt(generate(2_000, spans_per_trace=6_000))
    gantt._canvas.figure.observe(lambda change: changes.append(change["new"]), "_py2js_update")
    gantt.first_row = 500
    styles = [change["style_data"] for change in changes if change]
    assert styles
    assert all(Undefined not in values for style in styles for values in style.values() if isinstance(values, list))


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
    for text in ("exception", "&lt;Timeout&gt;", "Link", "retry", ">n<", ">7<"):
        assert text in html
    assert ":type" not in html


def test_details_give_times_to_the_nanosecond() -> None:
    begin = pl.Series([1_000_000_123], dtype=pl.Int64).cast(pl.Datetime("ns", "UTC"))
    events = [{"time": begin[0], "name": "late", "attributes": {}}]
    span = SPANS.head(1).with_columns(start_time=begin, events=pl.Series([events], dtype=SPANS.schema["events"]))
    assert "1970-01-01 00:00:01.000000123 UTC" in details_html(span)
