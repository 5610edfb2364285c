from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from tests.traceql.shop import SHOP
from tracelab.errors import TracelabError
from tracelab.synthetic import draw
from tracelab.traceql import query_metrics

WEIGHTED = draw("""
    api ==== n=1

    api == n=2

    db = n=4
""").with_columns(sampling_weight=pl.Series([1.0, 3.0, 5.0]))


def values(traceql: str, spans: pl.DataFrame = WEIGHTED, weights: Any = "sampling_weight") -> list[float | None]:
    return query_metrics(spans, traceql, instant=True, weights=weights)["value"].to_list()


@pytest.mark.parametrize(
    ("traceql", "wanted"),
    [
        ("{} | count_over_time()", [9]),
        ("{ name = `api` } | count_over_time()", [4]),
        ("{} | sum_over_time(span.n)", [1 + 6 + 20]),
        ("{} | avg_over_time(span.n)", [27 / 9]),
        ("{} | min_over_time(span.n)", [1]),
        ("{} | max_over_time(span.n)", [4]),
        ("{} | count_over_time() by (resource.service.name)", [4, 5]),
        ("{} | histogram_over_time(span.n)", [3, 5]),
        ("({} | count_over_time()) * 2", [18]),
        ("({} | count_over_time()) / ({} | count_over_time())", [1]),
        ("{} | count_over_time() by (resource.service.name) | topk(1)", [5]),
        ("{} | count_over_time() > 100", []),
    ],
)
def test_metrics_are_of_what_spans_stand_for(traceql: str, wanted: list[float]) -> None:
    assert values(traceql) == wanted


@pytest.mark.parametrize("function", ["rate()", "count_over_time()", "quantile_over_time(duration, .5, .9)"])
def test_whole_weights_are_as_good_as_copies(function: str) -> None:
    copies = SHOP.with_columns(w=pl.int_range(pl.len()) % 3 + 1)
    rows = [row for row, w in enumerate(copies["w"]) for _ in range(w)]
    many = (
        copies[rows]
        .with_columns(span_id=pl.int_range(pl.len()).cast(pl.String), parent_span_id=pl.lit(None, dtype=pl.String))
        .drop("tree_left", "tree_right", "depth", "entry")
    )
    text = f"{{}} | {function} by (resource.service.name)"
    assert values(text, copies, "w") == pytest.approx(query_metrics(many, text, instant=True)["value"].to_list())


def test_an_expression_sees_the_spans_that_the_query_leaves_out() -> None:
    spans = draw("""
        api ==== kind=server
          db == n=1
    """)
    of_the_trace = pl.when(pl.col("name") == "api").then(5.0).max().over("trace_id")
    assert values("{ span.n = 1 } | count_over_time()", spans, of_the_trace) == [5]


@pytest.mark.parametrize(("stage", "wanted"), [("topk(2)", [5, 4]), ("bottomk(1)", [4]), ("topk(3)", [5, 4, None])])
def test_what_is_not_known_ranks_behind_what_is(stage: str, wanted: list[float | None]) -> None:
    spans = pl.concat(
        [WEIGHTED, draw("unknown =").with_columns(sampling_weight=pl.lit(None, dtype=pl.Float64))], how="diagonal"
    )
    found = values(f"{{}} | count_over_time() by (resource.service.name) | {stage}", spans)
    assert sorted(found, key=lambda value: -(value or 0)) == wanted


def test_counts_have_intervals_and_other_metrics_have_none() -> None:
    row = query_metrics(WEIGHTED, "{} | count_over_time()", instant=True, weights="sampling_weight").row(0, named=True)
    assert row["lower"] < 9 < row["upper"]
    assert row["effective_sample_size"] == pytest.approx(81 / 35)
    assert row["unknown_weight"] == 0
    row = query_metrics(WEIGHTED, "{} | avg_over_time(span.n)", instant=True, weights="sampling_weight").row(
        0, named=True
    )
    assert (row["lower"], row["upper"]) == (None, None)
    assert row["effective_sample_size"] is not None


def test_a_point_that_rests_on_an_unknown_weight_is_null_and_others_are_not() -> None:
    spans = WEIGHTED.with_columns(sampling_weight=pl.Series([1.0, None, 5.0]))
    answer = query_metrics(
        spans, "{} | count_over_time() by (resource.service.name)", instant=True, weights="sampling_weight"
    )
    assert answer.select("resource.service.name", "value", "unknown_weight").rows() == [("api", None, 1), ("db", 5, 0)]
    assert values("{} | quantile_over_time(duration, .5)", spans) == [None]
    assert values("({} | count_over_time()) * 2", spans) == []


def test_intervals_without_spans_are_zero_and_known() -> None:
    answer = query_metrics(WEIGHTED, "{} | rate()", step="1s", weights="sampling_weight")
    assert answer["value"].null_count() == 0
    assert answer["unknown_weight"].to_list() == [0] * answer.height


def test_comparisons_count_by_weight() -> None:
    answer = query_metrics(WEIGHTED, "{} | compare({ name = `api` })", instant=True, weights="sampling_weight").filter(
        pl.col("name") == "api"
    )
    assert answer.filter(pl.col("__meta_type") == "selection")["value"].to_list() == [4]
    assert "lower" in answer.columns


def test_the_hint_to_extrapolate_reads_thresholds() -> None:
    spans = draw("api =\n\napi =").with_columns(trace_state=pl.lit("ot=th:c;rv:f0000000000000"))
    assert values("{} | count_over_time() with(extrapolate=true)", spans, None) == [8]
    assert values("{} | count_over_time() with(extrapolate=false)", spans, None) == [2]
    assert values("{} | count_over_time() with(extrapolate=true)", spans.drop("trace_state"), None) == [None]


def test_what_is_no_weight_is_refused() -> None:
    with pytest.raises(TracelabError, match="its weight is 4"):
        values("{} | rate()", WEIGHTED, pl.lit(0.25))
    with pytest.raises(TracelabError, match="no column"):
        values("{} | rate()", WEIGHTED, "nothing")


def test_without_weights_there_are_no_further_columns() -> None:
    assert query_metrics(WEIGHTED, "{} | rate()", instant=True).columns == ["time", "value"]
