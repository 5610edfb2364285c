"""Which spelling of OTLP JSON a file uses, and the Arrow schema of it.

Arrow's JSON reader is the fastest there is for this, but strict: a field has one type, and unknown fields are errors.
So what a file needs is looked up in its text whenever a piece does not fit, and what still does not fit goes to the
tolerant reader.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import pyarrow as pa

_KIND_NAMED: Final = re.compile(rb'"kind"\s*:\s*"')
_CODE_NAMED: Final = re.compile(rb'"code"\s*:\s*"')
_TIME_NUMBER: Final = re.compile(rb'UnixNano"\s*:\s*[0-9]')
_TIME_TEXT: Final = re.compile(rb'UnixNano"\s*:\s*"')
_INT_NUMBER: Final = re.compile(rb'"intValue"\s*:\s*[-0-9]')
_NESTED: Final = (b'"arrayValue"', b'"kvlistValue"', b'"bytesValue"')


@dataclass(frozen=True, slots=True)
class Shape:
    """How a file spells its spans."""

    bare: bool = False
    kinds_named: bool = False
    codes_named: bool = False
    times_are_numbers: bool = False
    ints_are_numbers: bool = False
    nested_values: bool = False
    batches: bool = False
    library: bool = False

    def of(self, content: bytes) -> Shape:
        """Give the shape that this piece of the file seems to need."""
        return Shape(
            bare=self.bare,
            kinds_named=_KIND_NAMED.search(content) is not None,
            codes_named=_CODE_NAMED.search(content) is not None,
            times_are_numbers=_TIME_NUMBER.search(content) is not None and _TIME_TEXT.search(content) is None,
            ints_are_numbers=_INT_NUMBER.search(content) is not None,
            nested_values=any(name in content for name in _NESTED),
            batches=not self.bare and content.lstrip().startswith(b'{"batches"'),
            library=b'"instrumentationLibrarySpans"' in content,
        )

    @property
    def scope_spans(self) -> str:
        return "instrumentationLibrarySpans" if self.library else "scopeSpans"

    @property
    def scope(self) -> str:
        return "instrumentationLibrary" if self.library else "scope"

    @property
    def resource_spans(self) -> str:
        return "batches" if self.batches else "resourceSpans"


@cache
def schema_of(shape: Shape) -> Any:
    """Give the Arrow schema of a line: a request, or a bare ResourceSpans."""
    text, count = pa.string(), pa.uint32()
    time = pa.uint64() if shape.times_are_numbers else text
    attributes = _attributes(shape)
    dropped = ("droppedAttributesCount", count)
    status = pa.struct([("code", text if shape.codes_named else count), ("message", text)])
    span = pa.struct(
        [
            ("traceId", text),
            ("spanId", text),
            ("parentSpanId", text),
            ("traceState", text),
            ("flags", count),
            ("name", text),
            ("kind", text if shape.kinds_named else count),
            ("startTimeUnixNano", time),
            ("endTimeUnixNano", time),
            ("attributes", attributes),
            dropped,
            ("events", pa.list_(event_type(shape))),
            ("droppedEventsCount", count),
            ("links", pa.list_(link_type(shape))),
            ("droppedLinksCount", count),
            ("status", status),
        ]
    )
    scope = pa.struct([("name", text), ("version", text), ("attributes", attributes), dropped])
    scope_spans = pa.struct([(shape.scope, scope), ("spans", pa.list_(span)), ("schemaUrl", text)])
    resource = pa.struct([("attributes", attributes), dropped])
    fields = [("resource", resource), (shape.scope_spans, pa.list_(scope_spans)), ("schemaUrl", text)]
    return pa.schema(fields if shape.bare else [(shape.resource_spans, pa.list_(pa.struct(fields)))])


def event_type(shape: Shape) -> Any:
    """Give the type of an event."""
    time = pa.uint64() if shape.times_are_numbers else pa.string()
    dropped = ("droppedAttributesCount", pa.uint32())
    return pa.struct([("timeUnixNano", time), ("name", pa.string()), ("attributes", _attributes(shape)), dropped])


def link_type(shape: Shape) -> Any:
    """Give the type of a link."""
    text, count = pa.string(), pa.uint32()
    texts = [("traceId", text), ("spanId", text), ("traceState", text)]
    return pa.struct([*texts, ("attributes", _attributes(shape)), ("flags", count), ("droppedAttributesCount", count)])


def _attributes(shape: Shape) -> Any:
    return pa.list_(pa.struct([("key", pa.string()), ("value", value_type(shape))]))


def value_type(shape: Shape) -> Any:
    """Give the type of AnyValue: scalars only, or one level of nesting where the file has any."""
    text = pa.string()
    scalars = [
        ("stringValue", text),
        ("boolValue", pa.bool_()),
        ("intValue", pa.int64() if shape.ints_are_numbers else text),
        ("doubleValue", pa.float64()),
    ]
    if not shape.nested_values:
        return pa.struct(scalars)
    scalars.append(("bytesValue", text))
    leaf = pa.struct(scalars)
    array = pa.struct([("values", pa.list_(leaf))])
    pairs = pa.struct([("values", pa.list_(pa.struct([("key", text), ("value", leaf)])))])
    return pa.struct([*scalars, ("arrayValue", array), ("kvlistValue", pairs)])
