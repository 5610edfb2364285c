"""Which spans a rule is about, and why there are none where a name is not there."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

import polars as pl

from tracelab.analysis.errors.routes import route
from tracelab.display.words import counted
from tracelab.markup import cut
from tracelab.traceql import query

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

_LONGEST: Final = 80


@dataclass(frozen=True, slots=True)
class Selection:
    """What spans must be to be measured.

    Attributes
    ----------
    name
        Their name, their route (method and `http.route`), or either behind its service as `service::name`.
    service, route
        Their service, and their route alone.
    wheres
        TraceQL, each of which finds them.
    entry_only
        Whether they are where requests enter a service.
    """

    name: str | None
    service: str | None
    route: str | None
    wheres: tuple[str, ...]
    entry_only: bool

    @classmethod
    def of(cls, arguments: Mapping[str, Any], wheres: tuple[str, ...], *, entry_only: bool = True) -> Selection:
        """Read the arguments of a function that say which spans it is about."""
        return cls(
            arguments.get("name"),
            arguments.get("service"),
            arguments.get("route"),
            wheres,
            arguments.get("entry_only", entry_only),
        )

    @property
    def counted(self) -> str:
        """What each span is."""
        return "request" if self.entry_only else "span"

    def of_spans(self, spans: pl.DataFrame) -> pl.DataFrame:
        """Give the spans that are meant."""
        for where in self.wheres:
            spans = query(spans, where)
        return spans.filter(*self._conditions())

    def told(self, rows: pl.DataFrame) -> str:
        """Say how many spans that are, and of which services."""
        services = rows["service_name"].unique().sort().to_list()
        of = shortened(services[0]) if len(services) == 1 else counted(len(services), "service")
        return f"{counted(rows.height, self.counted)} of {of}"

    def missing(self, spans: pl.DataFrame) -> str:
        """Say why there is no such span, and which names are near."""
        if spans.is_empty():
            return "There are no spans."
        if self.service is not None and not (services := _all(spans["service_name"])).count(self.service):
            return _unknown("service", self.service, services)
        entries = spans.filter("entry") if self.entry_only else spans
        routes = _all(entries.select(route())["route"])
        if self.route is not None and self.route not in routes:
            return _unknown("route", self.route, routes)
        if self.name is not None and entries.filter(_is_called(self.name)).is_empty():
            inside = spans.filter(_is_called(self.name)).height
            if inside:
                near = [each for each in routes if each.endswith(f" {self.name}")]
                meant = f" As a request it is {_either(near[:2])}." if near else ""
                return (
                    f"{shortened(self.name)!r} is no request, but the name of {counted(inside, 'span')} inside "
                    f"services; entry_only=false measures these.{meant}"
                )
            if self.name in spans["service_name"]:
                name = shortened(self.name)
                return f'There is no operation {name!r}, but a service of that name: write service="{name}".'
            return _unknown("operation", self.name, sorted({*routes, *_all(entries["name"])}))
        return f"No {self.counted} is all that was asked for."

    def _conditions(self) -> Iterable[pl.Expr]:
        if self.entry_only:
            yield pl.col("entry")
        if self.service is not None:
            yield pl.col("service_name") == self.service
        if self.route is not None:
            yield route() == self.route
        if self.name is not None:
            yield _is_called(self.name)


def shortened(name: str) -> str:
    """Cut a name to a readable length."""
    return cut(name, _LONGEST)


def operation() -> pl.Expr:
    """Give the expression for the operation of a span: its service and its route, or its name."""
    return pl.format("{}::{}", "service_name", route())


def _is_called(name: str) -> pl.Expr:
    spelled = pl.format("{}::{}", "service_name", "name")
    return (pl.col("name") == name) | (route() == name) | (spelled == name) | (operation() == name)


def unknown_service(service: str, spans: pl.DataFrame) -> str:
    """Say that there is no such service; nothing where there is."""
    services = _all(spans["service_name"])
    return "" if service in services else _unknown("service", service, services)


def unknown_route(name: str, routes: list[str]) -> str:
    """Say that there is no such route; nothing where there is."""
    return "" if name in routes else _unknown("route", name, sorted(routes))


def _all(names: pl.Series) -> list[str]:
    return names.unique().sort().to_list()


def _unknown(what: str, name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=2, cutoff=0.5)
    there = f"There are {', '.join(map(shortened, known[:5]))}{', ...' if len(known) > 5 else ''}." if known else ""
    hint = f"Did you mean {_either(near)}?" if near else there
    return f"There is no {what} {shortened(name)!r}. {hint}".rstrip()


def _either(names: list[str]) -> str:
    return " or ".join(map(shortened, names))
