"""What commands are told of a server, and the spans of whatever a user names: a dump, or a Jaeger or Tempo."""

from __future__ import annotations

import inspect
import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

import tracelab as tl
from tracelab.cli.terminal import STOPPED, USAGE, note, stop
from tracelab.errors import LoadError, SourceError, TracelabError
from tracelab.live import Call, Wanted, call_for, iso
from tracelab.loaders.input.addresses import without_secrets
from tracelab.loaders.report.problems import INTERRUPTED
from tracelab.options import instant, nanoseconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import polars as pl

_PANEL: Final = "Of a Jaeger or Tempo"
_NANOSECONDS: Final = re.compile(r"[0-9]{1,30}")


def _option(help_text: str, *names: str, metavar: str | None = None) -> Any:
    return typer.Option(*names, help=help_text, metavar=metavar, show_default=False, rich_help_panel=_PANEL)


_OPTIONS: Final[dict[str, Any]] = {
    "service": Annotated[list[str] | None, _option("Traces of this service; may be given several times. Else of all.")],
    "lookback": Annotated[
        str | None, _option("How long before the end to begin: 15m, 2h, 7d. Without it 1h.", metavar="DURATION")
    ],
    "start": Annotated[str | None, _option("Traces from this time on: ISO time or nanoseconds since 1970.")],
    "end": Annotated[str | None, _option("Traces until this time, written like --start. Else until now.")],
    "max_traces": Annotated[int | None, _option("At most so many traces, the latest. Else all.", metavar="COUNT")],
    "tenant": Annotated[str | None, _option("Tempo: whose traces.")],
    "header": Annotated[
        list[str] | None,
        _option(
            "What to send along; may be given several times. $NAME in it is a variable of the environment: "
            "--header 'Authorization: Bearer $TOKEN', in single quotes, keeps the token out of the command.",
            metavar="'NAME: VALUE'",
        ),
    ],
    "auth": Annotated[
        str | None, _option("Credentials; --auth '$LOGIN' reads them as above.", metavar="USER:PASSWORD")
    ],
    "ca_file": Annotated[str | None, _option("Certificates to trust, for a server with its own.", metavar="FILE")],
    "timeout": Annotated[str | None, _option("How long to wait for one answer: 30s, 5m.", metavar="DURATION")],
}


_HOST: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*:[0-9]{1,5}(?:/.*)?")
_HEADER: Final = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*)", re.DOTALL)


@dataclass
class Server:
    """What a command was told of a server; `shared` options say something of dumps as well."""

    given: dict[str, Any]
    shared: frozenset[str]
    interrupted: bool = False

    def call(self, path: str, *, query: str | None = None) -> Call | None:
        """Find out which server is at an address; None for a dump, of which nothing must have been said.

        `query` is what will be asked of the spans, which a Tempo can look for.
        """
        if _HOST.fullmatch(path) and not os.path.lexists(path):
            stop(f"There is no file {path}. The address of a server begins with its scheme: http://{path}.", USAGE)
        with _mistakes():
            call = call_for(path, self._wanted(query))
        if call is None:
            self.refuse_for_dumps([path])
        elif call.unheeded:
            note(f"Not heeded of the address: {', '.join(call.unheeded)}.")
        return call

    def spans(self, path: str) -> pl.DataFrame:
        """Read a dump, or fetch from the server that is there."""
        call = self.call(path)
        return tl.read(path) if call is None else self.fetched(call)

    def fetched(self, call: Call) -> pl.DataFrame:
        """Fetch from a server, and say what."""
        with _mistakes():
            note(_announced(call))
            spans = call.run()
        if spans.is_empty():
            note("There are no traces of this time. Look further back, with --lookback or --start.")
        report = tl.fetch_report()
        self.interrupted = not report.filter(problem=INTERRUPTED.name).is_empty()
        return spans

    def _wanted(self, query: str | None) -> Wanted:
        given = self.given
        return Wanted(
            services=tuple(given["service"] or ()),
            query=query,
            start=instant_of(given["start"]),
            end=instant_of(given["end"]),
            lookback=given["lookback"],
            limit=given["max_traces"],
            tenant=given["tenant"],
            headers=dict(map(_header, given["header"] or ())),
            auth=given["auth"],
            verify=given["ca_file"],
            timeout=given["timeout"],
        )

    def refuse_for_dumps(self, paths: list[str]) -> None:
        """Stop where something was said that dumps have nothing to do with."""
        said = [name for name, value in self.given.items() if value not in (None, []) and name not in self.shared]
        if said:
            words = ", ".join(f"--{name.replace('_', '-')}" for name in said)
            what = f"{without_secrets(paths[0])} is a dump" if len(paths) == 1 else "none is named here alone"
            stop(f"{words}: this is for a Jaeger or Tempo, and {what}.", USAGE)


def takes_servers(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that are about servers; it gets them together, as `server`.

    An option that the command has itself keeps its words, and goes to both.
    """
    own = inspect.signature(command, eval_str=True)
    known = {name: each for name, each in own.parameters.items() if name != "server"}
    added = {
        name: inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        for name, annotation in _OPTIONS.items()
        if name not in known
    }

    @wraps(command)
    def run(**given: Any) -> None:
        server = Server({name: given[name] for name in _OPTIONS}, frozenset(_OPTIONS) - added.keys())
        command(**{name: given[name] for name in known}, server=server)
        if server.interrupted:
            raise typer.Exit(STOPPED)  # what had come until then was used

    every = {**known, **added}
    run.__signature__ = own.replace(parameters=list(every.values()))  # type: ignore[attr-defined]
    run.__annotations__ = {name: each.annotation for name, each in every.items()}
    return run


def instant_of(text: str | None) -> str | int | None:
    """Read nanoseconds as the number that they are."""
    return int(text) if text is not None and _NANOSECONDS.fullmatch(text) else text


@contextmanager
def _mistakes() -> Iterator[None]:
    """Take options that are none for a mistake in the command; what servers do is none."""
    try:
        yield
    except (SourceError, LoadError):
        raise
    except TracelabError as error:
        stop(str(error), USAGE)


def _header(text: str) -> tuple[str, str]:
    found = _HEADER.fullmatch(text)
    if found is None:
        stop("--header must be 'NAME: VALUE', such as 'X-Scope-OrgID: blue'.", USAGE)
    return found[1], found[2]


def _announced(call: Call) -> str:
    """Say what is fetched, which a bare address leaves open."""
    kind = "Tempo" if call.function == "fetch_tempo" else "Jaeger"
    if call.positional:
        return f"{call.name} is a {kind}: fetching trace {call.positional[0]}."
    options = call.options
    service, query = options.get("service"), options.get("query", "{}")
    of = (
        f"that {query} finds"
        if kind == "Tempo" and query != "{}"
        else f"of {service}"
        if service
        else "of all services"
    )
    lookback = options.get("lookback", "1h")
    nanoseconds("lookback", lookback)
    until = f" until {iso(instant('end', options['end']))}" if "end" in options else ""
    since = f"of the {'' if until else 'last '}{lookback}"
    if "start" in options:
        since = f"from {iso(instant('start', options['start']))}"
    most = f", at most {options['limit']:,}" if "limit" in options else ""
    return f"{call.name} is a {kind}: fetching the traces {of} {since}{until}{most}."
