"""Which values of a span conditions can name, and which of these no span frame holds."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tracelab.sampling.ottl import nodes as n

CONTEXTS: Final = ("span", "spanevent")
"""What a list of conditions can be about."""

_IDS: Final = ("trace_id", "span_id", "parent_span_id")
_SPAN: Final = (
    *_IDS,
    *(f"{name}.string" for name in _IDS),
    *("trace_state", "name", "kind", "kind.string", "kind.deprecated_string"),
    *("start_time_unix_nano", "end_time_unix_nano", "start_time", "end_time", "attributes", "events", "links"),
    *("status", "status.code", "status.message", "flags"),
    *("dropped_attributes_count", "dropped_events_count", "dropped_links_count"),
)
_SCOPE: Final = ("name", "version", "attributes", "dropped_attributes_count", "schema_url")
_NAMES: Final = {
    "span": _SPAN,
    "spanevent": ("time_unix_nano", "time", "name", "attributes", "dropped_attributes_count", "event_index"),
    "resource": ("attributes", "dropped_attributes_count", "schema_url"),
    "scope": _SCOPE,
    "instrumentation_scope": _SCOPE,
    "otelcol": ("client.addr", "client.auth.attributes", "client.metadata", "grpc.metadata"),
}
_INDEXED: Final = ("attributes", "cache", "trace_state", "client.auth.attributes", "client.metadata", "grpc.metadata")
_NOT_HELD: Final = {
    "dropped_attributes_count": "a span frame does not hold how many attributes were dropped",
    "dropped_events_count": "a span frame does not hold how many events were dropped",
    "dropped_links_count": "a span frame does not hold how many links were dropped",
    "schema_url": "a span frame does not hold schema URLs",
}
_OF_THE_REQUEST: Final = "a span frame does not hold what came with the request that brought a span"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands: in what of a span, under which name, and behind which keys.

    `missing` says why a span frame does not hold it; it is empty where it does. `given` says that the path names the
    context itself.
    """

    context: str
    name: str
    keys: tuple[n.Value, ...]
    missing: str = ""
    given: bool = False


class UnknownPathError(ValueError):
    """A path that leads nowhere; `start` says which part of it is at fault."""

    def __init__(self, message: str, start: int) -> None:
        super().__init__(message)
        self.start = start


def place_of(path: n.Path, context: str) -> Place:
    """Find what a path of a condition about spans, or about span events, names.

    Raises
    ------
    UnknownPathError
        There is no such path, or it has keys where it takes none.
    """
    contexts = [name for name in _NAMES if name != "spanevent" or context == "spanevent"]
    first = path.segments[0]
    given = first.name in contexts and not first.keys and len(path.segments) > 1
    within = first.name if given else context
    segments = path.segments[1:] if given else path.segments
    name = ".".join(segment.name for segment in segments)
    names = [*_NAMES[within], *(["cache"] if within == context else [])]
    if name not in names:
        raise UnknownPathError(_advice(name, within, names, context), _wrong_part(segments, names).start)
    for segment in segments[:-1] if name in _INDEXED else segments:
        if segment.keys:
            raise UnknownPathError(f"`{segment.name}` takes no keys in brackets.", segment.start)
    keys = segments[-1].keys
    if name == "trace_state" and len(keys) > 1:
        raise UnknownPathError("`trace_state` takes one key in brackets.", first.start)
    missing = _OF_THE_REQUEST if within == "otelcol" else _NOT_HELD.get(name, "")
    within = "scope" if within == "instrumentation_scope" else within
    return Place(within, name, keys, missing, given)


def _wrong_part(segments: tuple[n.Segment, ...], names: list[str]) -> n.Segment:
    """Find the first part with which the path leads nowhere."""
    for count in range(1, len(segments) + 1):
        begun = ".".join(segment.name for segment in segments[:count])
        if not any(name == begun or name.startswith(f"{begun}.") for name in names):
            return segments[count - 1]
    return segments[-1]


def _advice(name: str, within: str, names: list[str], context: str) -> str:
    message = f"`{within}` has no path `{name}`."
    first, _, rest = name.partition(".")
    if first == "attributes":
        return f'{message} An attribute is read as `attributes["{rest}"]`.'
    elsewhere = [
        f"{other}.{name}"
        for other in _NAMES
        if name in _NAMES[other] and other not in (within, "instrumentation_scope")
    ]
    near = get_close_matches(name, names, 3, 0.6) or [
        other for other in elsewhere if context == "spanevent" or "event" not in other
    ]
    if near:
        return f"{message} Did you mean {' or '.join(f'`{one}`' for one in near)}?"
    return f"{message} There are {', '.join(names)}."
