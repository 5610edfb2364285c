from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import tracelab as tl
from tests.differences.changes.planted import moment, noise, requests, times
from tracelab import change_points
from tracelab.synthetic import draw

SHOP = Path(__file__).parents[3] / "sample_data" / "shop.otlp.jsonl.gz"


def stepped(seed: int, count: int = 600, *, at: float = 0.4, factor: float = 2.0, **options: Any) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    begin = times(rng, count)
    after = begin >= at
    version = np.where(after, "1.9.0", "1.8.0")
    lengths = np.where(after, 50.0 * factor, 50.0)
    return requests(rng, begin, milliseconds=lengths, attributes={"resource.service.version": version}, **options)


def test_a_release_is_one_step_from_what_to_how_much_with_the_version_that_appeared() -> None:
    answer = change_points(stepped(2))
    assert answer.height == 1
    row = answer.row(0, named=True)
    assert (row["name"], row["measure"], row["shape"], row["until"]) == ("GET /", "latency", "step", None)
    assert row["moment_lower"] <= moment(0.4) <= row["moment_upper"]
    assert abs(row["moment"] - moment(0.4)) < timedelta(seconds=60)
    assert row["before_p50_lower"] < timedelta(milliseconds=50) < row["before_p50_upper"]
    assert row["after_p50_lower"] < timedelta(milliseconds=100) < row["after_p50_upper"]
    assert row["before_p50"] < row["before_p95"] < row["after_p95"]
    assert row["before_traces"] + row["after_traces"] == row["before_requests"] + row["after_requests"] == 600
    assert row["effect_lower"] < row["effect"] < row["effect_upper"]
    assert row["p_value"] <= row["q_value"] < 0.01
    assert row["what_changed"].startswith("service.version = 1.9.0 of shop appeared 00:2")
    (value,) = row["values"]
    assert (value["change"], value["attribute"], value["value"]) == ("appeared", "resource.service.version", "1.9.0")
    assert value["also"] == ["no resource.service.version = 1.8.0 of shop"]
    assert abs(value["time"] - moment(0.4)) < timedelta(seconds=60)
    assert len(row["exemplars"]) == 3
    assert row["follows"] is None


def test_a_step_of_the_error_rate_is_told_with_both_rates() -> None:
    rng = np.random.default_rng(2)
    at = times(rng, 1_000)
    answer = change_points(requests(rng, at, failing=np.where(at < 0.7, 0.01, 0.2)))
    assert answer["measure"].to_list() == ["error rate"]
    row = answer.row(0, named=True)
    assert row["moment_lower"] <= moment(0.7) <= row["moment_upper"]
    assert row["before_error_rate_lower"] <= 0.01 <= row["before_error_rate_upper"] < 0.1
    assert row["after_error_rate_lower"] <= 0.2 <= row["after_error_rate_upper"]
    assert row["effect"] == pytest.approx(row["after_error_rate"] - row["before_error_rate"])
    assert len(row["exemplars"]) == 3


def test_a_burst_has_a_begin_and_an_end() -> None:
    rng = np.random.default_rng(3)
    at = times(rng, 1_200)
    inside = (at >= 0.5) & (at < 0.6)
    answer = change_points(requests(rng, at, milliseconds=np.where(inside, 150.0, 50.0))).sort("moment")
    assert answer["effect"].sign().to_list() == [1, -1]
    for row, when in zip(answer.iter_rows(named=True), (0.5, 0.6), strict=True):
        assert row["moment_lower"] <= moment(when) <= row["moment_upper"]
    assert answer["until"].to_list() == [answer["moment"][1], None]


def test_what_rises_little_by_little_is_no_step_but_can_be_asked_for() -> None:
    rng = np.random.default_rng(4)
    at = times(rng, 2_000)
    spans = requests(rng, at, milliseconds=50 * 3**at)
    assert change_points(spans).is_empty()
    assert set(change_points(spans, gradual=True)["shape"]) == {"gradual"}


def test_another_mix_of_operations_is_no_change_of_latency() -> None:
    rng = np.random.default_rng(5)
    at = times(rng, 800)
    long = rng.random(800) < np.where(at < 0.5, 0.1, 0.7)
    names = np.where(long, "GET /report", "GET /").tolist()
    spans = requests(rng, at, names=names, milliseconds=np.where(long, 900.0, 50.0))
    assert change_points(spans, by="service_name").is_empty()
    only_one = spans.with_columns(name=pl.lit("GET"))
    assert change_points(only_one, by="service_name").height == 1


