"""Events and links that stand in rows of their own beside the spans, which is how Honeycomb keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tracelab.loaders.report import problems
from tracelab.loaders.rows import nested
from tracelab.loaders.rows.ids import read_ids
from tracelab.loaders.rows.table import text_of_scalars

if TYPE_CHECKING:
    import polars as pl

    from tracelab.loaders.report.findings import Findings
    from tracelab.loaders.rows.table import Table

_EVENT: Final = "span_event"
_LINK: Final = "link"
Lists = list[tuple[int, list[Any]]]
"""For rows of spans what they have, several entries for one row perhaps."""


def marked(table: Table, fields: dict[str, list[str]]) -> Any:
    """Tell which rows are events and links; None if none is."""
    found = np.zeros(table.height, dtype=bool)
    for name in fields.get("annotation_type", []):
        for rows, values in table.columns[name].scalars:
            known = text_of_scalars(values).is_in([_EVENT, _LINK]).to_numpy()
            found[rows[known]] = True
    return found if found.any() else None


def events_and_links(
    table: Table, fields: dict[str, list[str]], ids: dict[str, pl.Series], findings: Findings
) -> tuple[Lists, Lists]:
    """Give the events and links in a table of such rows, with the rows of their spans; `ids` are those of the spans."""
    there = {
        key: [name for name in names if name in table.columns and table.columns[name].count()]
        for key, names in fields.items()
    }
    owners = read_ids(table, there, findings)
    taken = {name for names in there.values() for name in names}
    held = {name: column for name, column in table.columns.items() if name not in taken}
    texts = nested.rows_of(held, np.arange(table.height, dtype=np.uint32), findings)
    names, times, kinds, traces, spans = (
        _texts(table, there.get(key, []))
        for key in ("name", "start_time", "annotation_type", "link_trace_id", "link_span_id")
    )
    known = {pair: row for row, pair in enumerate(zip(ids["trace_id"], ids["span_id"], strict=True))}
    events: Lists = []
    links: Lists = []
    for number, pair in enumerate(zip(owners["trace_id"], owners["parent_span_id"], strict=True)):
        row = known.get(pair)
        if row is None:
            findings.add(problems.LONE_EVENTS, place=table.place(number), example=pair[1])
        elif kinds[number] == _LINK:
            link = {"trace_id": traces[number], "span_id": spans[number], "attributes": texts[number]}
            links.append((row, [link]))
        else:
            event = {"name": names[number] or "", "time": times[number], "attributes": texts[number]}
            events.append((row, [event]))
    return events, links


def _texts(table: Table, names: list[str]) -> list[str | None]:
    texts: list[str | None] = table.columns[names[0]].texts(table.height).to_list() if names else [None] * table.height
    return texts
