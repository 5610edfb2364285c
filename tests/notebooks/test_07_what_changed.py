"""Every sentence of 07_what_changed that states something, held to the spans and to what the notebook shows."""

from __future__ import annotations

import datetime as dt
import re
from fractions import Fraction
from functools import partial
from inspect import signature
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import tracelab as tl
from tests.cli.running import program
from tests.notebooks import conftest
from tracelab.diff_overview import RESAMPLES

if TYPE_CHECKING:
    from pathlib import Path

NOTEBOOK = "07_what_changed"
says, shows, runs = (partial(each, NOTEBOOK) for each in (conftest.says, conftest.shows, conftest.runs))
MET = '{ rootName = "POST /api/orders" } && { resource.service.name = "orders" && resource.service.version = "%s" }'
BUSINESS = '{ } && { span.customer.kind = "business" }'
COMMAND = "tracelab diff before.parquet after.parquet --limit 3"


def milliseconds(duration: Any) -> float:
    return float(duration / dt.timedelta(milliseconds=1))


def lasting(spans: pl.DataFrame) -> list[int]:
    """Give the durations of the traces, in nanoseconds."""
    return spans.filter(tl.is_root())["duration"].to_physical().to_list()


def row_of(diff: pl.DataFrame, name: str) -> dict[str, Any]:
    return diff.row(by_predicate=pl.col("name") == name, named=True)


@pytest.fixture(scope="module")
def right(shop: pl.DataFrame) -> pl.DataFrame:
    return tl.correct_skew(shop)


@pytest.fixture(scope="module")
def before(right: pl.DataFrame) -> pl.DataFrame:
    return tl.query(right, MET % "1.8.0")


@pytest.fixture(scope="module")
def after(right: pl.DataFrame) -> pl.DataFrame:
    return tl.query(right, MET % "1.9.0")


