"""The fields of Honeycomb's events: by hand, and against Honeycomb's own translation of OTLP."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

import tracelab as tl
from tracelab.sampling.refinery.fields import EVENT_FIELDS, LINK_FIELDS, SPAN_FIELDS, Events
from tracelab.sampling.refinery.traces import Traces
from tracelab.synthetic import draw

if TYPE_CHECKING:
    from tests.sampling.refinery.conftest import Ask

START = 1_760_000_000_000_000_000


def any_value(value: Any) -> AnyValue:
    match value:
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case str():
            return AnyValue(string_value=value)
        case bytes():
            return AnyValue(bytes_value=value)
        case list():
            return AnyValue(array_value=ArrayValue(values=[any_value(item) for item in value]))
        case _:
            return AnyValue(kvlist_value=KeyValueList(values=key_values(value)))


def key_values(attributes: dict[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=any_value(value)) for key, value in attributes.items()]


def request() -> ExportTraceServiceRequest:
    """Spans with all that they can have, and little."""
    rich = Span(
        trace_id=bytes.fromhex("0102030405060708090a0b0c0d0e0f10"),
        span_id=bytes.fromhex("0102030405060708"),
        parent_span_id=bytes.fromhex("1112131415161718"),
        trace_state="vendor=1",
        name="GET /",
        kind=Span.SPAN_KIND_SERVER,
        start_time_unix_nano=START,
        end_time_unix_nano=START + 1_234_567,
        status=Status(code=Status.STATUS_CODE_ERROR, message="broken"),
        attributes=key_values(
            {
                "text": "a", "whole": -5, "real": 1.0, "flag": False, "list": ["a<b", 'q"'], "numbers": [1, 2],
                "reals": [1.0, 2.5, 1e-7], "mixed": ["a", 1, 2.0, True], "bytes": b"\x01\x02", "empty": "",
                "map": {"a": 1, "b": {"c": "d", "list": [1]}}, "both": "span", "shadow": "span", "name": "named",
            }
        ),
        events=[
            Span.Event(time_unix_nano=START + 5, name="first", attributes=key_values({"text": "event", "n": "x"})),
            Span.Event(time_unix_nano=START + 9, name="exception", attributes=key_values({"exception.type": "E"})),
        ],
        links=[
            Span.Link(
                trace_id=bytes(8) + bytes.fromhex("aabbccddeeff0011"),
                span_id=bytes.fromhex("2122232425262728"),
                attributes=key_values({"linked": "yes"}),
            )
        ],
    )  # fmt: skip
    plain = Span(
        trace_id=bytes(8) + bytes.fromhex("3132333435363738"),
        span_id=bytes.fromhex("4142434445464748"),
        name="plain",
        start_time_unix_nano=START,
        end_time_unix_nano=START,
        attributes=key_values({"whole": "text", "sampleRate": 4, "SampleRate": 5}),
    )
    scope = InstrumentationScope(
        name="io.opentelemetry.x", version="1.2", attributes=key_values({"both": "scope", "of.scope": 1})
    )
    resource = Resource(attributes=key_values({"service.name": "shop", "both": "resource", "of.resource": True}))
    return ExportTraceServiceRequest(
        resource_spans=[
            ResourceSpans(resource=resource, scope_spans=[ScopeSpans(scope=scope, spans=[rich])]),
            ResourceSpans(scope_spans=[ScopeSpans(spans=[plain])]),
        ]
    )


def events_of(spans: pl.DataFrame) -> Events:
    return Events(Traces(spans))


def named(fields: dict[str, Any]) -> tuple[Any, ...]:
    """Name an event by what tells it from others."""
    return tuple(fields.get(name) for name in ("trace.span_id", "trace.link.span_id", "meta.annotation_type", "n"))


def ours(events: Events, names: set[str]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [{} for _ in range(events.height)]
    for name in sorted(names):
        for column in events.field(name).kinds.values():
            for row, value in enumerate(column.to_list()):
                if value is not None:
                    assert name not in rows[row]
                    rows[row][name] = value
    return rows


# What newer translations than the one that can be had give.
NEWER = {"trace.trace_state", "exception.type", "meta.time_since_span_start_ms", "meta.span_count"}


def test_fields_are_those_of_the_real_translation(ask_refinery: Ask) -> None:
    content = request().SerializeToString()
    told = ask_refinery({"otlp": base64.b64encode(content).decode()})["events"]
    # JSON has one kind of numbers; the answer says of which kind each is.
    real = [
        {
            name: float(value["float"]) if "float" in value else next(iter(value.values()))
            for name, value in event.items()
        }
        for event in told
    ]
    names = {name for event in real for name in event} | {
        *SPAN_FIELDS,
        *EVENT_FIELDS,
        *LINK_FIELDS,
        "map",
        "SampleRate",
    }
    found = ours(events_of(tl.read(content)), names)
    assert len(found) == len(real) == 5
    for event in real:
        event.pop("map", None)  # which newer translations take apart
        like = next(each for each in found if named(each) == named(event))
        assert {name: value for name, value in like.items() if name not in NEWER or name in event} == event
        assert {name: type(like[name]) for name in event} == {name: type(value) for name, value in event.items()}


def test_newer_translations_have_more_fields() -> None:
    asked = NEWER | {"name", "map.a", "map.b.c", "map.b.list", "map.b"}
    events = events_of(tl.read(request().SerializeToString()))
    found = {row.pop("name", "a link"): row for row in ours(events, asked)}
    assert found == {
        "named": {
            "trace.trace_state": "vendor=1", "exception.type": "E", "map.a": 1, "map.b.c": "d", "map.b.list": "[1]\n",
        },
        "plain": {"meta.span_count": 1},
        "first": {"meta.time_since_span_start_ms": 5e-6},
        "exception": {"meta.time_since_span_start_ms": 9e-6, "exception.type": "E"},
        "a link": {},
    }  # fmt: skip


def test_an_unknown_service_has_no_name() -> None:
    spans = draw("""
        unknown_service::a ==
          web::b           .=
    """)
    assert ours(events_of(spans), {"service.name"}) == [{}, {"service.name": "web"}]


def test_attributes_without_a_column_are_found() -> None:
    entries = [
        {"key": "span.n", "value": "7"},
        {"key": "span.n:type", "value": "int"},
        {"key": "resource.t", "value": "x"},
    ]
    spans = draw("api ==").with_columns(more_attributes=pl.lit(entries).cast(pl.Map(pl.String(), pl.String())))
    assert ours(events_of(spans), {"n", "t"}) == [{"n": 7, "t": "x"}]


@pytest.mark.parametrize("name", ["", ".", "a.", "no such field", "x" * 1000, "span.n", "?.x", "root."])
def test_any_name_of_a_field_may_be_asked_for(name: str) -> None:
    events = events_of(draw("api == n=1"))
    assert not events.field(name).exists.any()
    assert not events.root_field(name).exists.any()


def test_a_frame_without_spans_has_no_events() -> None:
    events = events_of(draw("api ==").head(0))
    assert events.height == events.traces.count == 0
    assert events.field("name").text().len() == events.root_field("name").text().len() == 0
