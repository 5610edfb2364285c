"""Which server answers at an address, found by asking, and the call that fetches from it, to make or to write down."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from tracelab.errors import TracelabError
from tracelab.live.servers.jaeger import fetch_jaeger, fetch_jaeger_trace
from tracelab.live.servers.jaeger_api import is_jaeger
from tracelab.live.servers.links import Link, link_of
from tracelab.live.servers.tempo import TENANT, fetch_tempo, is_tempo
from tracelab.live.servers.web import RefusalError, Web

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

_VARIABLE: Final = re.compile(r"\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))")
_FUNCTIONS: Final = {
    "fetch_jaeger": fetch_jaeger,
    "fetch_jaeger_trace": fetch_jaeger_trace,
    "fetch_tempo": fetch_tempo,
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a user wants of whatever server it is; None is what was not said.

    `headers` and `auth` may name variables of the environment, `$TOKEN` or `${TOKEN}`, in place of what is secret.
    """

    services: tuple[str, ...] = ()
    query: str | None = None
    start: Any = None
    end: Any = None
    lookback: str | None = None
    limit: int | None = None
    tenant: str | None = None
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    auth: str | None = field(default=None, repr=False)
    verify: str | None = None
    timeout: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a function that fetches; its text is Python that makes it, without what was a secret."""

    function: str
    url: str = field(repr=False)
    name: str
    positional: tuple[str, ...]
    options: dict[str, Any]
    wanted: Wanted
    unheeded: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Write it as Python; what variables of the environment hold is read where the Python is run."""
        given = [_written(each) for each in (self.name, *self.positional)]
        given += [f"{name}={_written(value)}" for name, value in (self.options | self._rest()).items()]
        if self.wanted.headers:
            pairs = [f"{_written(name)}: {_read_there(value)}" for name, value in self.wanted.headers.items()]
            given.append(f"headers={{{', '.join(pairs)}}}")
        if self.wanted.auth is not None:
            given.append(f'auth=tuple({_read_there(self.wanted.auth)}.split(":", 1))')
        return f"tl.{self.function}({', '.join(given)})"

    @property
    def first(self) -> Call:
        """The same for one trace, to see whether there is any."""
        return self if self.positional else replace(self, options=self.options | {"limit": 1})

    @property
    def holds_secrets(self) -> bool:
        """Whether something that opens the server was said itself, and not by the name of a variable."""
        said = [*self.wanted.headers.values(), *([] if self.wanted.auth is None else [self.wanted.auth])]
        return "@" in urlsplit(self.url).netloc or not all(_VARIABLE.search(each) for each in said)

    def run(self) -> pl.DataFrame:
        """Make it."""
        options = self.options | self._rest() | opened(self.wanted)
        spans: pl.DataFrame = _FUNCTIONS[self.function](self.url, *self.positional, **options)  # type: ignore[operator]
        return spans

    def _rest(self) -> dict[str, Any]:
        given = {"verify": self.wanted.verify, "timeout": self.wanted.timeout}
        return {name: value for name, value in given.items() if value is not None}


def call_for(url: str, wanted: Wanted) -> Call | None:
    """Find out by asking what answers at an address, and how what is wanted is fetched from it; None for a file.

    Raises
    ------
    SourceError
        Nobody answers, or not without credentials.
    TracelabError
        It has not what is wanted.
    """
    link = link_of(url)
    if link is None:
        return None
    access = {"verify": True if wanted.verify is None else wanted.verify, "timeout": wanted.timeout} | opened(wanted)
    try:
        name = _asked(url, access, is_jaeger)
        if name is not None:
            return _of_jaeger(url, name, link, wanted)
        if wanted.tenant is not None:
            access["headers"] = {**access.get("headers", {}), TENANT: wanted.tenant}
        name = _asked(url, access, is_tempo)
    except RefusalError:
        # Stores of files refuse to say what there is not, too.
        if urlsplit(url).path.strip("/") and link == Link():
            return None
        raise
    return None if name is None else _of_tempo(url, name, link, wanted)


