"""clock_skew: offsets that were planted are found within the interval that is given, and not where there are none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tracelab as tl
from tests.clocks.made import MILLISECOND, made_calls
from tests.clocks.planted import examined_all
from tracelab.synthetic import draw

if TYPE_CHECKING:
    from pathlib import Path

YEAR = 365 * 86_400_000 * MILLISECOND


def numbers(found: pl.DataFrame) -> list[dict[str, Any]]:
    """Give the rows of an answer, lengths in nanoseconds."""
    return found.with_columns(pl.selectors.duration().to_physical()).to_dicts()


def holds(row: dict[str, Any], ahead: int) -> bool:
    """Tell whether an offset is within the interval."""
    low, high = row["lower"], row["upper"]
    return (low is None or low <= ahead) and (high is None or ahead <= high)


def test_the_host_of_the_sample_shop_is_40_milliseconds_behind(sample_data: Path) -> None:
    first, *others = numbers(tl.clock_skew(tl.read(sample_data / "shop.otlp.jsonl.gz")))
    assert (first["host"], first["skewed"]) == ("catalogue-2", True)
    assert abs(first["offset"] + 40 * MILLISECOND) < MILLISECOND
    assert holds(first, -40 * MILLISECOND)
    assert (first["calls"], first["outside"], first["drift"]) == (527, 471, None)
    assert others
    assert not any(row["skewed"] or row["correction"] for row in others)


@settings(max_examples=25)
@given(
    ahead=st.integers(-(10**11), 10**11),
    seed=st.integers(0, 2**32),
    back=st.booleans(),
    times=st.integers(3, 40),
)
def test_planted_offsets_are_within_the_interval(ahead: int, seed: int, *, back: bool, times: int) -> None:
    edges = [("web-1", "pay-1"), ("web-1", "cart-1"), *([("pay-1", "web-1")] if back else [])]
    found = tl.clock_skew(made_calls(edges, ahead={"pay-1": ahead}, seed=seed, times=times))
    for row in numbers(found):
        hosts = (row["host"], row["reference"])
        truth = ahead if row["host"] == "pay-1" else -ahead if row["reference"] == "pay-1" else 0
        assert holds(row, truth)
        assert row["upper"] - row["lower"] < 5 * MILLISECOND or not row["skewed"]
        assert row["skewed"] or "pay-1" not in hosts or abs(ahead) < 3 * MILLISECOND
        assert row["calls"] == row["calls_to_host"] + row["calls_to_reference"] == row["agreeing"]


def test_clocks_that_are_wrong_in_generated_systems_are_found_and_no_others() -> None:
    said = examined_all(8)
    assert said["planted"] == said["found"] == said["right_host"] == said["warned"] == 4
    assert said["held"] == said["pairs_of_planted"] > 0
    assert said["doubted"] == said["moved_in_clean"] == said["drifting"] == 0


def test_calls_in_both_directions_are_counted_apart() -> None:
    edges = [("web-1", "pay-1"), ("web-1", "pay-1"), ("pay-1", "web-1")]
    (row,) = numbers(tl.clock_skew(made_calls(edges, ahead={"pay-1": 5_000 * MILLISECOND})))
    assert row["host"] == "pay-1"
    assert (row["calls"], row["calls_to_host"], row["calls_to_reference"]) == (60, 40, 20)
    assert row["outside"] == row["agreeing"] == 60


def test_calls_in_one_direction_bound_the_offset_by_the_time_on_the_way() -> None:
    one, both = [("web-1", "pay-1")], [("web-1", "pay-1"), ("pay-1", "web-1")]
    (alone,), (together,) = (numbers(tl.clock_skew(made_calls(edges, seed=1))) for edges in (one, both))
    assert alone["calls_to_reference"] == 0
    assert together["calls_to_host"] == together["calls_to_reference"] == 20
    assert alone["calls_to_host"] == alone["calls"] == 20
    for row in (alone, together):
        assert -2 * MILLISECOND < row["lower"] < 0 < row["upper"] < 2 * MILLISECOND


def test_messages_give_one_bound_only() -> None:
    queue = ("producer", "consumer")
    (fine,) = numbers(tl.clock_skew(made_calls([("web-1", "mail-1")], kinds=queue)))
    assert (fine["offset"], fine["lower"], fine["skewed"], fine["outside"]) == (None, None, False, 0)
    late = made_calls([("web-1", "mail-1")], kinds=queue, ahead={"mail-1": -500 * MILLISECOND})
    (row,) = numbers(tl.clock_skew(late))
    assert row["skewed"]
    assert row["lower"] is None
    assert -500 * MILLISECOND <= row["upper"] <= row["offset"] + 1 < 0


def test_a_clock_that_begins_at_1970_is_measured() -> None:
    ahead = -56 * YEAR
    row = numbers(tl.clock_skew(made_calls([("web-1", "pay-1"), ("web-1", "cart-1")], ahead={"pay-1": ahead})))[0]
    assert row["host"] == "pay-1"
    assert holds(row, ahead)
    assert abs(row["offset"] - ahead) < 2 * MILLISECOND


@pytest.mark.parametrize("drift", [1e-4, -1e-4])
def test_a_clock_that_drifts_is_told(drift: float) -> None:
    spans = made_calls([("web-1", "pay-1")], times=2_000, drift={"pay-1": drift})
    (row,) = numbers(tl.clock_skew(spans))
    whole = drift * 2_000 * 1_000 * MILLISECOND
    assert row["drift"] * (1 if row["host"] == "pay-1" else -1) / whole == pytest.approx(1, abs=0.15)
    assert row["agreeing"] < row["calls"]
    (steady,) = numbers(tl.clock_skew(made_calls([("web-1", "pay-1")], times=2_000)))
    assert steady["drift"] is None


def test_a_clock_that_is_set_meanwhile_is_told() -> None:
    spans = made_calls([("web-1", "pay-1")], times=100)
    late = pl.col("resource.host.name").eq("pay-1") & (pl.col("start_time") > pl.col("start_time").quantile(0.5))
    moved = pl.when(late).then(pl.col("start_time") - pl.duration(milliseconds=80)).otherwise("start_time")
    (row,) = numbers(tl.clock_skew(tl.with_tree(spans.with_columns(moved.cast(pl.Datetime("ns", "UTC"))))))
    assert row["host"] == "pay-1"
    assert abs(row["drift"] + 80 * MILLISECOND) < 4 * MILLISECOND


def test_without_hosts_services_stand_for_them_and_the_answer_says_so() -> None:
    spans = made_calls([("web-1", "pay-1")], ahead={"pay-1": 30 * MILLISECOND}).drop("resource.host.name")
    (row,) = numbers(tl.clock_skew(spans))
    assert (row["host"], row["reference"], row["skewed"]) == ("pay", "web", True)
    assert row["host_named_by"] == row["reference_named_by"] == "service.name"


@pytest.mark.parametrize(
    ("keys", "named_by"),
    [
        (("host.name", "host.id"), "host.id"),
        (("host.name", "host.ip"), "host.ip"),
        (("k8s.pod.name", "k8s.node.name"), "k8s.node.name"),
        (("service.instance.id", "k8s.pod.name"), "k8s.pod.name"),
        (("service.instance.id",), "service.instance.id"),
        (("hostname", "ip"), "hostname"),
    ],
)
def test_the_first_attribute_of_a_list_names_the_host(keys: tuple[str, ...], named_by: str) -> None:
    spans = made_calls([("web-1", "pay-1")])
    name = pl.col("resource.host.name")
    spans = spans.with_columns((name + f" by {key}").alias(f"resource.{key}") for key in keys)
    spans = spans if "host.name" in keys else spans.drop("resource.host.name")
    (row,) = numbers(tl.clock_skew(spans))
    assert row["host_named_by"] == named_by
    assert row["host"] == f"pay-1 by {named_by}"


def test_hosts_that_are_named_among_more_attributes_are_seen() -> None:
    spans = made_calls([("web-1", "pay-1")])
    more = pl.struct(key=pl.lit("resource.host.name"), value="resource.host.name")
    rare = spans.with_columns(pl.concat_list(more).cast(spans.schema["more_attributes"]).alias("more_attributes"))
    assert tl.clock_skew(rare.drop("resource.host.name")).equals(tl.clock_skew(spans))


def test_a_service_that_names_its_host_now_and_then_does_not_call_itself() -> None:
    spans = draw("""
    web::GET   ==========  host.name=web-1
      web::do  .========
    """).rename({"span.host.name": "resource.host.name"})
    assert tl.clock_skew(spans).is_empty()


def test_where_no_host_calls_another_there_are_no_rows() -> None:
    nothing = tl.clock_skew(made_calls([("web-1", "web-1")]))
    assert nothing.is_empty()
    assert nothing.schema == tl.clock_skew(made_calls([("web-1", "pay-1")])).schema
    assert tl.clock_skew(made_calls([("web-1", "pay-1")]).clear()).schema == nothing.schema


def test_calls_that_time_out_are_outvoted() -> None:
    spans = made_calls([("web-1", "pay-1")], times=40, ahead={"pay-1": 50 * MILLISECOND})
    some = pl.col("kind").eq("server") & pl.col("trace_id").str.ends_with("3")
    longer = pl.when(some).then(pl.col("duration") + pl.duration(milliseconds=7)).otherwise("duration")
    (row,) = numbers(tl.clock_skew(spans.with_columns(longer.cast(pl.Duration("ns")).alias("duration"))))
    assert row["skewed"]
    assert holds(row, 50 * MILLISECOND)


def test_what_takes_longer_than_its_caller_bounds_no_end() -> None:
    spans = draw("\n".join(["""
    web::GET  ===               kind=client
      pay::do .==============   kind=server
    """] * 9))  # fmt: skip
    (row,) = numbers(tl.clock_skew(spans))
    assert (row["outside"], row["skewed"], row["largest_violation"]) == (0, False, None)


def test_the_exemplar_is_the_call_that_is_furthest_outside() -> None:
    spans = made_calls([("web-1", "pay-1")], ahead={"pay-1": -90 * MILLISECOND})
    (row,) = tl.clock_skew(spans).to_dicts()
    above = spans.select("trace_id", parent_span_id="span_id", begun="start_time")
    early = spans.join(above, on=["trace_id", "parent_span_id"]).select(
        "span_id", by=pl.col("begun") - pl.col("start_time")
    )
    furthest = early.sort("by").row(-1)
    assert (row["exemplar_span_id"], row["largest_violation"]) == (furthest[0], furthest[1])


def test_an_empty_name_of_a_host_is_none() -> None:
    spans = made_calls([("web-1", "pay-1")], ahead={"pay-1": 40 * MILLISECOND})
    by_service = tl.clock_skew(spans.with_columns(pl.lit("").alias("resource.host.name"))).row(0, named=True)
    assert (by_service["host"], by_service["reference"], by_service["host_named_by"]) == ("pay", "web", "service.name")
    assert by_service["skewed"]
    named = tl.clock_skew(spans.with_columns(pl.lit("").alias("resource.host.id"))).row(0, named=True)
    assert (named["host"], named["host_named_by"]) == ("pay-1", "host.name")
