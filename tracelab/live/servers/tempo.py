"""Traces from a Tempo server: a search in TraceQL, then the traces that it finds."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import msgspec
import polars as pl

from tracelab.errors import LoadError, SourceError, TracelabError
from tracelab.live.servers.fetching import Fetch, forget_report
from tracelab.live.servers.web import Web, WebPageError
from tracelab.live.servers.windows import Window, window_of
from tracelab.loaders.otlp.tempo_response import opened
from tracelab.loaders.report import problems
from tracelab.options import shown, whole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracelab.live.servers.web import Answer, Auth
    from tracelab.loaders.report.findings import Problem

_SECOND: Final = 1_000_000_000
_AT_ONCE: Final = 500
_DEEPER: Final = 8
_DEEPEST: Final = 200_000
_AROUND: Final = 3600
_DIGITS: Final = 19
_TOGETHER: Final = 100
_BYTES_TOGETHER: Final = 8 << 20
_PROTOBUF: Final = "application/protobuf"
_ID: Final = re.compile(r"[0-9a-fA-F]{1,32}")
_EXAMPLE: Final = "http://localhost:3200"
TENANT: Final = "X-Scope-OrgID"


@dataclass(frozen=True, slots=True)
class _Search:
    """A search in a window of time for so many traces."""

    window: Window
    depth: int


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A trace that a search found, and the second that it began in."""

    trace_id: str
    second: int | None


_Job = _Search | _Wanted


def fetch_tempo(
    url: str,
    *,
    query: str = "{}",
    start: Any = None,
    end: Any = None,
    lookback: Any = "1h",
    limit: int | None = None,
    tenant: str | None = None,
    headers: Mapping[str, str] | None = None,
    auth: Auth | None = None,
    verify: bool | str = True,
    timeout: Any = None,
    progress: bool | None = None,
) -> pl.DataFrame:
    """Fetch the traces that a TraceQL query finds on a Tempo server, whole.

    Tempo cuts the answer to a search at some number of traces: a window of time whose answer is full is split until
    each answer is whole, and the traces are fetched side by side. Traces that Tempo gives only in part are kept and
    counted; so is what could not be had. One `LoadWarning` sums it up, and `fetch_report()` lists it. Ctrl-C ends
    fetching and keeps what came.

    Parameters
    ----------
    url
        Where Tempo's API is, such as `http://localhost:3200`; also that of a proxy before it, with its prefix.
    query
        TraceQL, as Tempo's version knows it.
    start, end
        The time in which traces are searched: datetimes (UTC unless they say otherwise), ISO texts or nanoseconds
        since 1970; Tempo counts whole seconds. Without `end` until now.
    lookback
        How long before the end to begin, where there is no `start`: `15m`, `2h`, `7d`.
    limit
        At most so many traces, the latest of those that were found; without it all.
    tenant
        Whose traces, where a Tempo serves several: what is sent as `X-Scope-OrgID`.
    headers, auth, verify, timeout, progress
        As for `fetch_jaeger`.

    Returns
    -------
    A span frame, as `read` gives it.

    Raises
    ------
    SourceError
        Nothing can be had: what was asked, what came back, and what to do.
    TracelabError
        An option is none.

    Examples
    --------
    >>> fetch_tempo("localhost:3200", query="{ status = error }")
    Traceback (most recent call last):
    ...
    tracelab.errors.SourceError: localhost:3200: the address of a server begins with http:// or https://. Write ...
    """
    forget_report()
    if not isinstance(query, str):
        raise TracelabError(f"`query` must be TraceQL, got {shown(query)}. All traces are {{}}.")
    window = window_of(start, end, lookback, step=_SECOND)
    depth = _AT_ONCE if limit is None else min(_AT_ONCE, whole("limit", limit, least=1))
    web = _web(url, tenant, headers=headers, auth=auth, verify=verify, timeout=timeout)
    fetch = Fetch(web, web.name, "tempo", progress=progress)
    _Tempo(web, fetch, query, limit).fetch(_Search(window, depth))
    return fetch.end(limit)


def tempo_tags(
    url: str,
    *,
    tenant: str | None = None,
    headers: Mapping[str, str] | None = None,
    auth: Auth | None = None,
    verify: bool | str = True,
    timeout: Any = None,
) -> pl.DataFrame:
    """List the attributes that spans on a Tempo server have; the options are those of `fetch_tempo`.

    Returns
    -------
    `scope` (String: resource, span, event, link, instrumentation, intrinsic; null where an old server does not say
    it), `tag` (String), by both.

    Raises
    ------
    SourceError
        The server cannot be asked.

    Examples
    --------
    >>> tempo_tags("")
    Traceback (most recent call last):
    ...
    tracelab.errors.SourceError: `url` must be the address of a server, got ''. Write http://localhost:3200.
    """
    web = _web(url, tenant, headers=headers, auth=auth, verify=verify, timeout=timeout)
    answer = web.get("/api/v2/search/tags", fine=(404,))
    if answer.status == 404:
        names = _document(web.get("/api/search/tags"), web.address("/api/search/tags")).get("tagNames")
        rows: list[tuple[str | None, str]] = [(None, name) for name in names or [] if isinstance(name, str)]
    else:
        scopes = _document(answer, web.address("/api/v2/search/tags")).get("scopes")
        rows = [
            (_text(scope.get("name")), name)
            for scope in _objects(scopes)
            for name in scope.get("tags") or []
            if isinstance(name, str)
        ]
    frame = pl.DataFrame(rows, schema={"scope": pl.String(), "tag": pl.String()}, orient="row")
    return frame.unique().sort("scope", "tag")


