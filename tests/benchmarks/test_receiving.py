"""How fast a receiver takes spans, and in how much memory.

    pytest tests/benchmarks/test_receiving.py -o addopts=

Senders are processes of their own on the same machine, which is what two cores are for. The yardstick of speed is what
one would do by hand: the same server reads the same bodies and drops them, as it does with what is sent to it as logs,
and opentelemetry-proto makes lists of their spans and attributes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.loaders.dumps import protobuf
from tracelab.live import Receiver, receive
from tracelab.live.receiver.store import Arrived, Store
from tracelab.loaders.otlp.writer import lines
from tracelab.synthetic import generate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import polars as pl

SPANS: Final = 100_000
IN_BODY: Final = 512
"""What an SDK puts into one request."""
LEAST_PER_SECOND: Final = 20_000
BY_HAND: Final = 3.0
GROWS: Final = 2.0
MEMORY_GROWS: Final = 1.4
SENDER: Final = """
import http.client, sys, time
from pathlib import Path
port, path, kind, *names = sys.argv[1:]
connection = http.client.HTTPConnection("127.0.0.1", int(port))
bodies = [Path(name).read_bytes() for name in names]
sys.stdout.write("ready\\n"); sys.stdout.flush(); sys.stdin.readline()
for body in bodies:
    connection.request("POST", path, body, {"Content-Type": kind})
    answer = connection.getresponse()
    assert answer.status == 200, (answer.status, answer.read())
    answer.read()
