"""A table of rows to a chunk of spans, by whole columns."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from tracelab.errors import LoadError
from tracelab.loaders.columns.builder import Builder
from tracelab.loaders.columns.chunk import Chunk
from tracelab.loaders.columns.key_values import encoded
from tracelab.loaders.columns.normalise import normalise
from tracelab.loaders.report import problems
from tracelab.loaders.rows import annotated, nested, words
from tracelab.loaders.rows.attributes import INSTRUMENTATION, RESOURCE, SPAN, Attributes
from tracelab.loaders.rows.extents import extents
from tracelab.loaders.rows.ids import NO_WORDS, read_ids
from tracelab.loaders.rows.names import Asked, check_there, missing, roles_of
from tracelab.loaders.rows.table import Column, Table, dense, text_of_scalars

if TYPE_CHECKING:
    from tracelab.loaders.columns.chunk import Rows
    from tracelab.loaders.report.findings import Findings
    from tracelab.loaders.rows.names import Roles

_NAMING: Final = ("trace_id", "span_id", "name")
# The second one is that of App Engine in traces of Google Cloud.
_SERVICE_KEYS: Final = ("service.name", "g.co/gae/app/module")
_LARGEST_FLAGS: Final = 2**32 - 1


def chunk_of(table: Table, asked: Asked | None, findings: Findings, name: str = "") -> Chunk:
    """Make a chunk of a table's rows.

    Raises
    ------
    LoadError
        Its columns do not make spans.
    """
    said = asked or Asked()
    check_there((*table.columns, *table.empty), said, name)
    said = said.only(table.columns)
    roles = roles_of(tuple(table.columns), said)
    _check(table, roles, name, asked)
    marked = annotated.marked(table, roles.fields)
    table, marked = _without_others(table, roles, marked, findings)
    if marked is not None:
        return _Spans(table.where(~marked), roles, said, findings, table.where(marked)).chunk()
    return _Spans(table, roles, said, findings, None).chunk()


def _check(table: Table, roles: Roles, name: str, asked: Asked | None) -> None:
    known = roles.fields.keys()
    if table.height and asked is not None and known.isdisjoint(("start_time", "end_time")):
        # Who says which column is which has one for the start; without it all spans would start in 1970.
        listed = ", ".join(tuple(table.columns)[:12])
        raise LoadError(
            f"{name}{': ' if name else ''}no column is known as the start or end of spans (columns: {listed}). "
            "Name it too: columns={..., 'start_time': (column, unit)}."
        )
    if table.height and (known.isdisjoint(("start_time", "end_time", "duration")) or known.isdisjoint(_NAMING)):
        raise LoadError(f"{name}{': ' if name else ''}no trace dump: {missing(tuple(table.columns))}.")


def _without_others(table: Table, roles: Roles, marked: Any, findings: Findings) -> tuple[Table, Any]:
    """Leave out the rows that are no spans, such as logs in between."""
    spans = np.zeros(table.height, dtype=bool)
    for key in ("span_id", "duration", "end_time"):
        for name in roles.fields.get(key, []):
            spans[_saying(table.columns[name])] = True
    if not any(key in roles.fields for key in ("span_id", "duration", "end_time")):
        for key in ("trace_id", "name", "start_time"):
            for name in roles.fields.get(key, []):
                spans[_saying(table.columns[name])] = True
    if marked is not None:
        spans |= marked
    if spans.all():
        return table, marked
    others = ~spans
    findings.add(problems.ROWS_WITHOUT_SPANS, int(others.sum()), place=table.place(int(others.argmax())))
    return table.where(spans), None if marked is None else marked[spans]


def _saying(column: Column) -> Rows:
    """Give the rows in which a column says anything."""
    found = [rows for rows, _ in column.objects]
    for rows, values in column.scalars:
        if values.dtype == pl.String:
            short = values.str.len_bytes() <= max(map(len, NO_WORDS))
            nothing = short & values.str.strip_chars().str.to_lowercase().is_in(NO_WORDS)
            found.append(rows[~nothing.to_numpy()])
        else:
            found.append(rows)
    return np.concatenate(found) if found else np.zeros(0, dtype=np.uint32)


class _Spans:
    """One table of spans on its way to a chunk."""

    def __init__(self, table: Table, roles: Roles, asked: Asked, findings: Findings, beside: Table | None) -> None:
        self.table = table
        self.asked = asked
        self.findings = findings
        self.beside = beside
        self.fields_beside = roles.fields
        self.builder = Builder()
        self.builder.findings = findings
        self.attributes = Attributes(table, findings)
        # Columns that had values only in other rows are none of these.
        table.columns = {name: column for name, column in table.columns.items() if column.count()}
        fields = {key: [name for name in names if name in table.columns] for key, names in roles.fields.items()}
        self.fields = {key: names for key, names in fields.items() if names}
        self.roles = replace(roles, fields=self.fields)

    def chunk(self) -> Chunk:
        """Make the chunk."""
        table, findings = self.table, self.findings
        ids = read_ids(table, self.fields, findings)
        kind = words.kinds(table, self.fields.get("kind", []), findings)
        status = words.statuses(table, self.fields, kind.numbers, findings)
        times = extents(table, self.roles, self.asked, ids, findings)
        self.attributes.add_all(self.roles, self._nested_columns())
        for rest in (kind.rest, status.rest, {name: table.columns[name] for name in times.rest}):
            for name, column in rest.items():
                self.attributes.add_column(name, SPAN, column)
        ids = self._add_events_and_links(ids)
        services = self._services()
        resource, resource_count = self._resources(services)
        scopes, scope = self._instrumentation()
        findings.add(problems.TYPES_OF_TEXT, self.attributes.guessed)
        raw = pl.DataFrame(
            [
                *ids.values(),
                self._texts("name").alias("name"),
                kind.numbers.alias("kind"),
                times.start,
                times.end,
                status.numbers.alias("status_code"),
                self._texts("status_message").alias("status_message"),
                self._texts("trace_state").alias("trace_state"),
                self._flags(),
                self.builder.event_lists(table.height),
                self.builder.link_lists(table.height),
                resource.alias("resource"),
                scope.alias("scope"),
            ]
        )
        return Chunk(
            spans=normalise(raw, findings, table.place),
            attributes=self.attributes.entries(SPAN),
            resources=self.attributes.entries(RESOURCE),
            resource_count=resource_count,
            scopes=scopes,
            scope_attributes=self.attributes.entries(INSTRUMENTATION),
        )

    def _texts(self, key: str) -> pl.Series:
        pieces = []
        for name in reversed(self.fields.get(key, [])):
            column = self.table.columns[name]
            pieces += [(rows, text_of_scalars(values)) for rows, values in column.scalars]
            for rows, items in column.objects:
                self.findings.add(problems.BAD_FIELD, rows.size, place=self.table.place(int(rows[0])), example=items[0])
        return dense(pieces, self.table.height, pl.String())

    def _services(self) -> pl.Series:
        """Give the services; where no column has them, an attribute may."""
        services = self._texts("service_name")
        for key in _SERVICE_KEYS if services.null_count() else ():
            services = services.zip_with(services.is_not_null(), self.attributes.texts_of(key))
        return services

    def _flags(self) -> pl.Series:
        numbers = self._texts("flags").cast(pl.Int64, strict=False)
        return (
            numbers.to_frame("flags")
            .select(pl.when(pl.col("flags").is_between(0, _LARGEST_FLAGS)).then("flags").cast(pl.UInt32))
            .to_series()
        )

    def _nested_columns(self) -> dict[str, tuple[str, str]]:
        """Give columns that are fields of events or links, such as `Events.Name`, with what they are."""
        found = {}
        for name in self.roles.attributes:
            whole, dot, inner = name.partition(".")
            if dot and whole.lower() in ("events", "links") and whole.lower() not in self.fields:
                found[name] = whole.lower(), inner
        return found

    def _add_events_and_links(self, ids: dict[str, pl.Series]) -> dict[str, pl.Series]:
        table = self.table
        events = self._lists("events")
        links = self._lists("links")
        if self.beside is not None:
            more_events, more_links = annotated.events_and_links(self.beside, self.fields_beside, ids, self.findings)
            events, links = [*events, *more_events], [*links, *more_links]
        nested.add_events(self.builder, iter(sorted(events, key=lambda pair: pair[0])), table)
        parents = nested.add_links(self.builder, iter(sorted(links, key=lambda pair: pair[0])), table, ids)
        if parents:
            rows = pl.Series(list(parents), dtype=pl.UInt32)
            ids["parent_span_id"] = ids["parent_span_id"].scatter(rows, pl.Series(list(parents.values())))
        return ids

    def _lists(self, key: str) -> list[tuple[int, list[Any]]]:
        found: list[tuple[int, list[Any]]] = []
        for name in self.fields.get(key, []):
            found += nested.objects_in(self.table.columns[name], self.table, self.findings)
        zipped = {
            inner: self.table.columns[name]
            for name, (which, inner) in self._nested_columns().items()
            if which == key and name in self.table.columns
        }
        if zipped:
            found += nested.zipped(zipped, self.table, self.findings)
        return found

    def _resources(self, services: pl.Series) -> tuple[pl.Series, int]:
        """Give each row a resource: of its own where resources have attributes, else one for each service."""
        height = self.table.height
        services = services.str.strip_chars()
        if self.attributes.has(RESOURCE):
            rows = np.flatnonzero(services.is_not_null().to_numpy()).astype(np.uint32)
            self.attributes.add_texts("service.name", RESOURCE, rows, services.gather(pl.Series(rows)))
            return pl.Series(np.arange(height, dtype=np.uint32)), height
        codes, distinct = encoded(services.fill_null(""))
        named = np.flatnonzero((distinct != "").to_numpy()).astype(np.uint32)
        self.attributes.add_texts("service.name", RESOURCE, named, distinct.gather(pl.Series(named)))
        return pl.Series(codes.astype(np.uint32)), distinct.len()

    def _instrumentation(self) -> tuple[pl.DataFrame, pl.Series]:
        """Give the scopes, and each row the number of its own."""
        name, version = self._texts("scope_name").alias("name"), self._texts("scope_version").alias("version")
        scopes = pl.DataFrame([name, version]).with_columns(pl.when(pl.all() != "").then(pl.all()))
        if self.attributes.has(INSTRUMENTATION) or not self.table.height:
            return scopes, pl.Series(np.arange(self.table.height, dtype=np.uint32))
        distinct = scopes.unique(maintain_order=True).with_row_index("scope")
        joined = scopes.join(distinct, on=["name", "version"], how="left", nulls_equal=True, maintain_order="left")
        return distinct.drop("scope"), joined["scope"].cast(pl.UInt32)
