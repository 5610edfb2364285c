"""A small Tempo of the tests' own, after its documentation: searches with limits, traces as protobuf or JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from google.protobuf.json_format import ParseDict  # type: ignore[import-untyped]
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from tests.live.servers.faults import Asked, Reply

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from tests.live.servers.jaegers import Trace

SECOND = 1_000_000_000


class Tempo:
    """Answers the questions of `fetch_tempo`; `partial` traces are said to be parts, `lost` ones are not given."""

    def __init__(
        self,
        held: Sequence[Trace],
        *,
        protobuf: bool = True,
        version: int = 2,
        longest: int | None = None,
        partial: Collection[str] = (),
        lost: Collection[str] = (),
        searched: int = 4,
        echoes: bool = True,
    ) -> None:
        self.held = {trace.trace_id: trace for trace in held}
        self.protobuf = protobuf
        self.version = version
        self.longest = longest
        self.partial = partial
        self.lost = lost
        self.searched = searched
        self.echoes = echoes

    def __call__(self, asked: Asked) -> Reply:
        head, _, last = asked.path.rpartition("/")
        match head:
            case "/api" if last == "echo" and self.echoes:
                return Reply(200, b"echo")
            case "/api" if last == "search":
                return self.search(asked)
            case "/api/v2/search" if self.version == 2:
                scopes = [{"name": "span", "tags": ["b", "a"]}, {"name": "resource", "tags": ["service.name"]}]
                return said({"scopes": scopes})
            case "/api/search":
                return said({"tagNames": ["b", "a"]})
            case "/api/v2/traces" if self.version == 2:
                return self.trace(last, asked, version=2)
            case "/api/traces":
                return self.trace(last, asked, version=1)
        return Reply(404, b"404 page not found")

    def search(self, asked: Asked) -> Reply:
        start, end, limit = (int(asked.one(name)) for name in ("start", "end", "limit"))
        if self.longest is not None and end - start > self.longest:
            return Reply(400, f"range specified by start and end exceeds {self.longest}s".encode())
        found = [trace for trace in self.held.values() if start * SECOND <= trace.start < end * SECOND][-limit:]
        traces = [
            # Tempo leaves out zeros at the beginning.
            {"traceID": trace.trace_id.lstrip("0"), "startTimeUnixNano": str(trace.start), "durationMs": 5}
            for trace in reversed(found)
        ]
        return said({"traces": traces, "metrics": {"completedJobs": self.searched, "totalJobs": 4}})

    def trace(self, trace_id: str, asked: Asked, *, version: int) -> Reply:
        held = self.held.get(trace_id.rjust(32, "0"))
        if held is None or held.trace_id in self.lost:
            return Reply(404, b"trace not found")
        partial = held.trace_id in self.partial
        spans = held.otlp()
        if not (self.protobuf and "protobuf" in asked.headers["Accept"]):
            if version == 1:
                return said({"batches": [spans]})
            told: dict[str, Any] = {"status": "PARTIAL", "message": "too large"} if partial else {}
            return said({"trace": {"resourceSpans": [spans]}, **told})
        message = in_protobuf(spans)
        if version == 2:
            message = b"\x0a" + varint(len(message)) + message
            message += b"\x18\x01\x22\x09too large" if partial else b""
        return Reply(200, message, {"Content-Type": "application/protobuf"})


def in_protobuf(resource_spans: dict[str, Any]) -> bytes:
    """Write OTLP JSON, whose ids are hex, as protobuf."""
    message = ParseDict({"resourceSpans": [_without_ids(resource_spans)]}, TracesData())
    spans = [span for scope in resource_spans["scopeSpans"] for span in scope["spans"]]
    written = [span for scope in message.resource_spans[0].scope_spans for span in scope.spans]
    for span, target in zip(spans, written, strict=True):
        target.trace_id = bytes.fromhex(span["traceId"])
        target.span_id = bytes.fromhex(span["spanId"])
    written_out: bytes = message.SerializeToString()
    return written_out


def _without_ids(resource_spans: dict[str, Any]) -> dict[str, Any]:
    scopes = [
        {"spans": [{key: value for key, value in span.items() if not key.endswith("Id")} for span in scope["spans"]]}
        for scope in resource_spans["scopeSpans"]
    ]
    return {"resource": resource_spans["resource"], "scopeSpans": scopes}


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def said(document: Any) -> Reply:
    return Reply(200, json.dumps(document).encode(), {"Content-Type": "application/json"})
