"""Which column is which: the spellings of every field of a span, in the order in which they are preferred."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from tracelab.errors import LoadError, TracelabError
from tracelab.loaders.documents.log_records import LOG_MARKS
from tracelab.options import shown
from tracelab.schema import TREE_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

UNITS: Final = {"ns": "nanoseconds", "us": "microseconds", "ms": "milliseconds", "s": "seconds"}
"""The units of numbers, and how they are called."""

_UNIT_WORDS: Final = {
    "ns": ("ns", "nano", "nanos", "nanosecond", "nanoseconds", "nsec", "nsecs"),
    "us": ("us", "µs", "μs", "micro", "micros", "microsecond", "microseconds", "usec", "usecs"),
    "ms": ("ms", "milli", "millis", "millisecond", "milliseconds", "msec", "msecs"),
    "s": ("s", "sec", "secs", "second", "seconds"),
}
UNIT_OF: Final = {word: unit for unit, words in _UNIT_WORDS.items() for word in words}

SPELLINGS: Final[dict[str, tuple[str, ...]]] = {
    "trace_id": (
        *("trace_id", "trace.trace_id", "context.trace_id", "span_context.trace_id", "span.trace_id"),
        *("otel.trace_id", "dd.trace_id", "trace_id_hex", "operation_id", "trace"),
    ),
    "span_id": (
        *("span_id", "trace.span_id", "context.span_id", "span_context.span_id", "span.span_id"),
        *("otel.span_id", "dd.span_id", "span_id_hex", "observation_id", "id"),
    ),
    "parent_span_id": (
        *("parent_span_id", "trace.parent_id", "trace.parent_span_id", "parent_id", "parent_span_context.span_id"),
        *("span.parent_span_id", "span.parent_id", "parent_context.span_id", "parent.span_id", "operation_parent_id"),
        *("parent_observation_id", "parent_span_id_hex", "parent_span", "parent"),
    ),
    "name": (
        *("name", "span_name", "operation_name", "operation", "op_name", "display_name", "transaction_name"),
        "resource_name",
    ),
    "kind": ("kind", "span_kind", "kind_string", "span_kind_string", "item_type", "type"),
    "service_name": (
        *("service_name", "service", "resource.service.name", "resource.attributes.service.name"),
        *("resource_attributes.service.name", "attributes.service.name", "process.service_name"),
        "local_endpoint.service_name",
        *("trace_service", "cloud_role_name", "app_role_name", "entity.name", "application_name", "app_name"),
    ),
    "status_code": (
        *("status_code", "otel.status_code", "span.status_code", "status_code_string", "status.status_code"),
        *("status", "span_status", "status_name", "trace_status"),
    ),
    "status_message": (
        *("status_message", "status_description", "otel.status_description", "otel.status_message"),
        *("span.status_message", "status.status_message", "status.description", "trace_status_description"),
    ),
    "error": ("error", "is_error", "has_error", "span.error"),
    "success": ("success", "is_success", "succeeded"),
    "trace_state": ("trace_state", "context.trace_state", "span_context.trace_state", "w3c.tracestate"),
    "flags": ("flags", "trace_flags", "context.trace_flags", "span_context.trace_flags"),
    "scope_name": (
        *("scope_name", "otel.scope.name", "instrumentation_scope.name", "instrumentation_library_name"),
        *("otel.library.name", "library.name"),
    ),
    "scope_version": (
        *("scope_version", "otel.scope.version", "instrumentation_scope.version"),
        *("instrumentation_library_version", "otel.library.version", "library.version"),
    ),
    "events": ("events", "span_events", "logs", "annotations"),
    "links": ("links", "span_links", "references"),
    "annotation_type": ("meta.annotation_type",),
    "link_trace_id": ("trace.link.trace_id",),
    "link_span_id": ("trace.link.span_id",),
}
"""Fields that one column holds. They are compared without case and without what is neither letter nor digit."""

TIMES: Final[dict[str, tuple[str, ...]]] = {
    "start_time": (
        *("start_time", "start", "start_timestamp", "span.start_time", "span.start", "started_at", "start_date"),
        *("start_date_time", "begin_time", "begin", "timestamp", "event_timestamp", "time_generated", "time"),
        *("date_time", "ts", "date"),
    ),
    "end_time": (
        *("end_time", "end", "end_timestamp", "span.end_time", "span.end", "ended_at", "end_date", "end_date_time"),
        *("finish_time", "finished_at", "finish"),
    ),
}
LENGTHS: Final = ("duration", "span.duration", "span_duration", "elapsed", "elapsed_time", "took", "latency", "dur")
"""Fields that have a unit: any of its words may follow the name, as in `duration_ms` or `startTimeUnixNano`."""

OBJECTS: Final[dict[str, tuple[str, ...]]] = {
    "attributes": (
        *("attributes", "span_attributes", "span.attributes", "trace_attributes", "attrs", "attr", "tags", "tag"),
        *("labels", "tag_map", "string_tag_map", "number_tag_map", "bool_tag_map", "attributes_string"),
        *("attributes_number", "attributes_bool", "custom_dimensions", "properties"),
    ),
    "resource_attributes": (
        *("resource_attributes", "resource.attributes", "resource", "resources_string", "resource_tags"),
        *("resource_tags_map", "service_tags", "process_tags", "process.tags"),
    ),
    "scope_attributes": ("scope_attributes", "scope.attributes", "instrumentation_scope.attributes"),
    "more_attributes": ("more_attributes",),
}
"""Fields that hold attributes; all columns of these names count, side by side."""

_PREFIXES: Final = {
    "attributes": (
        *("span.attributes.", "span_attributes.", "spanattributes.", "attributes.", "attribute.", "attrs.", "attr."),
        *("span_attributes_", "attributes_", "attribute_", "attr_", "tags.", "tag.", "labels.", "label."),
        *("customdimensions.", "customdimensions_", "properties.", "span."),
    ),
    "resource_attributes": (
        *("resource.attributes.", "resource_attributes.", "resourceattributes.", "resource_attributes_"),
        "resource.",
    ),
    "scope_attributes": ("scope.attributes.", "scope_attributes.", "instrumentation.", "scope."),
}
_TIMES_OF_SPANS: Final = ("start", "end", "spanstart", "spanend", "begin", "finish")
_WEAK: Final = frozenset(("id", "observationid", "type"))
_ORDER_OF_TIMES: Final = ("ns", "us", "", "ms", "s")
_ORDER_OF_LENGTHS: Final = ("ns", "us", "ms", "s", "")
_NEITHER: Final = re.compile(r"[\W_]+")
_REMEMBERED: Final = 4096


@dataclass(frozen=True, slots=True)
class Asked:
    """Columns that the caller named, and their units where he said them."""

    columns: dict[str, str] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)

    def only(self, there: Iterable[str]) -> Asked:
        """Leave out columns that are not there."""
        kept = set(there)
        columns = {key: column for key, column in self.columns.items() if column in kept}
        return Asked(columns, {key: unit for key, unit in self.units.items() if key in columns})


@dataclass(slots=True)
class Roles:
    """What the columns of a table are: one form of name for each field, and everything else an attribute."""

    fields: dict[str, list[str]] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, tuple[str, str]] = field(default_factory=dict)

    def taken(self) -> set[str]:
        """Give the columns that are a field."""
        return {name for names in self.fields.values() for name in names}


@lru_cache(maxsize=1 << 16)
def squashed(name: str) -> str:
    """Write a name without case and without what is neither letter nor digit."""
    return _NEITHER.sub("", name).casefold()


def _forms() -> dict[str, tuple[str, int, str]]:
    """Give for every form of a name its field, its rank among the forms of the field, and the unit that it says."""
    forms: dict[str, tuple[str, int, str]] = {}
    for kind in (SPELLINGS, OBJECTS):
        for name, spellings in kind.items():
            for rank, spelling in enumerate(spellings):
                forms.setdefault(squashed(spelling), (name, rank, ""))
    for name, spellings in (*TIMES.items(), ("duration", LENGTHS)):
        length = name == "duration"
        order = _ORDER_OF_LENGTHS if length else _ORDER_OF_TIMES
        for base, spelling in enumerate(spellings):
            for place, unit in enumerate(order):
                rank = place * len(spellings) + base if length else base * len(order) + place
                for word in _UNIT_WORDS.get(unit, ("", "utc", "iso", "localtime")):
                    for between in ("", "in", "unix", "epoch", "utc"):
                        forms.setdefault(squashed(spelling) + between + word, (name, rank, unit))
    return forms


_FORMS: Final = _forms()
_INNER: Final = ("annotation_type", "link_trace_id", "link_span_id", "more_attributes")
KEYS: Final = tuple(name for name in (*SPELLINGS, *TIMES, "duration", *OBJECTS) if name not in _INNER)
"""What `columns` may name."""


def is_field(name: str) -> bool:
    """Say whether a column of this name would be a field of a span."""
    return squashed(name) in _FORMS


def roles_of(names: Sequence[str], asked: Asked | None = None) -> Roles:
    """Say what the columns of these names are."""
    asked = asked or Asked()
    roles = _roles(names, asked, "")
    if not looks_like_spans(roles, names) and (prefix := _common(names)):
        cut = _roles(names, asked, prefix)
        roles = cut if looks_like_spans(cut, names) else roles
    return roles


def _roles(names: Sequence[str], asked: Asked, prefix: str) -> Roles:
    roles = Roles({key: [column] for key, column in asked.columns.items()}, dict(asked.units))
    best: dict[str, tuple[int, str]] = {}
    told = roles.taken()
    for column in names:
        form = squashed(column[len(prefix) :])
        known = _FORMS.get(form)
        if known is None or column in told or known[0] in asked.columns:
            continue
        key, rank, unit = known
        if key in OBJECTS:
            roles.fields.setdefault(key, []).append(column)
        elif key not in best or rank < best[key][0]:
            best[key] = rank, form
            roles.fields[key], roles.units[key] = [column], unit
        elif form == best[key][1]:
            # The same name in several spellings, such as `traceId` and `trace_id`, in different rows.
            roles.fields[key].append(column)
    for key, columns in roles.fields.items():
        columns.sort(key=lambda column, key=key: column != key)  # type: ignore[misc]
    _add_attributes(roles, names)
    return roles


def _add_attributes(roles: Roles, names: Sequence[str]) -> None:
    """Say of which scope and key the other columns are; what belongs to the tree is computed anew."""
    taken = roles.taken()
    own_tree = {"tree_left", "tree_right"} <= set(names)
    for column in names:
        if column in taken or (own_tree and column in TREE_COLUMNS):
            continue
        lower = column.lower()
        scoped = (
            (scope, column[len(prefix) :])
            for scope, prefixes in _PREFIXES.items()
            for prefix in prefixes
            if lower.startswith(prefix) and len(column) > len(prefix)
        )
        roles.attributes[column] = next(scoped, ("attributes", column))


def _common(names: Sequence[str]) -> str:
    """Give what all names begin with up to a separator, such as `spans.`; nothing where they do not."""
    if len(names) < 3:
        return ""
    first, last = min(names), max(names)
    same = next(
        (number for number, pair in enumerate(zip(first, last, strict=False)) if len(set(pair)) > 1), len(first)
    )
    shared = first[:same]
    return shared[: max(shared.rfind("."), shared.rfind("_")) + 1]


def looks_like_spans(roles: Roles, names: Iterable[str]) -> bool:
    """Say whether rows with such columns are spans.

    Logs too have ids of traces and spans, a time, perhaps a duration and the name of their logger. Where something says
    that it is a log, a span has a parent, a kind, or a time that is called its start or end. Orders, events and what
    else mentions a trace have an `id`, a name and a time: where the id is not called a span's, a span has a parent, or
    lasts.
    """
    fields = roles.fields
    forms = {squashed(name) for name in fields.get("span_id", [])}
    named_by_span = bool(forms) and not forms <= _WEAK
    identified = "trace_id" in fields or named_by_span
    lasts = "duration" in fields or "end_time" in fields
    if not identified or not (lasts or "start_time" in fields):
        return False
    if "annotation_type" in fields:
        # Events and links in rows of their own, which Honeycomb marks so.
        return True
    log = not LOG_MARKS.isdisjoint(map(squashed, names))
    if "span_id" in fields and not named_by_span and not lasts and "parent_span_id" not in fields:
        return False
    if "span_id" in fields:
        kinds = {squashed(name) for name in fields.get("kind", [])}
        times = {squashed(name) for key in TIMES for name in fields.get(key, [])}
        of_span = (
            "parent_span_id" in fields
            or (bool(kinds - _WEAK) and "name" in fields)
            or any(form.startswith(_TIMES_OF_SPANS) for form in times)
        )
        return (lasts or "name" in fields) and (of_span or not log)
    return lasts and "name" in fields and not log


@lru_cache(maxsize=_REMEMBERED)
def are_columns_of_spans(names: tuple[str, ...]) -> bool:
    """Say whether rows with columns of these names are spans."""
    return looks_like_spans(roles_of(names), names)


@lru_cache(maxsize=_REMEMBERED)
def columns_of_ids(names: tuple[str, ...]) -> tuple[str, ...]:
    """Give the columns that hold the ids of traces and spans."""
    fields = roles_of(names).fields
    return tuple(name for key in ("trace_id", "span_id") for name in fields.get(key, []))


def missing(names: Sequence[str]) -> str:
    """Say what columns of these names lack, to be spans, and what to do."""
    if not LOG_MARKS.isdisjoint(map(squashed, names)):
        lead = "it looks like logs, of which no column says that they are spans: a parent, a kind, a start or an end"
    else:
        lead = f"it looks like rows, but not of spans: {_lacking(names)}"
    listed = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return (
        f"{lead} (columns: {listed}). Say which is which, such as "
        "columns={'trace_id': ..., 'start_time': ..., 'duration': (..., 'ms')}"
    )


def _lacking(names: Sequence[str]) -> str:
    fields = roles_of(names).fields
    wanted = (
        ("an id of the trace or span", {"trace_id", "span_id"}),
        ("a start or end", {"start_time", "end_time"}),
        ("a duration or end, or a span's id", {"duration", "end_time", "span_id"}),
        ("a name", {"name"}),
    )
    lacking = [what for what, keys in wanted if keys.isdisjoint(fields)]
    return f"no column is known as {'; nor as '.join(lacking) or 'more than its ids'}"


def asked_of(columns: Any) -> Asked | None:
    """Read the option `columns`.

    Raises
    ------
    TracelabError
        It names no field of a span, or is no mapping of names.
    """
    if columns is None:
        return None
    if not isinstance(columns, dict) or not columns:
        raise TracelabError(
            f"`columns` must map fields of a span to columns of the file, such as {{'trace_id': 'tid'}}, "
            f"got {shown(columns)}."
        )
    asked = Asked()
    for key, column in columns.items():
        if key not in KEYS:
            raise TracelabError(f"`columns` names {shown(key)}, which is no field.{_near(key, KEYS)}")
        name, unit = column if isinstance(column, tuple | list) and len(column) == 2 else (column, None)
        if not (isinstance(name, str) and name):
            raise TracelabError(
                f"`columns[{key!r}]` must be the name of a column, or a pair of name and unit, got {shown(column)}."
            )
        asked.columns[key] = name
        if unit is not None:
            asked.units[key] = _unit(key, unit)
    return asked


def _unit(key: str, unit: Any) -> str:
    if key not in (*TIMES, "duration"):
        raise TracelabError(f"`columns[{key!r}]` has a unit, {shown(unit)}, but only times and durations have one.")
    known = UNIT_OF.get(unit.strip().lower()) if isinstance(unit, str) else None
    if known is None:
        raise TracelabError(f"`columns[{key!r}]` must have one of the units {', '.join(UNITS)}, got {shown(unit)}.")
    return known


def check_there(names: Sequence[str], asked: Asked, source: str) -> None:
    """Check that the columns that were asked for are there.

    Raises
    ------
    LoadError
        One is not.
    """
    for key, column in asked.columns.items():
        if column not in names:
            where = f"{source}: there" if source else "There"
            raise LoadError(
                f"{where} is no column {column!r}, which `columns` names for {key!r}.{_near(column, tuple(names))}"
            )


def _near(word: Any, known: Sequence[str]) -> str:
    near = get_close_matches(word, known, n=2, cutoff=0.6) if isinstance(word, str) else []
    if near:
        return f" Did you mean {' or '.join(map(repr, near))}?"
    return f" Known: {', '.join(known[:40])}."
