"""What a Jaeger server is asked: its API of version 3, and of version 1 where it is older or knows no better."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import msgspec

from tracelab.errors import SourceError
from tracelab.live.servers.web import WebPageError
from tracelab.live.servers.windows import Window, iso

if TYPE_CHECKING:
    from tracelab.live.servers.web import Answer, Parameters, Web

EXAMPLE: Final = "http://localhost:16686"
STEP: Final = 1_000
"""Windows of time are whole microseconds, as version 1 has them."""
_MILLISECOND: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Search:
    """What is asked for, whatever way it is asked."""

    window: Window
    depth: int
    service: str
    operation: str | None
    tags: dict[str, str]
    least: int | None
    most: int | None
    again: bool = False
    """Whether the window was answered before, but not whole."""

    def __str__(self) -> str:
        return f"{self.service or 'all services'}, {self.window}"


class _Envelope(msgspec.Struct):
    """What stands around the traces in version 1; the traces themselves are the loaders'."""

    data: list[msgspec.Raw] | None = None
    errors: list[Any] | None = None


class Api(ABC):
    """One of Jaeger's APIs, as a server speaks it."""

    format: str

    def __init__(self, web: Web, services: list[str]) -> None:
        self.web = web
        self.services = services

    @abstractmethod
    def operations(self, service: str) -> list[tuple[str, str | None]]:
        """List the operations of a service, each with its kind where the server says it."""

    @abstractmethod
    def search(self, wanted: Search, *, once: bool = False) -> bytes | None:
        """Give the traces that are found; None if none are."""

    @abstractmethod
    def trace(self, trace_id: str) -> bytes | None:
        """Give a trace; None if the server has it not."""

    @abstractmethod
    def errors_in(self, content: bytes) -> list[str]:
        """List what the server says of traces that it did not give."""


class Version3(Api):
    """OTLP in JSON, to the nanosecond."""

    format = "otlp-json"

    def errors_in(self, content: bytes) -> list[str]:  # noqa: ARG002 - here the whole answer fails
        return []

    def operations(self, service: str) -> list[tuple[str, str | None]]:
        document = _document(self.web, "/api/v3/operations", [("service", service)])
        found = _listed(document.get("operations")) if isinstance(document, dict) else []
        return [(str(each.get("name", "")), _word(each.get("spanKind") or each.get("span_kind"))) for each in found]

    def search(self, wanted: Search, *, once: bool = False) -> bytes | None:
        pairs = [
            ("service_name", wanted.service),
            ("start_time_min", iso(wanted.window.start)),
            ("start_time_max", iso(wanted.window.end)),
            ("search_depth", str(wanted.depth)),
            ("raw_traces", "true"),
        ]
        pairs += [("operation_name", wanted.operation)] if wanted.operation else []
        pairs += [("duration_min", f"{wanted.least}ns")] if wanted.least is not None else []
        pairs += [("duration_max", f"{wanted.most}ns")] if wanted.most is not None else []
        # Old servers know the names with underscores only, new ones will forget them.
        both = [pair for key, value in pairs for pair in ((f"query.{_camel(key)}", value), (f"query.{key}", value))]
        both.append(("query.num_traces", str(wanted.depth)))
        if wanted.tags:
            both.append(("query.attributes", json.dumps(wanted.tags)))
        return _found(self.web.get("/api/v3/traces", both, fine=(404,), once=once), self.web.address("/api/v3/traces"))

    def trace(self, trace_id: str) -> bytes | None:
        path = f"/api/v3/traces/{trace_id}"
        both = [("rawTraces", "true"), ("raw_traces", "true")]
        return _found(self.web.get(path, both, fine=(404,)), self.web.address(path))


