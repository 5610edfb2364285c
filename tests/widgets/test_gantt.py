from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest
from plotly.basedatatypes import Undefined

import tracelab as tl
from tracelab.synthetic import draw, generate
from tracelab.widgets.details import details_html
from tracelab.widgets.drawing import BARS, EARLY, ERRORS, PATH, Canvas

SPANS = draw("""
web::GET /pay     ==========
  web::render     .=
  bank::charge    ..======!   note="<img src=x onerror=alert(1)>"
    bank::ledger  ...==

web::GET /health  =
""")


def sent(gantt: tl.widgets.Gantt) -> int:
    figure, block = gantt._canvas.figure.to_plotly_json(), gantt._surface.block
    return len(json.dumps([figure, block], default=str))


def rows(gantt: tl.widgets.Gantt) -> int:
    return len(gantt._canvas.figure.data[BARS].y)


def told(gantt: tl.widgets.Gantt, **message: Any) -> None:
    """Say what the browser says."""
    gantt._told(None, message, None)


def click(gantt: tl.widgets.Gantt, row: int, *, fold: bool = False) -> None:
    told(gantt, kind="row", row=row, fold=fold)


def press(gantt: tl.widgets.Gantt, *keys: str) -> None:
    for key in keys:
        told(gantt, kind="key", key=key)


def scroll(gantt: tl.widgets.Gantt, row: int) -> None:
    """Scroll as the browser does, which counts what it says."""
    gantt._surface.place = [row, len(gantt._surface.place) and gantt._surface.place[1] + 1]


def drawings(gantt: tl.widgets.Gantt) -> list[dict[str, Any]]:
    """Give a list that every change of the figure is written into from now on."""
    changes: list[dict[str, Any]] = []

    def drawn(change: dict[str, Any]) -> None:
        if change["new"]:
            changes.append(change["new"])

    gantt._canvas.figure.observe(drawn, "_py2js_update")
    return changes


def path(gantt: tl.widgets.Gantt) -> list[tuple[int, float, float]]:
    bars = gantt._canvas.figure.data[PATH]
    return [(int(y), float(base), float(base + x)) for y, base, x in zip(bars.y, bars.base, bars.x, strict=True)]


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
    assert gantt._surface.block["closed"] == [False, False, True]
    gantt.fold(SPANS["span_id"][2])
    assert gantt.visible.height == 4
    gantt.fold_all()
    assert gantt.visible["name"].to_list() == ["GET /pay", "render", "charge"]
    gantt.unfold_all()
    assert gantt.visible.height == 4


def test_gantt_sends_only_the_rows_in_view_however_large_the_trace_is() -> None:
    small, large = (tl.widgets.Gantt(generate(size, spans_per_trace=size * 3)) for size in (500, 8_000))
    assert rows(small) == rows(large) == 120
    assert sent(large) < 1.3 * sent(small) < 100_000


def test_gantt_sends_no_more_of_the_path_than_can_be_seen() -> None:
    assert sent(tl.widgets.Gantt(chain(20_000))) < 120_000


def test_gantt_sends_nothing_while_the_rows_in_view_are_in_the_browser() -> None:
    gantt = tl.widgets.Gantt(generate(2_000, spans_per_trace=6_000))
    changes = drawings(gantt)
    scroll(gantt, 50)
    assert (gantt.first_row, changes) == (50, [])
    assert gantt.visible.height == 40
    scroll(gantt, 70)
    assert len(changes) == 1
    assert gantt._canvas.figure.data[BARS].y[0] == 0
    scroll(gantt, 300)
    assert (gantt._canvas.figure.data[BARS].y[0], gantt._surface.block["first"], rows(gantt)) == (220, 220, 200)


def test_gantt_names_and_bars_are_of_one_drawing() -> None:
    gantt = tl.widgets.Gantt(generate(2_000, spans_per_trace=6_000))
    for row in (0, 300, 1_900):
        scroll(gantt, row)
        block, figure = gantt._surface.block, gantt._canvas.figure
        assert block["serial"] == figure.layout.meta
        assert (block["first"], len(block["name"])) == (figure.data[BARS].y[0], len(figure.data[BARS].y))
        assert block["name"] == gantt._rows["name"][block["first"] :][: len(block["name"])].to_list()


