"""The real Collector between a real SDK and the receiver: over HTTP and gRPC, once each, and after an outage."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

import tracelab as tl
from tests.conftest import ROOT
from tests.live.programs import COLLECTOR, Running, collector, free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SPANS = 600
RETRY = {"initial_interval": "100ms", "max_interval": "500ms", "max_elapsed_time": "60s"}


@pytest.fixture
def live() -> Iterator[tl.live.Receiver]:
    with tl.receive(http_port=0, grpc_port=0) as receiver:
        yield receiver


def over_http(live: tl.live.Receiver, compression: str) -> dict[str, Any]:
    return {"otlphttp": {"endpoint": live.http_url, "compression": compression, "retry_on_failure": RETRY}}


def over_grpc(live: tl.live.Receiver, compression: str) -> dict[str, Any]:
    more = {"tls": {"insecure": True}, "compression": compression, "retry_on_failure": RETRY}
    return {"otlp": {"endpoint": live.grpc_url, **more}}


def make_spans(server: Running, count: int, *, first: int = 0) -> set[str]:
    """Make spans with an SDK that sends them to a Collector, one in ten of them an error; give their ids."""
    provider = TracerProvider(resource=Resource({"service.name": "shop"}))
    provider.add_span_processor(
        BatchSpanProcessor(OTLPSpanExporter(f"{server.otlp}/v1/traces"), max_export_batch_size=100)
    )
    tracer = provider.get_tracer("test")
    made = set()
    for number in range(first, first + count):
        with tracer.start_as_current_span("buy", attributes={"number": number}) as span:
            if number % 10 == 0:
                span.set_status(trace.StatusCode.ERROR, "sold out")
            made.add(f"{span.get_span_context().span_id:016x}")
    provider.shutdown()
    return made


def counts(live: tl.live.Receiver) -> dict[tuple[str, str | None], int]:
    return {(what, of): count for what, of, count in live.stats().iter_rows()}


@pytest.mark.parametrize(
    ("exporters", "compression"),
    [(over_http, "gzip"), (over_http, "zstd"), (over_http, "none"), (over_grpc, "gzip"), (over_grpc, "none")],
)
def test_all_spans_come_through_a_collector_once(
    live: tl.live.Receiver, tmp_path: Path, exporters: Any, compression: str
) -> None:
    with collector(tmp_path, exporters(live, compression)) as server:
        made = make_spans(server, SPANS)
        spans = live.wait(spans=SPANS, timeout="60s").spans()
    assert sorted(spans["span_id"]) == sorted(made)
    assert sorted(spans["span.number"]) == list(range(SPANS))
    assert spans.filter(tl.is_error())["status_message"].to_list() == ["sold out"] * (SPANS // 10)
    assert spans["service_name"].unique().to_list() == ["shop"]
    seen = counts(live)
    assert seen["spans dropped", "delivered twice"] == seen["spans dropped", "cannot be read"] == 0
    assert not [of for what, of in seen if what == "requests refused"]


def test_what_a_collector_sends_over_both_is_held_once(live: tl.live.Receiver, tmp_path: Path) -> None:
    with collector(tmp_path, over_http(live, "gzip") | over_grpc(live, "gzip")) as server:
        made = make_spans(server, SPANS)
        end = time.monotonic() + 60
        while counts(live)["spans dropped", "delivered twice"] < SPANS and time.monotonic() < end:
            time.sleep(0.05)
    assert sorted(live.spans()["span_id"]) == sorted(made)
    assert counts(live)["spans dropped", "delivered twice"] == SPANS


@pytest.mark.parametrize("exporters", [over_http, over_grpc])
def test_a_collector_sends_again_what_came_while_the_receiver_was_down(tmp_path: Path, exporters: Any) -> None:
    http, grpc = free_ports(2)
    before = tl.receive(http_port=http, grpc_port=grpc)
    with collector(tmp_path, exporters(before, "gzip")) as server:
        first = make_spans(server, 50)
        assert set(before.wait(spans=50, timeout="30s").spans()["span_id"]) == first
        before.close()
        second = make_spans(server, SPANS, first=50)
        with tl.receive(http_port=http, grpc_port=grpc) as after:
            spans = after.wait(spans=SPANS, timeout="60s").spans()
            third = make_spans(server, 20, first=50 + SPANS)
            after.wait(spans=SPANS + 20, timeout="30s")
            assert sorted(spans["span_id"]) == sorted(second)
            assert sorted(after.spans()["span_id"]) == sorted(second | third)
            assert counts(after)["spans dropped", "delivered twice"] == 0


def test_the_log_of_a_test_run_names_the_servers_that_answered() -> None:
    if COLLECTOR.found() != COLLECTOR.path:
        pytest.skip("no Collector is built whose version is known")
    test = f"{__file__}::{test_what_a_collector_sends_over_both_is_held_once.__name__}"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout
    assert f"Real servers that answered: {COLLECTOR.title} (1 x)" in done.stdout
