from __future__ import annotations

import json
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.loaders.dumps import START, attribute, protobuf, request, shop_otlp, span
from tracelab.loaders import load_report, read
from tracelab.loaders.otlp.request_lines import line_of_json, line_of_message


def line_of(document: dict[str, Any]) -> bytes:
    return line_of_message(ExportTraceServiceRequest.FromString(protobuf(document)))


def test_a_message_becomes_one_line_that_reads_as_it_does() -> None:
    line = line_of(shop_otlp())
    assert line.count(b"\n") == 1
    assert read(line).equals(read(protobuf(shop_otlp())))


def test_all_that_a_message_holds_is_in_the_line() -> None:
    values: dict[str, Any] = {
        "text": 'a "quoted"\nline',
        "int": 2**63 - 1,
        "double": 0.1,
        "bool": False,
        "bytes": b"\x00\xff",
        "list": [1, "a", [True]],
        "map": {"k": {"n": 1.5}},
        "empty": "",
    }
    attributes = [attribute(key, value) for key, value in values.items()]
    attributes += [{"key": word, "value": {"doubleValue": word}} for word in ("NaN", "Infinity", "-Infinity")]
    attributes.append({"key": "nothing", "value": {}})
    sent = request(
        span(
            attributes=attributes,
            droppedAttributesCount=1,
            events=[{"timeUnixNano": str(START), "name": "e", "attributes": attributes, "droppedAttributesCount": 2}],
            droppedEventsCount=3,
            links=[{"traceId": "ab" * 16, "spanId": "cd" * 8, "traceState": "a=b", "flags": 256}],
            droppedLinksCount=4,
            status={"code": 2, "message": "m"},
            traceState="x=y",
            flags=257,
        ),
        version="1",
        attributes=attributes[:2],
        droppedAttributesCount=5,
    )
    group = sent["resourceSpans"][0]
    group["schemaUrl"] = "https://schemas.example/1"
    group["scopeSpans"][0]["schemaUrl"] = "https://schemas.example/2"
    group["resource"]["droppedAttributesCount"] = 6
    assert json.loads(line_of(sent)) == sent


def test_a_message_without_anything_is_an_empty_request() -> None:
    assert json.loads(line_of({})) == {"resourceSpans": []}
    assert json.loads(line_of({"resourceSpans": [{}]})) == {"resourceSpans": [{}]}


def test_json_becomes_one_line_in_which_every_value_stays_as_it_was_written() -> None:
    body = b'{\n "resourceSpans": [ {"n": 1.000000000000000000001, "t": "a\\nb",\r\n "big": 18446744073709551616} ]\n}'
    line = line_of_json(body)
    assert line == b'{"resourceSpans":[{"n":1.000000000000000000001,"t":"a\\nb","big":18446744073709551616}]}\n'


@pytest.mark.parametrize("body", [b"", b"{", b"{} {}", b"\xff\xfe{\x00}\x00", b"{'a': 1}", b"[" * 100_000], ids=str)
def test_what_is_no_json_by_the_book_has_no_line(body: bytes) -> None:
    assert line_of_json(body) is None


def test_lines_of_many_requests_are_a_dump(tmp_path: Any) -> None:
    path = tmp_path / "dump.jsonl"
    path.write_bytes(
        line_of(request(span("ab" * 8))) + line_of(shop_otlp()) + (line_of_json(b'{"resourceSpans": []}') or b"")
    )
    assert load_report(path).filter(problem="spans")["format"].item() == "otlp-json"
    assert read(path).height == 4
