"""What an address from a browser's bar means: a server, a trace on its page, a search, or a file."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

_FILE: Final = re.compile(
    r"\.(?:json|jsonl|ndjson|js|txt|log|csv|tsv|pb|proto|bin|otlp|parquet|arrow|gz|zst|zstd|bz2|xz|zip|tar|tgz|html?)$",
    re.IGNORECASE,
)
_ANSWER: Final = re.compile(r"/api(?:/v[1-3])?/traces(?:/|$)")
_TRACE: Final = re.compile(r"/trace/([0-9a-fA-F]{1,32})$")
_NUMBER: Final = re.compile(r"[0-9]{1,19}")
_TIMES: Final = {"start", "end"}
_JAEGER: Final = {
    "service": "service",
    "operation": "operation",
    "minDuration": "min_duration",
    "maxDuration": "max_duration",
}
_LOOKS: Final = {"sort", "view", "uiFind", "uiEmbed", "uiSearchHideGraph", "uiTimelineCollapseTitle", "mode", "spss"}
"""How a page looks, not what is on it."""


@dataclass(frozen=True, slots=True)
class Link:
    """A place on a server: all of it, one trace, or what a search finds, as options of the functions that fetch."""

    trace_id: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    unheeded: tuple[str, ...] = ()


def link_of(url: str) -> Link | None:
    """Read an address that may be a server's; None for one that can only be a file's or a dump's."""
    try:
        parts = urlsplit(url)
    except ValueError:  # what it is will be said by who reads it
        return None
    if parts.scheme.lower() not in ("http", "https"):
        return None
    path = unquote(parts.path).rstrip("/")
    if _FILE.search(path) or _ANSWER.search(path):
        return None
    pairs = parse_qsl(parts.query)
    if found := _TRACE.search(path):
        return Link(trace_id=found[1].lower(), unheeded=_others(pairs, set()))
    if path.endswith("/api/search"):
        return _tempo_search(pairs)
    if path.endswith("/search"):
        return _jaeger_search(pairs)
    return None if pairs else Link()


def _jaeger_search(pairs: list[tuple[str, str]]) -> Link:
    """Read the address of the search of Jaeger's page, whose times are microseconds."""
    given = dict(pairs)
    options: dict[str, Any] = {name: given[key] for key, name in _JAEGER.items() if given.get(key)}
    if options.get("operation") == "all":
        del options["operation"]
    for key in _TIMES:
        if _NUMBER.fullmatch(given.get(key, "")):
            options[key] = int(given[key]) * 1000
    if "start" not in options and re.fullmatch(r"\d+[a-z]+", given.get("lookback", "")):
        options["lookback"] = given["lookback"]
    if tags := _tags(given.get("tags", "")):
        options["tags"] = tags
    return Link(
        options=options | _limit(given), unheeded=_others(pairs, {*_JAEGER, *_TIMES, "lookback", "limit", "tags"})
    )


def _tempo_search(pairs: list[tuple[str, str]]) -> Link:
    """Read a question to Tempo's API, whose times are seconds."""
    given = dict(pairs)
    options: dict[str, Any] = {"query": given["q"]} if given.get("q") else {}
    for key in _TIMES:
        if _NUMBER.fullmatch(given.get(key, "")):
            options[key] = int(given[key]) * 1_000_000_000
    return Link(options=options | _limit(given), unheeded=_others(pairs, {"q", *_TIMES, "limit"}))


def _limit(given: dict[str, str]) -> dict[str, int]:
    text = given.get("limit", "")
    return {"limit": int(text)} if _NUMBER.fullmatch(text) and int(text) else {}


def _tags(text: str) -> dict[str, Any]:
    try:
        tags = msgspec.json.decode(text.encode()) if text else {}
    except (msgspec.DecodeError, RecursionError):
        return {}
    return tags if isinstance(tags, dict) else {}


def _others(pairs: list[tuple[str, str]], heeded: set[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(key for key, _ in pairs if key not in heeded | _LOOKS))
