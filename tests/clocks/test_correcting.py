"""correct_skew: times are set right on request only, what was recorded stays, and what was done is said."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import pytest

import tracelab as tl
from tests.clocks.made import MILLISECOND, made_calls
from tracelab.synthetic import draw, generate

HOST = "resource.host.name"
EDGES = [("web-1", "pay-1"), ("web-1", "cart-1"), ("pay-1", "bank-1"), ("bank-1", "pay-1")]
ADDED = ["raw_start_time", "skew_correction", "skew_note"]


def skewed(ahead: int = 70 * MILLISECOND) -> pl.DataFrame:
    return made_calls(EDGES, ahead={"pay-1": ahead})


def shifts(corrected: pl.DataFrame) -> dict[str, list[int]]:
    """Give the lengths by which the spans of each host were moved."""
    found = corrected.group_by(HOST).agg(pl.col("skew_correction").to_physical().unique()).sort(HOST)
    return dict(found.iter_rows())


def test_the_host_that_is_wrong_is_moved_and_no_other() -> None:
    spans = skewed()
    corrected = tl.correct_skew(spans)
    moved = shifts(corrected)
    assert moved.pop("pay-1") == [pytest.approx(-70 * MILLISECOND, abs=MILLISECOND)]
    assert set(map(tuple, moved.values())) == {(0,)}
    assert not tl.clock_skew(corrected)["skewed"].any()
    assert corrected["skew_correction"].ne(timedelta(0)).sum() == spans[HOST].eq("pay-1").sum()


def test_what_was_recorded_stays_in_a_column() -> None:
    spans = skewed()
    corrected = tl.correct_skew(spans)
    assert corrected.columns == [*spans.columns, *ADDED]
    assert corrected["raw_start_time"].equals(spans["start_time"], null_equal=False)
    assert (corrected["raw_start_time"] + corrected["skew_correction"]).equals(corrected["start_time"])
    for name in ("trace_id", "span_id", "duration", "entry", "depth", "links"):
        assert corrected[name].equals(spans[name])


def test_correcting_again_changes_nothing_and_another_method_begins_anew() -> None:
    spans = skewed()
    corrected = tl.correct_skew(spans)
    assert tl.correct_skew(corrected).equals(corrected)
    assert tl.correct_skew(corrected, method="jaeger").equals(tl.correct_skew(spans, method="jaeger"))
    assert tl.correct_skew(corrected, max_delta="0s").drop(ADDED).equals(spans)


def test_clocks_that_agree_are_left_alone() -> None:
    spans = generate(2_000, seed=3)
    corrected = tl.correct_skew(spans)
    assert corrected.drop(ADDED).equals(spans)
    assert not corrected["skew_correction"].ne(timedelta(0)).any()
    assert corrected["skew_note"].null_count() == spans.height


@pytest.mark.parametrize("method", ["estimate", "jaeger"])
def test_events_move_with_their_spans(method: Any) -> None:
    spans = skewed()
    events = pl.concat_list(
        pl.struct(
            time=pl.col("start_time") + pl.duration(nanoseconds=place),
            name=pl.lit(f"event {place}"),
            attributes=pl.lit([{"key": "a", "value": "b"}]),
        )
        for place in range(3)
    )
    some = pl.col("span_id").str.ends_with("0") | pl.col("span_id").str.ends_with("1")
    cast = events.cast(spans.schema["events"])
    spans = spans.with_columns(pl.when(some).then(cast).otherwise("events").alias("events"))
    corrected = tl.correct_skew(spans, method=method)
    assert corrected.schema["events"] == spans.schema["events"]
    assert corrected["events"].list.len().equals(spans["events"].list.len())
    both = corrected.select("events", "skew_correction", before=spans["events"]).filter(pl.col("events").list.len() > 0)
    both = both.explode("events", "before")
    after, before = both["events"].struct.unnest(), both["before"].struct.unnest()
    assert (after["time"] - before["time"]).equals(both["skew_correction"])
    assert both["skew_correction"].n_unique() > 1
    assert after.drop("time").equals(before.drop("time"))


def test_the_tree_is_that_of_the_new_times() -> None:
    corrected = tl.correct_skew(skewed(-500 * MILLISECOND))
    assert corrected.select("tree_left", "tree_right").equals(tl.with_tree(corrected).select("tree_left", "tree_right"))


def test_a_host_that_is_said_to_be_right_stays_and_the_others_are_set_by_it() -> None:
    spans = made_calls([*EDGES, ("far-1", "away-1")], ahead={"pay-1": 70 * MILLISECOND})
    moved = shifts(tl.correct_skew(spans, reference="pay-1"))
    assert moved["pay-1"] == moved["far-1"] == moved["away-1"] == [0]
    assert moved["web-1"] == moved["bank-1"] == moved["cart-1"]
    assert moved["web-1"] == [pytest.approx(70 * MILLISECOND, abs=MILLISECOND)]


def test_what_would_be_moved_too_far_is_left_and_counted() -> None:
    corrected = tl.correct_skew(skewed(), max_delta="50ms")
    assert not corrected["skew_correction"].ne(timedelta(0)).any()
    assert corrected.filter(skew_note="too_far")[HOST].unique().to_list() == ["pay-1"]
    assert tl.correct_skew(skewed(), max_delta=timedelta(milliseconds=80)).equals(tl.correct_skew(skewed()))


def test_spans_that_name_no_host_are_noted() -> None:
    spans = skewed().with_columns(pl.when(pl.col(HOST) != "pay-1").then(HOST).alias(HOST))
    assert tl.correct_skew(spans)["skew_note"].to_list() == [
        "no_host" if host is None else None for host in spans[HOST]
    ]


def test_a_clock_that_drifts_is_noted_and_warned_of() -> None:
    spans = made_calls([("web-1", "pay-1"), ("web-1", "cart-1")], times=600, drift={"pay-1": 1e-4})
    with pytest.warns(tl.SkewWarning, match=r"The clock of 'pay-1' has drifted, or was set, by .* ms meanwhile"):
        corrected = tl.correct_skew(spans)
    assert corrected.filter(skew_note="drifts")[HOST].unique().to_list() == ["pay-1"]


def test_what_would_end_after_the_last_nanosecond_is_left() -> None:
    latest = pl.lit(2**63 - 1).cast(pl.Duration("ns"))
    spans = skewed(-70 * MILLISECOND)
    one = pl.col("span_id") == spans.filter(pl.col(HOST) == "pay-1")["span_id"][5]
    since = (pl.col("start_time").to_physical()).cast(pl.Duration("ns"))
    spans = spans.with_columns(pl.when(one).then(latest - since).otherwise("duration").alias("duration"))
    corrected = tl.correct_skew(spans)
    assert corrected.filter(one)["skew_note"].to_list() == ["too_far"]
    assert corrected.filter(one)["start_time"].equals(spans.filter(one)["start_time"])


def test_a_lazy_frame_stays_lazy() -> None:
    spans = skewed()
    lazy = tl.correct_skew(spans.lazy())
    assert isinstance(lazy, pl.LazyFrame)
    assert lazy.collect_schema() == lazy.collect().schema
    assert lazy.collect().equals(tl.correct_skew(spans))
    assert tl.correct_skew(lazy).collect().equals(lazy.collect())


def test_no_spans_are_no_trouble() -> None:
    for method in ("estimate", "jaeger"):
        empty = tl.correct_skew(skewed().clear(), method=method)
        assert empty.schema == tl.correct_skew(skewed(), method=method).schema


def test_wrong_options_are_refused() -> None:
    spans = draw("api ===")
    options: list[tuple[dict[str, Any], str]] = [
        ({"method": "ntp"}, "`method` must be one of 'estimate', 'jaeger'"),
        ({"max_delta": 5}, "`max_delta` must be a length of time"),
        ({"max_delta": "-5ms"}, "`max_delta` must be a length of time from 0"),
        ({"reference": 5}, "`reference` is the name of a host"),
        ({"reference": "web-1", "method": "jaeger"}, 'with method="estimate"'),
        ({"reference": "apo"}, "No span is of a host 'apo', which `reference` names. Did you mean 'api'?"),
    ]
    for option, text in options:
        with pytest.raises(tl.TracelabError) as error:
            tl.correct_skew(spans, **option)
        assert text in str(error.value)


@pytest.mark.parametrize("shape", ["chain", "ring", "mesh"])
def test_after_it_no_two_clocks_disagree_however_many_were_wrong(shape: str) -> None:
    rng = np.random.default_rng(11)
    hosts = [f"n{number}-1" for number in range(24)]
    edges = list(pairwise(hosts))
    if shape != "chain":
        edges.append((hosts[-1], hosts[0]))
    if shape == "mesh":
        edges += [(one, other) for one in hosts for other in hosts if one != other and rng.random() < 0.15]
    ahead = {host: int(rng.integers(-500, 500)) * MILLISECOND for host in hosts}
    spans = made_calls(edges, ahead=ahead)
    assert tl.clock_skew(spans)["skewed"].sum() > 10
    corrected = tl.correct_skew(spans)
    assert not tl.clock_skew(corrected)["skewed"].any()
    left = [ahead[host] + moved for host, (moved,) in shifts(corrected).items()]
    assert max(left) - min(left) < 5 * MILLISECOND * len(hosts) ** 0.5
