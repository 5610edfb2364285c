"""Tables of the page: sorted and filtered where the reader is, with ids that lead somewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracelab.display.tables import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from tracelab.reporting.page.links import Links

_TRACES: Final = ("trace_id", "exemplar_trace_id")


def table(frame: pl.DataFrame, links: Links, *, rows: int, trends: Sequence[str] = ()) -> str:
    """Give the first rows of an answer as HTML."""
    leads = {name: links.trace for name in _TRACES if name in frame.columns}
    return shown(frame, rows=rows, links=leads, trends=trends).html(interactive=True)
