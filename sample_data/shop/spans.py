"""The shop's spans as plain Python objects, for choosing and counting."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from toolbox import attributes, spans_in

if TYPE_CHECKING:
    from pathlib import Path

SERVER, CLIENT, PRODUCER, CONSUMER = 2, 3, 4, 5
ERROR = 2


@dataclass(frozen=True)
class Span:
    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: int
    start: int
    end: int
    status: int
    status_message: str
    attributes: dict
    links: int
    resource: dict

    @property
    def service(self) -> str:
        return self.resource["service.name"]

    @property
    def version(self) -> str:
        return self.resource["service.version"]

    @property
    def host(self) -> str:
        return self.resource["host.name"]

    @property
    def milliseconds(self) -> float:
        return (self.end - self.start) / 1e6

    @property
    def failed(self) -> bool:
        return self.status == ERROR


def load(path: Path) -> list[Span]:
    return [span_of(resource, raw) for resource, raw in spans_in(path)]


def span_of(resource: dict, raw: dict) -> Span:
    return Span(
        trace_id=raw["traceId"],
        span_id=raw["spanId"],
        parent_id=raw.get("parentSpanId", ""),
        name=raw["name"],
        kind=raw["kind"],
        start=int(raw["startTimeUnixNano"]),
        end=int(raw["endTimeUnixNano"]),
        status=raw["status"].get("code", 0),
        status_message=raw["status"].get("message", ""),
        attributes=attributes(raw),
        links=len(raw.get("links", [])),
        resource=resource,
    )


def by_trace(spans: list[Span]) -> dict[str, list[Span]]:
    """Group by trace; the traces come in the order of their first start."""
    traces = defaultdict(list)
    for span in sorted(spans, key=lambda span: span.start):
        traces[span.trace_id].append(span)
    return dict(traces)


def with_parents(spans: list[Span]) -> list[tuple[Span, Span]]:
    """Give (span, parent) for every span whose parent was recorded."""
    known = {(span.trace_id, span.span_id): span for span in spans}
    pairs = ((span, known.get((span.trace_id, span.parent_id))) for span in spans)
    return [(span, parent) for span, parent in pairs if parent is not None]
