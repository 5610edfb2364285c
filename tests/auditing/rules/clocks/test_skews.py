"""Clocks that are wrong: found on the right host, with the right size, and not where calls are merely long."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl
import pytest

import tracelab as tl
from tests.auditing.hosts import drawn
from tracelab.auditing.evidence import Evidence
from tracelab.auditing.measures.offsets import clocks_of
from tracelab.synthetic import generate

CALL = """
    {caller}::POST  ==========  kind=client host.name={caller}-host
      {callee}::POST .========  kind=server host.name={callee}-host
"""


def calls(*edges: tuple[str, str], times: int = 10) -> pl.DataFrame:
    """Draw calls of 10 ms, with a millisecond on the way there and one back."""
    return drawn(
        "\n\n".join(CALL.format(caller=caller, callee=callee) for caller, callee in edges for _ in range(times))
    )


def moved(spans: pl.DataFrame, host: str, milliseconds: float) -> pl.DataFrame:
    """Set the clock of a host forward."""
    by = pl.duration(microseconds=int(milliseconds * 1000), time_unit="ns")
    later = pl.when(pl.col("resource.host.name").eq(host)).then(pl.col("start_time") + by).otherwise("start_time")
    return tl.with_tree(spans.with_columns(later.alias("start_time")))


def found(spans: pl.DataFrame) -> pl.DataFrame:
    return tl.audit(spans).filter(pl.col("rule") == "clock-skew")


@pytest.mark.parametrize(("offset", "way"), [(-40, "behind"), (40, "ahead")])
def test_the_host_that_disagrees_with_all_others_is_the_one_that_is_wrong(offset: int, way: str) -> None:
    spans = calls(("web", "pay"), ("web", "cart"), ("pay", "bank"), ("cart", "db"))
    said = found(moved(spans, "pay-host", offset))
    assert said["service_name"].to_list() == ["pay"]
    assert said["severity"].to_list() == ["warning"]
    assert f"'pay-host' is 40 ms (38 ms to 42 ms) {way}" in said["finding"].item()
    assert "may as well" not in said["finding"].item()
    assert said.select("count", "out_of").row(0) == (20, 20)


def test_a_caller_whose_clock_is_wrong_is_named_and_not_those_that_it_calls() -> None:
    spans = calls(("web", "pay"), ("web", "cart"), ("web", "bank"), ("pay", "bank"))
    assert found(moved(spans, "web-host", 25))["detail"].to_list() == ["web-host"]


def test_where_no_two_clocks_agree_all_but_one_are_set_beside_the_nearest() -> None:
    hosts = ("web", "pay", "cart", "bank")
    spans = calls(*[(one, other) for place, one in enumerate(hosts) for other in hosts[place + 1 :]])
    for host, offset in (("pay-host", 30), ("cart-host", -300), ("bank-host", 2_000)):
        spans = moved(spans, host, offset)
    clocks = clocks_of(Evidence(spans))
    offsets = dict(zip(clocks.hosts.gather(clocks.wrong["host"]), clocks.wrong["offset"].to_list(), strict=True))
    beside = {host: offsets.get(f"{host}-host", 0) - offsets.get("web-host", 0) for host in hosts}
    right = {"web": 0, "pay": -30, "cart": 300, "bank": -2_000}
    assert len(offsets) == len(hosts) - 1
    assert all(abs(beside[host] - right[host] * 1_000_000) <= 2_000_000 for host in hosts)


def test_two_wrong_clocks_are_two_findings() -> None:
    spans = calls(("web", "pay"), ("web", "cart"), ("web", "bank"), ("web", "db"), ("web", "mail"))
    said = found(moved(moved(spans, "pay-host", 25), "cart-host", -300))
    assert sorted(said["detail"]) == ["cart-host", "pay-host"]


def test_two_wrong_clocks_that_only_talk_to_each_other_and_to_right_ones_are_both_found() -> None:
    spans = calls(("web", "pay"), ("cart", "pay"), ("db", "pay"), ("pay", "bank"))
    said = found(moved(moved(spans, "pay-host", 900), "bank-host", -500))
    assert sorted(said["detail"]) == ["bank-host", "pay-host"]
    assert sorted(said["count"]) == [10, 40]


def test_of_two_hosts_either_may_be_wrong_and_the_finding_says_so() -> None:
    said = found(moved(calls(("web", "pay")), "pay-host", 25))
    assert said.height == 1
    assert "It may as well be that of" in said["finding"].item()


def test_clocks_that_agree_are_no_finding() -> None:
    assert not found(calls(("web", "pay"), ("pay", "bank"))).height
    assert not found(generate(20_000, seed=3)).height


def test_work_that_goes_on_after_the_call_is_no_wrong_clock() -> None:
    spans = drawn(
        "\n\n".join(
            f"""
    web::POST  ===          kind=client host.name=web
      pay::POST .{"=" * length}  kind=server host.name=pay
"""
            for length in (1, 12, 30, 14, 25, 40)
        )
    )
    assert not found(spans).height


def test_some_calls_that_time_out_hide_no_wrong_clock() -> None:
    late = """
    web::POST  ==========                kind=client host.name=web-host
      pay::POST .=====================    kind=server host.name=pay-host
"""
    spans = tl.with_tree(
        pl.concat(
            [calls(("web", "pay"), ("web", "cart"), times=12), drawn("\n\n".join([late] * 6)).with_columns(late_id())],
            how="diagonal_relaxed",
        )
    )
    said = found(moved(spans, "pay-host", -40))["finding"].item()
    assert "'pay-host' is 40 ms (38 ms to 42 ms) behind" in said


def late_id() -> pl.Expr:
    return ("f" + pl.col("trace_id").str.slice(1)).alias("trace_id")


def test_consumers_tell_that_a_clock_is_behind_and_not_by_how_much_at_most() -> None:
    spans = drawn(
        "\n\n".join(
            """
    web::send      ==          kind=producer host.name=web-host
      mail::process ...=======  kind=consumer host.name=mail-host
"""
            for _ in range(8)
        )
    )
    assert not found(spans).height
    said = found(moved(spans, "mail-host", -50))["finding"].item()
    assert "at least 46 ms behind" in said


def test_a_host_without_a_name_is_known_by_its_service() -> None:
    spans = calls(("web", "pay"), ("web", "cart"), ("pay", "bank"))
    wrong = moved(spans, "pay-host", -30).drop("resource.host.name")
    assert found(wrong)["detail"].to_list() == ["pay"]


def test_a_wrong_clock_is_set_right_by_what_is_measured() -> None:
    spans = moved(generate(20_000, seed=3), "payment-1", -37.5)
    evidence = Evidence(spans)
    correction = clocks_of(evidence).correction()
    assert correction is not None
    there = evidence.frame["resource.host.name"].eq("payment-1").to_numpy()
    assert not correction[~there].any()
    assert np.abs(correction[there] - 37_500_000).max() < 1_000_000


def test_times_in_whole_milliseconds_are_no_wrong_clock() -> None:
    spans = calls(("web", "pay"), ("web", "cart"))
    early = pl.when(pl.col("service_name") == "pay").then(pl.col("start_time") - timedelta(milliseconds=1))
    spans = tl.with_tree(spans.with_columns(early.otherwise("start_time").alias("start_time")))
    assert not found(spans).height
