"""The pane that tells everything about one span, as HTML."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from tracelab.figures.charts.gantt import clock_notes
from tracelab.markup import named, plain
from tracelab.schema import SCOPES, SPAN_SCHEMA, is_attribute, is_type_companion
from tracelab.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

_LONGEST: Final = 4000
_STYLE: Final = (
    "font: 12px/1.5 system-ui, sans-serif; max-height: 280px; overflow: auto; border-top: 1px solid #8884; "
    "padding: 6px 10px"
)
_COLUMNS: Final = "display: flex; flex-wrap: wrap; gap: 4px 28px; align-items: flex-start"
_COLUMN: Final = "flex: 1 1 250px; min-width: 0; max-width: 100%"
_HEADING: Final = "margin: 4px 0 1px; opacity: 0.7; text-transform: uppercase; font-size: 10px; letter-spacing: 0.05em"
_KEY: Final = "vertical-align: top; padding: 0 12px 0 0; text-align: left; opacity: 0.75"
_LONGEST_KEY: Final = 28
_VALUE: Final = "vertical-align: top; text-align: left; white-space: pre-wrap; overflow-wrap: anywhere"
_NOTHING: Final = "Click a row to see the attributes and events of its span."


def details_html(span: pl.DataFrame, *, row: Mapping[str, Any] | None = None, on_path: int = 0) -> str:
    """Describe a span: its times, status, attributes, events and links. All text of the trace is escaped.

    Parameters
    ----------
    span
        A span frame of one row, or of none.
    row
        The span's row in the timeline, for what only the trace tells of it.
    on_path
        How many nanoseconds of the critical path are the span's.
    """
    if span.is_empty():
        return f'<div style="{_STYLE}; opacity: 0.7">{_NOTHING}</div>'
    values = span.row(0, named=True)
    columns = [_table(_facts(span, values, row or {}, on_path))]
    if attributes := _attributes(values):
        columns.append(attributes)
    if happenings := _events(span, values) + _links(values):
        columns.append(happenings)
    body = "".join(f'<div style="{_COLUMN}">{column}</div>' for column in columns)
    title = _text(named(values["name"] or ""))
    name = f'<div style="font-size: 13px; font-weight: 600; overflow-wrap: anywhere">{title}</div>'
    return f'<div style="{_STYLE}">{name}<div style="{_COLUMNS}">{body}</div></div>'


def _facts(span: pl.DataFrame, values: Mapping[str, Any], row: Mapping[str, Any], on_path: int) -> dict[str, Any]:
    message = f": {values['status_message']}" if values["status_message"] else ""
    length = int(span["duration"].dt.total_nanoseconds()[0])
    begin = span["start_time"].dt.to_string("%Y-%m-%d %H:%M:%S%.9f")[0].rstrip("0").rstrip(".")
    return {
        "service": values["service_name"],
        "kind": values["kind"],
        "status": f"{values['status_code']}{message}",
        "duration": format_duration(length),
        "self": format_duration(row["self_time"]) if row.get("below") else None,
        "on the path": f"{format_duration(on_path)} ({on_path / max(length, 1):.0%})" if on_path else None,
        "start": f"{begin} UTC",
        "in the trace": "; ".join([f"at {format_duration(row['start'])}", *clock_notes(row)]) if row else None,
        "spans below": f"{row['below']:,}" if row.get("below") else None,
        "scope": " ".join(filter(None, (values["scope_name"], values["scope_version"]))),
        "trace id": values["trace_id"],
        "span id": values["span_id"],
        "parent": f"{values['parent_span_id'] or ''}{' (missing)' if row.get('fragment') else ''}",
        "trace state": values["trace_state"],
    }


def _attributes(values: Mapping[str, Any]) -> str:
    """Show attributes from columns and from the rest, scope by scope, without their type companions."""
    own = {
        name: value
        for name, value in values.items()
        if is_attribute(name) and not is_type_companion(name) and value is not None and name not in SPAN_SCHEMA
    }
    more = {name: value for name, value in dict(values["more_attributes"] or {}).items() if not is_type_companion(name)}
    parts = []
    for scope in SCOPES:
        prefix = f"{scope}."
        chosen = {name.removeprefix(prefix): v for name, v in {**own, **more}.items() if name.startswith(prefix)}
        if chosen:
            parts.append(_heading(f"{scope} attributes") + _table(dict(sorted(chosen.items()))))
    return "".join(parts)


def _events(span: pl.DataFrame, values: Mapping[str, Any]) -> str:
    # Through the column, since Python's own times are cut to microseconds.
    times = span["events"].list.explode(keep_nulls=False, empty_as_null=False).struct.field("time")
    offsets = (times - span["start_time"][0]).dt.total_nanoseconds() if times.len() else times
    parts = []
    for event, offset in zip(values["events"] or [], offsets, strict=True):
        when = "" if offset is None else f" at {format_duration(offset)}"
        parts.append(
            _heading(f"Event{when}") + f"<b>{_text(event['name'])}</b>" + _table(dict(event["attributes"] or {}))
        )
    return "".join(parts)


def _links(values: Mapping[str, Any]) -> str:
    return "".join(
        _heading("Link")
        + _table({"trace id": link["trace_id"], "span id": link["span_id"], **dict(link["attributes"] or {})})
        for link in values["links"] or []
    )


def _heading(text: str) -> str:
    return f'<div style="{_HEADING}">{_text(text)}</div>'


def _table(values: Mapping[str, Any]) -> str:
    rows = "".join(
        f'<tr><td style="{_KEY}; {_wrapping(name)}">{_text(name)}</td><td style="{_VALUE}">{_text(value)}</td></tr>'
        for name, value in values.items()
        if value not in (None, "")
    )
    return f'<table style="border-spacing: 0; table-layout: auto">{rows}</table>' if rows else ""


def _wrapping(key: str) -> str:
    return "overflow-wrap: anywhere" if len(key) > _LONGEST_KEY else "white-space: nowrap"


def _text(value: object) -> str:
    written = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return plain(written, longest=_LONGEST)
