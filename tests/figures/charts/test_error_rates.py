from __future__ import annotations

import polars as pl
import pytest

import tracelab as tl
from tests.figures.every import by_name
from tracelab.synthetic import draw

MINUTES = pl.concat(
    [
        draw(
            "\n\n".join(f"{service}::GET =={'!' if number % every == 0 else ''}" for number in range(30))
        ).with_columns(start_time=pl.col("start_time") + pl.duration(minutes=minute, time_unit="ns"))
        for service, every in (("api", 3), ("bank", 7))
        for minute in (0, 1, 4)
    ]
)


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
@pytest.mark.parametrize("every", ["1m", None])
def test_intervals_drawn_are_those_of_error_rates(confidence: float, every: str | None) -> None:
    answer = tl.error_rates(MINUTES, every=every, confidence=confidence)
    figure = tl.plot_error_rates(MINUTES, every=every, confidence=confidence)
    if every:
        drawn: dict[tuple[object, ...], tuple[float, float, float]] = {
            (name, window): (rate, rate - minus, rate + plus)
            for name, line in by_name(figure).items()
            for window, rate, minus, plus in zip(
                line.x, line.y, line.error_y.arrayminus, line.error_y.array, strict=True
            )
            if rate is not None
        }
        keys = answer.select("service_name", "window").rows()
    else:
        bars = figure.data[0]
        names = [text.partition("<br>")[0] for text in figure.layout.yaxis.ticktext]
        drawn = {
            (name,): (rate, rate - minus, rate + plus)
            for name, rate, minus, plus in zip(names, bars.x, bars.error_x.arrayminus, bars.error_x.array, strict=True)
        }
        keys = answer.select("service_name").rows()
    assert len(drawn) == answer.height
    for key, expected in zip(keys, answer.select("error_rate", "lower", "upper").rows(), strict=True):
        assert drawn[key] == pytest.approx([share * 100 for share in expected])


@pytest.mark.parametrize(("confidence", "said"), [(0.95, "95 % intervals"), (0.999, "99.9 % intervals")])
def test_titles_say_the_confidence_that_was_asked_for(confidence: float, said: str) -> None:
    assert said in tl.plot_error_rates(MINUTES, confidence=confidence).layout.title.text
    assert said in tl.plot_latency_percentiles(MINUTES, every="1m", confidence=confidence).layout.title.text


def test_lines_over_time_break_where_no_span_is() -> None:
    line = by_name(tl.plot_error_rates(MINUTES, every="1m"))["api"]
    assert [rate is None for rate in line.y] == [False, False, True, False]


def test_every_group_has_a_panel_and_the_worst_is_the_first() -> None:
    figure = tl.plot_error_rates(MINUTES, every="1m")
    assert [note.text for note in figure.layout.annotations] == ["api", "bank"]
    assert {line.yaxis for line in figure.data} == {"y", "y2"}
    highest = tl.error_rates(MINUTES, every="1m")["upper"].max()
    assert isinstance(highest, float)
    assert figure.layout.yaxis.range[1] >= 100 * highest
    assert figure.layout.yaxis2.matches == "y"


def test_figures_say_how_many_groups_they_leave_out() -> None:
    assert "the first 1 of 2" in tl.plot_error_rates(MINUTES, first=1).layout.title.text
    assert "the first 1 of 2" in tl.plot_latency_percentiles(MINUTES, first=1).layout.title.text


def test_plot_latency_percentiles_over_time_draws_the_intervals_it_promises() -> None:
    answer = tl.latency_percentiles(MINUTES, every="1m", quantiles=[0.5]).filter(service_name="api")
    line = by_name(tl.plot_latency_percentiles(MINUTES, every="1m", quantiles=[0.5]))["api p50"]
    upper = [high for value, high in zip(line.y, line.error_y.array, strict=True) if value is not None]
    expected = ((answer["upper"] - answer["duration"]).dt.total_nanoseconds() / 1e6).to_list()
    assert len(expected) == 3
    assert upper == pytest.approx(expected)


def test_plot_latency_histogram_draws_windows_from_their_start_to_their_end() -> None:
    heat = tl.plot_latency_histogram(MINUTES, every="1m", bins=5).data[0]
    minutes = [time.minute for time in heat.x]
    assert minutes == [0, 1, 2, 4, 5]
    filled = [any(count > 0 for count in column) for column in zip(*heat.z, strict=True)]
    assert filled == [True, True, False, True]
