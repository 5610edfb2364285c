"""Columns that grow span by span: how the tolerant decoders hand over what they understood."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from tracelab.loaders.columns.chunk import VALUE_DTYPES, Chunk, Entries, part
from tracelab.loaders.columns.nested import list_of_structs, text_map
from tracelab.loaders.columns.normalise import link_ids, normalise
from tracelab.loaders.report import problems
from tracelab.loaders.report.findings import Findings
from tracelab.schema import EVENTS, LINKS, TIME

if TYPE_CHECKING:
    import pyarrow as pa

Value = tuple[int, Any]
"""A kind of value, and the value as its long table holds it."""

_LARGEST_TIME: Final = 2**63 - 1
_RAW_DTYPES: Final = {
    "trace_id": pl.String(),
    "span_id": pl.String(),
    "parent_span_id": pl.String(),
    "name": pl.String(),
    "kind": pl.UInt8(),
    "start_time": pl.Int64(),
    "end_time": pl.Int64(),
    "status_code": pl.UInt8(),
    "status_message": pl.String(),
    "trace_state": pl.String(),
    "flags": pl.UInt32(),
    "resource": pl.UInt32(),
    "scope": pl.UInt32(),
}


@dataclass(slots=True)
class EntryLists:
    """Attributes as lists: for each kind of value who has it, which key, and the value."""

    codes: dict[str, int] = field(default_factory=dict)
    lists: dict[int, tuple[list[int], list[int], list[Any]]] = field(default_factory=dict)

    def add(self, row: int, key: str, value: Value) -> None:
        kind, content = value
        held = self.lists.get(kind)
        if held is None:
            held = self.lists[kind] = ([], [], [])
        rows, codes, values = held
        rows.append(row)
        codes.append(self.codes.setdefault(key, len(self.codes)))
        values.append(content)

    def finish(self) -> Entries:
        return Entries(
            list(self.codes),
            {
                kind: part(
                    np.array(rows, dtype=np.uint32),
                    np.array(codes, dtype=np.int32),
                    pl.Series(values, dtype=VALUE_DTYPES[kind]),
                    keys=len(self.codes),
                )
                for kind, (rows, codes, values) in self.lists.items()
            },
        )


@dataclass(slots=True)
class TextMaps:
    """A list of things that each have a text map, such as events, for each span."""

    columns: dict[str, list[Any]]
    owners: list[int] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    values: list[str] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)

    def add(self, owner: int, attributes: dict[str, str], **fields: Any) -> None:
        self.owners.append(owner)
        for name, column in self.columns.items():
            column.append(fields[name])
        self.keys.extend(attributes)
        self.values.extend(attributes.values())
        self.ends.append(len(self.keys))

    def maps(self) -> pa.Array:
        return text_map(pl.Series(self.keys, dtype=pl.String), pl.Series(self.values, dtype=pl.String), self.ends)


class Builder:
    """Collects spans, then makes a chunk of them."""

    def __init__(self) -> None:
        self.findings = Findings()
        self.columns: dict[str, list[Any]] = {name: [] for name in _RAW_DTYPES}
        self.places: list[str] = []
        self.attributes = EntryLists()
        self.resource_attributes = EntryLists()
        self.resource_count = 0
        self.scope_attributes = EntryLists()
        self.scopes: list[tuple[str | None, str | None]] = []
        self.events = TextMaps({"time": [], "name": []})
        self.links = TextMaps({"trace_id": [], "span_id": [], "trace_state": []})

    def __len__(self) -> int:
        return len(self.places)

    def resource(self, attributes: list[tuple[str, Value]]) -> int:
        """Add a resource and give its number."""
        for key, value in attributes:
            self.resource_attributes.add(self.resource_count, key, value)
        self.resource_count += 1
        return self.resource_count - 1

    def scope(self, name: str | None, version: str | None, attributes: list[tuple[str, Value]]) -> int:
        """Add an instrumentation scope and give its number."""
        for key, value in attributes:
            self.scope_attributes.add(len(self.scopes), key, value)
        self.scopes.append((name or None, version or None))
        return len(self.scopes) - 1

    def span(
        self,
        *,
        place: str,
        trace_id: str | None,
        span_id: str | None,
        parent_span_id: str | None,
        name: str | None,
        kind: int,
        start_time: int | None,
        end_time: int | None,
        resource: int,
        scope: int,
        status_code: int = 0,
        status_message: str | None = None,
        trace_state: str | None = None,
        flags: int | None = None,
        attributes: list[tuple[str, Value]] | None = None,
    ) -> int:
        """Add a span and give its row. Times are nanoseconds; kind and status are OTLP's numbers."""
        row = len(self.places)
        self.places.append(place)
        columns = self.columns
        columns["trace_id"].append(trace_id)
        columns["span_id"].append(span_id)
        columns["parent_span_id"].append(parent_span_id)
        columns["name"].append(name)
        columns["kind"].append(kind if 0 <= kind <= 255 else 255)
        columns["start_time"].append(start_time)
        if end_time is not None and end_time > _LARGEST_TIME:
            self.findings.add(problems.BAD_TIME, place=place, example=end_time)
            end_time = None
        columns["end_time"].append(end_time)
        columns["status_code"].append(status_code if 0 <= status_code <= 255 else 255)
        columns["status_message"].append(status_message)
        columns["trace_state"].append(trace_state)
        columns["flags"].append(flags)
        columns["resource"].append(resource)
        columns["scope"].append(scope)
        for key, value in attributes or ():
            self.attributes.add(row, key, value)
        return row

    def finish(self) -> Chunk:
        """Make the chunk; the builder must not be used any more."""
        raw = pl.DataFrame(
            [
                *(pl.Series(name, self.columns[name], dtype=dtype) for name, dtype in _RAW_DTYPES.items()),
                self.event_lists(len(self)),
                self.link_lists(len(self)),
            ]
        )
        scopes = pl.DataFrame(self.scopes, schema={"name": pl.String, "version": pl.String}, orient="row")
        return Chunk(
            spans=normalise(raw, self.findings, self.places.__getitem__),
            attributes=self.attributes.finish(),
            resources=self.resource_attributes.finish(),
            resource_count=self.resource_count,
            scopes=scopes,
            scope_attributes=self.scope_attributes.finish(),
        )

    def event_lists(self, count: int) -> pl.Series:
        """Make the column of events for this many spans."""
        events = self.events
        return list_of_structs(
            {
                "time": pl.Series(events.columns["time"], dtype=pl.Int64).cast(TIME).to_arrow(),
                "name": pl.Series(events.columns["name"], dtype=pl.String).to_arrow(),
                "attributes": events.maps(),
            },
            owners=events.owners,
            count=count,
            dtype=EVENTS,
        ).alias("events")

    def link_lists(self, count: int) -> pl.Series:
        """Make the column of links for this many spans."""
        links = self.links
        ids = link_ids(pl.DataFrame(links.columns, schema=dict.fromkeys(links.columns, pl.String)), self.findings)
        return list_of_structs(
            {
                **{name: ids[name].to_arrow() for name in links.columns},
                "attributes": links.maps(),
            },
            owners=links.owners,
            count=count,
            dtype=LINKS,
        ).alias("links")
