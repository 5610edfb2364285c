"""Rows in parquet, which has types of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracelab.loaders.rows.names import are_columns_of_spans
from tracelab.loaders.rows.spans import chunk_of
from tracelab.loaders.rows.table import table_of_frame

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracelab.loaders.columns.chunk import Chunk
    from tracelab.loaders.input.columnar import ColumnarFile
    from tracelab.loaders.report.findings import Findings
    from tracelab.loaders.rows.names import Asked


def has_rows(columns: frozenset[str]) -> bool:
    """Say whether columns are those of spans."""
    return are_columns_of_spans(tuple(sorted(columns)))


def chunks(file: ColumnarFile, findings: Findings, asked: Asked | None = None) -> Iterator[Chunk]:
    """Read all rows as spans."""
    wanted = asked.columns.values() if asked else ()
    table = table_of_frame(file.read(), lambda row: f"row {row + 1}", wanted, typed=True)
    yield chunk_of(table, asked, findings, file.name)
