from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from tracelab.analysis import (
    critical_path_profile,
    error_rates,
    latency_histogram,
    latency_percentiles,
    outcomes,
    service_graph,
    trace_latency_percentiles,
)
from tracelab.errors import SchemaError, TracelabError
from tracelab.synthetic import draw, generate

if TYPE_CHECKING:
    from collections.abc import Callable

ANSWERS: list[Callable[..., pl.DataFrame]] = [
    error_rates,
    outcomes,
    latency_percentiles,
    latency_histogram,
    trace_latency_percentiles,
    critical_path_profile,
    service_graph,
]


def two_traces(*weights: float | None) -> pl.DataFrame:
    spans = draw("api ====!\n\napi ==")
    return spans.with_columns(pl.Series("sampling_weight", weights, dtype=pl.Float64))


@pytest.mark.parametrize("answer", ANSWERS)
def test_without_weights_answers_have_no_further_columns(answer: Callable[..., pl.DataFrame]) -> None:
    spans = two_traces(1, 9)
    assert answer(spans).equals(answer(spans.drop("sampling_weight")))


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("answer", ANSWERS)
def test_the_exemplar_stands_last_with_weights_and_without(answer: Callable[..., pl.DataFrame], wide: bool) -> None:
    options = {"wide": True} if wide and answer in (latency_percentiles, trace_latency_percentiles) else {}
    plain, weighted = (answer(two_traces(1, 9), weights=each, **options).columns for each in (None, "sampling_weight"))
    assert plain[-1] == weighted[-1] == "exemplar_trace_id"
    assert [name for name in weighted if name in plain] == plain


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (pl.lit(-2.0), "holds -2"),
        (pl.lit(0), "holds 0"),
        (pl.lit(float("nan")), "holds nan"),
        (pl.lit(float("inf")), "holds inf"),
        (pl.lit(1e300), "between 1 and 2"),
        (pl.lit(0.25), "its weight is 4"),
        (pl.lit("ten"), "Weights are numbers"),
        ("name", "Weights are numbers"),
        ("sampling_wight", "Did you mean 'sampling_weight'"),
        (pl.col("nothing") * 2, "cannot be computed"),
        (pl.col("sampling_weight").head(1).append(pl.lit(2.0)).append(pl.lit(2.0)), "for 2 spans"),
        (7, "name of a column"),
    ],
)
def test_what_is_no_weight_is_refused(answer: Callable[..., pl.DataFrame], weights: Any, words: str) -> None:
    with pytest.raises(TracelabError, match=words):
        answer(two_traces(1, 9), weights=weights)


def test_a_missing_column_says_who_adds_it() -> None:
    with pytest.raises(SchemaError, match="with_weights"):
        error_rates(draw("api ="), weights="sampling_weight")


def test_error_rates_are_of_all_that_there_was() -> None:
    row = error_rates(two_traces(1, 9), weights="sampling_weight").row(0, named=True)
    assert (row["spans"], row["errors"], row["error_rate"]) == (2, 1, 0.1)
    assert (row["estimated_spans"], row["estimated_errors"]) == (10, 1)
    assert row["effective_sample_size"] == pytest.approx(100 / 82)
    assert row["unknown_weight"] == 0
    assert row["exemplar_trace_id"] is not None


def test_an_unknown_weight_makes_what_rests_on_it_null() -> None:
    row = error_rates(two_traces(1, None), weights="sampling_weight").row(0, named=True)
    assert (row["spans"], row["errors"], row["unknown_weight"]) == (2, 1, 1)
    assert [row[name] for name in ("error_rate", "lower", "upper", "estimated_spans", "effective_sample_size")] == (
        [None] * 5
    )
    for wide in (True, False):
        answer = latency_percentiles(two_traces(1, None), weights="sampling_weight", quantiles=0.5, wide=wide)
        row = answer.row(0, named=True)
        name = "p50" if wide else "duration"
        assert (row[name], row["count"], row["unknown_weight"]) == (None, 2, 1)


def test_a_weight_of_one_everywhere_changes_no_value() -> None:
    spans = generate(3_000, seed=3)
    plain = latency_percentiles(spans, entry_only=False)
    weighted = latency_percentiles(spans, entry_only=False, weights=pl.lit(1))
    shared = ["service_name", "quantile", "count"]
    assert weighted.select(shared).equals(plain.select(shared))
    assert (weighted["duration"] - plain["duration"]).dt.total_nanoseconds().abs().max() <= 1  # type: ignore[operator]
    assert weighted["lower"].equals(weighted["duration"].alias("lower"))
    rates = error_rates(spans, weights=pl.lit(1.0))
    assert rates.select("error_rate", "exemplar_trace_id").equals(
        error_rates(spans).select("error_rate", "exemplar_trace_id")
    )
    assert rates["estimated_spans_upper"].to_list() == rates["spans"].to_list()