def is_tempo(web: Web) -> bool:
    """Find out by asking whether a Tempo answers, also behind a gateway that lets only questions for traces through.

    Raises
    ------
    SourceError
        Nobody answers, or not without credentials.
    """
    for path, says_so in (("/api/echo", _echoes), ("/api/v2/search/tags", _has_tags), ("/api/search/tags", _has_tags)):
        try:
            answer = web.get(path, accept="*/*", fine=(400, 404, 405, 501))
        except WebPageError:
            continue
        if answer.status == 200 and says_so(answer):
            return True
    return False


def _echoes(answer: Answer) -> bool:
    return answer.content.strip() == b"echo"


def _has_tags(answer: Answer) -> bool:
    document = _json(answer.content)
    return isinstance(document, dict) and bool({"scopes", "tagNames"} & document.keys())


class _Tempo:
    """One fetch from Tempo: windows that are searched, and the traces that were found in them."""

    def __init__(self, web: Web, fetch: Fetch, query: str, limit: int | None) -> None:
        self.web = web
        self._into = fetch
        self._query = query
        self._limit = limit
        self._found: dict[str, int | None] = {}
        self._came: dict[bool, list[tuple[str, bytes]]] = {True: [], False: []}

    def fetch(self, first: _Search) -> None:
        """Search, and fetch what is found."""
        self._fetch(first)
        for came in self._came.values():
            self._take_kept(came)

    def _fetch(self, first: _Search) -> None:
        begin: list[_Job] = [first]
        if self._limit is None:
            self._into.side_by_side(begin, self._ask, self._took, self._missing)
            return
        # Which are the latest is known only when all windows were searched that are later.
        self._into.side_by_side(begin, self._ask, self._searched, self._missing, enough=self._enough)
        latest = sorted(self._found, key=lambda trace_id: (-(self._found[trace_id] or 0), trace_id))
        if not self._into.stopped:
            wanted: list[_Job] = [_Wanted(trace_id, self._found[trace_id]) for trace_id in latest[: self._limit]]
            self._into.side_by_side(wanted, self._ask, self._took, self._missing)

    def _enough(self, open_ones: list[_Job]) -> bool:
        ends = [job.window.end for job in open_ones if isinstance(job, _Search)]
        if self._limit is None or not ends:
            return False
        until = max(ends) // _SECOND
        return sum((second or 0) >= until for second in self._found.values()) >= self._limit

    def _ask(self, job: _Job) -> Answer:
        if isinstance(job, _Wanted):
            return self._trace(job)
        asked = [
            ("q", self._query),
            ("start", str(job.window.start // _SECOND)),
            ("end", str(-(-job.window.end // _SECOND))),
            ("limit", str(job.depth)),
            ("spss", "1"),
        ]
        # What is longer than the server allows is refused: the reason is looked at where the answer is taken.
        return self.web.get("/api/search", asked, fine=(400,))

    def _trace(self, job: _Wanted) -> Answer:
        path = f"/api/v2/traces/{job.trace_id}"
        around = []
        if job.second is not None:
            around = [("start", str(max(job.second - _AROUND, 0))), ("end", str(job.second + _AROUND))]
        accept = f"{_PROTOBUF}, application/json;q=0.5"
        answer = self.web.get(path, around, accept=accept, fine=(404,))
        if answer.status == 404:
            # It is gone, or the server is too old for version 2.
            answer = self.web.get(f"/api/traces/{job.trace_id}", around, accept=accept)
            return replace(answer, kind=f"{answer.kind}; version=1")
        return answer

    def _searched(self, job: _Job, answer: Answer) -> list[_Job]:
        return [each for each in self._took(job, answer) if isinstance(each, _Search)]

    def _took(self, job: _Job, answer: Answer) -> list[_Job]:
        if isinstance(job, _Wanted):
            self._take_trace(job, answer)
            return []
        name = self.web.address("/api/search", [("q", self._query)])
        if answer.status == 400:
            return self._split_refused(job, answer, name)
        document = _document(answer, name)
        seconds: dict[str, int | None] = {}
        for each in _objects(document.get("traces")):
            trace_id = _text(each.get("traceID")) or ""
            if _ID.fullmatch(trace_id):
                seconds[trace_id.lower().rjust(32, "0")] = _second_of(each.get("startTimeUnixNano"))
            else:
                self._into.pieces.note(problems.UNFETCHED_TRACES, place=str(job.window), example=trace_id)
        new: list[_Job] = [_Wanted(*each) for each in seconds.items() if each[0] not in self._found]
        self._found |= seconds
        if len(seconds) < job.depth:
            self._note_unsearched(job, document)
            return new
        return [*self._further(job, seconds), *new]

    def _further(self, job: _Search, seconds: dict[str, int | None]) -> list[_Job]:
        """Give what to search where an answer was full."""
        if self._limit is not None and self._limit <= job.depth:
            return []
        starts = pl.Series([second * _SECOND for second in seconds.values() if second is not None], dtype=pl.Int64())
        parts = job.window.cut_by(starts, _SECOND)
        if len(parts) > 1:
            return [replace(job, window=part) for part in parts]
        if job.depth * _DEEPER <= _DEEPEST:
            return [replace(job, depth=job.depth * _DEEPER)]
        self._into.pieces.note(problems.CUT_ANSWERS, place=str(job.window))
        return []

    def _split_refused(self, job: _Search, answer: Answer, name: str) -> list[_Job]:
        """Split a window that is longer than the server allows; raise what else it refuses."""
        told = " ".join(answer.content[:400].decode("utf-8", "replace").split())
        parts = job.window.parts(2, _SECOND)
        if "exceed" in told and ("range" in told or "duration" in told) and len(parts) > 1:
            return [replace(job, window=part) for part in parts]
        if "limit" in told and job.depth > 1 and "exceed" in told:
            return [replace(job, depth=max(1, job.depth // 4))] if job.depth <= _AT_ONCE else self._stays_cut(job)
        raise SourceError(f"{name}: the server answered 400 ({self.web.clean(told)}). Check the query.")

    def _stays_cut(self, job: _Search) -> list[_Job]:
        self._into.pieces.note(problems.CUT_ANSWERS, place=str(job.window))
        return []

    def _note_unsearched(self, job: _Search, document: dict[str, Any]) -> None:
        metrics = document.get("metrics")
        jobs = metrics if isinstance(metrics, dict) else {}
        done, total = _number(jobs.get("completedJobs")), _number(jobs.get("totalJobs"))
        partial = document.get("status") in ("PARTIAL", 1)
        if partial or (total is not None and (done or 0) < total):
            told = self.web.clean(_text(document.get("message")) or f"{done or 0} of {total} parts were searched")
            self._into.pieces.note(problems.NOT_SEARCHED, place=str(job.window), example=told)

    def _take_trace(self, job: _Wanted, answer: Answer) -> None:
        place = f"trace {job.trace_id}"
        content = answer.content
        if not _is_json(content) and "version=1" not in answer.kind:
            content, partial, told = opened(content, place)
        elif _is_json(content):
            document = _json(content)
            told = _text(document.get("message")) or "" if isinstance(document, dict) else ""
            partial = isinstance(document, dict) and document.get("status") in ("PARTIAL", 1)
        else:
            partial, told = False, ""
        self._keep(content, place)
        if partial:
            self._into.pieces.note(problems.PARTIAL_TRACES, place=place, example=self.web.clean(told))

    def _keep(self, content: bytes, place: str) -> None:
        """Lay an answer by; many small ones are decoded faster together."""
        came = self._came[_is_json(content)]
        came.append((place, content))
        if len(came) >= _TOGETHER or sum(len(each) for _, each in came) > _BYTES_TOGETHER:
            self._take_kept(came)

    def _take_kept(self, came: list[tuple[str, bytes]]) -> None:
        """Decode what was laid by: messages one after another are one message, and so are documents on lines."""
        if not came:
            return
        joint = b"\n" if _is_json(came[0][1]) else b""
        try:
            self._into.take(joint.join(content for _, content in came), came[0][0])
        except LoadError:
            for place, content in came:
                try:
                    self._into.take(content, place)
                except LoadError as error:
                    self._into.failed(SourceError(str(error)), problems.UNFETCHED_TRACES, place)
        came.clear()

    def _missing(self, job: _Job) -> tuple[Problem, str]:
        if isinstance(job, _Wanted):
            return problems.UNFETCHED_TRACES, f"trace {job.trace_id}"
        return problems.MISSING_TIME, str(job.window)


def _web(url: str, tenant: Any, *, headers: Mapping[str, str] | None, **options: Any) -> Web:
    if tenant is not None and not (isinstance(tenant, str) and tenant):
        raise TracelabError(f"`tenant` must be a text, got {shown(tenant)}.")
    sent = dict(headers or {}) | ({} if tenant is None else {TENANT: tenant})
    return Web(url, headers=sent, example=_EXAMPLE, **options)


def _document(answer: Answer, name: str) -> dict[str, Any]:
    document = _json(answer.content)
    if not isinstance(document, dict):
        raise SourceError(f"{name}: what came is no JSON object. Is this a Tempo? Its API is at {_EXAMPLE}.")
    return document


def _is_json(content: bytes) -> bool:
    """Tell JSON from protobuf, of which no message of ours begins with a brace."""
    return content.lstrip()[:1] == b"{"


def _json(content: bytes) -> Any:
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _objects(items: Any) -> list[dict[str, Any]]:
    return [each for each in items if isinstance(each, dict)] if isinstance(items, list) else []


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(value: Any) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _DIGITS:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _second_of(value: Any) -> int | None:
    number = _number(value)
    return None if number is None or number <= 0 else number // _SECOND