class Version1(Api):
    """Jaeger's own JSON, to the microsecond."""

    format = "jaeger-json"

    def operations(self, service: str) -> list[tuple[str, str | None]]:
        answer = self.web.get("/api/operations", [("service", service)], fine=(400, 404))
        if answer.status == 200:
            found = _listed(_data_of(answer))
            return [(str(each.get("name", "")), _word(each.get("spanKind"))) for each in found]
        names = _data_of(self.web.get(f"/api/services/{quote(service, safe='')}/operations"))
        return [(name, None) for name in names if isinstance(name, str)] if isinstance(names, list) else []

    def search(self, wanted: Search, *, once: bool = False) -> bytes | None:
        pairs = [
            ("service", wanted.service),
            ("start", str(wanted.window.start // 1000)),
            ("end", str(-(-wanted.window.end // 1000))),
            ("limit", str(wanted.depth)),
            ("raw", "true"),
        ]
        pairs += [("operation", wanted.operation)] if wanted.operation else []
        pairs += [("minDuration", f"{wanted.least}ns")] if wanted.least is not None else []
        pairs += [("maxDuration", f"{wanted.most}ns")] if wanted.most is not None else []
        pairs += [("tags", json.dumps(wanted.tags))] if wanted.tags else []
        return self._traces(self.web.get("/api/traces", pairs, fine=(404,), once=once), "/api/traces")

    def trace(self, trace_id: str) -> bytes | None:
        path = f"/api/traces/{trace_id}"
        return self._traces(self.web.get(path, [("raw", "true")], fine=(404,)), path)

    def errors_in(self, content: bytes) -> list[str]:
        try:
            errors = msgspec.json.decode(content, type=_Envelope).errors
        except (msgspec.DecodeError, RecursionError):
            return []
        return [str(each.get("msg", each) if isinstance(each, dict) else each)[:200] for each in errors or []]

    def _traces(self, answer: Answer, path: str) -> bytes | None:
        if answer.status == 404:
            _no_traces(answer, self.web.address(path))
            return None
        try:
            envelope = msgspec.json.decode(answer.content, type=_Envelope)
        except (msgspec.DecodeError, RecursionError):
            return answer.content  # the loaders say what it is
        if not envelope.data and (errors := self.errors_in(answer.content)):
            raise SourceError(f"{self.web.address(path)}: the server found no trace, but errors ({errors[0]}).")
        return answer.content if envelope.data else None


def is_jaeger(web: Web) -> bool:
    """Find out by asking whether a Jaeger answers.

    Raises
    ------
    SourceError
        Nobody answers, or not without credentials.
    """
    return _speaking(web)[0] is not None


def spoken(web: Web) -> Api:
    """Find out by asking which API a server speaks; its services come along.

    Raises
    ------
    SourceError
        It is no Jaeger, or cannot be asked.
    """
    api, refused = _speaking(web)
    if api is not None:
        return api
    raise refused or SourceError(
        f"{web.name}: no Jaeger answers there: it has neither /api/v3/services nor /api/services. Check the address: "
        f"that of Jaeger's pages, such as {EXAMPLE}, with the prefix if it has one."
    )


def _speaking(web: Web) -> tuple[Api | None, SourceError | None]:
    refused: SourceError | None = None
    for path, key, api in (("/api/v3/services", "services", Version3), ("/api/services", "data", Version1)):
        try:
            answer = web.get(path, fine=(404, 405, 501))
        except WebPageError as error:
            refused = refused or error
            continue
        document = _json(answer)
        # A server without services leaves the key out.
        if answer.status == 200 and isinstance(document, dict) and (key in document or not document):
            names = document.get(key) or []
            if isinstance(names, list) and all(isinstance(name, str) for name in names):
                return api(web, sorted(set(names))), None
    return None, refused


def that_knows_tags(api: Version3, wanted: Search) -> Api:
    """Find out whether a server heeds tags in version 3, which early ones ignore in silence; if not, version 1 does.

    It is asked for a tag that nothing can have: who then gives traces did not listen.
    """
    nothing = replace(wanted, tags={f"tracelab.{token_hex(8)}": "none"}, depth=1)
    if api.search(nothing) is None:
        return api
    older = api.web.get("/api/services", fine=(404, 405, 501))
    document = _json(older)
    if older.status == 200 and isinstance(document, dict) and "data" in document:
        return Version1(api.web, api.services)
    raise SourceError(
        f"{api.web.name}: this server cannot search by tags. Fetch without them, and filter: "
        "spans.filter(tl.attr('key') == 'value')."
    )


def misreads_errors(api: Api, service: str) -> bool:
    """Find out whether a server keeps traces in memory, as only such ones refuse to look for none.

    Those of Jaeger 2 take the text `true` for no yes, so failed spans are looked for here.
    """
    try:
        api.search(Search(Window(0, STEP), 0, service, None, {}, None, None), once=True)
    except SourceError as error:
        return "search depth" in str(error)
    return False


def dependencies(web: Web, window: Window) -> list[dict[str, Any]]:
    """List which service called which in a time, which version 1 only says."""
    asked = [
        ("endTs", str(window.end // _MILLISECOND)),
        ("lookback", str((window.end - window.start) // _MILLISECOND)),
    ]
    return _listed(_data_of(web.get("/api/dependencies", asked)))


def _found(answer: Answer, name: str) -> bytes | None:
    if answer.status == 404:
        _no_traces(answer, name)
        return None
    return answer.content


def _no_traces(answer: Answer, name: str) -> None:
    """Tell a search that found nothing from a path that is not there."""
    if b"race" not in answer.content:
        raise SourceError(f"{name}: the server answered 404. Check the address: a server behind a prefix needs it.")


def _document(web: Web, path: str, parameters: Parameters) -> Any:
    answer = web.get(path, parameters)
    document = _json(answer)
    if document is None:
        raise SourceError(f"{web.address(path, parameters)}: what came is no JSON. Is this a Jaeger?")
    return document


def _data_of(answer: Answer) -> Any:
    document = _json(answer)
    return document.get("data") if isinstance(document, dict) else document


def _json(answer: Answer) -> Any:
    try:
        return msgspec.json.decode(answer.content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _listed(items: Any) -> list[dict[str, Any]]:
    return [each for each in items if isinstance(each, dict)] if isinstance(items, list) else []


def _word(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