def test_a_trace_has_the_largest_weight_of_its_spans() -> None:
    spans = draw("api ====\n  db .=\n\napi =").with_columns(sampling_weight=pl.Series([2.0, 4.0, 6.0]))
    row = trace_latency_percentiles(spans, quantiles=0.5, by=None, weights="sampling_weight").row(0, named=True)
    assert row["estimated_count"] == 10
    unknown = spans.with_columns(sampling_weight=pl.Series([2.0, None, 6.0]))
    row = trace_latency_percentiles(unknown, quantiles=0.5, by=None, weights="sampling_weight").row(0, named=True)
    assert (row["duration"], row["unknown_weight"]) == (None, 1)


def test_no_spans_have_no_rows_but_all_columns() -> None:
    spans = two_traces(1, 9).clear()
    for answer in ANSWERS:
        empty = answer(spans, weights="sampling_weight")
        assert empty.height == 0
        assert "effective_sample_size" in empty.columns


def test_the_order_of_rows_does_not_matter() -> None:
    spans = generate(2_000, seed=1).with_columns(
        w=pl.when(pl.col("trace_id").str.contains("[0-7]$")).then(1).otherwise(5)
    )
    mixed = spans.sample(fraction=1, shuffle=True, seed=2)
    for answer in ANSWERS:
        one, other = answer(spans, weights="w"), answer(mixed, weights="w")
        assert one.select(pl.exclude(pl.Float64)).equals(other.select(pl.exclude(pl.Float64)))


def test_a_histogram_estimates_how_many_spans_there_were_in_each_bin() -> None:
    rows = latency_histogram(two_traces(1, 9), bins=2, every=None, weights="sampling_weight")
    assert rows.select("count", "estimated_count").rows() == [(1, 9), (1, 1)]


def test_a_profile_is_of_all_the_traces_that_there_were() -> None:
    spans = draw("""
        api   ==========
          db  .====

        api   ====
    """).with_columns(sampling_weight=pl.Series([1.0, 2.0, 8.0]))
    rows = {row["service_name"]: row for row in critical_path_profile(spans, weights="sampling_weight").to_dicts()}
    # Two traces of 10 ms, 4 of them in db, and eight of 4 ms.
    assert rows["db"]["share"] == pytest.approx(8 / 52)
    assert rows["db"]["trace_share"] == pytest.approx(0.2)
    assert rows["db"]["estimated_seconds"] == pytest.approx(0.008)
    assert rows["db"]["time"].total_seconds() == 0.004
    assert rows["api"]["estimated_traces"] == 10
    assert rows["api"]["mean"].total_seconds() == pytest.approx((12 + 32) / 10 / 1000)
    unknown = spans.with_columns(sampling_weight=pl.Series([1.0, 2.0, None]))
    rows = {row["service_name"]: row for row in critical_path_profile(unknown, weights="sampling_weight").to_dicts()}
    assert (rows["db"]["share"], rows["db"]["estimated_traces"], rows["db"]["unknown_weight"]) == (None, 2, 1)
    assert (rows["api"]["p50"], rows["api"]["traces"]) == (None, 2)


def test_the_slowest_share_is_of_all_the_traces_that_there_were() -> None:
    spans = draw("\n\n".join(f"api {'=' * length}" for length in (9, 5, 4, 3)))
    weighted = spans.with_columns(sampling_weight=pl.Series([1.0, 1.0, 9.0, 9.0]))
    band = critical_path_profile(weighted, slowest=0.1, weights="sampling_weight").filter(pl.col("band") == "slowest")
    assert band["traces"].item() == 2
    assert critical_path_profile(weighted, slowest=0.1).filter(pl.col("band") == "slowest")["traces"].item() == 1


def test_a_profile_with_a_weight_of_one_everywhere_is_the_profile() -> None:
    spans = generate(3_000, seed=8)
    for slowest in (None, 0.2):
        plain = critical_path_profile(spans, slowest=slowest)
        weighted = critical_path_profile(spans, slowest=slowest, weights=pl.lit(1))
        exact = pl.exclude("ambiguous_share", "mean", "excess", "p50", "p95")
        assert weighted.select(plain.columns).select(exact).equals(plain.select(exact))
        assert weighted["share_lower"].equals(weighted["share"].alias("share_lower"))


def test_weights_may_be_whole_numbers_decimals_or_come_from_pandas() -> None:
    spans = two_traces(1, 9)
    for dtype in (pl.Int8, pl.UInt64, pl.Float32, pl.Decimal(10, 2)):
        cast = spans.with_columns(pl.col("sampling_weight").cast(dtype))
        assert error_rates(cast, weights="sampling_weight")["estimated_spans"].item() == 10
    unknown = two_traces(1, None).to_pandas()
    assert error_rates(unknown, weights="sampling_weight")["unknown_weight"].item() == 1
    assert error_rates(spans.lazy(), weights=pl.col("sampling_weight") * 2)["estimated_spans"].item() == 20
    nothing = spans.with_columns(sampling_weight=pl.lit(None))
    assert error_rates(nothing, weights="sampling_weight")["unknown_weight"].item() == 2


def test_the_largest_weights_overflow_nothing() -> None:
    spans = generate(500, seed=1)
    for answer in ANSWERS:
        assert answer(spans, weights=pl.lit(2.0**64)).height > 0
