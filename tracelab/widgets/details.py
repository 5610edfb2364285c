"""The pane that tells everything about one span, as HTML."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tracelab.markup import plain
from tracelab.schema import SPAN_SCHEMA, TYPE_SUFFIX, is_attribute, is_type_companion
from tracelab.units import format_duration

if TYPE_CHECKING:
    import polars as pl

_LONGEST: Final = 4000
_STYLE: Final = (
    "font: 12px/1.5 system-ui, sans-serif; max-height: 260px; overflow: auto; border-top: 1px solid #8884; "
    "padding: 6px 10px"
)
_CELL: Final = "vertical-align: top; padding: 0 14px 0 0; text-align: left"
_NOTHING: Final = "Click a bar to see its attributes and events."


def details_html(span: pl.DataFrame) -> str:
    """Describe a span: its times, status, attributes, events and links. All text of the trace is escaped."""
    if span.is_empty():
        return f'<div style="{_STYLE}; opacity: 0.7">{_NOTHING}</div>'
    row = span.row(0, named=True)
    nanoseconds = span.select("duration").to_series().dt.total_nanoseconds()[0]
    facts = {
        "service": row["service_name"],
        "kind": row["kind"],
        "duration": format_duration(nanoseconds),
        "start": str(row["start_time"]),
        "status": row["status_code"] + (f": {row['status_message']}" if row["status_message"] else ""),
        "scope": " ".join(filter(None, (row["scope_name"], row["scope_version"]))),
        "trace id": row["trace_id"],
        "span id": row["span_id"],
        "parent": row["parent_span_id"],
        "trace state": row["trace_state"],
    }
    parts = [f"<b>{_text(row['name'])}</b>", _table(facts)]
    if attributes := _attributes(row):
        parts += [_heading(f"Attributes ({len(attributes)})"), _table(attributes)]
    for event in row["events"] or []:
        offset = (event["time"] - row["start_time"]) if event["time"] else None
        when = f" at {format_duration(offset.total_seconds() * 1e9)}" if offset is not None else ""
        parts += [_heading(f"Event: {event['name']}{when}"), _table(dict(event["attributes"] or {}))]
    for link in row["links"] or []:
        parts += [
            _heading(f"Link to span {link['span_id']} of trace {link['trace_id']}"),
            _table(dict(link["attributes"] or {})),
        ]
    return f'<div style="{_STYLE}">{"".join(parts)}</div>'


def _attributes(row: dict[str, Any]) -> dict[str, Any]:
    """Collect attributes from columns and from the rest, without their type companions."""
    own = {
        name: value
        for name, value in row.items()
        if is_attribute(name) and not is_type_companion(name) and value is not None and name not in SPAN_SCHEMA
    }
    rest = {name: value for name, value in dict(row["more_attributes"] or {}).items() if not name.endswith(TYPE_SUFFIX)}
    return own | rest


def _heading(text: str) -> str:
    return f'<div style="margin-top: 6px; opacity: 0.75">{_text(text)}</div>'


def _table(values: dict[str, Any]) -> str:
    rows = "".join(
        f'<tr><td style="{_CELL}; opacity: 0.75; white-space: nowrap">{_text(name)}</td>'
        f'<td style="{_CELL}; white-space: pre-wrap; word-break: break-word">{_text(value)}</td></tr>'
        for name, value in values.items()
        if value not in (None, "")
    )
    return f'<table style="border-spacing: 0">{rows}</table>' if rows else ""


def _text(value: object) -> str:
    shown = "true" if value is True else "false" if value is False else value
    return plain(shown, longest=_LONGEST)
