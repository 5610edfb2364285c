from __future__ import annotations

import re
from typing import Any

import numpy as np
import polars as pl
import pytest

from tracelab import TracelabError, correct_skew, critical_path, read, trace_diff
from tracelab.synthetic import draw, generate

BEFORE = """
    api::GET /   ==========
      auth::check .==
      db::query   ....====
"""
AFTER = """
    api::GET /   ================
      auth::check .==
      cache::get  ...=
      db::query   .....=========!
"""


def nanoseconds(column: pl.Series) -> int:
    return int(column.dt.total_nanoseconds().sum())


def by_name(found: pl.DataFrame, name: str) -> dict[str, Any]:
    return found.filter(pl.col("name") == name).row(0, named=True)


def cohorts(seed: int, *, count: int = 6_000) -> tuple[pl.DataFrame, pl.DataFrame]:
    spans = generate(count, seed=seed, spans_per_trace=12)
    ids = spans["trace_id"].unique(maintain_order=True)
    first = pl.col("trace_id").is_in(ids.head(ids.len() // 3).implode())
    return spans.filter(first), spans.filter(~first)


def test_two_traces_are_laid_side_by_side() -> None:
    found = trace_diff(draw(BEFORE), draw(AFTER))
    query, cached = by_name(found, "query"), by_name(found, "get")
    assert query["call_path"] == "api::GET / > db::query"
    assert (query["before_critical"].microseconds, query["after_critical"].microseconds) == (4_000, 9_000)
    assert query["critical_difference"].microseconds == 5_000
    assert (query["before_error_rate"], query["after_error_rate"]) == (0.0, 1.0)
    assert (query["change"], cached["change"]) == ("both", "new")
    assert (cached["before_traces"], cached["after_traces"], cached["after_count"]) == (0, 1, 1.0)
    assert cached["before_error_rate"] is None
    assert nanoseconds(found["critical_difference"]) == 6_000_000
    # Of one trace there is no interval.
    assert found["critical_lower"].null_count() == found.height
    assert found["call_path"][0] == "api::GET / > db::query"


def test_what_is_called_from_elsewhere_has_moved() -> None:
    after = """
        api::GET /     ==========
          auth::check  .=======
            db::query  ..====
    """
    row = by_name(trace_diff(draw(BEFORE), draw(after)), "query")
    assert (row["change"], row["moved_from"]) == ("moved", "api::GET / > db::query")
    assert by_name(trace_diff(draw(AFTER), draw(BEFORE)), "get")["change"] == "gone"


@pytest.mark.parametrize("seed", range(8))
def test_differences_add_up_to_the_nanosecond(seed: int) -> None:
    before, after = cohorts(seed)
    roots = pl.col("parent_span_id").is_null()
    # The last trace of generated spans may be cut, but not its root.
    totals = [frame.filter(roots)["duration"].dt.total_nanoseconds() for frame in (before, after)]
    sums = [int(total.sum()) for total in totals]
    counts = [total.len() for total in totals]
    exact = (sums[1] * counts[0] - sums[0] * counts[1]) / (counts[0] * counts[1])
    found = trace_diff(before, after)
    assert abs(nanoseconds(found["critical_difference"]) - exact) <= 0.5
    quantiles = [float(np.quantile(total.to_numpy(), 0.95)) for total in totals]
    assert abs(nanoseconds(found["quantile_difference"]) - (quantiles[1] - quantiles[0])) <= 1.0


def test_the_critical_time_of_call_paths_is_that_of_the_critical_path() -> None:
    before, after = cohorts(3)
    found = trace_diff(before, after)
    sections = critical_path(before)
    traces = before["trace_id"].n_unique()
    of_names = sections.group_by("service_name", "name").agg(pl.col("duration").sum().dt.total_nanoseconds())
    told = found.group_by("service_name", "name").agg(pl.col("before_critical").dt.total_nanoseconds().sum())
    both = told.join(of_names, on=["service_name", "name"])
    assert both.height == of_names.height
    assert np.allclose(both["before_critical"], both["duration"] / traces, atol=found.height)


def test_a_cohort_does_not_differ_from_itself() -> None:
    before, _ = cohorts(4)
    found = trace_diff(before, before)
    assert nanoseconds(found["critical_difference"].dt.total_nanoseconds().abs().cast(pl.Duration("ns"))) == 0
    assert set(found["change"]) == {"both"}
    zero = pl.duration()
    assert found.filter((pl.col("critical_lower") > zero) | (pl.col("critical_upper") < zero)).is_empty()


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    held, asked = 0, 0
    rng = np.random.default_rng(8)
    pool, _ = cohorts(9, count=30_000)
    ids = pool["trace_id"].unique(maintain_order=True)
    for _ in range(25):
        parts = []
        for _ in range(2):
            picked = ids.gather(pl.Series(rng.choice(ids.len(), 150, replace=False)))
            parts.append(pool.filter(pl.col("trace_id").is_in(picked.implode())))
        found = trace_diff(*parts).filter(pl.min_horizontal("before_traces", "after_traces") > 15)
        zero = pl.duration()
        inside = (pl.col("critical_lower") <= zero) & (pl.col("critical_upper") >= zero)
        held += found.filter(inside).height
        asked += found.height
    assert asked > 200
    assert held / asked > 0.9


@pytest.mark.parametrize(("first", "second"), [(False, True), (True, False), (False, False)])
def test_empty_cohorts_are_compared_without_a_word(first: bool, second: bool) -> None:
    spans = draw(BEFORE)
    found = trace_diff(spans if first else spans.clear(), spans if second else spans.clear())
    assert set(found["change"]) == ({"new"} if second else {"gone"} if first else set())
    assert nanoseconds(found["critical_difference"]) == (10_000_000 if second else -10_000_000 if first else 0)


def test_the_order_of_rows_laziness_and_pandas_change_no_answer() -> None:
    before, after = cohorts(5)
    found = trace_diff(before, after)
    assert trace_diff(before.sample(fraction=1, shuffle=True, seed=1), after.lazy()).equals(found)
    pytest.importorskip("pandas")
    assert trace_diff(before.to_pandas(), after).equals(found)
    coarse = before.with_columns(pl.col("duration").cast(pl.Duration("us")))
    fine = coarse.with_columns(pl.col("duration").cast(pl.Duration("ns")))
    assert trace_diff(coarse, after).equals(trace_diff(fine, after))


def test_fragments_count_but_for_the_critical_path() -> None:
    whole = draw("""
        api::GET /  =====
          db::q     .==
    """)
    lost = draw("""
        api::GET /  =====
          gone
            db::q   .==
    """)
    found = trace_diff(whole, lost)
    assert nanoseconds(found["critical_difference"]) == 0
    assert found.filter(pl.col("name") == "q")["after_count"].sum() == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quantile": 95}, "`quantile` must lie between 0 and 1"),
        ({"confidence": 1}, "`confidence` must lie between 0 and 1"),
        ({"resamples": 1}, "`resamples` must be 20 or more"),
    ],
)
def test_what_an_option_cannot_be_is_said(options: dict[str, Any], message: str) -> None:
    spans = draw(BEFORE)
    with pytest.raises(TracelabError, match=re.escape(message)):
        trace_diff(spans, spans, **options)


