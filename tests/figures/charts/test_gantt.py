from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

import tracelab as tl
from tracelab.synthetic import draw

if TYPE_CHECKING:
    import plotly.graph_objects as go

TRACES = draw("""
web::GET /a       ..====
  bank::charge    .===
  web::late       ...=======

web::GET /b       =
""")


def named(figure: go.Figure, name: str) -> Any:
    return next(trace for trace in figure.data if trace.name == name)


def test_plot_gantt_takes_the_slowest_trace_where_none_is_named() -> None:
    assert "GET /a" in tl.plot_gantt(TRACES).layout.title.text
    assert tl.plot_gantt(TRACES) == tl.plot_gantt(TRACES, TRACES["trace_id"][0])


def test_plot_gantt_marks_a_span_that_starts_before_its_parent_and_says_so() -> None:
    figure = tl.plot_gantt(TRACES)
    mark = named(figure, "starts before its parent")
    assert (list(mark.x), list(mark.y)) == ([0.0], [1])
    assert "starts 1 ms before its parent" in named(figure, "bank").hovertext[0]
    assert "ends 4 ms after its parent" in named(figure, "web").hovertext[1]
    other = tl.plot_gantt(TRACES, TRACES["trace_id"][3])
    assert "starts before its parent" not in {trace.name for trace in other.data}


def test_plot_gantt_lets_the_page_show_through() -> None:
    layout = tl.plot_gantt(TRACES).layout
    assert layout.paper_bgcolor == layout.plot_bgcolor == "rgba(0, 0, 0, 0)"


def test_plot_gantt_says_no_time_of_a_trace_that_took_none() -> None:
    spans = TRACES.tail(1).with_columns(duration=pl.duration(nanoseconds=0, time_unit="ns"))
    assert "web: GET /b, 0 s" in tl.plot_gantt(spans).layout.title.text


def test_plot_gantt_leaves_deep_names_room() -> None:
    depth = 30
    lines = "\n".join(f"{'  ' * place}svc::name_of_a_span_at_depth_{place} =" for place in range(depth))
    ticks = tl.plot_gantt(draw(lines)).layout.yaxis.ticktext
    assert all(f"name_of_a_span_at_depth_{place}" in text for place, text in enumerate(ticks))


def test_plot_gantt_gives_the_legend_a_place_of_its_own_and_every_row_its_height() -> None:
    services = "\n".join(f"{'a_service_with_a_long_name_' * 2}{n}::x  =" for n in range(9))
    for spans in (TRACES, draw(services)):
        layout = tl.plot_gantt(spans).layout
        rows = layout.yaxis.range[0] - layout.yaxis.range[1]
        assert layout.height - layout.margin.t - layout.margin.b >= 20 * rows
        assert (layout.legend.yref, layout.legend.yanchor, layout.legend.y) == ("container", "bottom", 0)
    assert layout.margin.b > 62 + 9 * 20


def test_plot_gantt_has_a_placeholder_for_spans_and_services_without_a_name() -> None:
    spans = draw("web::GET / ==\n  db::SELECT .=").with_columns(name=pl.lit(""), service_name=pl.lit(" "))
    figure = tl.plot_gantt(spans)
    assert figure.layout.title.text.startswith("(no name): (no name), 2 ms")
    assert [text.replace("\u00a0", " ").strip() for text in figure.layout.yaxis.ticktext] == ["(no name)"] * 2
    assert named(figure, "(no name)").hovertext[0].startswith("<b>(no name)</b><br>(no name), ")
