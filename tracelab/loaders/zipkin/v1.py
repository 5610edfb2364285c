"""Zipkin v1 spans to v2 rows: annotations say who was client and server, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tracelab.loaders.columns.text import scalar_text
from tracelab.loaders.documents.values import whole_number
from tracelab.loaders.report import problems

if TYPE_CHECKING:
    from tracelab.loaders.columns.builder import Builder

_SIDES: Final = {
    "CLIENT": ("cs", "cr"),
    "SERVER": ("sr", "ss"),
    "PRODUCER": ("ms", "ws"),
    "CONSUMER": ("wr", "mr"),
}
_MARKS: Final = frozenset(mark for side in _SIDES.values() for mark in side)
_ADDRESSES: Final = frozenset(("ca", "sa", "ma"))


def is_v1(content: dict[str, Any]) -> bool:
    """Say whether a row is of Zipkin v1."""
    if "binaryAnnotations" in content:
        return True
    annotations = content.get("annotations")
    held = annotations if isinstance(annotations, list) else []
    return any(isinstance(item, dict) and ("endpoint" in item or item.get("value") in _MARKS) for item in held)


def as_v2(content: dict[str, Any], builder: Builder, place: str) -> list[dict[str, Any]]:
    """Make one row of v2, or two where client and server report in one span."""
    annotations = [item for item in _listed(content.get("annotations")) if isinstance(item.get("value"), str)]
    binary = [item for item in _listed(content.get("binaryAnnotations")) if isinstance(item.get("key"), str)]
    times = {item["value"]: item for item in reversed(annotations) if item["value"] in _MARKS}
    base: dict[str, Any] = {
        key: content[key] for key in ("traceId", "id", "parentId", "name", "debug") if key in content
    }
    sides = [side for side, marks in _SIDES.items() if any(mark in times for mark in marks)]
    rows = [_side(base, side, times) for side in sides]
    if not rows:
        where = next((item.get("endpoint") for item in (*annotations, *binary) if item.get("endpoint")), None)
        rows = [{**base, "localEndpoint": where, "tags": {}, "annotations": []}]
    for row in rows:
        if len(rows) == 1 or row.get("kind") in ("CLIENT", "PRODUCER"):
            _use_own_times(row, content)
    if {"CLIENT", "SERVER"} <= set(sides):
        builder.findings.spans -= 1
        builder.findings.add(problems.SPLIT_SPANS, place=place, example=content.get("id"), lost_spans=-1)
        rows[sides.index("SERVER")]["shared"] = True
    for item in annotations:
        if item["value"] not in _MARKS:
            _row_of(rows, item)["annotations"].append({"timestamp": item.get("timestamp"), "value": item["value"]})
    for item in binary:
        if item["key"] in _ADDRESSES:
            _add_address(rows, item)
        elif item["key"] != "lc" or item.get("value"):
            _row_of(rows, item)["tags"].setdefault(item["key"], scalar_text(item.get("value")))
    return rows


def _side(base: dict[str, Any], side: str, times: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Make the row of one side of a call."""
    begin, end = _SIDES[side]
    first, last = times.get(begin), times.get(end)
    started = whole_number((first or last or {}).get("timestamp"))
    ended = whole_number(last.get("timestamp")) if last else None
    row = {**base, "kind": side, "localEndpoint": (first or last or {}).get("endpoint"), "tags": {}, "annotations": []}
    if first and started is not None:
        row["timestamp"] = started
        if ended is not None and ended >= started:
            row["duration"] = ended - started
    elif last:
        row["annotations"].append({"timestamp": last.get("timestamp"), "value": end})
    return row


def _use_own_times(row: dict[str, Any], content: dict[str, Any]) -> None:
    """Prefer the times of the span itself: who started the span set them."""
    for key in ("timestamp", "duration"):
        if content.get(key):
            row[key] = content[key]


def _row_of(rows: list[dict[str, Any]], item: dict[str, Any]) -> dict[str, Any]:
    """Give the row of the service that wrote an annotation."""
    service = _service(item.get("endpoint"))
    return next((row for row in rows if _service(row.get("localEndpoint")) == service), rows[0])


def _add_address(rows: list[dict[str, Any]], item: dict[str, Any]) -> None:
    """Note the other side of a call."""
    kind = {"sa": "CLIENT", "ca": "SERVER"}.get(item["key"])
    row = next((row for row in rows if row.get("kind") == kind), rows[0])
    row.setdefault("remoteEndpoint", item.get("endpoint"))


def _service(endpoint: Any) -> Any:
    return endpoint.get("serviceName") if isinstance(endpoint, dict) else None


def _listed(content: Any) -> list[dict[str, Any]]:
    return [item for item in content if isinstance(item, dict)] if isinstance(content, list) else []
