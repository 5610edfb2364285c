from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go
import polars as pl
import pytest

import tracelab as tl
from tests.figures.every import FIGURES, TRACE, by_name
from tracelab.colors import ERROR, service_colors
from tracelab.figures.charts.gantt import HALO
from tracelab.synthetic import draw, generate

if TYPE_CHECKING:
    from collections.abc import Callable

HOSTILE = "<script>alert(1)</script><b>bold</b>"


def texts(figure: go.Figure) -> str:
    return str(figure.to_dict())


def test_plot_gantt_has_one_bar_trace_per_service() -> None:
    figure = tl.plot_gantt(TRACE, TRACE["trace_id"][0])
    bars = by_name(figure)
    assert [name for name in bars if name] == ["bank", "web", "critical path", "error"]
    assert (bars["bank"].base, bars["bank"].x, bars["bank"].y) == ((2.0,), (6.0,), (2,))
    assert bars["web"].marker.color == service_colors(["bank", "web"])["web"]
    assert figure.layout.xaxis.title.text == "time since the trace began (ms)"


def test_plot_gantt_marks_errors_and_the_path() -> None:
    bars = by_name(tl.plot_gantt(TRACE, TRACE["trace_id"][0]))
    assert (bars["error"].x, bars["error"].y, bars["error"].marker.color) == ((8.0,), (2,), ERROR)
    assert sum(bars["critical path"].x) == pytest.approx(10 + 2)


def test_plot_gantt_says_how_much_it_leaves_out() -> None:
    spans = generate(300, spans_per_trace=1000)
    figure = tl.plot_gantt(spans, spans["trace_id"][0], first=50)
    assert "the first 50 of 300 spans" in figure.layout.title.text
    assert sum(len(bar.y) for bar in figure.data if bar.type == "bar" and bar.width == 0.72) == 50


def test_plot_gantt_keeps_a_span_without_duration_visible() -> None:
    spans = draw("""
    a ====
      b .|
    """)
    assert by_name(tl.plot_gantt(spans, spans["trace_id"][0]))["b"].x[0] > 0


def test_plot_gantt_keeps_nanoseconds() -> None:
    spans = TRACE.head(1).with_columns(pl.col("start_time") + pl.duration(nanoseconds=7))
    figure = tl.plot_gantt(spans, spans["trace_id"][0])
    assert (by_name(figure)["web"].base, by_name(figure)["critical path"].base) == ((0.0,), (0.0,))


def test_plot_gantt_draws_no_more_of_the_path_than_can_be_seen() -> None:
    spans = generate(3000, spans_per_trace=9000)
    figure = tl.plot_gantt(spans, spans["trace_id"][0], first=2)
    assert len(by_name(figure)["critical path"].x) <= 2 * 500


def test_plot_gantt_takes_ids_as_others_write_them() -> None:
    shouted = TRACE["trace_id"][0].lstrip("0").upper()
    assert tl.plot_gantt(TRACE, shouted).data


def test_plot_gantt_refuses_to_draw_no_rows() -> None:
    with pytest.raises(tl.TracelabError, match="`first` must be 1 or more, got 0"):
        tl.plot_gantt(TRACE, TRACE["trace_id"][0], first=0)


def test_plot_flamegraph_leaves_out_what_cannot_be_seen_and_says_so() -> None:
    spans = generate(4_000, spans_per_trace=12_000)
    figure = tl.plot_flamegraph(spans, spans["trace_id"][0])
    assert sum(len(bar.y) for bar in figure.data if bar.type == "bar") <= 2000
    assert "of 4,000 spans" in figure.layout.title.text


