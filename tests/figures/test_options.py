from __future__ import annotations

import inspect
import warnings
from datetime import timedelta
from functools import wraps
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

import tracelab as tl
from tests.figures.every import TRACE
from tracelab.synthetic import draw

if TYPE_CHECKING:
    from collections.abc import Callable

    import plotly.graph_objects as go

MINUTES = pl.concat(
    draw("web::GET ===").with_columns(
        pl.col("start_time").dt.truncate("1d").dt.offset_by(f"{minute}m"), trace_id=pl.lit(f"{minute + 1:032x}")
    )
    for minute in (0, 1, 8)
)
NO_COUNT: list[Any] = [0, -1, 2.5, "a", True, None, [], float("nan")]
NO_SHARE: list[Any] = ["a", True, None, -0.5, 1.5, float("nan"), [0.5]]
NO_ID: list[Any] = [5, 2.5, True, "", "nope", ["a"]]
NO_BY: list[Any] = [5, True, 2.5, [5], ["name", None], {"a": 1}, b"name"]
NO_TIME: list[Any] = [5, True, 2.5, ["1m"], "soon", "5 parsecs", "", "-1m", timedelta(seconds=-1)]
FIRST = (
    tl.plot_gaps, tl.plot_error_origins, tl.plot_outliers, tl.plot_repeated_calls, tl.plot_critical_path_profile,
    tl.plot_service_graph, tl.plot_audit, tl.plot_latency_percentiles, tl.plot_error_rates, tl.plot_gantt,
    tl.plot_clock_skew,
)  # fmt: skip


def named(value: Any) -> str:
    """Show a value in the name of a test, which is the same in every process: without an address."""
    return str(value) if isinstance(value, pl.Expr) else repr(value)


@wraps(tl.plot_compare)
def compared(spans: Any, **options: Any) -> go.Figure:
    return tl.plot_compare(spans, **{"where": "duration > 2ms", "unit": "span", **options})


@wraps(tl.plot_what_if)
def changed(spans: Any, **options: Any) -> go.Figure:
    given = {} if {"factor", "duration", "remove"} & options.keys() else {"factor": 0.5}
    return tl.plot_what_if(spans, **{"where": "duration > 2ms", **given, **options})


@wraps(tl.plot_change_points)
def stepping(spans: Any, **options: Any) -> go.Figure:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tl.QueryWarning)
        return tl.plot_change_points(spans, **options)


@wraps(tl.plot_trace_diff)
def differing(spans: Any, **options: Any) -> go.Figure:
    return tl.plot_trace_diff(spans, **{"after": spans, **options})


