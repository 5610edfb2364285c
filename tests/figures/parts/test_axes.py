from __future__ import annotations

import plotly.graph_objects as go
import polars as pl
import pytest

import tracelab as tl
from tracelab.figures.parts.axes import duration_text, linear_duration_axis, log_duration_axis, log_ticks, log_zero
from tracelab.figures.parts.text import text_width
from tracelab.synthetic import draw

MS, S, M, H = 1_000_000, 1_000_000_000, 60_000_000_000, 3_600_000_000_000


def texts(low: float, high: float, *, room: float = 600) -> list[str]:
    return [text for _, text in log_ticks(low, high, room=room)]


def test_log_ticks_say_their_units() -> None:
    assert texts(9 * MS, 1.1 * S) == ["10 ms", "20 ms", "50 ms", "100 ms", "200 ms", "500 ms", "1 s"]
    assert texts(400, 2_500, room=300) == ["500 ns", "700 ns", "1 µs", "2 µs"]


def test_log_ticks_count_minutes_hours_and_days_beyond_a_minute() -> None:
    assert texts(25 * S, 2 * H) == ["30 s", "1 m", "2 m", "5 m", "10 m", "20 m", "30 m", "1 h", "2 h"]
    assert texts(H, 40 * 24 * H, room=300) == ["1 h", "3 h", "10 h", "1 d", "3 d", "10 d", "30 d"]


@pytest.mark.parametrize("room", [60, 150, 300, 900])
@pytest.mark.parametrize("span", [2.0, 30.0, 4e3, 5e6, 3e14])
@pytest.mark.parametrize("low", [1.0, 730.0, 2e6, 9e10])
def test_log_ticks_keep_off_each_other(low: float, span: float, room: float) -> None:
    from itertools import pairwise
    from math import log10

    ticks = log_ticks(low, low * span, room=room)
    for (left, first), (right, second) in pairwise(ticks):
        pixels = room * log10(right / left) / log10(span)
        assert pixels > (text_width(first, 12) + text_width(second, 12)) / 2
    assert all(low <= place <= low * span for place, _ in ticks)


def test_log_axis_has_its_ticks_where_the_data_is() -> None:
    axis = log_duration_axis([5 * MS, 80 * MS, None], scale=MS, room=600)
    assert axis["tickvals"][:3] == [5, 7, 10]
    assert axis["ticktext"][:3] == ["5 ms", "7 ms", "10 ms"]
    low, high = (10**end for end in axis["range"])
    assert low < 5
    assert high > 80


@pytest.mark.parametrize("value", [1, 5 * MS, 101 * MS, 3 * H])
def test_log_axis_of_one_value_still_has_ticks(value: int) -> None:
    axis = log_duration_axis([value], scale=MS, room=600)
    assert len(axis["ticktext"]) >= 2


def test_a_duration_of_zero_has_a_place_of_its_own_on_a_log_axis() -> None:
    assert log_zero([3 * MS, 5 * MS]) is None
    axis = log_duration_axis([0, 3 * MS], scale=MS, room=600)
    assert (axis["tickvals"][0], axis["ticktext"][0]) == (1.0, "0")
    assert 10 ** axis["range"][0] < 1.0
    assert log_duration_axis([0], scale=1, room=600)["ticktext"][0] == "0"


def test_linear_axis_has_the_unit_at_every_tick() -> None:
    assert linear_duration_axis(S, scale=MS, unit="ms")["ticksuffix"] == " ms"
    long = linear_duration_axis(5 * M, scale=S, unit="s")
    assert long["ticktext"] == ["0", "1 m", "2 m", "3 m", "4 m", "5 m", "6 m"]
    assert long["tickvals"] == [0, 60, 120, 180, 240, 300, 360]


def test_round_durations_are_written_short() -> None:
    lengths = [0, 500, 20_000, 200 * MS, S, M, 90 * M, 26 * H]
    assert [duration_text(n) for n in lengths] == [
        "0",
        "500 ns",
        "20 µs",
        "200 ms",
        "1 s",
        "1 m",
        "1 h 30 m",
        "1 d 2 h",
    ]


@pytest.mark.parametrize(
    "figure",
    [tl.plot_latency_percentiles, lambda spans: tl.plot_outliers(spans, min_count=1)],
    ids=["percentiles", "outliers"],
)
def test_log_axes_of_figures_are_written_out(figure: object) -> None:
    spans = draw("\n\n".join([f"api::GET {'=' * length}" for length in [*[8, 9, 10] * 10, 500]]))
    assert callable(figure)
    drawn = figure(spans)
    assert isinstance(drawn, go.Figure)
    axis = drawn.layout.xaxis
    assert (axis.type, axis.tickmode) == ("log", "array")
    assert {"10 ms", "100 ms"} <= set(axis.ticktext)
    assert all(text == "0" or text.split()[1] in {"ms", "s"} for text in axis.ticktext)


def test_plot_latency_percentiles_draws_a_latency_of_zero() -> None:
    spans = pl.concat([draw("a::x |"), draw("b::x ====")])
    figure = tl.plot_latency_percentiles(spans, quantiles=[0.5])
    axis = figure.layout.xaxis
    assert (axis.tickvals[0], axis.ticktext[0]) == (pytest.approx(figure.data[0].x[0]), "0")
    assert "0 s" in figure.data[0].hovertext[0]