def _asked(url: str, access: dict[str, Any], kind: Callable[[Web], bool]) -> str | None:
    """Say what a server is called, without page and secrets, if it is of a kind."""
    web = Web(url, **access)
    try:
        return web.name if kind(web) else None
    finally:
        web.close()


def opened(wanted: Wanted) -> dict[str, Any]:
    """Give `headers` and `auth` with what the environment holds for them.

    Raises
    ------
    TracelabError
        There is no such variable, or it holds no user and password.
    """
    found: dict[str, Any] = {}
    if wanted.headers:
        found["headers"] = {name: _filled_in(value) for name, value in wanted.headers.items()}
    if wanted.auth is not None:
        user, colon, password = _filled_in(wanted.auth).partition(":")
        if not colon:
            raise TracelabError("The credentials must be user:password; there is no colon in them.")
        found["auth"] = (user, password)
    return found


def _of_jaeger(url: str, name: str, link: Link, wanted: Wanted) -> Call:
    if wanted.tenant is not None:
        raise TracelabError(f"{name}: this is a Jaeger, and a tenant is Tempo's. Jaeger is told by a header, x-tenant.")
    if link.trace_id is not None:
        if wanted.services or _with_time({}, wanted):
            raise TracelabError(f"{name}: the address is that of one trace, of which there is nothing to choose.")
        return Call("fetch_jaeger_trace", url, name, (link.trace_id,), {}, wanted, link.unheeded)
    options = {"service": None} | _with_time(link.options, wanted)
    if wanted.services:
        options["service"] = wanted.services[0] if len(wanted.services) == 1 else list(wanted.services)
    return Call("fetch_jaeger", url, name, (), options, wanted, link.unheeded)


def _of_tempo(url: str, name: str, link: Link, wanted: Wanted) -> Call:
    if link.trace_id is not None:
        raise TracelabError(
            f"{name}: this is a Tempo, which has a trace at {name}/api/traces/{link.trace_id}. Read that address."
        )
    options = _with_time(link.options, wanted)
    if wanted.services:
        names = " || ".join(f"resource.service.name = {_quoted(each)}" for each in wanted.services)
        options["query"] = f"{{ {names} }}"
    elif wanted.query is not None:
        options["query"] = wanted.query
    if wanted.tenant is not None:
        options["tenant"] = wanted.tenant
    return Call("fetch_tempo", url, name, (), options, wanted, link.unheeded)


def _with_time(options: dict[str, Any], wanted: Wanted) -> dict[str, Any]:
    """Let what was said go before what stands in a link."""
    said = {"start": wanted.start, "end": wanted.end, "lookback": wanted.lookback, "limit": wanted.limit}
    given = {name: value for name, value in said.items() if value is not None}
    if {"start", "end", "lookback"} & given.keys():
        options = {name: value for name, value in options.items() if name not in ("start", "end", "lookback")}
    return options | given


def _quoted(text: str) -> str:
    """Write a text as TraceQL does."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _filled_in(text: str) -> str:
    def value(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        if name not in os.environ:
            raise TracelabError(f"There is no variable {name} in the environment. Set it, and export it.")
        return os.environ[name]

    return _VARIABLE.sub(value, text)


def _read_there(text: str) -> str:
    return f"os.path.expandvars({_written(text)})" if _VARIABLE.search(text) else _written(text)


def _written(value: Any) -> str:
    """Write a value as Python does, texts in double quotes where nothing in them minds."""
    match value:
        case str():
            text = repr(value)
            return f'"{text[1:-1]}"' if text[0] == "'" and '"' not in value else text
        case list():
            return f"[{', '.join(map(_written, value))}]"
        case dict():
            return f"{{{', '.join(f'{_written(key)}: {_written(each)}' for key, each in value.items())}}}"
    return repr(value)
