"""Tables of the page: sorted and filtered where the reader is, with ids that lead somewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracelab.display.tables import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from tracelab.reporting.page.links import Links

_TRACES: Final[tuple[str, ...]] = ("trace_id", "exemplar_trace_id")
_PAIRS: Final = (("service_name", "route"), ("service_name", "name"), ("parent_service_name", "parent_name"))


def table(frame: pl.DataFrame, links: Links, *, rows: int, trends: Sequence[str] = ()) -> str:
    """Give the first rows of an answer as HTML."""
    leads = {name: links.trace for name in _TRACES if name in frame.columns}
    told = frame.select(_names_first(frame.columns))
    return shown(told, rows=rows, links=leads, trends=trends).html(interactive=True)


def _names_first(columns: Sequence[str]) -> list[str]:
    """Put what an operation is called before its service: where there is room for one of both, it tells more."""
    names = list(columns)
    for service, name in _PAIRS:
        if service in names and name in names:
            names.remove(name)
            names.insert(names.index(service), name)
    return names