def test_text_in_bars_has_a_halo_that_no_colour_of_a_service_swallows() -> None:
    for bar in tl.plot_flamegraph(TRACE, TRACE["trace_id"][0]).data:
        if bar.type == "bar":
            assert (bar.insidetextfont.color, bar.insidetextfont.shadow) == ("white", HALO)
    lengths = next(
        trace
        for trace in tl.plot_gantt(TRACE, TRACE["trace_id"][0]).data
        if trace.type == "scatter" and trace.mode == "text"
    )
    assert "white" in lengths.textfont.color
    for color, shadow in zip(lengths.textfont.color, lengths.textfont.shadow, strict=True):
        assert shadow == (HALO if color == "white" else "none")


def test_plot_gantt_of_an_unknown_trace_offers_near_ids() -> None:
    with pytest.raises(tl.TracelabError, match=r"There is no trace .*Did you mean"):
        tl.plot_gantt(TRACE, TRACE["trace_id"][0][:-1] + "2")


@pytest.mark.parametrize("figure", FIGURES)
def test_figures_show_hostile_names_as_text(figure: str) -> None:
    spans = TRACE.with_columns(pl.lit(HOSTILE).alias("name"), service_name=pl.col("service_name") + HOSTILE)
    drawn = texts(FIGURES[figure](spans))
    assert "<script" not in drawn
    assert "<b>bold" not in drawn


@pytest.mark.parametrize("figure", FIGURES)
def test_figures_have_a_title_and_name_their_units(figure: str) -> None:
    drawn = FIGURES[figure](TRACE)
    assert drawn.layout.title.text
    axes = [axis.title.text for axis in drawn.select_xaxes() if axis.visible is not False]
    assert all(axes), axes


@pytest.mark.parametrize("figure", [name for name in FIGURES if name not in {"gantt", "flamegraph"}])
def test_figures_of_no_spans_are_empty_and_no_error(figure: str) -> None:
    assert isinstance(FIGURES[figure](TRACE.clear()), go.Figure)


def test_plot_latency_percentiles_shows_intervals_where_there_are_some() -> None:
    spans = pl.concat(
        [draw(f"api::op {'=' * (n % 9 + 1)}").with_columns(span_id=pl.lit(f"{n:016x}")) for n in range(60)]
    )
    figure = tl.plot_latency_percentiles(spans, quantiles=(0.5, 0.99))
    median, tail, *legend = figure.data
    assert [mark.name for mark in legend] == ["p50", "p99"]
    assert median.error_x.array[0] is not None
    assert tail.error_x.array[0] is None
    assert "at least 9 ms" in tail.hovertext[0]


def test_plot_latency_percentiles_draws_every_quantile() -> None:
    quantiles = [n / 12 for n in range(1, 12)]
    drawn = [points for points in tl.plot_latency_percentiles(TRACE, quantiles=quantiles).data if points.x != (None,)]
    assert len({points.name for points in drawn}) == len(drawn) == len(quantiles)


@pytest.mark.parametrize("figure", ["latency_percentiles", "error_rates", "critical_path_profile"])
def test_figures_keep_a_row_for_every_group_whatever_its_name(figure: str) -> None:
    names = ["1", "2", "2026-01-01", "x" * 90 + "a", "x" * 90 + "b"]
    spans = pl.concat([TRACE.head(1).with_columns(service_name=pl.lit(name), span_id=pl.lit(name)) for name in names])
    drawn = FIGURES[figure](spans)
    assert drawn.data[0].y == tuple(range(len(names)))
    assert len(drawn.layout.yaxis.ticktext) == len(names)


def test_plot_service_graph_draws_callers_left_of_callees() -> None:
    figure = tl.plot_service_graph(TRACE)
    marks = figure.data[-1]
    place = dict(zip(marks.text, marks.x, strict=True))
    assert place["web"] < place["bank"]
    assert figure.layout.annotations[0].arrowcolor == ERROR


def test_colors_stay_with_a_service_from_plot_to_plot() -> None:
    alone, together = service_colors(["web"]), service_colors(["web", "bank"])
    assert alone["web"] == together["web"]
    assert len(set(service_colors(map(str, range(24))).values())) == 24