def test_a_step_of_a_mixed_service_is_told_for_the_same_mix() -> None:
    rng = np.random.default_rng(6)
    at = times(rng, 1_500)
    after = at >= 0.5
    long = rng.random(1_500) < np.where(after, 0.2, 0.6)
    lengths = np.where(long, 900.0, 50.0) * np.where(after, 2.0, 1.0)
    names = np.where(long, "GET /report", "GET /").tolist()
    row = change_points(requests(rng, at, names=names, milliseconds=lengths, spread=0.1), by="service_name").row(
        0, named=True
    )
    # As it is asked for, it would seem to have become faster: from 900 ms to 100 ms.
    assert row["before_p50"] < row["after_p50"]
    assert row["after_p95"] / row["before_p95"] == pytest.approx(2.0, rel=0.1)


def called(seed: int, *, front_own: float = 10.0, front_after: float = 10.0) -> pl.DataFrame:
    """Draw a front end that waits for a back end, which takes twice as long from the middle on."""
    rng = np.random.default_rng(seed)
    at = times(rng, 500)
    after = at >= 0.5
    own = np.where(after, front_after, front_own)
    back = requests(
        rng, at, service="back", names="list", milliseconds=np.where(after, 120.0, 60.0), spread=0.2,
        attributes={"span.flag": np.where(after, "on", "off")},
    )  # fmt: skip
    front = back.with_columns(
        service_name=pl.lit("front"), name=pl.lit("GET /"), span_id=pl.lit("f") + pl.col("span_id").str.tail(15),
        duration=pl.col("duration") + pl.Series((own * np.exp(0.3 * noise(rng, 500)) * 1e6).astype(np.int64)).cast(
            pl.Duration("ns")
        ),
        **{"span.flag": pl.lit(None, dtype=pl.String)},
    )  # fmt: skip
    back = back.with_columns(
        parent_span_id=pl.lit("f") + pl.col("span_id").str.tail(15),
        start_time=pl.col("start_time") + pl.duration(milliseconds=1, time_unit="ns"),
    )
    return tl.with_tree(pl.concat([front, back]))


def test_a_callers_step_follows_from_its_callees_and_values_are_told_once() -> None:
    answer = change_points(called(7))
    assert answer.select("service_name", "follows").rows() == [("back", None), ("front", "back::list")]
    assert answer["what_changed"].to_list()[1] is None
    assert answer["values"][0][0]["attribute"] == "span.flag"


def test_a_caller_that_itself_became_slower_still_does_not_follow() -> None:
    answer = change_points(called(7, front_after=150.0))
    assert set(answer.select("service_name", "follows").rows()) == {("back", None), ("front", None)}


def test_a_callees_deploy_is_found_among_the_spans_of_the_callers_traces() -> None:
    spans = called(8)
    asked = spans.filter(pl.col("service_name") == "front")["trace_id"].unique()
    assert asked.len() == 500
    (row,) = (
        change_points(spans, by=pl.when(pl.col("service_name") == "front").then(pl.lit("front")).alias("who"))
        .filter(pl.col("who") == "front")
        .iter_rows(named=True)
    )
    assert row["follows"] == "null"  # the group of the others has no name
    front_only = change_points(spans.filter(pl.col("service_name") == "front"))
    assert front_only["values"].list.len().to_list() == [0]


def test_a_value_that_came_at_another_time_is_no_companion() -> None:
    rng = np.random.default_rng(19)
    at = times(rng, 1_000)
    spans = requests(
        rng, at, milliseconds=np.where(at < 0.4, 50.0, 120.0),
        attributes={"span.late": np.where(at < 0.6, "a", "b"), "span.user": rng.integers(0, 5, 1_000).astype(str)},
    )  # fmt: skip
    answer = change_points(spans)
    assert answer.height == 1
    assert answer["values"].list.len().to_list() == [0]
    assert answer["what_changed"].to_list() == [None]


def test_retries_within_a_trace_are_one_witness() -> None:
    rng = np.random.default_rng(10)
    at = times(rng, 60)
    one = requests(rng, at, failing=0.0)
    # One trace in which a call fails two hundred times.
    bad = one[30:31]
    many = pl.concat(
        bad.with_columns(span_id=pl.lit(f"{number:016x}"), status_code=pl.lit("error").cast(bad["status_code"].dtype))
        for number in range(200)
    )
    assert change_points(tl.with_tree(pl.concat([one, many]))).is_empty()


def test_groups_that_are_too_small_are_counted() -> None:
    rng = np.random.default_rng(11)
    spans = pl.concat([stepped(11), requests(rng, times(rng, 20), service="rare")], how="diagonal")
    with pytest.warns(tl.QueryWarning, match=r"1 of 2 groups has fewer than 40 traces \(`min_traces`\), and was not"):
        answer = change_points(spans)
    assert answer["service_name"].to_list() == ["shop"]
    change_points(spans, min_traces=16)


