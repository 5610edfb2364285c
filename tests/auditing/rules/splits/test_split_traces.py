"""Requests that go on in another trace: the edge is found and named, and coincidence is not taken for one."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import tracelab as tl
from tests.auditing.rules.splits.systems import MS, Group, System, cut

SHOP = Path(__file__).parents[4] / "sample_data" / "shop.otlp.jsonl.gz"


@cache
def shop() -> pl.DataFrame:
    if not SHOP.exists():
        pytest.skip("The sample is not beside these tests.")
    return tl.read(SHOP, progress=False)


def found(spans: pl.DataFrame) -> pl.DataFrame:
    return tl.audit(spans).filter(rule="split-trace")


def calls(system: System, count: int, *, seconds: float = 60, address: str | None = "bank", ms: float = 20) -> Group:
    """Add requests to a shop that each call a bank."""
    start = system.times(count, seconds=seconds)
    requests = system.add("shop", "POST /pay", "server", start, system.lengths(count, ms=ms) + 8 * MS)
    attributes = {} if address is None else {"span.server.address": address}
    return system.add(
        "shop", "POST", "client", *system.within(requests, ms=2), below=requests,
        attributes={"span.http.request.method": "POST", **attributes},
    )  # fmt: skip


def answers(system: System, called: Group, *, below: bool, **attributes: Any) -> Group:
    """Add what the bank does for calls: below them, or in traces of its own."""
    return system.add(
        "bank", "POST /charge", "server", *system.within(called), below=called if below else None,
        attributes={"span.http.request.method": "POST", **attributes},
    )  # fmt: skip


def strangers(system: System, count: int, *, seconds: float = 60, **attributes: Any) -> Group:
    """Add requests that somebody who is not traced sends to the bank."""
    return system.add(
        "bank", "POST /charge", "server", system.times(count, seconds=seconds), system.lengths(count, ms=8),
        attributes={"span.http.request.method": "POST", **attributes},
    )  # fmt: skip


@pytest.mark.parametrize(
    "address", ["bank", "http://bank", "bank.default.svc.cluster.local", "bank-service:8080", None]
)
def test_an_edge_that_loses_the_context_is_found_whatever_the_callee_is_called(address: str | None) -> None:
    system = System(1)
    answers(system, calls(system, 200, address=address), below=False)
    row = found(system.spans()).row(0, named=True)
    assert (row["severity"], row["caller"], row["callee"], row["hop"]) == ("error", "shop", "bank", "http")
    assert row["count"] >= 195
    assert row["out_of"] >= row["count"]


@pytest.mark.parametrize("share", [0.05, 0.3, 0.9])
def test_an_edge_that_loses_it_now_and_then_is_found(share: float) -> None:
    system = System(2)
    called = calls(system, 1000)
    lost = system.rng.random(1000) < share
    answers(system, called.some(lost), below=False)
    answers(system, called.some(~lost), below=True)
    row = found(system.spans()).row(0, named=True)
    assert row["out_of"] == 1000
    assert 0.95 * lost.sum() <= row["count"] <= lost.sum()


@pytest.mark.parametrize("rate", [1, 10, 100])
def test_it_is_found_among_many_requests_of_strangers(rate: int) -> None:
    system = System(3)
    answers(system, calls(system, 300), below=False)
    strangers(system, 60 * rate)
    row = found(system.spans()).row(0, named=True)
    assert (row["caller"], row["callee"]) == ("shop", "bank")
    assert row["count"] >= 250


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("rate", [1, 30, 500])
@pytest.mark.parametrize("address", ["bank", None])
def test_calls_that_nobody_answers_are_not_split_though_strangers_call_the_same_service(
    seed: int, rate: int, address: str | None
) -> None:
    system = System(seed)
    calls(system, 40 * (seed + 1) ** 2, address=address)
    strangers(system, 60 * rate)
    assert found(system.spans()).height == 0


def test_a_service_that_takes_no_context_is_to_blame_where_its_caller_hands_it_to_others() -> None:
    system = System(4)
    called = calls(system, 300)
    answers(system, called, below=False)
    more = calls(system, 300, address="mail")
    system.add("mail", "POST /send", "server", *system.within(more), below=more)
    row = found(system.spans()).row(0, named=True)
    assert (row["service_name"], row["caller"], row["callee"]) == ("bank", "shop", "bank")


def test_requests_of_browsers_are_nobodys_calls() -> None:
    system = System(5)
    answers(system, calls(system, 300), below=False, **{"span.user_agent.original": "Mozilla/5.0 (X11; Linux)"})
    assert found(system.spans()).height == 0


def test_a_page_whose_requests_lose_the_context_is_found_with_what_browsers_need() -> None:
    system = System(6)
    agent = {"span.user_agent.original": "Mozilla/5.0 (X11; Linux)"}
    clicks = system.add(
        "page", "POST", "client", system.times(300, seconds=60), system.lengths(300, ms=80),
        attributes={"resource.telemetry.sdk.language": "webjs", "span.http.request.method": "POST"},
    )  # fmt: skip
    answers(system, clicks, below=False, **agent)
    row = found(system.spans()).row(0, named=True)
    assert (row["caller"], row["callee"]) == ("page", "bank")
    assert "propagateTraceHeaderCorsUrls" in row["fix"]


def test_the_caller_is_the_one_whose_call_is_closest_where_calls_lie_in_calls() -> None:
    system = System(7)
    outer = calls(system, 300, address=None, ms=60)
    served = system.add("middle", "POST /", "server", *system.within(outer))
    inner = system.add("middle", "POST", "client", *system.within(served, ms=3), below=served)
    system.add("bank", "POST /charge", "server", *system.within(inner))
    edges = set(found(system.spans()).select("caller", "callee").rows())
    assert edges == {("shop", "middle"), ("middle", "bank")}


def test_two_callers_of_one_service_at_one_address_are_told_apart() -> None:
    system = System(8)
    answers(system, calls(system, 300), below=False)
    start = system.times(300, seconds=60)
    other = system.add(
        "office", "POST", "client", start, system.lengths(300, ms=30), attributes={"span.server.address": "bank"}
    )
    answers(system, other, below=True)
    assert found(system.spans()).select("caller", "callee").rows() == [("shop", "bank")]


def test_calls_of_other_methods_are_not_taken_for_its_own() -> None:
    system = System(9)
    called = calls(system, 300)
    system.add("bank", "GET /rates", "server", *system.within(called), attributes={"span.http.request.method": "GET"})
    assert found(system.spans()).height == 0


def test_a_clock_that_is_wrong_is_set_right_by_other_calls_between_the_hosts() -> None:
    system = System(10)
    host, behind = "resource.host.name", -300 * MS
    requests = system.add(
        "shop", "POST /pay", "server", system.times(600, seconds=60), system.lengths(600, ms=30),
        attributes={host: "one"},
    )  # fmt: skip
    called = system.add(
        "shop", "POST", "client", *system.within(requests), below=requests,
        attributes={host: "one", "span.server.address": "bank"},
    )  # fmt: skip
    lost = system.rng.random(600) < 0.5
    for some, below in ((called.some(lost), None), (called.some(~lost), called.some(~lost))):
        system.add(
            "bank", "POST /", "server", *system.within(some), below=below, clock=behind, attributes={host: "two"}
        )
    row = found(system.spans()).row(0, named=True)
    assert row["count"] >= 0.95 * lost.sum()


@pytest.mark.parametrize(
    ("caller", "callee", "hop", "least"),
    [
        ("gateway", "orders", "http", 0.95),
        ("orders", "payments", "http", 0.95),
        ("recommender", "catalogue", "grpc", 0.95),
        ("orders", "fulfilment", "queue", 0.85),
    ],
)
def test_an_edge_of_the_sample_shop_that_is_cut_is_found_alone(
    caller: str, callee: str, hop: str, least: float
) -> None:
    spans, lost = cut(shop(), caller, callee)
    row = found(spans).row(0, named=True)
    assert found(spans).height == 1
    assert (row["caller"], row["callee"], row["hop"]) == (caller, callee, hop)
    assert least * lost.height <= row["count"] <= lost.height


def test_the_sample_shop_as_it_is_has_none() -> None:
    assert found(shop()).height == 0


def test_made_up_systems_have_none() -> None:
    assert found(tl.synthetic.generate(50_000, seed=3)).height == 0


def test_what_a_callee_calls_while_it_works_is_not_what_calls_it() -> None:
    system = System(11)
    served = system.add("front", "GET /", "server", system.times(300, seconds=60), system.lengths(300, ms=20))
    start, duration = system.within(served, ms=0.5)
    inner = system.add("back", "GET /", "server", start, duration)
    start, duration = system.within(inner, ms=0.5)
    system.add(
        "back", "GET", "client", start, duration, below=inner, attributes={"span.server.address": "maps.example"}
    )
    assert ("back", "front") not in found(system.spans()).select("caller", "callee").rows()


def test_numeric_addresses_that_come_and_go_are_one_edge() -> None:
    system = System(12)
    called = calls(system, 300, address=None)
    system.parts[-1] = system.parts[-1].with_columns(
        pl.Series("span.server.address", [f"10.0.{number // 250}.{number % 250}" for number in range(300)])
    )
    answers(system, called, below=False)
    assert found(system.spans()).select("caller", "callee").rows() == [("shop", "bank")]


def test_two_calls_to_a_service_that_is_named_are_enough_where_little_goes_on() -> None:
    counts = []
    for seed in range(5):
        system = System(seed)
        answers(system, calls(system, 2), below=False)
        counts.append(found(system.spans()).height)
    assert sum(counts) >= 4


def test_two_calls_that_nobody_answers_are_not_enough_among_strangers() -> None:
    for seed, rate in enumerate((1, 10, 50, 200)):
        system = System(seed)
        calls(system, 2)
        strangers(system, 60 * rate)
        assert found(system.spans()).height == 0


@pytest.mark.parametrize("one_span", [True, False])
def test_the_two_sides_of_a_call_that_share_their_ids_are_one_though_all_requests_share_a_trace(
    *, one_span: bool
) -> None:
    system = System(8)
    start = system.times(200, seconds=60)
    called = system.add("shop", "POST", "client", start, system.lengths(200, ms=20), attributes=_TO_BANK)
    system.add("bank", "POST /charge", "server", *system.within(called), below=called, attributes=_TO_BANK)
    answered = pl.col("kind") == "server"
    ids = pl.when(answered).then("parent_span_id").otherwise("span_id").alias("span_id")
    spans = system.spans().with_columns(ids if one_span else pl.col("span_id"), trace_id=pl.lit("5" * 32))
    spans = spans.with_columns(parent_span_id=pl.lit(None, dtype=pl.String))
    assert found(tl.conform(spans.drop("depth", "tree_left", "tree_right", "entry"))).height == (0 if one_span else 1)


_TO_BANK = {"span.http.request.method": "POST", "span.server.address": "bank"}


def test_messages_one_after_another_are_not_said_to_be_coincidences() -> None:
    # At whatever time some consumer begins soon after: what tells the edge is how close it is.
    system = System(4)
    destination = {"span.messaging.destination.name": "jobs"}
    start = system.times(60, seconds=0.6)
    sent = system.add("shop", "send", "producer", start, system.lengths(60, ms=0.05), attributes=destination)
    heard = sent.end + system.lengths(60, ms=0.1)
    system.add("packer", "process", "consumer", heard, system.lengths(60, ms=0.5), attributes=destination)
    row = found(system.spans()).row(0, named=True)
    said = re.search(r"Coincidence alone would give (?:about (\d+)|less than one) that fit as closely", row["finding"])
    assert said is not None
    assert int(said[1] or 0) <= row["count"] / 2