def test_colors_stay_with_a_service_in_all_figures_of_a_frame() -> None:
    services = [f"service-{number}" for number in range(20)]
    spans = pl.concat(
        [TRACE.head(1).with_columns(service_name=pl.lit(name), span_id=pl.lit(name)) for name in services]
    )
    expected = service_colors(services)
    bars = tl.plot_critical_path_profile(spans, first=3)
    shown = [label.split(" · ")[0] for label in bars.layout.yaxis.ticktext]
    assert list(bars.data[0].marker.color) == [expected[service] for service in shown]
    timeline = by_name(tl.plot_gantt(spans, spans["trace_id"][0], first=4))
    assert {name: bar.marker.color for name, bar in timeline.items() if name in expected}.items() <= expected.items()


def test_colors_of_more_services_than_there_are_colors_differ_on_one_figure() -> None:
    many = [f"service-{number}" for number in range(100)]
    for start in range(0, 80, 10):
        assert len(set(service_colors(many[start : start + 20], among=many).values())) == 20


def test_colors_stay_with_a_service_when_a_part_of_the_frame_is_drawn_later() -> None:
    names = [f"part-{number}" for number in range(12)]
    whole = service_colors(names[:3], among=names)
    assert service_colors(reversed(names[:3])) == whole
    assert service_colors(names)["part-2"] == whole["part-2"]


@pytest.mark.parametrize("figure", [tl.plot_error_origins, tl.plot_outliers, tl.plot_repeated_calls, tl.plot_gaps])
@pytest.mark.parametrize("first", [0, -1])
def test_figures_refuse_to_draw_no_rows(figure: Callable[..., go.Figure], first: int) -> None:
    with pytest.raises(tl.TracelabError, match=f"`first` must be 1 or more, got {first}. It is the number"):
        figure(TRACE, first=first)


def test_plot_error_origins_tells_what_was_swallowed() -> None:
    spans = draw("""
    web       =====!
      bank    .==!

    web       =====
      bank    .==!
    """)
    reached, swallowed = tl.plot_error_origins(spans).data[:2]
    assert (reached.name, reached.x, swallowed.name, swallowed.x) == ("reached the root", (1,), "swallowed", (1,))
    assert "swallowed by web::web" in swallowed.hovertext[0]


def test_plot_error_origins_tells_what_got_to_a_part_whose_caller_is_not_known() -> None:
    figure = tl.plot_error_origins(draw("lost\n  web ===!"))
    assert [bar.name for bar in figure.data[:2]] == ["reached the root", "swallowed or lost"]
    assert "1 got to a part whose caller is not known" in figure.data[0].hovertext[0]


def test_plot_outliers_draws_what_is_usual_beside_what_is_not() -> None:
    spans = draw("\n\n".join(["api ===", "api ====", "api ====="] * 8 + ["api " + 90 * "="]))
    usual, outliers = tl.plot_outliers(spans).data[:2]
    assert (usual.x, usual.y, outliers.x, outliers.y) == ((4.0,), (0,), (90.0,), (0,))
    assert tl.plot_outliers(spans, by=None).layout.yaxis.ticktext == ("all spans",)


def test_plot_repeated_calls_tells_runs_from_those_that_overlap() -> None:
    spans = draw("""
    shop         ==========
      SELECT     .==
      SELECT     ...==
      GET        .===
      GET        .====
    """)
    turns, overlapping = tl.plot_repeated_calls(spans, min_count=2).data[:2]
    assert dict(zip(turns.y, turns.x, strict=True)) == {0: 0, 1: 4}
    assert dict(zip(overlapping.y, overlapping.x, strict=True)) == {0: 4, 1: 0}


def test_plot_gaps_says_between_which_children_time_goes() -> None:
    spans = draw("""
    api      ==========
      auth   ===
      db     .......===
    """)
    figure = tl.plot_gaps(spans)
    assert figure.layout.xaxis.title.text == "time that no child covers (ms)"
    assert "between auth and db" in figure.layout.yaxis.ticktext[0]
    assert figure.data[1].x == (4.0,)
