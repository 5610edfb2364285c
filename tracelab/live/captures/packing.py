"""Finished spans as bytes: as objects of the SDK they take 6 KB each, and the garbage collector walks them all.

Only what is plain is packed, and made into the SDK's objects again for its encoder: a span with events, links or a
trace state stays as it is, and so does every span of an SDK that is built in another way.
"""

from __future__ import annotations

import marshal
from operator import attrgetter
from typing import Any, Final

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

# These are asked of every span of the program, and the SDK's properties copy, or take as long as all else here.
_FIELDS: Final = attrgetter(
    "_name",
    "_context",
    "_parent",
    "_kind._value_",
    "_start_time",
    "_end_time",
    "_attributes",
    "_attributes._dict",
    "_events",
    "_events._dq",
    "_links",
    "_links._dq",
    "_status._status_code._value_",
    "_status._description",
    "_resource",
    "_instrumentation_scope",
)


class Packed:
    """Plain spans as bytes, and the resources and scopes that they share."""

    __slots__ = ("_content", "_owners", "count")

    def __init__(self, rows: list[tuple[Any, ...]], owners: list[tuple[Any, Any]]) -> None:
        self.count = len(rows)
        self._content = marshal.dumps(rows)
        self._owners = owners

    def spans(self) -> list[ReadableSpan]:
        """Give the spans as the SDK has them."""
        rows = marshal.loads(self._content)  # noqa: S302 - nobody else ever had these bytes
        return [self._span(*row) for row in rows]

    def _span(
        self,
        name: str,
        trace_id: int,
        span_id: int,
        flags: int,
        parent: int | None,
        parent_is_remote: bool,
        kind: int,
        start: int,
        end: int,
        attributes: dict[str, Any],
        status: int,
        message: str | None,
        owner: int,
    ) -> ReadableSpan:
        resource, scope = self._owners[owner]
        return ReadableSpan(
            name=name,
            context=SpanContext(trace_id, span_id, is_remote=False, trace_flags=TraceFlags(flags)),
            parent=None if parent is None else SpanContext(trace_id, parent, is_remote=parent_is_remote),
            resource=resource,
            attributes=attributes,
            kind=SpanKind(kind),
            status=Status(StatusCode(status), message),
            start_time=start,
            end_time=end,
            instrumentation_scope=scope,
        )


def packed(spans: list[Any]) -> tuple[Packed | None, list[Any]]:
    """Pack spans; gives those that stay as they are too."""
    try:
        return _packed(spans)
    except (AttributeError, IndexError, TypeError, ValueError):
        return None, spans


def _packed(spans: list[Any]) -> tuple[Packed | None, list[Any]]:
    rows: list[tuple[Any, ...]] = []
    others: list[Any] = []
    owners: list[tuple[Any, Any]] = []
    last_resource = last_scope = None
    for span in spans:
        (
            name,
            context,
            parent,
            kind,
            start,
            end,
            attributes,
            values,
            events,
            has_events,
            links,
            has_links,
            status,
            message,
            resource,
            scope,
        ) = _FIELDS(span)
        lost = attributes.dropped or events.dropped or links.dropped
        trace_id, span_id, _, flags, trace_state, _ = context
        if lost or has_events or has_links or trace_state:
            others.append(span)
            continue
        if resource is not last_resource or scope is not last_scope:
            last_resource, last_scope = resource, scope
            owners.append((resource, scope))
        above, is_remote = (None, False) if parent is None else parent[1:3]
        owner = len(owners) - 1
        rows.append(
            (name, trace_id, span_id, int(flags), above, is_remote, kind, start, end, values, status, message, owner)
        )
    return (Packed(rows, owners) if rows else None), others
