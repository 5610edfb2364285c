"""A small Jaeger of the tests' own: it cuts answers as real ones do, and fails where a test says so."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tests.live.servers.faults import Asked, Reply

if TYPE_CHECKING:
    from collections.abc import Sequence

BEGIN = 1_780_000_000_000_000_000


@dataclass(frozen=True)
class Trace:
    number: int
    start: int
    service: str = "shop"

    @property
    def trace_id(self) -> str:
        return f"{self.number + 1:032x}"

    def otlp(self) -> dict[str, Any]:
        span = {
            "traceId": self.trace_id,
            "spanId": f"{self.number + 1:016x}",
            "name": "buy",
            "kind": 2,
            "startTimeUnixNano": str(self.start),
            "endTimeUnixNano": str(self.start + 5_000_001),
        }
        name = {"key": "service.name", "value": {"stringValue": self.service}}
        return {"resource": {"attributes": [name]}, "scopeSpans": [{"spans": [span]}]}

    def jaeger(self) -> dict[str, Any]:
        span = {
            "traceID": self.trace_id,
            "spanID": f"{self.number + 1:016x}",
            "operationName": "buy",
            "references": [],
            "startTime": self.start // 1000,
            "duration": 5000,
            "tags": [],
            "logs": [],
            "processID": "p1",
        }
        return {
            "traceID": self.trace_id,
            "spans": [span],
            "processes": {"p1": {"serviceName": self.service, "tags": []}},
        }


def traces(count: int, *, apart: int = 1_000_000_000, service: str = "shop", first: int = 0) -> list[Trace]:
    return [Trace(first + number, BEGIN + number * apart, service) for number in range(count)]


class Jaeger:
    """Answers as version 3 of the API does, or, if it is old, as version 1."""

    def __init__(
        self, held: Sequence[Trace], *, old: bool = False, heeds_tags: bool = True, most: int = 10_000
    ) -> None:
        self.held = held
        self.old = old
        self.heeds_tags = heeds_tags
        self.most = most

    def __call__(self, asked: Asked) -> Reply:
        names = sorted({trace.service for trace in self.held})
        match asked.path.rpartition("/api")[2]:
            case "/v3/services" if not self.old:
                return said({"services": names})
            case "/services":
                return said({"data": names, "total": len(names)})
            case "/v3/traces" if not self.old:
                times = [nanoseconds(asked.one(f"query.startTime{end}")) for end in ("Min", "Max")]
                return self.version3(asked, *times)
            case "/traces":
                start, end = (int(asked.one(name)) * 1000 for name in ("start", "end"))
                found = self.found(asked.one("service"), start, end, int(asked.one("limit")))
                return said({"data": [trace.jaeger() for trace in found], "total": 0, "errors": None})
        return Reply(404, b"404 page not found\n")

    def version3(self, asked: Asked, start: int, end: int) -> Reply:
        depth = int(asked.one("query.searchDepth"))
        if depth > self.most:
            return Reply(500, b'{"error":{"httpCode":500,"message":"search depth must be less than max traces"}}')
        found = self.found(asked.one("query.serviceName"), start, end, depth)
        if not found or (self.heeds_tags and "tracelab." in asked.query.get("query.attributes", [""])[0]):
            return Reply(404, b'{"error":{"httpCode":404,"message":"No traces found"}}')
        return said({"result": {"resourceSpans": [trace.otlp() for trace in found]}})

    def found(self, service: str, start: int, end: int, limit: int) -> list[Trace]:
        fitting = [trace for trace in self.held if trace.service == service and start <= trace.start <= end]
        return sorted(fitting, key=lambda trace: -trace.start)[:limit]


def said(document: Any) -> Reply:
    return Reply(200, json.dumps(document).encode(), {"Content-Type": "application/json"})


def nanoseconds(text: str) -> int:
    whole, _, fraction = text.rstrip("Z").partition(".")
    seconds = int(datetime.fromisoformat(f"{whole}+00:00").timestamp())
    return seconds * 1_000_000_000 + int(fraction.ljust(9, "0") or 0)
