"""Fetching 10,000 traces from a real Jaeger, against the same questions one after another.

    pytest tests/benchmarks/test_fetching.py -o addopts= -s

The questions of one fetch are noted by a relay, and then asked once more by one client, one after another, each answer
read when it has come. A local Jaeger that keeps traces in memory answers them all within a second, so that to decode
them is what takes time, whoever asks. One that searches, or is far away, makes whoever asks wait, which the relay does
as well: that is where asking side by side pays.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pytest
import requests

import tracelab as tl
from tests.live.programs import Running, jaeger, send
from tests.live.servers.relays import relaying

if TYPE_CHECKING:
    from collections.abc import Iterator

TRACES: Final = 10_000
SERVICES: Final = ("front", "cart", "stock", "pay", "mail")
BATCH: Final = 500


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    begin = time.time_ns() - 3_000_000_000_000
    with jaeger(tmp_path_factory.mktemp("jaeger")) as running:
        for first in range(0, TRACES, BATCH):
            send(running, _batch(first, begin))
        until = time.monotonic() + 30
        while tl.jaeger_services(running.url).height < len(SERVICES) and time.monotonic() < until:
            time.sleep(0.1)
        yield running


@pytest.mark.parametrize(("latency", "limit"), [(0.0, 0.8), (0.02, 1.1), (0.5, 3.0)], ids=["local", "20ms", "500ms"])
def test_side_by_side_against_one_after_another(benchmark: Any, server: Running, latency: float, limit: float) -> None:
    def fetch() -> pl.DataFrame:
        return tl.fetch_jaeger(relay.url, service="front", progress=False)

    with relaying(server.url, latency=latency) as relay:
        fetch()
        asked = [path for path in relay.asked if path.startswith("/api/v3/traces")]
        spans = benchmark.pedantic(fetch, rounds=3)
        alone, waited = _one_after_another(relay.url, asked)
    assert spans["trace_id"].n_unique() == TRACES
    together = benchmark.stats.stats.min
    benchmark.extra_info.update(
        requests=len(asked),
        one_after_another=alone,
        of_that_waiting=waited,
        ratio=alone / together,
        traces_per_second=TRACES / together,
    )
    print(benchmark.extra_info)  # noqa: T201 - what is to be seen
    assert alone / together >= limit


def test_all_services_at_the_cost_of_one(benchmark: Any, server: Running) -> None:
    begun = time.perf_counter()
    one = tl.fetch_jaeger(server.url, service="front", progress=False)
    alone = time.perf_counter() - begun
    spans = benchmark.pedantic(lambda: tl.fetch_jaeger(server.url, service=None, progress=False), rounds=3)
    assert spans.height == one.height
    benchmark.extra_info.update(ratio=benchmark.stats.stats.min / alone)
    assert benchmark.stats.stats.min / alone < 2


def _one_after_another(url: str, paths: list[str]) -> tuple[float, float]:
    """Give the seconds that it takes to ask, and read, and how many of them went by until answers had come."""
    begun, waited, parts = time.perf_counter(), 0.0, []
    with requests.Session() as session:
        for path in paths:
            asked = time.perf_counter()
            answer = session.get(url + path)
            waited += time.perf_counter() - asked
            if answer.status_code == 200:
                parts.append(tl.read(answer.content))
    assert pl.concat(parts, how="diagonal_relaxed")["trace_id"].n_unique() == TRACES
    return time.perf_counter() - begun, waited


def _batch(first: int, begin: int) -> bytes:
    held: dict[str, list[dict[str, Any]]] = {name: [] for name in SERVICES}
    for number in range(first, first + BATCH):
        start = begin + number * 250_000_000
        for each in range(8):
            held[SERVICES[each % len(SERVICES)]].append(
                {
                    "traceId": f"{number + 1:032x}",
                    "spanId": f"{number * 100 + each + 1:016x}",
                    "parentSpanId": f"{number * 100 + 1:016x}" if each else "",
                    "name": f"step {each}",
                    "kind": 2,
                    "startTimeUnixNano": str(start + each * 1_000_000),
                    "endTimeUnixNano": str(start + each * 1_000_000 + 5_000_000),
                    "attributes": [
                        {"key": "http.request.method", "value": {"stringValue": "GET"}},
                        {"key": "url.path", "value": {"stringValue": f"/orders/{number}/{each}"}},
                        {"key": "http.response.status_code", "value": {"intValue": "200"}},
                    ],
                }
            )
    groups = [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": name}}]},
            "scopeSpans": [{"spans": spans}],
        }
        for name, spans in held.items()
    ]
    return json.dumps({"resourceSpans": groups}).encode()
