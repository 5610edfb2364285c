"""One small trace as every format writes it, and the means to vary it."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from google.protobuf import json_format  # type: ignore[import-untyped]
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

if TYPE_CHECKING:
    from collections.abc import Iterator

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
ROOT, CALL, CHILD = "b7ad6b7169203331", "00f067aa0ba902b7", "53995c3f42cd8ad8"
START = 1_767_225_600_000_000_000


def attribute(key: str, value: Any) -> dict[str, Any]:
    """Write an attribute as OTLP JSON does."""
    return {"key": key, "value": any_value(value)}


def any_value(value: Any) -> dict[str, Any]:
    """Write a value as OTLP JSON does."""
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, bytes):
        return {"bytesValue": base64.b64encode(value).decode()}
    if isinstance(value, list):
        return {"arrayValue": {"values": [any_value(item) for item in value]}}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": [attribute(key, item) for key, item in value.items()]}}
    return {"stringValue": value}


def span(span_id: str = ROOT, **fields: Any) -> dict[str, Any]:
    """Write a span as OTLP JSON does; `fields` add to it or change it, None takes away."""
    content = {
        "traceId": TRACE_ID,
        "spanId": span_id,
        "name": "GET /pay",
        "kind": 2,
        "startTimeUnixNano": str(START),
        "endTimeUnixNano": str(START + 5_000_000),
    }
    return {key: value for key, value in {**content, **fields}.items() if value is not None}


def request(*spans: dict[str, Any], service: str | None = "shop", **scope: Any) -> dict[str, Any]:
    """Write an export request with one resource and one scope."""
    attributes = [] if service is None else [attribute("service.name", service)]
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": attributes},
                "scopeSpans": [{"scope": {"name": "tests", **scope}, "spans": list(spans)}],
            }
        ]
    }


def compact(*documents: Any) -> bytes:
    """Write documents as lines, as the Collector does."""
    return b"".join(json.dumps(each, separators=(",", ":"), ensure_ascii=False).encode() + b"\n" for each in documents)


def protobuf(document: dict[str, Any]) -> bytes:
    """Encode a request that is given as OTLP JSON."""
    content: bytes = json_format.ParseDict(_with_base64_ids(document), TracesData()).SerializeToString()
    return content


def _with_base64_ids(content: Any) -> Any:
    if isinstance(content, list):
        return [_with_base64_ids(item) for item in content]
    if not isinstance(content, dict):
        return content
    return {
        key: base64.b64encode(bytes.fromhex(value)).decode()
        if key in ("traceId", "spanId", "parentSpanId")
        else _with_base64_ids(value)
        for key, value in content.items()
    }


def shop_otlp() -> dict[str, Any]:
    """Give a trace of three spans in two services that every format can carry."""
    event = {"timeUnixNano": str(START + 2_000_000), "name": "retry", "attributes": [attribute("attempt", "2")]}
    call = span(
        CALL,
        parentSpanId=ROOT,
        name="get price",
        kind=3,
        startTimeUnixNano=str(START + 1_000_000),
        endTimeUnixNano=str(START + 4_000_000),
        status={"code": 2, "message": "too slow"},
        attributes=[attribute("rpc.system", "grpc")],
        events=[event],
    )
    child = span(
        CHILD,
        parentSpanId=CALL,
        name="price",
        kind=2,
        startTimeUnixNano=str(START + 2_000_000),
        endTimeUnixNano=str(START + 3_000_000),
        attributes=[attribute("cache", "miss")],
        traceState="a=b",
        status={"code": 1},
    )
    root = span(ROOT, attributes=[attribute("http.route", "/pay")])
    web, prices = request(root, call, version="1.0"), request(child, service="prices", version="2.0")
    return {"resourceSpans": [*web["resourceSpans"], *prices["resourceSpans"]]}


def shop_jaeger() -> dict[str, Any]:
    """Give the same trace as Jaeger's API does."""

    def tags(**values: Any) -> list[dict[str, Any]]:
        names = {key.replace("__", "."): value for key, value in values.items()}
        return [
            {"key": key, "type": "bool" if isinstance(value, bool) else "string", "value": value}
            for key, value in names.items()
        ]

    def row(span_id: str, parent: str | None, name: str, start: int, end: int, **more: Any) -> dict[str, Any]:
        references = [{"refType": "CHILD_OF", "traceID": TRACE_ID, "spanID": parent}] if parent else []
        return {
            "traceID": TRACE_ID,
            "spanID": span_id,
            "operationName": name,
            "references": references,
            "startTime": START // 1000 + start * 1000,
            "duration": (end - start) * 1000,
            "logs": [],
            "warnings": None,
            **more,
        }

    web = {"otel__scope__name": "tests", "otel__scope__version": "1.0"}
    prices = {"otel__scope__name": "tests", "otel__scope__version": "2.0"}
    failed = {"error": True, "otel__status_code": "ERROR", "otel__status_description": "too slow"}
    log = {"timestamp": START // 1000 + 2000, "fields": tags(event="retry", attempt="2")}
    spans = [
        row(ROOT, None, "GET /pay", 0, 5, processID="p1", tags=tags(http__route="/pay", span__kind="server", **web)),
        row(
            CALL, ROOT, "get price", 1, 4, processID="p1", logs=[log],
            tags=tags(rpc__system="grpc", span__kind="client", **web, **failed),
        ),
        row(
            CHILD, CALL, "price", 2, 3, processID="p2",
            tags=tags(cache="miss", span__kind="server", otel__status_code="OK", w3c__tracestate="a=b", **prices),
        ),
    ]  # fmt: skip
    processes = {"p1": {"serviceName": "shop", "tags": []}, "p2": {"serviceName": "prices", "tags": []}}
    return {"data": [{"traceID": TRACE_ID, "spans": spans, "processes": processes, "warnings": None}], "errors": None}


def shop_zipkin() -> list[dict[str, Any]]:
    """Give the same trace as Zipkin's API does."""

    def row(span_id: str, parent: str | None, service: str, start: int, end: int, **more: Any) -> dict[str, Any]:
        content = {
            "traceId": TRACE_ID,
            "id": span_id,
            "parentId": parent,
            "timestamp": START // 1000 + start * 1000,
            "duration": (end - start) * 1000,
            "localEndpoint": {"serviceName": service},
            **more,
        }
        return {key: value for key, value in content.items() if value is not None}

    web = {"otel.scope.name": "tests", "otel.scope.version": "1.0"}
    prices = {"otel.scope.name": "tests", "otel.scope.version": "2.0"}
    retry = {"timestamp": START // 1000 + 2000, "value": 'retry|{"attempt":"2"}|0'}
    return [
        row(ROOT, None, "shop", 0, 5, name="GET /pay", kind="SERVER", tags={"http.route": "/pay", **web}),
        row(
            CALL, ROOT, "shop", 1, 4, name="get price", kind="CLIENT", annotations=[retry],
            tags={"rpc.system": "grpc", "otel.status_code": "ERROR", "error": "too slow", **web},
        ),
        row(
            CHILD, CALL, "prices", 2, 3, name="price", kind="SERVER",
            tags={"cache": "miss", "otel.status_code": "OK", "w3c.tracestate": "a=b", **prices},
        ),
    ]  # fmt: skip


WRONG: list[Any] = [None, 5, "x", True, [], [5], [[]], {}, {"x": {"y": []}}, 1e300, 2**80, -1]
"""Values of every type, of which most are wrong wherever they stand."""


def damaged(content: Any, wrong: Any) -> Iterator[Any]:
    """Give a document again and again, each time with the wrong value in place of another of its values."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield {**content, key: wrong}
            yield from ({**content, key: inner} for inner in damaged(value, wrong))
    elif isinstance(content, list):
        for number, value in enumerate(content):
            yield [*content[:number], wrong, *content[number + 1 :]]
            yield from ([*content[:number], inner, *content[number + 1 :]] for inner in damaged(value, wrong))
