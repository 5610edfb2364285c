"""The messages of OTLP JSON by the book, as msgspec reads them when what can be lifted out of the text is gone.

Where attributes or spans were lifted, a list holds a number.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

_Count = Annotated[int, msgspec.Meta(ge=0)]
_Time = str | int | None
_Enum = str | int | None
_List = list[Any] | None


class Status(msgspec.Struct, gc=False, frozen=True, forbid_unknown_fields=True):
    code: _Enum = 0
    message: str | None = None


class Event(msgspec.Struct, gc=False, forbid_unknown_fields=True, rename="camel"):
    time_unix_nano: _Time = None
    name: str | None = None
    attributes: _List = None
    dropped_attributes_count: _Count | None = 0


class Link(msgspec.Struct, gc=False, forbid_unknown_fields=True, rename="camel"):
    trace_id: str | None = None
    span_id: str | None = None
    trace_state: str | None = None
    attributes: _List = None
    flags: _Count | None = None
    dropped_attributes_count: _Count | None = 0


class Span(msgspec.Struct, gc=False, forbid_unknown_fields=True, rename="camel"):
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    trace_state: str | None = None
    flags: int | None = None
    name: str | None = None
    kind: _Enum = 0
    start_time_unix_nano: _Time = None
    end_time_unix_nano: _Time = None
    attributes: _List = None
    dropped_attributes_count: _Count | None = 0
    events: list[Event] | None = None
    dropped_events_count: _Count | None = 0
    links: list[Link] | None = None
    dropped_links_count: _Count | None = 0
    status: Status | None = None


class Attributed(msgspec.Struct, gc=False, forbid_unknown_fields=True, rename="camel"):
    name: str | None = None
    version: str | None = None
    attributes: _List = None
    dropped_attributes_count: _Count | None = 0


class ScopeSpans(msgspec.Struct, gc=False, forbid_unknown_fields=True, rename="camel"):
    scope: Attributed | None = None
    spans: list[Span | int] | None = None
    schema_url: str | None = None


class LibrarySpans(msgspec.Struct, gc=False, forbid_unknown_fields=True, rename="camel"):
    """What OTLP had before there were scopes."""

    scope: Attributed | None = msgspec.field(default=None, name="instrumentationLibrary")
    spans: list[Span | int] | None = None
    schema_url: str | None = None


class Resource(msgspec.Struct, gc=False, forbid_unknown_fields=True, rename="camel"):
    attributes: _List = None
    dropped_attributes_count: _Count | None = 0


class ResourceSpans(msgspec.Struct, gc=False, forbid_unknown_fields=True, rename="camel"):
    resource: Resource | None = None
    scope_spans: list[ScopeSpans] | None = None
    instrumentation_library_spans: list[LibrarySpans] | None = None
    schema_url: str | None = None


class Request(msgspec.Struct, gc=False, forbid_unknown_fields=True, rename="camel"):
    resource_spans: list[ResourceSpans] | None = None
    batches: list[ResourceSpans] | None = None
