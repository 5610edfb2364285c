"""What a real Collector keeps: samplers in pipelines of one process, each with an end that is listened to."""

from __future__ import annotations

import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

import msgspec

from tests.live.programs import collector, free_ports, send

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_ROOT: Final = "tailsampling.policy"
_PATIENCE: Final = 60.0


class _Value(msgspec.Struct):
    stringValue: str = ""  # noqa: N815  (OTLP's own name)


class _Attribute(msgspec.Struct):
    key: str
    value: _Value


class _Scope(msgspec.Struct):
    attributes: list[_Attribute] = []


class _Span(msgspec.Struct):
    traceId: str  # noqa: N815
    spanId: str  # noqa: N815


class _ScopeSpans(msgspec.Struct):
    spans: list[_Span] = []
    scope: _Scope = msgspec.field(default_factory=_Scope)


class _ResourceSpans(msgspec.Struct):
    scopeSpans: list[_ScopeSpans] = []  # noqa: N815


class _Request(msgspec.Struct):
    resourceSpans: list[_ResourceSpans] = []  # noqa: N815


def kept_by_collector(
    processors: dict[str, dict[str, Any]], requests: Iterable[bytes], folder: Path
) -> dict[str, dict[tuple[str, str], str]]:
    """Send requests of OTLP JSON through each processor, and end the Collector, which then decides on all it has.

    Gives what came out: for each processor the spans by trace and span id, with the policy that a tail sampler names.
    """
    (port,) = free_ports(1)
    heard: dict[str, list[bytes]] = {name: [] for name in processors}
    server = ThreadingHTTPServer(("127.0.0.1", port), _listener(list(heard.values())))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    batch = {"flush_timeout": "100ms", "min_size": 4096, "sizer": "items"}
    exporters = {
        f"otlp_http/{number}": {
            "traces_endpoint": f"http://127.0.0.1:{port}/{number}",
            "encoding": "json",
            "compression": "none",
            "retry_on_failure": {"enabled": False},
            "sending_queue": {"queue_size": 1_000_000, "sizer": "items", "block_on_overflow": True, "batch": batch},
        }
        for number in range(len(processors))
    }
    gates = "+processor.tailsamplingprocessor.recordpolicy"
    try:
        with collector(folder, exporters, processors=processors, gates=gates) as running:
            for request in requests:
                send(running, request)
            running.process.terminate()
            running.process.wait(_PATIENCE)
    finally:
        server.shutdown()
        server.server_close()
    return {name: _spans(bodies) for name, bodies in heard.items()}


def _spans(bodies: list[bytes]) -> dict[tuple[str, str], str]:
    decoder = msgspec.json.Decoder(_Request)
    kept = {}
    for body in bodies:
        for resource in decoder.decode(body).resourceSpans:
            for scope in resource.scopeSpans:
                policy = next((each.value.stringValue for each in scope.scope.attributes if each.key == _ROOT), "")
                kept.update({(span.traceId, span.spanId): policy for span in scope.spans})
    return kept


def _listener(heard: list[list[bytes]]) -> type[BaseHTTPRequestHandler]:
    class Listener(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            packed = self.headers.get("Content-Encoding") == "gzip"
            heard[int(self.path.strip("/"))].append(gzip.decompress(body) if packed else body)
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    return Listener
