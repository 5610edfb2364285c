from __future__ import annotations

import json
from typing import Any

from tests.loaders.dumps import CALL, ROOT, TRACE_ID, compact
from tracelab.loaders import read


def python_span(**fields: Any) -> dict[str, Any]:
    return {
        "name": "work",
        "context": {"trace_id": f"0x{TRACE_ID}", "span_id": f"0x{CALL}", "trace_state": "[]"},
        "kind": "SpanKind.CLIENT",
        "parent_id": f"0x{ROOT}",
        "start_time": "2026-05-01T12:00:00.000001Z",
        "end_time": "2026-05-01T12:00:00.000501Z",
        "status": {"status_code": "ERROR", "description": "no"},
        "attributes": {"a": 1, "b": [1.5, 2.5]},
        "events": [{"name": "e", "timestamp": "2026-05-01T12:00:00.000101Z", "attributes": {"x": True}}],
        "links": [{"context": {"trace_id": f"0x{'ab' * 16}", "span_id": f"0x{'cd' * 8}"}, "attributes": {}}],
        "resource": {"attributes": {"service.name": "shop"}, "schema_url": ""},
        **fields,
    }


def test_the_python_sdk_is_read() -> None:
    for content in (json.dumps(python_span(), indent=4).encode(), compact(python_span()), compact([python_span()])):
        row = read(content).row(0, named=True)
        assert (row["span_id"], row["parent_span_id"], row["kind"], row["service_name"]) == (
            CALL,
            ROOT,
            "client",
            "shop",
        )
        assert (row["status_code"], row["status_message"], row["trace_state"]) == ("error", "no", None)
        assert (row["span.a"], row["span.b"]) == (1, [1.5, 2.5])
        assert row["duration"].total_seconds() == 0.0005
        assert row["events"][0]["attributes"] == {"x": "true"}
        assert row["links"][0]["trace_id"] == "ab" * 16


def test_gos_stdouttrace_is_read() -> None:
    def attribute(key: str, kind: str, value: Any) -> dict[str, Any]:
        return {"Key": key, "Value": {"Type": kind, "Value": value}}

    span = {
        "Name": "work",
        "SpanContext": {"TraceID": TRACE_ID, "SpanID": CALL, "TraceFlags": "01", "TraceState": "a=b"},
        "Parent": {"TraceID": "0" * 32, "SpanID": "0" * 16},
        "SpanKind": 3,
        "StartTime": "2026-05-01T12:00:00.000000001+02:00",
        "EndTime": "2026-05-01T12:00:00.000000501+02:00",
        "Attributes": [
            attribute("a", "INT64", 2**60),
            attribute("b", "FLOAT64", 2),
            attribute("c", "STRINGSLICE", ["x"]),
        ],
        "Events": [{"Name": "e", "Time": "2026-05-01T12:00:00+02:00", "Attributes": None}],
        "Links": None,
        "Status": {"Code": "Error", "Description": "no"},
        "Resource": [attribute("service.name", "STRING", "shop")],
        "InstrumentationScope": {"Name": "lib", "Version": "1"},
    }
    row = read(json.dumps(span, indent=2).encode())
    found = row.row(0, named=True)
    assert (found["parent_span_id"], found["kind"], found["flags"], found["trace_state"]) == (None, "client", 1, "a=b")
    assert (found["span.a"], found["span.b"], found["span.c"]) == (2**60, 2.0, ["x"])
    assert (found["service_name"], found["scope_name"], found["status_code"]) == ("shop", "lib", "error")
    assert row["duration"].dt.total_nanoseconds().to_list() == [500]
    assert row["start_time"].dt.hour().to_list() == [10]