@wraps(tl.plot_root_causes)
def caused(spans: Any, **options: Any) -> go.Figure:
    quick = spans.with_columns(trace_id=pl.lit("f" * 32), duration=pl.duration(nanoseconds=1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tl.QueryWarning)  # of so few traces
        return tl.plot_root_causes(pl.concat([spans, quick]), **{"where": "duration > 2ms", **options})


WRONG: list[tuple[Callable[..., go.Figure], str, list[Any]]] = [
    *((figure, "first", NO_COUNT) for figure in FIRST),
    (compared, "first", NO_COUNT),
    (changed, "where", [5, None, "{ duration > ", pl.col("duration")]),
    (changed, "factor", ["a", True, None, -0.5, float("nan"), float("inf"), 1e9, [0.5]]),
    (changed, "duration", [*NO_TIME, None]),
    (changed, "remove", [None, "no", 1, False]),
    (changed, "part", [5, None, "all"]),
    (changed, "quantiles", ["p95", [], ["a"], 95, [95], [True], True, None]),
    (tl.plot_optimise, "by", NO_BY),
    (tl.plot_optimise, "saving", NO_SHARE),
    (tl.plot_optimise, "limit", NO_COUNT),
    *(
        (figure, name, values)
        for figure in (changed, tl.plot_optimise)
        for name, values in {"confidence": [*NO_SHARE, 0, 1], "resamples": [*NO_COUNT, 1]}.items()
    ),
    (tl.plot_optimise, "quantile", [*NO_SHARE, 0, 1, 95]),
    (stepping, "q", [*NO_SHARE, 0, 1]),
    (stepping, "confidence", [*NO_SHARE, 0, 1]),
    (stepping, "entry_only", [None, "no", 1]),
    (stepping, "gradual", [None, "no", 1]),
    (stepping, "min_traces", [*NO_COUNT, 15]),
    (stepping, "every", [*NO_TIME, "0s"]),
    (stepping, "by", NO_BY),
    (stepping, "first", NO_COUNT),
    (differing, "after", [5, None, "spans"]),
    (differing, "quantile", [*NO_SHARE, 0, 1, 95]),
    (differing, "confidence", [*NO_SHARE, 0, 1]),
    (differing, "resamples", [*NO_COUNT, 1]),
    (compared, "baseline", [5, TRACE]),
    (compared, "q", ["a", True, None, -0.5, 1.5, float("nan")]),
    (compared, "confidence", [*NO_SHARE, 0, 1]),
    (compared, "unit", [5, None, "traces"]),
    (caused, "first", NO_COUNT),
    (caused, "normal", [5, TRACE]),
    (caused, "q", ["a", True, None, -0.5, 1.5, float("nan")]),
    (caused, "confidence", [*NO_SHARE, 0, 1]),
    (caused, "where", [5, None, "{ duration > ", pl.col("duration")]),
    (compared, "pairs", [None, "no", 1]),
    (compared, "where", [5, None, "{ duration > ", pl.col("duration")]),
    (tl.plot_audit, "findings", [5, True, "findings", [], TRACE, tl.audit(TRACE).drop("rule")]),
    (tl.plot_latency_histogram, "bins", [*NO_COUNT, 10**30]),
    (tl.plot_latency_histogram, "every", [*NO_TIME, "0s", None]),
    (tl.plot_repeated_calls, "min_count", [*NO_COUNT, 1]),
    (tl.plot_outliers, "min_count", NO_COUNT),
    (tl.plot_outliers, "threshold", ["a", True, None, 0, -1, float("nan"), float("inf")]),
    (tl.plot_gaps, "min_share", NO_SHARE),
    (tl.plot_gaps, "min_duration", [*NO_TIME, None]),
    (tl.plot_latency_percentiles, "quantiles", ["p95", [], ["a"], 95, [95], [True], True, None]),
    *((figure, "trace_id", NO_ID) for figure in (tl.plot_flamegraph, tl.plot_gantt)),
    (tl.plot_gantt, "keep", ["last", None, 5]),
    *(
        (figure, name, values)
        for figure in (tl.plot_latency_percentiles, tl.plot_error_rates)
        for name, values in {
            "confidence": [*NO_SHARE, 0, 1],
            "every": [*NO_TIME, "0s"],
            "entry_only": [None, "no", 1],
            "by": [*NO_BY],
        }.items()
    ),
    (tl.plot_outliers, "by", NO_BY),
    (tl.plot_critical_path_profile, "by", NO_BY),
    (tl.plot_sampling_report, "policies", [None, 5, {}, "nope.yaml", {5: tl.sampling.AlwaysOn()}, {"a": None}]),
    (tl.plot_sampling_report, "quantile", [*NO_SHARE, 0, 1]),
    (tl.plot_sampling_report, "user", [5, True, ["a"], ""]),
    (tl.plot_sampling_report, "confidence", [*NO_SHARE, 0, 1]),
    (tl.plot_sampling_report, "arrival", [5, True]),
    (tl.plot_sampling_report, "missing_parents", [None, 5, True, "Root", ""]),
]
NEEDED: dict[Callable[..., go.Figure], dict[str, Any]] = {
    tl.plot_sampling_report: {"policies": {"recommended": tl.sampling.presets.production()}}
}


@pytest.mark.parametrize(
    ("figure", "option", "value"),
    [
        pytest.param(figure, option, value, id=f"{figure.__name__} {option}={named(value)}")
        for figure, option, values in WRONG
        for value in values
    ],
)
def test_figures_refuse_what_an_option_cannot_be(figure: Callable[..., go.Figure], option: str, value: object) -> None:
    with pytest.raises(tl.TracelabError) as error:
        figure(TRACE, **{**NEEDED.get(figure, {}), option: value})
    assert 30 < len(str(error.value)) < 250


def test_every_option_of_every_figure_is_tried() -> None:
    there = {
        (name, option)
        for name in dir(tl)
        if name.startswith("plot_")
        for option in list(inspect.signature(getattr(tl, name)).parameters)[1:]
    }
    assert there == {(figure.__name__, option) for figure, option, _ in WRONG}


@pytest.mark.parametrize("figure", FIRST)
@pytest.mark.parametrize("first", [1, np.int64(3), 10**30])
def test_figures_take_any_whole_number_of_rows(figure: Callable[..., go.Figure], first: int) -> None:
    assert figure(TRACE, first=first).layout.title.text


@pytest.mark.parametrize("figure", [tl.plot_latency_percentiles, tl.plot_error_rates, tl.plot_latency_histogram])
@pytest.mark.parametrize(
    ("every", "said", "text"),
    [
        (timedelta(minutes=2), "2 m", "2m"),
        (timedelta(seconds=90, microseconds=1), "90.000001 s", "90000001us"),
        (" 2m ", "2m", "2m"),
        ("1.5m", "1.5m", "90s"),
        ("1 m 30 s", "1 m 30 s", "90s"),
        ("1mo", "1mo", "1mo"),
    ],
)
def test_figures_take_windows_as_answers_do(figure: Callable[..., go.Figure], every: Any, said: str, text: str) -> None:
    drawn, expected = figure(MINUTES, every=every), figure(MINUTES, every=text)
    assert f"in windows of {said}" in drawn.layout.title.text
    assert drawn.update_layout(title=None).to_json() == expected.update_layout(title=None).to_json()


def test_windows_of_a_timedelta_are_drawn_where_they_begin_and_break_where_they_are_missing() -> None:
    for figure in (tl.plot_latency_percentiles, tl.plot_error_rates):
        drawn = figure(MINUTES, every=timedelta(minutes=2))
        assert [f"{begin:%H:%M}" for begin in drawn.data[0].x] == ["00:00", "00:02", "00:08"]
        assert [value is None for value in drawn.data[0].y] == [False, True, False]
        assert [limit[11:19] for limit in drawn.layout.xaxis.range] == ["23:59:00", "00:09:00"]
    edges = tl.plot_latency_histogram(MINUTES, every=timedelta(minutes=2)).data[0].x
    assert [f"{edge:%H:%M}" for edge in edges] == ["00:00", "00:02", "00:08", "00:10"]


def test_figures_take_what_answers_take() -> None:
    one = tl.plot_latency_percentiles(TRACE, quantiles=0.5)
    assert one.data == tl.plot_latency_percentiles(TRACE, quantiles=[0.5]).data
    assert "p50 of entry spans" in one.layout.title.text
    gaps = tl.plot_gaps(TRACE, min_duration=timedelta(microseconds=1500))
    assert gaps.data == tl.plot_gaps(TRACE, min_duration="1.5ms").data
    assert "Of 1.5 ms and 10 % of their span" in gaps.layout.title.text
    assert tl.plot_error_rates(TRACE, entry_only=np.bool_(False), confidence=np.float64(0.9)).data  # type: ignore[arg-type]


def test_a_key_may_be_called_as_columns_of_windows_and_figures_are() -> None:
    for figure in (tl.plot_latency_percentiles, tl.plot_error_rates, tl.plot_critical_path_profile):
        for name in ("window", "group", "color"):
            labels = figure(TRACE, by=pl.col("name").alias(name)).layout.yaxis.ticktext
            assert labels[0].partition("<br>")[0] in TRACE["name"].to_list()


@pytest.mark.parametrize("key", [pl.col("depth"), pl.col("parent_span_id"), pl.col("kind"), pl.col("duration")])
def test_a_key_may_stand_in_for_the_service(key: pl.Expr) -> None:
    for figure in (tl.plot_latency_percentiles, tl.plot_error_rates, tl.plot_critical_path_profile, tl.plot_outliers):
        options = {"min_count": 1} if figure is tl.plot_outliers else {}
        assert figure(TRACE, by=key.alias("service_name"), **options).layout.title.text
    for over_time in (tl.plot_latency_percentiles, tl.plot_error_rates):
        assert over_time(TRACE, by=key.alias("service_name"), every="1m").data


@pytest.mark.parametrize(
    "by", [None, [], "kind", ["service_name", "events"], pl.col("duration").alias("took"), pl.lit(1)]
)
@pytest.mark.parametrize("figure", [tl.plot_latency_percentiles, tl.plot_error_rates, tl.plot_critical_path_profile])
def test_groups_of_any_dtype_have_a_name(figure: Callable[..., go.Figure], by: Any) -> None:
    labels = figure(TRACE, by=by).layout.yaxis.ticktext
    assert labels
    assert all(labels)


def test_plot_flamegraph_draws_the_slowest_trace_where_none_is_named() -> None:
    spans = tl.synthetic.draw("""
    api::quick  ==

    api::slow   =====
    """)
    figure = tl.plot_flamegraph(spans)
    assert "api: slow, 5 ms" in figure.layout.title.text
    assert "the slowest trace" in figure.layout.title.text
    assert "slowest" not in tl.plot_flamegraph(spans, spans["trace_id"][0]).layout.title.text


def test_plot_flamegraph_of_no_spans_says_that_there_is_nothing_to_draw() -> None:
    with pytest.raises(tl.TracelabError, match="There are no spans"):
        tl.plot_flamegraph(TRACE.clear())