def test_gantt_pulls_the_browser_only_where_python_moves_the_rows() -> None:
    gantt = tl.widgets.Gantt(generate(2_000, spans_per_trace=6_000))
    moves = gantt._surface.view["moves"]
    scroll(gantt, 500)
    assert (gantt.first_row, gantt._surface.view["moves"]) == (500, moves)
    gantt.first_row = 0
    assert (gantt._surface.view["top"], gantt._surface.view["moves"]) == (0, moves + 1)
    gantt.first_row = 500
    assert (gantt._surface.view["top"], gantt._surface.view["moves"]) == (500, moves + 2)
    scroll(gantt, 10**6)
    assert gantt.first_row == gantt._surface.view["top"] == 1_960
    assert gantt._surface.view["moves"] == moves + 3


def test_gantt_scrolls_to_what_is_selected() -> None:
    gantt = tl.widgets.Gantt(generate(2_000, spans_per_trace=6_000))
    last = gantt._rows["span_id"][-1]
    gantt.selected_span_id = last
    assert last in gantt.visible["span_id"]


def test_gantt_takes_a_click_where_the_browser_stands_before_it_was_told() -> None:
    gantt = tl.widgets.Gantt(generate(2_000, spans_per_trace=6_000))
    moves = gantt._surface.view["moves"]
    told(gantt, kind="row", row=45, fold=False, top=30)
    assert (gantt.first_row, gantt._surface.view["selected"], gantt._surface.view["moves"]) == (30, 45, moves)


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


def test_gantt_clicks_on_names_and_triangles_select_and_fold() -> None:
    gantt = tl.widgets.Gantt(SPANS)
    click(gantt, 2)
    assert gantt.selected["name"].item() == "charge"
    click(gantt, 2, fold=True)
    assert gantt.visible.height == 3
    click(gantt, 99, fold=True)
    assert gantt.visible.height == 3


def test_gantt_zooms_within_the_time_of_the_trace() -> None:
    gantt = tl.widgets.Gantt(SPANS)
    axis = gantt._canvas.figure.layout.xaxis2
    whole = tuple(axis.range)
    gantt._surface.times = [2.0, 4.0, 1]
    assert tuple(axis.range) == (2.0, 4.0)
    gantt._surface.times = [-50.0, 500.0, 2]
    assert tuple(axis.range) == whole
    gantt.zoom_to_rows()
    assert whole[0] <= axis.range[0] < axis.range[1] <= whole[1]
    told(gantt, kind="whole")
    assert tuple(axis.range) == whole
    gantt._moved(None, (3.0, 5.0))
    assert tuple(axis.range) == (3.0, 5.0)


def test_gantt_says_that_nothing_matches_and_shows_no_rows() -> None:
    gantt = tl.widgets.Gantt(SPANS)
    gantt.filter_text = "nobody"
    assert gantt.visible.is_empty()
    assert [len(gantt._canvas.figure.data[place].y) for place in (BARS, PATH, ERRORS)] == [0, 0, 0]
    assert gantt._surface.block["name"] == []
    assert gantt._surface.view["note"] == "No span matches “nobody”."
    gantt.filter_text = ""
    assert gantt._surface.view["note"] == ""
    assert rows(gantt) == 4


def test_gantt_filters_while_one_types() -> None:
    gantt = tl.widgets.Gantt(SPANS)
    assert gantt._controls.filter.continuous_update
    gantt._controls.filter.value = "ledg"
    assert gantt.visible["name"].to_list() == ["GET /pay", "charge", "ledger"]


def test_gantt_draws_the_path_of_what_is_folded_on_the_row_it_is_folded_into() -> None:
    gantt = tl.widgets.Gantt(SPANS)
    before = path(gantt)
    assert {row for row, _, _ in before} == {0, 1, 2, 3}
    gantt.fold(SPANS["span_id"][2])
    assert path(gantt) == [(0, 0.0, 1.0), (0, 8.0, 10.0), (1, 1.0, 2.0), (2, 2.0, 8.0)]
    gantt.fold(SPANS["span_id"][0])
    assert path(gantt) == [(0, 0.0, 10.0)]
    gantt.unfold_all()
    assert path(gantt) == before


def test_gantt_marks_a_span_that_starts_before_its_parent() -> None:
    spans = draw("""
    web::GET       ...=======
      bank::charge .====
    """)
    gantt = tl.widgets.Gantt(spans)
    mark = gantt._canvas.figure.data[EARLY]
    assert (list(mark.x), list(mark.y)) == ([0.0], [1])
    assert gantt._surface.block["early"] == [False, True]
    words = "starts 2 ms before its parent"
    assert any(words in line for line in gantt._surface.block["tip"][1])
    assert "starts before its parent" in gantt._heading.value
    click(gantt, 1)
    assert words in gantt._details.value
    click(gantt, 0)
    assert words not in gantt._details.value