"""
SDK: Final = """
import sys
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
provider = TracerProvider(shutdown_on_exit=False)
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(sys.argv[1] + "/v1/traces"), max_queue_size=1_000_000))
tracer = provider.get_tracer("load")
for number in range(int(sys.argv[2]) // 10):
    with tracer.start_as_current_span("request", attributes={"number": number, "http.route": "/"}):
        for place in range(9):
            tracer.start_span("query", attributes={"db.rows": place}).end()
provider.force_flush(60_000)
provider.shutdown()
"""
MEMORY: Final = """
import json, re, sys
from pathlib import Path
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
import tracelab as tl
def memory():
    return int(re.search(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024
live = tl.receive(http_port=0, grpc_port=None, max_spans=int(sys.argv[1]))
print(live.http_url.rpartition(":")[2], flush=True)
for line in sys.stdin:
    live.spans()
    print(json.dumps([memory(), live._store.counts.received, live._store.counts.held]), flush=True)
"""


@pytest.fixture(scope="module")
def spans() -> pl.DataFrame:
    return generate(SPANS, seed=1).sort("start_time")


@pytest.fixture(scope="module")
def bodies(spans: pl.DataFrame) -> list[bytes]:
    """The spans as they end, so that traces lie across requests."""
    return [in_one(spans.slice(start, IN_BODY)) for start in range(0, SPANS, IN_BODY)]


@pytest.fixture(scope="module")
def files(bodies: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("bodies")
    paths = [folder / f"{number}.pb" for number in range(len(bodies))]
    for path, content in zip(paths, bodies, strict=True):
        path.write_bytes(content)
    return paths


@pytest.fixture
def live() -> Iterator[Receiver]:
    with receive(http_port=0, grpc_port=None) as receiver:
        yield receiver


def in_one(spans: pl.DataFrame) -> bytes:
    return b"".join(protobuf(json.loads(line)) for line in lines(spans))


def sent(live: Receiver, files: list[Path], path: str, *, look: bool) -> float:
    """Send all by two senders; gives the seconds until all was taken, and can be looked at."""
    port = str(live.http_url).rpartition(":")[2]
    senders = [
        subprocess.Popen(
            [sys.executable, "-c", SENDER, port, path, "application/x-protobuf", *map(str, files[part::2])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for part in range(2)
    ]
    for sender in senders:
        assert sender.stdout is not None
        sender.stdout.readline()
    start = perf_counter()
    for sender in senders:
        sender.communicate("go\n")
    assert [sender.returncode for sender in senders] == [0, 0]
    if look:
        live.spans()
    return perf_counter() - start


def test_spans_arrive_as_they_were_sent_and_as_fast_as_they_must(
    benchmark: Any, spans: pl.DataFrame, bodies: list[bytes], files: list[Path]
) -> None:
    pairs = []

    def both() -> None:
        with receive(http_port=0, grpc_port=None) as live:
            bar = sent(live, files, "/v1/logs", look=False) + by_hand(bodies)
            pairs.append((bar, sent(live, files, "/v1/traces", look=True)))
            ids = ["trace_id", "span_id"]
            assert live.spans().select(ids).sort(ids).equals(spans.select(ids).sort(ids))

    benchmark.pedantic(both, rounds=3)
    bar, taking = (min(each) for each in zip(*pairs, strict=True))
    benchmark.extra_info |= {"ratio": taking / bar, "spans per second": SPANS / taking}
    assert SPANS / taking >= LEAST_PER_SECOND
    assert taking <= BY_HAND * bar


def test_what_an_sdk_sends_arrives_once(benchmark: Any, live: Receiver) -> None:
    def run() -> None:
        subprocess.run([sys.executable, "-c", SDK, str(live.http_url), str(SPANS)], check=True, timeout=300)

    benchmark.pedantic(run, rounds=1)
    found = live.spans()
    assert found.height == SPANS
    assert found.select("trace_id", "span_id").n_unique() == SPANS
    assert sorted(found["span.number"].drop_nulls().to_list()) == list(range(SPANS // 10))


def test_to_look_after_each_batch_costs_what_is_new(benchmark: Any, bodies: list[bytes]) -> None:
    count, size = 100, len(bodies) // 100
    batches = [b"".join(bodies[place * size : (place + 1) * size]) for place in range(count)]
    heights = [sum(spans_in(body) for body in bodies[place * size : (place + 1) * size]) for place in range(count)]

    def look() -> list[float]:
        store, seconds = Store(1_000_000, 2 << 30), []
        for batch, height in zip(batches, heights, strict=True):
            store.take(Arrived(len(batch), height, batch))
            start = perf_counter()
            frame = store.spans()
            seconds.append(perf_counter() - start)
        assert frame.height == sum(heights)
        store.close()
        return seconds

    look()
    seconds = benchmark.pedantic(look, rounds=1)
    first, last = median(seconds[:20]), median(seconds[-20:])
    benchmark.extra_info |= {"ratio": last / first, "first 20, ms": first * 1e3, "last 20, ms": last * 1e3}
    assert last <= GROWS * first


def test_memory_is_bounded_by_max_spans(benchmark: Any, bodies: list[bytes], tmp_path: Path) -> None:
    """A million spans, of which a twentieth may be held."""
    most = 50_000
    receiver = subprocess.Popen(
        [sys.executable, "-c", MEMORY, str(most)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert receiver.stdin is not None
    assert receiver.stdout is not None
    port = receiver.stdout.readline().strip()
    found = []

    def send_all() -> None:
        for turn in range(10):
            path = tmp_path / f"{turn}.pb"
            names = []
            for number in range(0, len(bodies), 8):
                path = tmp_path / f"{number}.pb"
                path.write_bytes(with_other_ids(b"".join(bodies[number : number + 8]), turn))
                names.append(str(path))
            subprocess.run(
                [sys.executable, "-c", SENDER, port, "/v1/traces", "application/x-protobuf", *names],
                input="go\n",
                text=True,
                check=True,
                stdout=subprocess.DEVNULL,
            )
            receiver.stdin.write("look\n")  # type: ignore[union-attr]
            receiver.stdin.flush()  # type: ignore[union-attr]
            found.append(json.loads(receiver.stdout.readline()))  # type: ignore[union-attr]

    benchmark.pedantic(send_all, rounds=1)
    receiver.communicate()
    memory, received, held = zip(*found, strict=True)
    benchmark.extra_info |= {
        "ratio": max(memory[2:]) / memory[1],
        "after 200,000, MB": memory[1] / 1e6,
        "after 1,000,000, MB": memory[-1] / 1e6,
    }
    assert received[-1] == 10 * SPANS
    assert max(held) <= most
    assert max(memory[2:]) <= MEMORY_GROWS * memory[1]


def by_hand(bodies: list[bytes]) -> float:
    """Make lists of all spans with opentelemetry-proto; gives the seconds that this takes."""
    start = perf_counter()
    rows: list[Any] = []
    for body in bodies:
        request: Any = ExportTraceServiceRequest.FromString(body)
        for group in request.resource_spans:
            resource = {pair.key: value_of(pair.value) for pair in group.resource.attributes}
            for scope in group.scope_spans:
                rows += [
                    (
                        *(span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex(), span.name, span.kind),
                        *(span.start_time_unix_nano, span.end_time_unix_nano, span.status.code, scope.scope.name),
                        {pair.key: value_of(pair.value) for pair in span.attributes},
                        resource,
                    )
                    for span in scope.spans
                ]
    assert len(rows) == SPANS
    return perf_counter() - start


def value_of(value: Any) -> Any:
    kind = value.WhichOneof("value")
    return None if kind is None else getattr(value, kind)


def spans_in(body: bytes) -> int:
    request: Any = ExportTraceServiceRequest.FromString(body)
    return sum(len(scope.spans) for group in request.resource_spans for scope in group.scope_spans)


def with_other_ids(body: bytes, turn: int) -> bytes:
    """Make other traces of a request."""
    request: Any = ExportTraceServiceRequest.FromString(body)
    for group in request.resource_spans:
        for scope in group.scope_spans:
            for span in scope.spans:
                span.trace_id = span.trace_id[:15] + bytes([turn])
    content: bytes = request.SerializeToString()
    return content
