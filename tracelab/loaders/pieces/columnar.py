"""Files of columns, looked into without reading them: which columns there are, and how to come at their rows."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl
import pyarrow as pa
from pyarrow import parquet

from tracelab.errors import LoadError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PARQUET_MAGIC: Final = b"PAR1"
_VALUES: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class ColumnarFile:
    """A file of columns.

    Attributes
    ----------
    name
        How messages call it.
    frame
        Its rows, not read yet.
    columns
        The names of its columns.
    path
        Where it lies, if it is a file that can be read as it is; else None, and `content` has its bytes.
    """

    name: str
    frame: pl.LazyFrame
    columns: frozenset[str]
    path: Path | None
    content: bytes

    def read(self) -> pl.DataFrame:
        """Read all rows.

        Raises
        ------
        LoadError
            The file is damaged.
        """
        try:
            return self.frame.collect()
        except (pl.exceptions.PolarsError, OSError) as error:
            raise _damaged(self.name, error) from error

    def batches(self, columns: list[str]) -> Iterator[tuple[pa.RecordBatch, int]]:
        """Read some columns, so many rows at a time that they stay small; each with the number of its first row.

        Raises
        ------
        LoadError
            The file is damaged.
        """
        try:
            # Strings come as they are in the file, so that what is no UTF-8 can be mended.
            file = parquet.ParquetFile(self.path or pa.BufferReader(self.content))
            rows = file.metadata.num_rows
            at_once = max(1, min(rows, _VALUES * rows // max(_value_count(file.metadata), 1)))
            start = 0
            for batch in file.iter_batches(at_once, columns=columns):
                yield batch, start
                start += batch.num_rows
        except (pa.ArrowException, OSError) as error:
            raise _damaged(self.name, error) from error


def open_parquet(path: Path | None, content: bytes, name: str) -> ColumnarFile:
    """Look into a parquet file.

    Raises
    ------
    LoadError
        It is damaged.
    """
    try:
        # A name may hold what would be a pattern.
        source = path if path is not None else io.BytesIO(content)
        frame = pl.scan_parquet(source, glob=False, hive_partitioning=False)
        columns = frozenset(frame.collect_schema().names())
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _damaged(name, error) from error
    return ColumnarFile(name, frame, columns, path, content)


def _damaged(name: str, error: Exception) -> LoadError:
    return LoadError(f"{name}: the parquet file cannot be read ({error!s:.200}). Write or copy it again.")


def _value_count(metadata: parquet.FileMetaData) -> int:
    """Count the values in all columns: what a file says of its bytes says little of how much they unfold to."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    return sum(group.column(number).num_values for group in groups for number in range(group.num_columns))