def test_gantt_says_of_a_span_that_it_ends_after_its_parent() -> None:
    spans = draw("""
    web::GET       ====
      bank::charge .=======
    """)
    gantt = tl.widgets.Gantt(spans)
    assert "ends 4 ms after its parent" in gantt._surface.block["tip"][1]
    click(gantt, 1)
    assert "ends 4 ms after its parent" in gantt._details.value
    assert list(gantt._canvas.figure.data[EARLY].x) == []


def test_gantt_every_trace_can_be_reached_by_its_id_or_by_words() -> None:
    spans = generate(15_000, spans_per_trace=50)
    gantt = tl.widgets.Gantt(spans)
    box = gantt._controls.traces.box
    ids = spans["trace_id"].unique().sort()
    assert len(box.options) == 200 < ids.len()
    other = next(trace for trace in ids if not any(trace in label for label in box.options))
    figure = gantt._canvas.figure
    box.value = other.upper()
    assert gantt.visible["trace_id"].unique().to_list() == [other]
    assert other in box.placeholder
    assert box.value == ""
    box.value = other[:12]
    assert [other in label for label in box.options] == [True]
    box.value = box.options[0]
    assert gantt.trace_id == other
    gantt.trace_id = ids[0]
    assert ids[0] in box.placeholder
    assert gantt._canvas.figure is figure


@pytest.mark.parametrize("name", ["SELECT *\nFROM x", "SELECT *\r\n\tFROM  x\n", "a\u2028b\u00a0c", "\n"])
def test_gantt_a_trace_with_line_breaks_in_its_name_can_be_chosen_as_a_browser_gives_it_back(name: str) -> None:
    root = (pl.col("trace_id") == SPANS["trace_id"][4]) & (pl.col("depth") == 0)
    gantt = tl.widgets.Gantt(SPANS.with_columns(name=pl.when(root).then(pl.lit(name)).otherwise("name")))
    box = gantt._controls.traces.box
    label = next(label for label in box.options if SPANS["trace_id"][4] in label)
    for given in (label, label.replace("\n", ""), " ".join(label.split())):
        gantt.trace_id = SPANS["trace_id"][0]
        box.value = given
        assert gantt.trace_id == SPANS["trace_id"][4]
        assert gantt._controls.notice.value == ""


def test_gantt_finds_a_name_of_several_lines_that_was_pasted_into_a_box() -> None:
    gantt = tl.widgets.Gantt(SPANS.with_columns(pl.col("name") + "\nFROM x"))
    gantt.filter_text = "/payFROM"
    assert gantt.visible["name"].to_list() == ["GET /pay\nFROM x"]
    gantt._controls.traces.box.value = "/healthFROM x"
    assert [SPANS["trace_id"][4] in label for label in gantt._controls.traces.box.options] == [True]


def test_gantt_box_shows_what_would_act_in_it_as_escapes() -> None:
    hostile = "a\u202eb\x1b[31m\x07\U000e0041"
    gantt = tl.widgets.Gantt(SPANS.with_columns(name=pl.lit(hostile), service_name=pl.lit(hostile)))
    box = gantt._controls.traces.box
    for text in (box.placeholder, *box.options):
        assert r"a\u202eb\x1b[31m\x07\U000e0041" in text
        assert text.isprintable()


def test_gantt_box_cuts_names_that_would_push_the_rest_out() -> None:
    gantt = tl.widgets.Gantt(SPANS.with_columns(name=pl.lit("\x00" * 1_000_000)))
    assert max(map(len, gantt._controls.traces.box.options)) < 200


def test_gantt_box_says_that_there_is_no_such_trace() -> None:
    gantt = tl.widgets.Gantt(SPANS)
    before = gantt.trace_id
    gantt._controls.traces.box.value = "<b>nope"
    assert "There is no trace" in gantt._controls.notice.value
    assert "<b>nope" not in gantt._controls.notice.value
    assert gantt.trace_id == before
    gantt._controls.traces.box.value = SPANS["trace_id"][4]
    assert gantt._controls.notice.value == ""
    assert gantt.visible["name"].to_list() == ["GET /health"]


def test_gantt_refuses_a_trace_that_there_is_not_and_keeps_the_one_shown() -> None:
    gantt = tl.widgets.Gantt(SPANS)
    before = gantt.trace_id
    with pytest.raises(tl.TracelabError, match="There is no trace 'nope'"):
        gantt.trace_id = "nope"
    assert gantt.trace_id == before == gantt.visible["trace_id"][0]
    assert repr(gantt) == f"Gantt({before!r})"