@pytest.mark.filterwarnings("ignore::tracelab.errors.QueryWarning")
def test_there_is_nothing_to_find_where_there_is_no_time_or_no_difference() -> None:
    rng = np.random.default_rng(12)
    spans = requests(rng, times(rng, 100), spread=0.0, failing=0.0)
    at_once = stepped(12).with_columns(start_time=pl.lit(datetime(2026, 5, 1, tzinfo=UTC)).dt.cast_time_unit("ns"))
    for frame in (spans, at_once, spans.clear(), spans[:1], draw("api ==="), spans.with_columns(trace_id=pl.lit("a"))):
        answer = change_points(frame)
        assert answer.is_empty()
        assert answer.schema == change_points(stepped(1)).schema


def test_the_order_of_rows_laziness_and_units_change_no_answer() -> None:
    spans = called(13)
    answer = change_points(spans)
    assert answer.height == 2
    assert change_points(spans.sample(fraction=1, shuffle=True, seed=3)).equals(answer)
    assert change_points(spans.lazy()).equals(answer)
    assert change_points(spans.to_pandas()).equals(answer)
    coarse = spans.cast({"duration": pl.Duration("us"), "start_time": pl.Datetime("us", "UTC")})
    exact = coarse.cast({"duration": pl.Duration("ns"), "start_time": pl.Datetime("ns", "UTC")})
    assert change_points(coarse).equals(change_points(exact))


def test_hostile_names_are_told_as_they_are() -> None:
    spans = stepped(14).with_columns(name=pl.lit("<b>\x1b[31m</b>"), service_name=pl.lit("a::b\n"))
    assert change_points(spans).select("service_name", "name").row(0) == ("a::b\n", "<b>\x1b[31m</b>")
    assert "<b>\x1b" not in str(tl.plot_change_points(spans).layout)


def test_keys_may_be_of_any_kind_and_null_is_one() -> None:
    rng = np.random.default_rng(15)
    at = times(rng, 400)
    lengths = np.where(at < 0.5, 50.0, 200.0)
    parts = [
        requests(rng, at, milliseconds=lengths).with_columns(pl.lit(number, dtype=pl.Int64).alias("span.shard"))
        for number in (2, None, 1)
    ]
    answer = change_points(pl.concat(parts), by=["span.shard", pl.col("kind")])
    assert sorted(answer["span.shard"], key=str) == [1, 2, None]
    assert change_points(pl.concat(parts), by=None).columns[0] == "measure"


@pytest.mark.parametrize(
    ("option", "value"),
    [("q", 0), ("q", 1), ("confidence", 1.5), ("gradual", 1), ("entry_only", "yes"), ("min_traces", 15), ("by", 5),
     ("by", "effect")],
)  # fmt: skip
def test_options_that_cannot_be_are_refused(option: str, value: object) -> None:
    with pytest.raises(tl.TracelabError, match=option):
        change_points(stepped(1, 100).with_columns(effect=1), **{option: value})  # type: ignore[arg-type]


def test_the_shop_was_released_and_its_cache_flushed() -> None:
    spans = tl.read(SHOP)
    first = spans.filter(pl.col("service_name") == "gateway")["start_time"].min()
    assert isinstance(first, datetime)
    answer = change_points(spans)
    second = [first + timedelta(seconds=seconds) for seconds in (90.6, 126)]
    release = answer.filter(
        pl.col("service_name") == "orders", pl.lit(second[0]).is_between("moment_lower", "moment_upper")
    )
    assert release["name"].to_list() == ["POST /orders"]
    assert release["follows"].to_list() == [None]
    assert release["values"][0][0]["attribute"] == "resource.service.version"
    assert release["values"][0][0]["value"] == "1.9.0"
    flush = answer.filter(pl.lit(second[1]).is_between("moment_lower", "moment_upper"))
    assert flush.select("service_name", "name").rows() == [("gateway", "GET /api/products/:id")]
    assert abs(flush["moment"][0] - second[1]) < timedelta(seconds=1)
    told = [value["attribute"] + " = " + value["value"] for value in flush["values"][0]]
    told += [also for value in flush["values"][0] for also in value["also"]]
    assert any("cache.hit = false" in text for text in told)
    # Nobody did anything to error rates.
    assert set(answer["measure"]) == {"latency"}


def test_a_short_outage_among_many_requests_is_found() -> None:
    rng = np.random.default_rng(4)
    at = times(rng, 5_000)
    failing = np.full(5_000, 0.005)
    failing[3_000:3_060] = 1
    found = tl.change_points(requests(rng, at, failing=failing))
    row = found.filter(pl.col("measure") == "error rate").row(0, named=True)
    assert abs(row["moment"] - moment(at[3_000])) < timedelta(seconds=20)
    assert abs(row["until"] - moment(at[3_060])) < timedelta(seconds=20)


def test_a_step_of_few_requests_is_not_taken_back_by_its_parts() -> None:
    found = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        slower = np.where(np.arange(50) < 25, 20.0, 60.0)
        found += not tl.change_points(requests(rng, times(rng, 50), milliseconds=slower, spread=0.3)).is_empty()
    assert found >= 8
