"""Traces from a Jaeger server: searched in windows of time, all of them or by services."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from tracelab.errors import LoadError, SourceError, TracelabError
from tracelab.live.servers.fetching import Fetch, forget_report
from tracelab.live.servers.jaeger_api import (
    EXAMPLE,
    STEP,
    Search,
    Version3,
    dependencies,
    misreads_errors,
    spoken,
    that_knows_tags,
)
from tracelab.live.servers.web import Web
from tracelab.live.servers.windows import Window, window_of
from tracelab.loaders.report import problems
from tracelab.options import nanoseconds, shown, whole
from tracelab.schema import is_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tracelab.live.servers.jaeger_api import Api
    from tracelab.live.servers.web import Auth
    from tracelab.loaders.report.findings import Problem

_AT_ONCE: Final = 200
_FEWER: Final = 20
_MOST_AT_ONCE: Final = 1_500
_BYTES_AT_ONCE: Final = 4 << 20
_SECONDS_AT_ONCE: Final = 5.0
_DEEPER: Final = 8
_SETTLED: Final = 30_000_000_000
_DEEPEST: Final = 100_000
_ID: Final = re.compile(r"[0-9a-fA-F]{1,32}")


def fetch_jaeger(
    url: str,
    *,
    service: str | list[str] | None,
    operation: str | None = None,
    start: Any = None,
    end: Any = None,
    lookback: Any = "1h",
    tags: Mapping[str, Any] | None = None,
    min_duration: Any = None,
    max_duration: Any = None,
    limit: int | None = None,
    headers: Mapping[str, str] | None = None,
    auth: Auth | None = None,
    verify: bool | str = True,
    timeout: Any = None,
    progress: bool | None = None,
) -> pl.DataFrame:
    """Fetch the traces of a service, of several or of all from a Jaeger server.

    All traces of the time come, however many these are: Jaeger cuts every answer at some number of traces and does not
    say so, so a window of time whose answer is full is split until each answer is whole. Spans are as they were sent,
    without the shifts of clocks that Jaeger's pages show. What could not be had is counted: one `LoadWarning` sums it
    up, and `fetch_report()` lists it. Ctrl-C ends fetching and keeps what came.

    Parameters
    ----------
    url
        Where Jaeger's pages are, such as `http://localhost:16686`, with the prefix if it has one.
    service
        A service, a list of them, or None for all.
    operation
        Only traces in which the service has a span of this name.
    start, end
        The time in which spans of the service start: datetimes (UTC unless they say otherwise), ISO texts or
        nanoseconds since 1970. Without `end` until now.
    lookback
        How long before the end to begin, where there is no `start`: `15m`, `2h`, `7d`.
    tags
        Attributes that a span of the service has: `{"http.status_code": 500, "error": True}`.
    min_duration, max_duration
        How long a span of the service lasts, such as `250ms`.
    limit
        At most so many traces, the latest of those that the server gives; without it all.
    headers, auth, verify, timeout
        What else is sent with every question, such as a token; a user and a password, or what requests takes as
        `auth`; False, or a file of certificates, for a server with its own; how long to wait for one answer, 60 s if
        not said. What opens the server is sent to its host only, and shown nowhere.
    progress
        Show a progress bar; without it one is shown where somebody watches.

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
    >>> fetch_jaeger("localhost:16686", service="checkout")
    Traceback (most recent call last):
    ...
    tracelab.errors.SourceError: localhost:16686: the address of a server begins with http:// or https://. Write ...
    """
    forget_report()
    names = _services_of(service)
    wanted = Search(
        window_of(start, end, lookback, step=STEP),
        _AT_ONCE if limit is None else min(_AT_ONCE, whole("limit", limit, least=1)),
        "",
        _text_or_none("operation", operation),
        _tags_of(tags),
        None if min_duration is None else nanoseconds("min_duration", min_duration),
        None if max_duration is None else nanoseconds("max_duration", max_duration),
    )
    if wanted.least is not None and wanted.most is not None and wanted.least > wanted.most:
        raise TracelabError(f"`min_duration` ({min_duration}) must not be above `max_duration` ({max_duration}).")
    web = Web(url, headers=headers, auth=auth, verify=verify, timeout=timeout, example=EXAMPLE)
    api = spoken(web)
    asked = api.services if names is None else names
    failed = None
    if wanted.tags.get("error") == "true" and isinstance(api, Version3) and asked and misreads_errors(api, asked[0]):
        others = {key: value for key, value in wanted.tags.items() if key != "error"}
        wanted, failed = replace(wanted, tags=others, depth=_AT_ONCE), _failed(wanted, names)
    if wanted.tags and isinstance(api, Version3) and asked:
        api = that_knows_tags(api, replace(wanted, service=asked[0]))
    fetch = Fetch(web, web.name, api.format, progress=progress)
    most = None if failed is not None else limit
    left = _search_together(fetch, api, wanted) if names is None and most is None else asked
    _search_all(fetch, api, [replace(wanted, service=name) for name in left], most)
    if names is not None and not fetch.count and not fetch.stopped:
        _refuse_unknown(names, api.services, web.name)
    return fetch.end(limit, failed)


def fetch_jaeger_trace(
    url: str,
    trace_id: Any,
    *,
    headers: Mapping[str, str] | None = None,
    auth: Auth | None = None,
    verify: bool | str = True,
    timeout: Any = None,
) -> pl.DataFrame:
    """Fetch one trace from a Jaeger server; the options are those of `fetch_jaeger`.

    Returns
    -------
    A span frame, as `read` gives it.

    Raises
    ------
    SourceError
        The server has no such trace, or cannot be asked.
    TracelabError
        `trace_id` is none.

    Examples
    --------
    >>> fetch_jaeger_trace("http://localhost:16686", "checkout")
    Traceback (most recent call last):
    ...
    tracelab.errors.TracelabError: `trace_id` must be up to 32 hexadecimal digits, got 'checkout'.
    """
    forget_report()
    if not (isinstance(trace_id, str) and _ID.fullmatch(trace_id)):
        raise TracelabError(f"`trace_id` must be up to 32 hexadecimal digits, got {shown(trace_id)}.")
    web = Web(url, headers=headers, auth=auth, verify=verify, timeout=timeout, example=EXAMPLE)
    api = spoken(web)
    content = api.trace(trace_id.lower())
    if content is None:
        raise SourceError(f"{web.name}: there is no trace {trace_id}. It may be forgotten, or not have come yet.")
    fetch = Fetch(web, web.name, api.format, progress=False)
    fetch.take(content, f"trace {trace_id}")
    for error in api.errors_in(content):
        fetch.pieces.note(problems.PARTIAL_TRACES, place=f"trace {trace_id}", example=error)
    return fetch.end()


def jaeger_services(
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    auth: Auth | None = None,
    verify: bool | str = True,
    timeout: Any = None,
) -> pl.DataFrame:
    """List the services that a Jaeger server has spans of; the options are those of `fetch_jaeger`.

    Returns
    -------
    `service_name` (String), by name.

    Raises
    ------
    SourceError
        The server cannot be asked.

    Examples
    --------
    >>> jaeger_services("ftp://localhost")
    Traceback (most recent call last):
    ...
    tracelab.errors.SourceError: ftp://localhost: the address of a server begins with http:// or https://. Write ...
    """
    web = Web(url, headers=headers, auth=auth, verify=verify, timeout=timeout, example=EXAMPLE)
    names = spoken(web).services
    return pl.DataFrame({"service_name": names}, schema={"service_name": pl.String()}).unique().sort("service_name")


def jaeger_operations(
    url: str,
    service: Any,
    *,
    headers: Mapping[str, str] | None = None,
    auth: Auth | None = None,
    verify: bool | str = True,
    timeout: Any = None,
) -> pl.DataFrame:
    """List the operations of a service on a Jaeger server; the options are those of `fetch_jaeger`.

    Returns
    -------
    `name` (String), `kind` (String; null where the server does not say it), by both.

    Raises
    ------
    SourceError
        There is no such service, or the server cannot be asked.

    Examples
    --------
    >>> jaeger_operations("http://localhost:16686", "")
    Traceback (most recent call last):
    ...
    tracelab.errors.TracelabError: `service` must be the name of a service, got ''.
    """
    if not isinstance(service, str) or not service:
        raise TracelabError(f"`service` must be the name of a service, got {shown(service)}.")
    web = Web(url, headers=headers, auth=auth, verify=verify, timeout=timeout, example=EXAMPLE)
    api = spoken(web)
    found = api.operations(service)
    if not found:
        _refuse_unknown([service], api.services, web.name)
    frame = pl.DataFrame(found, schema={"name": pl.String(), "kind": pl.String()}, orient="row")
    return frame.unique().sort("name", "kind")


def jaeger_dependencies(
    url: str,
    *,
    end: Any = None,
    lookback: Any = "1d",
    headers: Mapping[str, str] | None = None,
    auth: Auth | None = None,
    verify: bool | str = True,
    timeout: Any = None,
) -> pl.DataFrame:
    """List which service called which, as a Jaeger server counted it; the other options are those of `fetch_jaeger`.

    Returns
    -------
    `caller`, `callee` (String), `calls` (Int64), most calls first, then by names.

    Raises
    ------
    SourceError
        The server cannot be asked.

    Examples
    --------
    >>> jaeger_dependencies("http://localhost:16686", lookback="long")
    Traceback (most recent call last):
    ...
    tracelab.errors.TracelabError: `lookback`: 'long' is no duration. Write a number and a unit, such as 250ms, ...
    """
    window = window_of(None, end, lookback, step=1_000_000)
    web = Web(url, headers=headers, auth=auth, verify=verify, timeout=timeout, example=EXAMPLE)
    found = dependencies(web, window)
    rows = [
        (str(each.get("parent", "")), str(each.get("child", "")), each.get("callCount"))
        for each in found
        if isinstance(each.get("callCount"), int)
    ]
    schema = {"caller": pl.String(), "callee": pl.String(), "calls": pl.Int64()}
    return pl.DataFrame(rows, schema=schema, orient="row").sort(
        "calls", "caller", "callee", descending=[True, False, False]
    )


def _search_all(fetch: Fetch, api: Api, first: list[Search], limit: int | None) -> None:
    """Ask for every service, and again for parts of the time where an answer is full."""
    most = _DEEPEST

    def took(_: Search, answer: tuple[Search, bytes | None, float]) -> list[Search]:
        asked, content, seconds = answer
        if content is None:
            return []
        traces = fetch.take(content, str(asked))
        for error in api.errors_in(content):
            fetch.pieces.note(problems.UNFETCHED_TRACES, place=str(asked), example=error)
        if traces.height < asked.depth or (limit is not None and limit <= asked.depth):
            return []
        depth = min(max(most, asked.depth), _depth(asked, len(content), seconds))
        parts = asked.window.cut_by(traces["start_time"], STEP, depth / asked.depth)
        if len(parts) > 1 or depth > asked.depth:
            return [replace(asked, window=part, depth=depth) for part in parts]
        deeper = asked.depth * _DEEPER
        if deeper <= _DEEPEST:
            return [replace(asked, depth=deeper, again=True)]
        fetch.pieces.note(problems.CUT_ANSWERS, place=str(asked))
        return []

    def ask(asked: Search) -> tuple[Search, bytes | None, float]:
        nonlocal most
        asked = asked if asked.again else replace(asked, depth=min(asked.depth, most))
        begun = time.monotonic()
        try:
            return asked, api.search(asked), time.monotonic() - begun
        except SourceError as error:
            # Servers that keep few traces refuse to look for more than these.
            if asked.again or asked.depth <= _FEWER or "depth" not in str(error).lower():
                raise
        most = _AT_ONCE if asked.depth > _AT_ONCE else _FEWER
        return ask(asked)

    fetch.side_by_side(first, ask, took, _missing, enough=_enough(fetch, limit))


def _search_together(fetch: Fetch, api: Api, wanted: Search) -> list[str]:
    """Ask for no service where a server takes that for all, so that no trace comes once for each of its services.

    Whether it does is seen by what it gives: then the latest traces of every service must be among what came. Gives
    the services that are left to be asked for.
    """
    if not isinstance(api, Version3) or len(api.services) < 2:
        return api.services
    first = replace(wanted, depth=1)
    try:
        content = api.search(first, once=True)
        if content is None or not fetch.take(content, str(first)).height:
            return api.services
    except (SourceError, LoadError):
        return api.services
    # What comes in meanwhile says nothing.
    settled = max(wanted.window.start + STEP, min(wanted.window.end, time.time_ns() - _SETTLED))
    _search_all(fetch, api, [wanted], None)
    if fetch.stopped:
        return []
    left: list[str] = []

    def took(asked: Search, content: bytes | None) -> list[Search]:
        count = fetch.count
        if content is not None:
            fetch.take(content, str(asked))
        left.extend([asked.service] if fetch.count > count else [])
        return []

    samples = [
        replace(wanted, service=name, depth=_FEWER, window=Window(wanted.window.start, settled))
        for name in api.services
    ]
    fetch.side_by_side(samples, api.search, took, _missing)
    return left


def _failed(wanted: Search, names: list[str] | None) -> pl.Expr:
    """Say which spans are wanted, where the server does not know a failed one."""
    conditions = [
        is_error(),
        pl.col("start_time").dt.timestamp("ns").is_between(wanted.window.start, wanted.window.end),
    ]
    length = pl.col("duration").dt.total_nanoseconds()
    conditions += [] if names is None else [pl.col("service_name").is_in(names)]
    conditions += [] if wanted.operation is None else [pl.col("name") == wanted.operation]
    conditions += [] if wanted.least is None else [length >= wanted.least]
    conditions += [] if wanted.most is None else [length <= wanted.most]
    return pl.all_horizontal(conditions)


def _missing(asked: Search) -> tuple[Problem, str]:
    return problems.CUT_ANSWERS if asked.again else problems.MISSING_TIME, str(asked)


def _depth(asked: Search, size: int, seconds: float) -> int:
    """Say how many traces are worth one answer, if that is several times what was asked for, and came."""
    growth = min(_BYTES_AT_ONCE / max(size, 1), _SECONDS_AT_ONCE / max(seconds, 1e-9))
    worth = min(_MOST_AT_ONCE, int(asked.depth * growth))
    return worth if worth >= 2 * asked.depth and not asked.again else asked.depth


def _enough(fetch: Fetch, limit: int | None) -> Callable[[list[Search]], bool]:
    """Say when nothing that is still to come can be later than the traces that are wanted."""

    def enough(open_ones: list[Search]) -> bool:
        if limit is None or fetch.count < limit or not open_ones:
            return False
        return fetch.count_since(max(asked.window.end for asked in open_ones)) >= limit

    return enough


def _refuse_unknown(names: list[str], known: list[str], server: str) -> None:
    """Say that a service is not there, where that is why nothing was found."""
    unknown = [name for name in names if name not in known]
    if len(unknown) < len(names):
        return
    near = get_close_matches(unknown[0], known, n=1)
    hint = f"Did you mean {near[0]!r}? " if near else ""
    listed = ", ".join(known[:10]) + (", ..." if len(known) > 10 else "") or "none"
    raise SourceError(f"{server}: there is no service {unknown[0]!r}. {hint}It has: {listed}.")


def _services_of(service: Any) -> list[str] | None:
    if service is None:
        return None
    names = [service] if isinstance(service, str) else service
    if (
        isinstance(names, list | tuple | set | pl.Series)
        and len(names)
        and all(isinstance(n, str) and n for n in names)
    ):
        return list(dict.fromkeys(names))
    raise TracelabError(
        f"`service` must be the name of a service, a list of them, or None for all, got {shown(service)}."
    )


def _text_or_none(name: str, value: Any) -> str | None:
    if value is None or (isinstance(value, str) and value):
        return value
    raise TracelabError(f"`{name}` must be a text, got {shown(value)}.")


def _tags_of(tags: Any) -> dict[str, str]:
    """Write values as Jaeger compares them: as text."""
    if tags is None:
        return {}
    if not hasattr(tags, "items") or not all(
        isinstance(key, str) and key and isinstance(value, str | bool | int | float) for key, value in tags.items()
    ):
        raise TracelabError(f"`tags` must be a dict of names and values, got {shown(tags)}.")
    return {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in tags.items()}
