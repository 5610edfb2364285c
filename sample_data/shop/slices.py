"""A slice of the shop's traces in every form that a real Collector, Zipkin exporter and Jaeger give it."""

from __future__ import annotations

import contextlib
import gzip
import json
import shutil
import threading
import time
import urllib.request
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from shop import readable
from shop.spans import Span, by_trace, load
from toolbox import BUILD, HERE, running, say

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOLDER = BUILD / "shop" / "slice"
TRACES = 150
COLLECTOR_URL = "http://127.0.0.1:14319/v1/traces"
JAEGER_URL = "http://127.0.0.1:14686"
ZIPKIN_PORT = 14411
NATIVE_ZSTD = "--feature-gates=exporter.file.nativeCompression"


def write(shop_jsonl: Path, otelcol: Path, jaeger: Path) -> dict[str, int]:
    """Write all forms and give how many traces and spans each of them has."""
    traces = by_trace(load(shop_jsonl))
    chosen = choose(traces)
    requests = cut(shop_jsonl, set(chosen))
    spans = sum(len(traces[trace_id]) for trace_id in chosen)
    say(f"the slice has {len(chosen)} traces, {spans} spans")

    shutil.rmtree(FOLDER, ignore_errors=True)
    for folder in ("framed", "native"):
        (FOLDER / folder).mkdir(parents=True)
    jaeger_config = HERE / "collector" / "jaeger.yaml"
    # Jaeger would also send traces of itself to a Collector that is not there.
    silent = {"OTEL_TRACES_SAMPLER": "always_off"}
    with (
        running("jaeger", [jaeger, "--config", jaeger_config], port=14686, env=silent),
        zipkin_sink() as received,
    ):
        replay(otelcol, "framed", requests)
        wait_for_jaeger(traces, chosen)
        ask_jaeger(chosen)
    save("zipkin.json", json.dumps(received, separators=(",", ":")))
    only_zstd = "yaml:service::pipelines::traces::exporters: [file/json_zstd, file/proto_zstd]"
    replay(otelcol, "native", requests, NATIVE_ZSTD, f"--config={only_zstd}")
    keep_collector_files()
    readable.write(traces, shop_jsonl)
    return {"traces": len(chosen), "spans": spans}


def choose(traces: dict[str, list[Span]]) -> list[str]:
    """Take traces of every shape in turn: the rare shapes wholly, the common ones as far as there is room."""
    shapes = defaultdict(list)
    for trace_id, spans in traces.items():
        shape = frozenset((span.service, span.name, span.version, span.failed) for span in spans)
        shapes[shape].append(trace_id)
    chosen: list[str] = []
    for turn in range(max(map(len, shapes.values()))):
        chosen += [members[turn] for members in shapes.values() if turn < len(members)]
    return [trace_id for trace_id in traces if trace_id in set(chosen[:TRACES])]


def cut(shop_jsonl: Path, chosen: set[str]) -> list[dict]:
    """Keep the chosen traces' spans of every request."""
    requests = []
    with shop_jsonl.open() as lines:
        for line in lines:
            kept = [reduced(resource_spans, chosen) for resource_spans in json.loads(line)["resourceSpans"]]
            kept = [resource_spans for resource_spans in kept if resource_spans["scopeSpans"]]
            if kept:
                requests.append({"resourceSpans": kept})
    return requests


def reduced(resource_spans: dict, chosen: set[str]) -> dict:
    scopes = []
    for scope_spans in resource_spans["scopeSpans"]:
        spans = [span for span in scope_spans["spans"] if span["traceId"] in chosen]
        if spans:
            scopes.append(scope_spans | {"spans": spans})
    return resource_spans | {"scopeSpans": scopes}


def replay(otelcol: Path, folder: str, requests: list[dict], *options: str) -> None:
    """Send the requests through a Collector that writes into the folder."""
    command = [otelcol, "--config", HERE / "collector" / "slice.yaml", *options]
    with running(f"collector-{folder}", command, port=14319, env={"FOLDER": str(FOLDER / folder)}):
        for request in requests:
            fetch(COLLECTOR_URL, json.dumps(request).encode())
        time.sleep(3)


def fetch(url: str, body: bytes | None = None) -> bytes:
    request = urllib.request.Request(url, body, {"content-type": "application/json"})  # noqa: S310 - our own
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return answer.read()


@contextlib.contextmanager
def zipkin_sink() -> Iterator[list[dict]]:
    """Listen where the Collector's Zipkin exporter sends to, and collect the spans."""
    received: list[dict] = []

    class Sink(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.extend(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(202)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", ZIPKIN_PORT), Sink)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield received
    finally:
        server.shutdown()


def wait_for_jaeger(traces: dict[str, list[Span]], chosen: list[str]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            found = [json.loads(fetch(f"{JAEGER_URL}/api/traces/{trace_id}?raw=true")) for trace_id in chosen]
            if all(len(one["data"][0]["spans"]) == len(traces[one["data"][0]["traceID"]]) for one in found):
                return
        time.sleep(1)
    raise SystemExit("Jaeger did not get all spans of the slice")


def ask_jaeger(chosen: list[str]) -> None:
    """Ask for every trace as it came (raw), as Jaeger's page shows it (clocks adjusted), and over the newer API."""
    for name, query in (("jaeger.json", "?raw=true"), ("jaeger-adjusted.json", "")):
        answers = [json.loads(fetch(f"{JAEGER_URL}/api/traces/{trace_id}{query}")) for trace_id in chosen]
        whole = answers[0] | {"data": [answer["data"][0] for answer in answers]}
        save(name, json.dumps(whole, separators=(",", ":")))
    answers = [fetch(f"{JAEGER_URL}/api/v3/traces/{trace_id}?raw_traces=true").decode() for trace_id in chosen]
    save("jaeger-v3.jsonl", "\n".join(answer.strip() for answer in answers) + "\n")


def save(form: str, text: str) -> None:
    (HERE / "_slice").mkdir(exist_ok=True)
    with (HERE / f"_slice/shop-slice.{form}.gz").open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as packed:
        packed.write(text.encode())


def keep_collector_files() -> None:
    save("otlp.jsonl", (FOLDER / "framed" / "slice.otlp.jsonl").read_text())
    copies = {
        "framed/slice.otlp.pb": "_slice/shop-slice.otlp.pb",
        "framed/slice.otlp.pb.zst": "_slice/shop-slice-framed.otlp.pb.zst",
        "framed/slice.otlp.jsonl.zst": "_slice/shop-slice-framed.otlp.jsonl.zst",
        "native/slice.otlp.pb.zst": "_slice/shop-slice.otlp.pb.zst",
        "native/slice.otlp.jsonl.zst": "_slice/shop-slice.otlp.jsonl.zst",
    }
    for source, target in copies.items():
        shutil.copyfile(FOLDER / source, HERE / target)
