"""Spans of which each has a value of another kind under the same key, as OTLP JSON."""

from __future__ import annotations

import base64
from math import inf, nan
from typing import Any, Final

VALUES: Final[list[Any]] = [
    "text", "", "5", "-3.5", "true", 5, 0, -7, 2**63 - 1, 2.5, 5.0, nan, inf, -0.0, True, False, b"\x01\x02", b"",
    [1, "x", 2.5, True], ["b", "a", "c"], [3, 1, 2], [], {"k": 7, "n": {"z": [1, 2]}, "s": "v"}, {}, "héllo wörld",
    "GET /pay?x=<1>&y=2", 'a=1 b="two words" c=3', '{"a": 1, "b": [1, "two", null], "c": {"d": 1.5}}',
    "2026-05-01T12:30:45Z", "10.1.2.3", "SGVsbG8=", "4539 1488 0343 6467", None,
]  # fmt: skip
"""What stands under `x`; the last span has no `x`."""

_START: Final = 1_777_638_645_123_456_789
_STRANGE: Final = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def traces() -> dict[str, Any]:
    """Give the spans, of two resources."""
    spans = [_span(place, value) for place, value in enumerate(VALUES)]
    half = len(spans) // 2
    shop = {"service.name": "shop", "host.cpus": 4.5, "z": "res"}
    scope = {"name": "lib", "version": "1.2", "attributes": _attributes({"sa": "sv"})}
    return {
        "resourceSpans": [
            {"resource": {"attributes": _attributes(shop)}, "scopeSpans": [{"scope": scope, "spans": spans[:half]}]},
            {"resource": {"attributes": _attributes({"host.cpus": 2.5})}, "scopeSpans": [{"spans": spans[half:]}]},
        ]
    }


def event_counts() -> list[int]:
    """Say how many events each span has."""
    return [place % 4 for place in range(len(VALUES))]


def _span(place: int, value: Any) -> dict[str, Any]:
    start = _START + place * 10**12 + place
    attributes: dict[str, Any] = {
        "i": place * 3 - 5, "d": place / 4 - 2, "s": ["alpha", "Beta", "gamma delta"][place % 3], "b": place % 2 == 0,
        "l": [place, place + 1], "ls": ["p", "q"][: place % 3],
        "url": f"https://user:pw@example.com:8080/a/b.html?q={place}#frag",
    }  # fmt: skip
    if value is not None:
        attributes["x"] = value
    if place % 4 == 0:
        attributes[f"rare.{place}"] = "r" if value is None else value
    span: dict[str, Any] = {
        "traceId": f"5b8efff798038103d269b633813fc6{place // 5:02x}",
        "spanId": f"eee19b7ec3c1b1{place:02x}",
        "name": ["GET /pay", "POST /pay", "db.query"][place % 3],
        "kind": place % 6,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + place * 1_234_567),
        "attributes": _attributes(attributes),
        "status": [{}, {"code": 1}, {"code": 2, "message": "boom"}][place % 3],
        "events": [_event(start - place, place, which) for which in range(place % 4)],
        "links": [{"traceId": "5b8efff798038103d269b633813fc600", "spanId": "eee19b7ec3c1b100"}] * (place % 2),
    }
    if place % 5:
        span["parentSpanId"] = f"eee19b7ec3c1b1{place - 1:02x}"
    if place % 3:
        span["traceState"] = ["a=1,b=2", "bad state", "ot=th:8", "x@y=1"][place % 4]
    if place % 2:
        span["flags"] = 257
    return span


def _event(start: int, place: int, which: int) -> dict[str, Any]:
    attributes = _attributes({"exception.type": f"E{place % 4}", "w": "word"})
    return {"name": f"e{which}", "timeUnixNano": str(start + which * 1000), "attributes": attributes}


def _attributes(values: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in values.items()]


def _value(value: Any) -> dict[str, Any]:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": _STRANGE.get(str(value), value)}
        case str():
            return {"stringValue": value}
        case bytes():
            return {"bytesValue": base64.b64encode(value).decode()}
        case list():
            return {"arrayValue": {"values": [_value(item) for item in value]}}
    return {"kvlistValue": {"values": _attributes(value)}}
