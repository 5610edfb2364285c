"""Fetching from real servers: Jaeger 2 and Jaeger 1, filled with the sample data over OTLP."""

from __future__ import annotations

import gzip
import json
import threading
import time
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import tracelab as tl
from tests.live.programs import Running, jaeger, jaeger_v1, send

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
    # Not `error`: Jaeger 2.13 takes the text that version 1 of its API gives it for no yes or no, and finds nothing.
    tagged = sent.filter(pl.col("span.content.type").is_not_null())
    kind, service = tagged["span.content.type"][0], tagged["service_name"][0]
    by_tag = tl.fetch_jaeger(server.url, service=service, tags={"content.type": kind}, **ALL)
    assert set(by_tag["trace_id"]) == set(tagged.filter(tagged["span.content.type"] == kind)["trace_id"])


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
        threading.Timer(0.4, server.process.kill).start()
        with pytest.warns(tl.LoadWarning, match="could not be had"):
            spans = tl.fetch_jaeger(server.url, service="load", start=now - 3_600_000_000_000)
    assert whole["trace_id"].n_unique() == 40 * 200
    assert 0 < spans["trace_id"].n_unique() < 40 * 200


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
