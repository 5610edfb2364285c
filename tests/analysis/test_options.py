"""Options of answers: what they take, and what they say of what they do not take."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import polars.selectors as cs
import pytest

from tracelab import analysis
from tracelab.errors import SchemaError, TracelabError
from tracelab.options import nanoseconds, window_length
from tracelab.schema import attr
from tracelab.synthetic import draw

if TYPE_CHECKING:
    from collections.abc import Callable

SPANS = draw("""
    web::GET /a     ========== kind=server user.id=7
      db::SELECT    .==!
      db::SELECT    ...==
""")

GROUPED: dict[str, Callable[..., pl.DataFrame]] = {
    "critical_path_profile": analysis.critical_path_profile,
    "error_rates": analysis.error_rates,
    "latency_histogram": analysis.latency_histogram,
    "latency_percentiles": analysis.latency_percentiles,
    "outliers": analysis.outliers,
    "trace_latency_percentiles": analysis.trace_latency_percentiles,
}
WINDOWED = {name: GROUPED[name] for name in GROUPED if name.startswith(("error", "latency", "trace"))}
OWN_COLUMN = {
    "critical_path_profile": "share",
    "error_rates": "errors",
    "latency_histogram": "lower",
    "latency_percentiles": "duration",
    "outliers": "duration",
    "trace_latency_percentiles": "duration",
}

WRONG: list[tuple[Callable[..., pl.DataFrame], str, list[Any]]] = [
    (analysis.critical_path, "method", [5, None, "crisp", ["jaeger"]]),
    (analysis.critical_path_profile, "method", [5, None]),
    (analysis.critical_path_profile, "slowest", [0, 1, 5, -0.1, True, "0.1", float("nan")]),
    (analysis.critical_path_profile, "within", [5, {"name"}]),
    (analysis.error_rates, "confidence", ["high", 0, 1, 95, True, None, float("nan")]),
    (analysis.error_rates, "entry_only", ["no", 1, None]),
    (analysis.gaps, "min_duration", [5, 2.5, "5", "-1ms", "soon", None, timedelta(seconds=-1), "999999999w"]),
    (analysis.gaps, "min_share", ["much", 2, -1, True, None]),
    (analysis.latency_histogram, "bins", [0, 2.5, True, "40", None, 10**9]),
    (analysis.latency_histogram, "entry_only", ["no", None]),
    (
        analysis.latency_percentiles,
        "quantiles",
        [[], (), ["a"], "a", 95, [0.5, 95], None, True, [None], [float("nan")]],
    ),
    (analysis.latency_percentiles, "confidence", ["high", 1.5]),
    (analysis.latency_percentiles, "entry_only", [2]),
    (analysis.latency_percentiles, "wide", ["yes", None, 1]),
    (analysis.latency_percentiles, "order", ["best", 5, ["keys"]]),
    (analysis.outliers, "threshold", [0, -1, "high", None, True, float("inf"), float("nan")]),
    (analysis.outliers, "min_count", [2.5, 0, True, "20", None]),
    (analysis.repeated_calls, "min_count", [2.5, 1, True, "5", None]),
    (analysis.trace_latency_percentiles, "quantiles", [[], "a"]),
    (analysis.trace_latency_percentiles, "wide", ["yes"]),
]
CASES = [(function, option, value) for function, option, values in WRONG for value in values]


@pytest.mark.parametrize(
    ("function", "option", "value"), CASES, ids=[f"{o}={v!r} {n}" for n, (_, o, v) in enumerate(CASES)]
)
def test_a_wrong_option_is_named_with_what_was_given(
    function: Callable[..., pl.DataFrame], option: str, value: Any
) -> None:
    with pytest.raises(TracelabError) as caught:
        function(SPANS, **{option: value})
    assert option in str(caught.value) or "A quantile" in str(caught.value)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize("name", sorted(WINDOWED))
@pytest.mark.parametrize("every", ["0s", "-1m", 5, 0.5, "", "often", "1 x", "0mo", True, timedelta(0), ["1m"], "1mo3d"])
def test_windows_need_a_length(name: str, every: Any) -> None:
    with pytest.raises(TracelabError, match=r"`every` must be a length of time, got .*such as 30s, 1m or 1h30m"):
        WINDOWED[name](SPANS, every=every)


@pytest.mark.parametrize("name", sorted(WINDOWED))
@pytest.mark.parametrize("every", ["1m", " 1m ", "1.5m", "1d12h", "1mo", "1w", "90 s", timedelta(minutes=1), None])
def test_windows_take_whatever_length_there_is(name: str, every: Any) -> None:
    assert not WINDOWED[name](SPANS, every=every).is_empty()


@pytest.mark.parametrize("name", sorted(GROUPED))
@pytest.mark.parametrize("by", [5, 2.5, True, b"name", {"name"}, {"name": 1}, ["name", 5], [None], SPANS["name"]])
def test_by_takes_names_and_expressions_only(name: str, by: Any) -> None:
    with pytest.raises(TracelabError, match="`by` must be a column, an attribute's key, an expression, or a list of"):
        GROUPED[name](SPANS, by=by)


@pytest.mark.parametrize("name", sorted(GROUPED))
def test_by_cannot_name_a_column_that_the_answer_makes(name: str) -> None:
    column = OWN_COLUMN[name]
    for by in (column, pl.col("kind").alias(column)):
        with pytest.raises((TracelabError, SchemaError), match=rf"`by` names '{column}'"):
            GROUPED[name](SPANS.with_columns(pl.lit(1).alias(column) if column not in SPANS.columns else []), by=by)
    renamed = GROUPED[name](SPANS, by=pl.col("kind").alias("by_kind"))
    assert "by_kind" in renamed.columns or renamed.is_empty()


@pytest.mark.parametrize("name", sorted(GROUPED))
@pytest.mark.parametrize("column", ["__trace", "__weight", "__failed", "__all", "__group", "__"])
def test_by_cannot_name_columns_that_answers_are_made_with(name: str, column: str) -> None:
    with pytest.raises(TracelabError, match=rf"names '{column}', .*rename the key"):
        GROUPED[name](SPANS.with_columns(pl.lit(1).alias(column)), by=column)


@pytest.mark.parametrize("name", sorted(GROUPED))
@pytest.mark.parametrize(
    ("by", "message"),
    [
        (pl.col("nme"), "`by` reads 'nme', which is no column of the spans. Did you mean 'name'"),
        (pl.col("name") + pl.col("kin"), "`by` reads 'kin'"),
        (pl.col("name", "kind"), "one column each"),
        (cs.string(), "one column each"),
        (pl.col("name").dt.hour(), "`by` cannot be computed"),
    ],
)
def test_by_says_what_cannot_be_read(name: str, by: Any, message: str) -> None:
    for spans in (SPANS, SPANS.lazy()):
        with pytest.raises(TracelabError, match=message):
            GROUPED[name](spans, by=by)


@pytest.mark.parametrize("name", sorted(GROUPED))
@pytest.mark.parametrize(
    "by",
    [
        pl.col("service_name").filter(pl.col("service_name") == "web"),
        pl.col("service_name").filter(pl.col("service_name") == "db"),
        pl.col("service_name").filter(pl.col("service_name") == "nobody"),
        ["kind", pl.col("service_name").unique()],
        pl.col("name").head(1),
        pl.col("name").drop_nulls().head(2).alias("two"),
        pl.lit(pl.Series("some", ["a", "b"])),
    ],
)
def test_by_needs_a_value_for_every_span(name: str, by: Any) -> None:
    for spans in (SPANS, SPANS.lazy()):
        with pytest.raises(TracelabError, match=r"`by` needs a value for every span, and .* gives \d for 3 spans"):
            GROUPED[name](spans, by=by)


@pytest.mark.parametrize("by", [pl.lit("x"), pl.col("service_name").max(), pl.lit(None), pl.len().alias("all")])
def test_by_spreads_one_value_over_all_spans(by: pl.Expr) -> None:
    for spans in (SPANS, SPANS.lazy()):
        assert analysis.error_rates(spans, by=by, entry_only=False)["spans"].to_list() == [SPANS.height]
    assert analysis.error_rates(SPANS.clear(), by=by, entry_only=False).is_empty()


def test_by_says_what_values_cannot_be_computed() -> None:
    with pytest.raises(TracelabError, match="`by` cannot be computed from these spans: conversion from `str`"):
        analysis.error_rates(SPANS, by=pl.col("name").cast(pl.Int64))


@pytest.mark.parametrize("name", sorted(GROUPED))
@pytest.mark.parametrize(
    "by",
    [
        None,
        [],
        (),
        attr("user.id"),
        "user.id",
        "events",
        ["more_attributes", "links"],
        [pl.col("name").str.len_chars()],
    ],
)
def test_by_takes_nothing_attributes_and_expressions(name: str, by: Any) -> None:
    assert isinstance(GROUPED[name](SPANS, by=by), pl.DataFrame)


def test_one_quantile_is_a_list_of_one() -> None:
    for one in (0.5, np.float64(0.5), np.array([0.5]), pl.Series([0.5]), (0.5, 0.5)):
        answer = analysis.latency_percentiles(SPANS, quantiles=one)  # type: ignore[arg-type]
        assert answer.equals(analysis.latency_percentiles(SPANS, quantiles=[0.5]))


def test_numbers_of_numpy_are_numbers() -> None:
    assert analysis.repeated_calls(SPANS, min_count=np.int64(2)).height == 1  # type: ignore[arg-type]
    assert analysis.gaps(SPANS, min_share=np.float32(0.05)).height == 2  # type: ignore[arg-type]
    assert analysis.error_rates(SPANS, entry_only=np.bool_(False)).height == 2  # type: ignore[arg-type]


def test_lengths_of_time_are_text_or_timedeltas() -> None:
    assert analysis.gaps(SPANS, min_duration=timedelta(milliseconds=5)).equals(analysis.gaps(SPANS, min_duration="5ms"))
    assert nanoseconds("x", timedelta(days=200_000 // 2, microseconds=1)) == 100_000 * 86_400 * 10**9 + 1_000
    assert [window_length("x", text) for text in ("1m", "1.5s", "2w", "1mo")] == [
        "60000000000ns",
        "1500000000ns",
        "2w",
        "1mo",
    ]


@pytest.mark.parametrize("name", sorted(GROUPED))
def test_an_empty_name_gets_no_hint_of_nothing(name: str) -> None:
    with pytest.raises(SchemaError, match=r"`by` names '', which is no column .* Columns: trace_id, ") as caught:
        GROUPED[name](SPANS, by="")
    assert "Did you mean" not in str(caught.value)