def test_the_release_of_the_shop_is_a_new_call_on_the_critical_path(sample_data: Any) -> None:
    spans = read(sample_data / "shop.otlp.jsonl.gz")
    orders = spans.filter((pl.col("service_name") == "orders") & (pl.col("name") == "POST /orders"))
    new = orders.filter(pl.col("resource.service.version") == "1.9.0")["trace_id"]
    old = orders.filter(pl.col("resource.service.version") == "1.8.0")["trace_id"]
    before, after = (spans.filter(pl.col("trace_id").is_in(ids.implode())) for ids in (old, new))
    row = trace_diff(correct_skew(before), correct_skew(after)).row(0, named=True)
    assert (row["name"], row["change"], row["after_traces"]) == ("load_price_list", "new", 61)
    assert row["critical_lower"].total_seconds() > 0.015


@pytest.mark.parametrize(
    ("by", "keys"),
    [("operation", ["service_name", "name"]), ("service", ["service_name"])],
    ids=["operation", "service"],
)
def test_by_operation_and_by_service_the_same_is_added_up(by: Any, keys: list[str]) -> None:
    before, after = cohorts(3)
    paths, found = trace_diff(before, after), trace_diff(before, after, by=by)
    assert found.select(keys).is_unique().all()
    assert not {"call_path", "moved_from"} & set(found.columns)
    assert nanoseconds(found["critical_difference"]) == nanoseconds(paths["critical_difference"])
    together = paths.group_by(keys).agg(
        pl.col("before_count", "after_count").sum(), pl.col("critical_difference").sum()
    )
    both = found.join(together, on=keys, suffix="_of_paths", validate="1:1")
    assert both.height == found.height == together.height
    np.testing.assert_allclose(both["after_count"], both["after_count_of_paths"])
    off = both["critical_difference"] - both["critical_difference_of_paths"]
    assert np.abs(off.dt.total_nanoseconds().to_numpy()).max() <= paths.height  # call paths are rounded each by itself
    assert set(found["change"]) == {"both"}


def test_what_moved_is_the_same_operation_wherever_it_is_called_from() -> None:
    before = draw("""
        api::GET /     =====
          db::query    .===
    """)
    after = draw("""
        api::GET /     ======
          shop::list   .====
            db::query  ..==
    """)
    assert set(trace_diff(before, after)["change"]) == {"both", "new", "gone", "moved"}
    found = trace_diff(before, after, by="operation")
    assert dict(found.select("name", "change").iter_rows()) == {"GET /": "both", "list": "new", "query": "both"}
    assert trace_diff(before, after, by="service").filter(service_name="shop")["change"].to_list() == ["new"]


def test_what_it_is_laid_side_by_side_by_is_one_of_three() -> None:
    with pytest.raises(TracelabError, match="`by` must be one of 'call path', 'operation', 'service'"):
        trace_diff(draw(BEFORE), draw(AFTER), by="path")  # type: ignore[arg-type]