def test_gantt_every_change_names_every_trace_it_is_sent_with() -> None:
    """Plotly's model in the browser resets what one trace of a change is not told."""
    assert Canvas().figure.data[PATH].marker.color == "#111111"
    gantt = tl.widgets.Gantt(generate(2_000, spans_per_trace=6_000))
    changes = drawings(gantt)
    gantt.first_row = 500
    styles = [change["style_data"] for change in changes]
    assert len(styles) == 1
    for name, values in styles[0].items():
        without = {place for place, value in enumerate(values) if value is Undefined}
        assert without == ({2, 3, 4} if name == "base" else set()), name  # no scatter knows a base


def test_gantt_takes_pandas() -> None:
    assert tl.widgets.Gantt(SPANS.to_pandas()).visible.height == 4


def test_gantt_refuses_unknown_options_traces_and_empty_frames() -> None:
    with pytest.raises(TypeError, match="rowz"):
        tl.widgets.Gantt(SPANS, rowz=3)  # type: ignore[call-arg]
    with pytest.raises(tl.TracelabError, match="There is no trace 'x'"):
        tl.widgets.Gantt(SPANS, "x")
    with pytest.raises(tl.TracelabError, match="no spans to show"):
        tl.widgets.Gantt(SPANS.clear())


@pytest.mark.parametrize("rows", [0, -1, 2.5, "3", None, True])
def test_gantt_refuses_what_is_no_number_of_rows(rows: Any) -> None:
    with pytest.raises(tl.TracelabError, match=r"`rows` must be .*1 or more, got .* It is how many rows are in view"):
        tl.widgets.Gantt(SPANS, rows=rows)


def test_gantt_refuses_an_id_that_is_no_text() -> None:
    with pytest.raises(tl.TracelabError, match="`trace_id` must be the id of a trace as text, and is 5"):
        tl.widgets.Gantt(SPANS, 5)  # type: ignore[arg-type]


def test_gantt_shows_a_trace_of_one_span_that_took_no_time() -> None:
    spans = SPANS.head(1).with_columns(duration=pl.duration(nanoseconds=0, time_unit="ns"))
    gantt = tl.widgets.Gantt(spans)
    bars = gantt._canvas.figure.data[BARS]
    low, high = gantt._canvas.figure.layout.xaxis2.range
    assert low < bars.base[0] < bars.base[0] + bars.x[0] < high


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


def test_gantt_leaves_bars_the_better_half_of_a_narrow_page() -> None:
    gantt = tl.widgets.Gantt(draw(f"{'long_name_' * 8}  ==="))
    margin = gantt._canvas.figure.layout.margin
    wanted = margin.l
    gantt._surface.width = 500
    assert margin.l == 200 < wanted
    gantt._surface.width = 1_400
    assert margin.l == wanted


def test_gantt_lets_go_of_the_selection_when_another_trace_is_chosen() -> None:
    large = generate(2_000, spans_per_trace=6_000)
    small = draw("""
    quite::another  =
    """)
    spans = pl.concat([large, small], how="diagonal_relaxed")
    gantt = tl.widgets.Gantt(spans, small["trace_id"][0])
    gantt.selected_span_id = small["span_id"][0]
    changes = drawings(gantt)
    gantt.trace_id = large["trace_id"][0]
    assert gantt.selected.is_empty()
    assert "Click a row" in gantt._details.value
    assert gantt.visible.height == 40
    assert len(changes) == 2  # the overview, and the rows


def test_gantt_has_a_placeholder_for_spans_and_services_without_a_name() -> None:
    gantt = tl.widgets.Gantt(SPANS.with_columns(name=pl.lit(""), service_name=pl.lit(" ")))
    assert "(no name): (no name) · " in gantt._controls.traces.box.placeholder
    assert all("(no name): (no name) · " in label for label in gantt._controls.traces.box.options)
    assert "(no name): (no name), " in gantt._heading.value
    assert "■</span> (no name)" in gantt._heading.value
    assert set(gantt._surface.block["name"]) == {"(no name)"}
    assert gantt._surface.block["tip"][0][0] == "(no name)"
    click(gantt, 1)
    assert ">(no name)</div>" in gantt._details.value
    assert gantt.selected["name"].to_list() == [""]


def test_gantt_names_and_what_is_told_of_them_show_what_would_act_as_escapes() -> None:
    gantt = tl.widgets.Gantt(SPANS.with_columns(name=pl.lit("\u200b\x1b[31m\nx")))
    assert gantt._surface.block["name"][0] == "\\u200b\\x1b[31m\nx"
    assert gantt._surface.block["tip"][0][0] == "\\u200b\\x1b[31m\nx"
