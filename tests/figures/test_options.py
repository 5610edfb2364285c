from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

import tracelab as tl
from tests.figures.every import TRACE

if TYPE_CHECKING:
    from collections.abc import Callable

    import plotly.graph_objects as go

NO_COUNT: list[Any] = [0, -1, 2.5, "a", True, None, [], float("nan")]
NO_SHARE: list[Any] = ["a", True, None, -0.5, 1.5, float("nan"), [0.5]]
NO_BY: list[Any] = [5, True, 2.5, [5], ["name", None], {"a": 1}, b"name"]
NO_TIME: list[Any] = [5, True, 2.5, ["1m"], "soon", "5 parsecs"]
FIRST = (
    tl.plot_gaps, tl.plot_error_origins, tl.plot_outliers, tl.plot_repeated_calls, tl.plot_critical_path_profile,
    tl.plot_service_graph, tl.plot_latency_percentiles, tl.plot_error_rates,
)  # fmt: skip
WRONG: list[tuple[Callable[..., go.Figure], str, list[Any]]] = [
    *((figure, "first", NO_COUNT) for figure in FIRST),
    (tl.plot_latency_histogram, "bins", [*NO_COUNT, 10**30]),
    (tl.plot_latency_histogram, "every", [*NO_TIME, None]),
    (tl.plot_repeated_calls, "min_count", [*NO_COUNT, 1]),
    (tl.plot_outliers, "min_count", NO_COUNT),
    (tl.plot_outliers, "threshold", ["a", True, None, 0, -1, float("nan"), float("inf")]),
    (tl.plot_gaps, "min_share", NO_SHARE),
    (tl.plot_gaps, "min_duration", [*NO_TIME, None]),
    (tl.plot_latency_percentiles, "quantiles", [0.5, "p95", [], ["a"], [95], [True], None]),
    (tl.plot_flamegraph, "trace_id", [5, 2.5, True, "", "nope", ["a"]]),
    *(
        (figure, name, values)
        for figure in (tl.plot_latency_percentiles, tl.plot_error_rates)
        for name, values in {
            "confidence": [*NO_SHARE, 0, 1],
            "every": [*NO_TIME],
            "entry_only": [None, "no", 1],
            "by": [*NO_BY],
        }.items()
    ),
    (tl.plot_outliers, "by", NO_BY),
    (tl.plot_critical_path_profile, "by", NO_BY),
]


@pytest.mark.parametrize(
    ("figure", "option", "value"),
    [
        pytest.param(figure, option, value, id=f"{figure.__name__} {option}={value!r}")
        for figure, option, values in WRONG
        for value in values
    ],
)
def test_figures_refuse_what_an_option_cannot_be(figure: Callable[..., go.Figure], option: str, value: object) -> None:
    with pytest.raises(tl.TracelabError) as error:
        figure(TRACE, **{option: value})
    assert len(str(error.value)) > 30


@pytest.mark.parametrize("figure", FIRST)
@pytest.mark.parametrize("first", [1, np.int64(3), 10**30])
def test_figures_take_any_whole_number_of_rows(figure: Callable[..., go.Figure], first: int) -> None:
    assert figure(TRACE, first=first).layout.title.text


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