@pytest.fixture(scope="module")
def diff(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    return tl.trace_diff(before, after)


@pytest.fixture(scope="module")
def of_business(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    return tl.trace_diff(tl.query(before, BUSINESS), tl.query(after, BUSINESS))


@pytest.fixture(scope="module")
def dumps(before: pl.DataFrame, after: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with both sets in files, as the notebook says to write them."""
    says('`tl.write(before, "before.parquet")`')
    folder = tmp_path_factory.mktemp("sets")
    tl.write(before, folder / "before.parquet")
    tl.write(after, folder / "after.parquet")
    return folder


def test_the_clock_of_one_host_is_39_ms_behind(shop: pl.DataFrame) -> None:
    says("One host's clock is 39 ms behind (`tl.clock_skew` tells); `correct_skew` sets its times right first.")
    runs('spans = tl.correct_skew(tl.read("../sample_data/shop.otlp.jsonl.gz"))')
    (skewed,) = tl.clock_skew(shop).filter("skewed").rows(named=True)
    assert round(milliseconds(skewed["offset"])) == -39


def test_every_order_is_in_one_of_two_sets_that_follow_each_other(
    shop: pl.DataFrame, before: pl.DataFrame, after: pl.DataFrame
) -> None:
    says("In the sample shop `orders` is replaced half-way. A trace belongs to the version of `orders` that it met.")
    says("The two sets are two halves of three minutes")
    runs('before, after = (tl.query(spans, met % version) for version in ("1.8.0", "1.9.0"))')
    all_orders = tl.query(shop, '{ rootName = "POST /api/orders" }')
    assert before.height + after.height == all_orders.height
    assert set(before["trace_id"]).isdisjoint(after["trace_id"])
    first, second = (side.filter(tl.is_root())["start_time"] for side in (before, after))
    assert first.max() < second.min()  # type: ignore[operator]
    lengths = [ends.max() - ends.min() for ends in (first, second)]  # type: ignore[operator]
    assert lengths == pytest.approx([dt.timedelta(seconds=90)] * 2, abs=dt.timedelta(seconds=2))
    shows("before | 280 | 2026-11-24 22:41:48.535", "after | 277 | 2026-11-24 22:43:19.117")


def test_the_mean_went_from_144_to_188_ms(before: pl.DataFrame, after: pl.DataFrame) -> None:
    says("The mean went from 144 ms to 188 ms.")
    took = [lasting(side) for side in (before, after)]
    assert [len(each) for each in took] == [280, 277]
    assert [round(sum(each) / len(each) / 1e6) for each in took] == [144, 188]
    shows("| 144 ms |", "| 188 ms |")


def test_the_price_list_is_new_and_takes_31_ms_of_the_average_trace(diff: pl.DataFrame) -> None:
    says("`load_price_list` is new. It is in 61 of the 277 traces after, and takes 31.3 ms of the average trace")
    says("between 24.2 and 38.6 ms with 95 % confidence")
    row = diff.row(0, named=True)
    assert (row["name"], row["change"], row["before_traces"], row["after_traces"]) == ("load_price_list", "new", 0, 61)
    ends = [round(milliseconds(row[f"critical_{end}"]), 1) for end in ("difference", "lower", "upper")]
    assert ends == [31.3, 24.2, 38.6]
    assert diff.filter(pl.col("change") == "new").height == 1
    shows("orders | load_price_list | new | 0 | 61 | 31.3 ms | 24.2 ms | 38.6 ms |")


def test_payments_and_the_next_three_may_be_chance(diff: pl.DataFrame) -> None:
    says("`payments` took 18.6 ms more, but its interval reaches from -6.08 to 43.5 ms: that may be chance.")
    says("So may the next three, which took less.")
    payments = diff.row(1, named=True)
    assert (payments["service_name"], payments["name"]) == ("payments", "POST /charge")
    assert round(milliseconds(payments["critical_difference"]), 1) == 18.6
    zero = pl.duration()
    uncertain = diff[1:5].filter((pl.col("critical_lower") < zero) & (pl.col("critical_upper") > zero))
    assert uncertain.height == 4
    assert (diff[2:5]["critical_difference"].to_physical() < 0).all()
    shows("payments | POST /charge | both | 280 | 277 | 18.6 ms | -6.08 ms | 43.5 ms |")


def test_the_sixth_row_is_small_and_its_interval_leaves_out_zero(diff: pl.DataFrame) -> None:
    says("so that a small difference such as that of the sixth row is no more than a hint")
    sixth = diff.row(5, named=True)
    assert sixth["critical_lower"] > dt.timedelta()
    assert milliseconds(sixth["critical_difference"]) < 0.05 * milliseconds(diff["critical_difference"][0])
    shows("catalogue | UPDATE | both | 280 | 277 | 1.46 ms | 75.2 µs | 2.98 ms |")


def test_one_interval_in_twenty_leaves_out_zero_where_nothing_changed(before: pl.DataFrame) -> None:
    says("Where nothing has changed, one of 20 leaves out 0 all the same")
    ids = before["trace_id"].unique().sort()
    left_out = total = 0
    for seed in range(20):
        half = ids.sample(fraction=0.5, seed=seed)
        ours = pl.col("trace_id").is_in(half.implode())
        same = tl.trace_diff(before.filter(ours), before.filter(~ours))
        # What is in few traces has no interval worth the name.
        common = same.filter(
            (pl.col("before_traces") > 130) & (pl.col("before_critical") > pl.duration(microseconds=50))
        )
        total += common.height
        left_out += common.filter(
            (pl.col("critical_lower") > pl.duration()) | (pl.col("critical_upper") < pl.duration())
        ).height
    assert round(20 * left_out / total) == 1


def test_the_differences_add_up_to_the_nanosecond(
    before: pl.DataFrame, after: pl.DataFrame, diff: pl.DataFrame
) -> None:
    says("Nothing is left over, and nothing is counted twice: of 44.2 ms the price list is 31.3 ms")
    says("the other 21 call paths are the rest")
    old, new = (Fraction(sum(took), len(took)) for took in (lasting(before), lasting(after)))
    assert round(new - old) == diff["critical_difference"].to_physical().sum() == 44_168_766
    assert diff.height == 22
    shows("| sum of differences | call paths |", "44,168,766 | 44,168,766 | 22 |")


def test_nothing_else_sets_the_orders_after_apart(before: pl.DataFrame, after: pl.DataFrame) -> None:
    says("It is the version, with what else the same 277 traces have (`also`: its port, its host), and the price list.")
    says("Nothing else is given, neither business customers nor attempts to pay")
    found = tl.compare(after, before)
    assert found["finding"].to_list() == [
        "resource.service.version = 1.9.0 of orders",
        "operation orders::load_price_list",
    ]
    assert {"span.server.port = 14103", "resource.host.name = orders-2 of orders"} <= set(found["also"][0])
    shows("| 277 | 0 |", "span.server.port = 14103", "orders-2", "| 61 | 0 |")


def test_all_61_business_customers_wait_142_ms(of_business: pl.DataFrame, diff: pl.DataFrame) -> None:
    says("All 61 of them load a price list now, and wait 142 ms for it; 142 ms in 61 of 277 traces are the 31.3 ms")
    runs("tl.trace_diff(tl.query(before, business), tl.query(after, business)).select(columns).head(3)")
    price_list = of_business.row(0, named=True)
    assert price_list["name"] == "load_price_list"
    assert price_list["after_traces"] == of_business["after_traces"].max() == 61
    assert round(milliseconds(price_list["critical_difference"])) == 142
    shared = price_list["after_critical"] * 61 / 277
    assert shared == pytest.approx(diff["after_critical"][0], abs=dt.timedelta(microseconds=1))
    shows("orders | load_price_list | new | 0 | 61 | 142 ms | 136 ms | 148 ms |", "| 63 | 61 |")


def test_03_finds_the_same_version_and_customers() -> None:
    says("[03_why_slow](03_why_slow.ipynb) finds the same version and the same customers from the other end")
    conftest.shows(
        "03_why_slow", "span.customer.kind = business and resource.service.version = 1.9.0 of orders | 60 | 1 |"
    )


def test_the_p95_grew_and_its_intervals_overlap(before: pl.DataFrame, after: pl.DataFrame, diff: pl.DataFrame) -> None:
    says("The p95 went from 350 to 474 ms, and the two intervals overlap.")
    old, new = (
        tl.latency_percentiles(side.filter(tl.is_root()), by=None, quantiles=0.95).row(0, named=True)
        for side in (before, after)
    )
    assert [round(milliseconds(each["duration"])) for each in (old, new)] == [350, 474]
    assert old["upper"] > new["lower"]
    estimate = diff["quantile_difference"].to_physical().sum()
    assert estimate == pytest.approx(
        (new["duration"] - old["duration"]) / dt.timedelta(microseconds=1) * 1e3, abs=2_000
    )
    shows("after | 0.95 | 474 ms (0.432 - 1.3 s) | 277 |", "before | 0.95 | 350 ms (288 - 557 ms) | 280 |")


def test_most_of_the_p95_is_put_down_to_the_price_list(diff: pl.DataFrame) -> None:
    says("Most of the difference is put down to the price list. The rows after it have either sign")
    parts = diff.sort(pl.col("quantile_difference").abs(), descending=True)
    sizes = parts["quantile_difference"].to_physical()
    assert parts["name"][0] == "load_price_list"
    assert sizes[0] > sizes.sum() / 2
    assert set(sizes[1:4].sign()) == {-1, 1}
    shows("orders | load_price_list | 88.7 ms |", "orders | pay | -34.7 ms |", "gateway | POST /api/orders | 27.7 ms |")


def test_without_the_price_list_the_mean_falls_by_what_trace_diff_says(after: pl.DataFrame, diff: pl.DataFrame) -> None:
    says(
        "The mean would be 156 ms instead of 188 ms: these are the 31.3 ms of `trace_diff`, come by from the other end."
    )
    says("The optimistic and the pessimistic answer are the same")
    says("The p95 would be 433 ms; what that saves may be anything from nothing to 102 ms.")
    answer = tl.what_if(after, '{ name = "load_price_list" }', remove=True, quantiles=(0.5, 0.95))
    mean, _, p95 = answer.rows(named=True)
    assert [round(milliseconds(mean[side])) for side in ("before", "after_optimistic")] == [188, 156]
    assert answer["after_optimistic"].equals(answer["after_pessimistic"], check_names=False)
    assert mean["saved_optimistic"] == row_of(diff, "load_price_list")["critical_difference"]
    assert [round(milliseconds(p95[side])) for side in ("after_optimistic", "saved_lower", "saved_upper")] == [
        433,
        0,
        102,
    ]
    shows("mean | 188 ms | 156 ms | 156 ms |", "p95 | 474 ms | 433 ms | 433 ms | 17.1 µs | 102 ms | 277 | 61 |")


def test_the_estimate_of_the_p95_was_larger_than_what_removing_saves(after: pl.DataFrame, diff: pl.DataFrame) -> None:
    says("So the 88.7 ms above were an estimate indeed.")
    (p95,) = tl.what_if(after, '{ name = "load_price_list" }', remove=True, quantiles=0.95)[1:].rows(named=True)
    assert p95["saved_optimistic"] < row_of(diff, "load_price_list")["quantile_difference"] < p95["saved_upper"]


def test_where_spans_overlap_two_answers_enclose_what_is_not_known(after: pl.DataFrame) -> None:
    says("Some calls of `Reserve` overlap with the call of `orders`; if they all took half as long:")
    says("The mean would be 170 to 172 ms")
    runs("""tl.what_if(after, '{ name = "grpc.shop.Catalogue/Reserve" }', factor=0.5""")
    ends = pl.col("start_time") + pl.col("duration")
    reserve, placing = (
        after.filter(pl.col("service_name") == "gateway", pl.col("name") == name).select(
            "trace_id", "start_time", end=ends
        )
        for name in ("grpc.shop.Catalogue/Reserve", "POST")
    )
    pairs = reserve.join(placing, on="trace_id")
    overlapping = pairs.filter(pl.col("start_time_right") < pl.col("end"), pl.col("end_right") > pl.col("start_time"))
    assert 0 < overlapping["trace_id"].n_unique() < 277
    answer = tl.what_if(after, '{ name = "grpc.shop.Catalogue/Reserve" }', factor=0.5)
    mean = answer.row(0, named=True)
    assert [round(milliseconds(mean[f"after_{side}"])) for side in ("optimistic", "pessimistic")] == [170, 172]
    shows("mean | 188 ms | 170 ms | 172 ms |")


def test_the_shell_says_what_the_notebook_quotes(dumps: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    says("With `--fail-if-slower` it fails where traces take longer by more than a share on average")
    says("That is exit code 3. With `--fail-if-slower 40%` it is 0.")
    monkeypatch.chdir(dumps)
    text = "".join("".join(cell["source"]) for cell in conftest.cells(NOTEBOOK) if cell["cell_type"] == "markdown")
    (quoted,) = re.findall(r"```console\n\$ (.*?)```", text, flags=re.DOTALL)
    command, _, printed = quoted.partition("\n")
    assert command == f"{COMMAND} --fail-if-slower 10%"
    told = program(*command.split()[1:], COLUMNS="100")
    assert told.returncode == 3
    assert _lines(told.stdout.decode()) == _lines(printed)
    assert program(*f"{COMMAND} --fail-if-slower 40%".split()[1:]).returncode == 0


def test_the_shell_draws_more_often_than_the_function() -> None:
    says("the shell says the same, with intervals from 1,000 resamples instead of 200")
    assert signature(tl.trace_diff).parameters["resamples"].default == 200
    assert RESAMPLES == 1_000


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip().splitlines()]
