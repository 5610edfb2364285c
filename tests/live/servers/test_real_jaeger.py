"""Fetching from real servers: Jaeger 2 and Jaeger 1, filled with the sample data over OTLP."""

from __future__ import annotations

import gzip
import json
import time
from datetime import timedelta, timezone
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import tracelab as tl
from tests.live.programs import Running, jaeger, jaeger_v1, send
from tests.live.servers.relays import relaying

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ALL: dict[str, Any] = {"start": "2020-01-01T00:00:00Z"}


@pytest.fixture(scope="module")
def content(sample_data: Path) -> Path:
    return sample_data / "content.otlp.jsonl.gz"


@pytest.fixture(scope="module")
def sent(content: Path) -> pl.DataFrame:
    return tl.read(content)


def filled(server: Running, content: Path, sent: pl.DataFrame) -> Running:
    with gzip.open(content) as lines:
        for line in lines:
            send(server, line)
    services = set(sent["service_name"])
    until = time.monotonic() + 30
    while set(tl.jaeger_services(server.url)["service_name"]) < services and time.monotonic() < until:
        time.sleep(0.2)
    return server


@pytest.fixture(scope="module", params=[jaeger, jaeger_v1], ids=["v2", "v1"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, content: Path, sent: pl.DataFrame
) -> Iterator[Running]:
    with request.param(tmp_path_factory.mktemp("jaeger")) as running:
        yield filled(running, content, sent)


def test_everything_that_was_sent_is_fetched(server: Running, sent: pl.DataFrame) -> None:
    spans = tl.fetch_jaeger(server.url, service=None, **ALL)
    same = ["trace_id", "span_id", "parent_span_id", "name", "kind", "service_name", "start_time", "status_code"]
    assert_frame_equal(spans.select(same).sort("span_id"), sent.select(same).sort("span_id"))
    assert tl.fetch_report().filter(problem="spans")["count"].item() == sent.height


def test_services_and_operations_are_listed(server: Running, sent: pl.DataFrame) -> None:
    services = tl.jaeger_services(server.url)["service_name"].to_list()
    assert services == sorted(set(sent["service_name"]))
    operations = tl.jaeger_operations(server.url, services[0])
    assert set(operations["name"]) == set(sent.filter(service_name=services[0])["name"])


def test_one_trace_is_fetched(server: Running, sent: pl.DataFrame) -> None:
    trace_id = sent["trace_id"][0]
    assert tl.fetch_jaeger_trace(server.url, trace_id).height == sent.filter(trace_id=trace_id).height
    with pytest.raises(tl.SourceError, match="there is no trace"):
        tl.fetch_jaeger_trace(server.url, "0123456789abcdef0123456789abcdef")


def test_operations_durations_and_tags_choose(server: Running, sent: pl.DataFrame) -> None:
    service = sent["service_name"].value_counts(sort=True)["service_name"][0]
    of_service = sent.filter(service_name=service)
    name = of_service["name"][0]
    by_name = tl.fetch_jaeger(server.url, service=service, operation=name, **ALL)
    assert set(by_name["trace_id"]) == set(of_service.filter(name=name)["trace_id"])
    middle = of_service["duration"].median()
    slow = tl.fetch_jaeger(server.url, service=service, min_duration=middle, **ALL)
    assert set(slow["trace_id"]) == set(of_service.filter(pl.col("duration") >= middle)["trace_id"])
    tagged = sent.filter(pl.col("span.content.type").is_not_null())
    kind, service = tagged["span.content.type"][0], tagged["service_name"][0]
    by_tag = tl.fetch_jaeger(server.url, service=service, tags={"content.type": kind}, **ALL)
    assert set(by_tag["trace_id"]) == set(tagged.filter(tagged["span.content.type"] == kind)["trace_id"])


def test_failed_traces_are_found(server: Running, sent: pl.DataFrame) -> None:
    failed = sent.filter(tl.is_error())
    service = failed["service_name"][0]
    by_error = tl.fetch_jaeger(server.url, service=service, tags={"error": True}, **ALL)
    assert set(by_error["trace_id"]) == set(failed.filter(service_name=service)["trace_id"])
    latest = tl.fetch_jaeger(server.url, service=service, tags={"error": True}, limit=2, **ALL)
    assert set(latest["trace_id"]) < set(by_error["trace_id"])
    assert latest["trace_id"].n_unique() == 2


@pytest.mark.parametrize("apart", [0, 1_000, 300_000])
def test_a_burst_comes_whole(server: Running, apart: int) -> None:
    """3,000 traces within a second, or at the same instant: many more than Jaeger gives at once, if not told."""
    begin = time.time_ns() - 600_000_000_000 - apart * 1_000_000
    service = f"burst-{apart}"
    for batch in range(3):
        send(server, _burst(begin + batch * 1_000 * apart, apart, service, batch))
    until = time.monotonic() + 30
    while service not in tl.jaeger_services(server.url)["service_name"] and time.monotonic() < until:
        time.sleep(0.2)
    spans = tl.fetch_jaeger(server.url, service=service, lookback="2h")
    assert spans["trace_id"].n_unique() == spans.height == 3_000
    latest = tl.fetch_jaeger(server.url, service=service, lookback="2h", limit=250)
    assert latest["trace_id"].n_unique() == 250
    if apart:
        assert set(latest["trace_id"]) == set(spans.sort("start_time")["trace_id"].tail(250))


def test_times_are_understood_however_they_are_written(server: Running, sent: pl.DataFrame) -> None:
    service = sent["service_name"][0]
    starts = sent.filter(service_name=service)["start_time"]
    middle = starts.sort()[starts.len() // 2]
    until = {"service": service, "start": "2020-01-01"}
    elsewhere = middle.astimezone(timezone(timedelta(hours=5, minutes=30)))
    ways: list[Any] = [middle, middle.replace(tzinfo=None), elsewhere, middle.isoformat(), elsewhere.isoformat()]
    found = [tl.fetch_jaeger(server.url, end=way, **until) for way in ways]
    assert 0 < found[0].height < sent.height
    assert {spans.height for spans in found} == {found[0].height}
    lookback = tl.fetch_jaeger(server.url, service=service, end=middle, lookback="365d")
    assert lookback.height == found[0].height
    with pytest.raises(tl.TracelabError, match="must lie before"):
        tl.fetch_jaeger(server.url, service=service, start=middle, end=middle)


def test_dependencies_are_counted(server: Running, sent: pl.DataFrame) -> None:
    found = tl.jaeger_dependencies(server.url, end=sent["start_time"].max(), lookback="30d")
    assert found.columns == ["caller", "callee", "calls"]


def test_a_server_that_is_killed_in_the_middle_keeps_what_came(tmp_path: Path) -> None:
    with jaeger(tmp_path) as server:
        now = time.time_ns()
        for batch in range(40):
            send(server, _spans(now - batch * 10_000_000_000, batch))
        until = time.monotonic() + 30
        while not tl.jaeger_services(server.url).height and time.monotonic() < until:
            time.sleep(0.1)
        whole = tl.fetch_jaeger(server.url, service="load", **ALL)

        def kill(number: int) -> None:
            if number == 15:
                server.process.kill()

        with (
            relaying(server.url, latency=0.02, when_asked=kill) as relay,
            pytest.warns(tl.LoadWarning, match="could not be had"),
        ):
            spans = tl.fetch_jaeger(relay.url, service="load", start=now - 3_600_000_000_000)
    assert whole["trace_id"].n_unique() == 40 * 200
    assert 0 < spans["trace_id"].n_unique() < 40 * 200


def _burst(start: int, apart: int, service: str, batch: int) -> bytes:
    number = apart * 100_000 + batch * 1_000
    spans = [
        {
            "traceId": f"{number + each + 1:032x}",
            "spanId": f"{number + each + 1:016x}",
            "name": "burst",
            "kind": 2,
            "startTimeUnixNano": str(start + each * apart),
            "endTimeUnixNano": str(start + each * apart + 1_000),
        }
        for each in range(1_000)
    ]
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
    return json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]}).encode()


def _spans(start: int, batch: int) -> bytes:
    spans = [
        {
            "traceId": f"{batch * 1000 + number + 1:032x}",
            "spanId": f"{batch * 1000 + number + 1:016x}",
            "name": "load",
            "kind": 2,
            "startTimeUnixNano": str(start + number * 10_000_000),
            "endTimeUnixNano": str(start + number * 10_000_000 + 1_000_000),
            "attributes": [{"key": "text", "value": {"stringValue": "x" * 2000}}],
        }
        for number in range(200)
    ]
    name = {"key": "service.name", "value": {"stringValue": "load"}}
    resource = {"resource": {"attributes": [name]}, "scopeSpans": [{"spans": spans}]}
    return json.dumps({"resourceSpans": [resource]}).encode()
