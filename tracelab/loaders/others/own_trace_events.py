"""Trace events that `tracelab.write` wrote: the arguments of their slices hold whole spans, so that none is guessed.

Their categories begin with `tracelab.`. Slices are spans and instants are their events; the critical path is computed
anew by who asks for it, and flows are drawn from links and parents, which the spans have.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from tracelab.loaders.columns.chunk import BOOL, BYTES, DOUBLE, INT, STRING
from tracelab.loaders.documents.fields import attributes_of, fields_of
from tracelab.loaders.report import problems
from tracelab.schema import KINDS, SCOPES, STATUS_CODES, TYPE_SUFFIX, VALUE_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracelab.loaders.columns.builder import Builder, Value

    Time = Callable[[Any, str], int | None]

CATEGORY: Final = "tracelab."
BASE: Final = "tracelabBaseTimeNanoseconds"
"""The key of a document that says when its clock began, where that is a time that other readers doubt."""

NAMES: Final = "tracelab.metadata"
_SPAN: Final = "tracelab.span"
_EVENT: Final = "tracelab.event"
_UNKNOWN_SERVICE: Final = "unknown_service"
_DOUBLES: Final = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
_KINDS: Final = {name: number for number, name in enumerate(KINDS)}
_STATUSES: Final = {name: number for number, name in enumerate(STATUS_CODES)}
_SIMPLE: Final[dict[type, int]] = {str: STRING, bool: BOOL, int: INT, float: DOUBLE}
_LARGEST: Final = 2**63 - 1


class OwnEvents:
    """Collects them, and adds their spans to a builder when all are there."""

    def __init__(self, builder: Builder) -> None:
        self.builder = builder
        self.slices: list[tuple[dict[str, Any], Any, str]] = []
        self.instants: defaultdict[tuple[Any, Any], list[dict[str, Any]]] = defaultdict(list)
        self.resources: dict[tuple[Any, ...], int] = {}
        self.scopes: dict[tuple[Any, ...], int] = {}

    def add(self, event: dict[str, Any], pid: Any, place: str) -> None:
        """Take an event; those that only draw what spans say are left."""
        category, args = event["cat"], fields_of(event.get("args"))
        if category == _SPAN:
            self.slices.append((event, pid, place))
        elif category == _EVENT:
            self.instants[_text(args.get("trace_id")), _text(args.get("span_id"))].append(event)

    def finish(self, base: int, services: dict[Any, str], time: Time) -> None:
        """Add all spans."""
        for event, pid, place in self.slices:
            self._add_span(event, services.get(pid), base, time, place)

    def _add_span(self, event: dict[str, Any], service: str | None, base: int, time: Time, place: str) -> None:
        args = fields_of(event.get("args"))
        scopes = self._attributes(args, place)
        start, length = time(event.get("ts"), place), time(event.get("dur"), place)
        begin = self._instant(start, base, place)
        row = self.builder.span(
            place=place,
            trace_id=_text(args.get("trace_id")),
            span_id=_text(args.get("span_id")),
            parent_span_id=_text(args.get("parent_span_id")),
            name=_text(event.get("name")),
            kind=_number(_KINDS, args.get("kind")),
            start_time=begin,
            end_time=None if begin is None or length is None else begin + length,
            resource=self._resource(service, scopes["resource"]),
            scope=self._scope(args, scopes["instrumentation"]),
            status_code=_number(_STATUSES, args.get("status_code")),
            status_message=_text(args.get("status_message")),
            trace_state=_text(args.get("trace_state")),
            flags=_flags(args.get("flags")),
            attributes=scopes["span"],
        )
        key = _text(args.get("trace_id")), _text(args.get("span_id"))
        for instant in self.instants.pop(key, ()):
            happened = self._instant(time(instant.get("ts"), place), base, place)
            attributes = _texts(fields_of(instant.get("args")).get("attributes"))
            self.builder.events.add(row, attributes, time=happened, name=_text(instant.get("name")))
        links = args.get("links")
        for link in links if isinstance(links, list) else ():
            told = fields_of(link)
            ids = {name: _text(told.get(name)) for name in ("trace_id", "span_id", "trace_state")}
            self.builder.links.add(row, _texts(told.get("attributes")), **ids)

    def _instant(self, time: int | None, base: int, place: str) -> int | None:
        if time is None or 0 <= time + base <= _LARGEST:
            return None if time is None else time + base
        self.builder.findings.add(problems.BAD_TIME, place=place, example=time)
        return None

    def _attributes(self, args: dict[str, Any], place: str) -> dict[str, list[tuple[str, Value]]]:
        """Read the attributes of each scope."""
        found: dict[str, list[tuple[str, Value]]] = {scope: [] for scope in SCOPES}
        for name, held in args.items():
            scope, dot, key = name.partition(".")
            if not dot or scope not in found or (key.endswith(TYPE_SUFFIX) and name.removesuffix(TYPE_SUFFIX) in args):
                continue
            told = args.get(name + TYPE_SUFFIX)
            if told == "double" and isinstance(held, list):
                held = [_DOUBLES.get(item, item) if isinstance(item, str) else item for item in held]  # noqa: PLW2901
            value = _typed(held, told) if isinstance(told, str) and told in VALUE_TYPES else None
            if value is not None:
                found[scope].append((key, value))
            else:
                found[scope] += self._plain(key, held, place)
        return found

    def _plain(self, key: str, held: Any, place: str) -> list[tuple[str, Value]]:
        kind = _SIMPLE.get(type(held))
        if kind is None or (kind == INT and not -_LARGEST <= held <= _LARGEST):
            return attributes_of({key: held}, self.builder, place)
        return [(key, (kind, held))]

    def _resource(self, service: str | None, attributes: list[tuple[str, Value]]) -> int:
        key = (service, *((name, repr(value)) for name, value in attributes))
        if key not in self.resources:
            named = [] if service in (None, _UNKNOWN_SERVICE) else [("service.name", (STRING, service))]
            self.resources[key] = self.builder.resource([*named, *attributes])
        return self.resources[key]

    def _scope(self, args: dict[str, Any], attributes: list[tuple[str, Value]]) -> int:
        name, version = _text(args.get("scope_name")), _text(args.get("scope_version"))
        key = (name, version, *((name, repr(value)) for name, value in attributes))
        if key not in self.scopes:
            self.scopes[key] = self.builder.scope(name, version, attributes)
        return self.scopes[key]


def _typed(held: Any, told: Any) -> Value | None:
    """Read what JSON had no value for; None where it is not what was told."""
    if told == "double" and isinstance(held, str) and held in _DOUBLES:
        return DOUBLE, _DOUBLES[held]
    if not isinstance(held, str):
        return None
    # Kinds are numbered as the types are listed; bytes, arrays and maps stand as text in a builder, too.
    kind = VALUE_TYPES.index(told)
    return (kind, held) if kind >= BYTES else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _texts(attributes: Any) -> dict[str, str]:
    return {key: held for key, held in fields_of(attributes).items() if isinstance(held, str)}


def _number(known: dict[str, int], value: Any) -> int:
    return known.get(value, 0) if isinstance(value, str) else 0


def _flags(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < 2**32 else None
