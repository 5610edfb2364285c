"""Files of columns, parquet and Arrow's own: which columns there are, and how to come at their rows."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pyarrow as pa
from pyarrow import ipc, parquet

from tracelab.errors import LoadError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PARQUET_MAGIC: Final = b"PAR1"
ARROW_MAGIC: Final = b"ARROW1"
_STREAM_MAGIC: Final = b"\xff\xff\xff\xff"
_LONGEST_SCHEMA: Final = 64 << 20
_VALUES: Final = 4 << 20
_ROWS: Final = 50_000
_DEEPEST: Final = 16
_ODD: Final = (OSError, ValueError, TypeError, OverflowError)
_NESTED: Final = (
    pa.types.is_list,
    pa.types.is_large_list,
    pa.types.is_fixed_size_list,
    pa.types.is_struct,
    pa.types.is_map,
)
_FLAT: Final = (
    pa.types.is_null,
    pa.types.is_boolean,
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_decimal128,
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_string_view,
    pa.types.is_binary,
    pa.types.is_large_binary,
    pa.types.is_binary_view,
    pa.types.is_fixed_size_binary,
    pa.types.is_timestamp,
    pa.types.is_duration,
    pa.types.is_date,
    pa.types.is_time,
)


@dataclass(frozen=True, slots=True)
class ColumnarFile:
    """A file of columns.

    Attributes
    ----------
    name
        How messages call it.
    frame
        Its rows, not read yet.
    schema
        Its columns as Arrow has them.
    path
        Where it lies, if it is a file that can be read as it is; else None, and `content` has its bytes.
    table
        Its rows, if it is a file of Arrow's.
    """

    name: str
    frame: pl.LazyFrame
    schema: pa.Schema
    path: Path | None
    content: bytes
    table: pa.Table | None = None

    @property
    def columns(self) -> frozenset[str]:
        """The names of its columns."""
        return frozenset(self.schema.names)

    def read(self) -> pl.DataFrame:
        """Read all rows.

        Raises
        ------
        LoadError
            The file is damaged.
        """
        try:
            return self.frame.collect()
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
            raise _unreadable(self.name, error) from error

    def batches(self, columns: list[str]) -> Iterator[tuple[pa.RecordBatch, int]]:
        """Read some columns, so many rows at a time that they stay small; each with the number of its first row.

        Raises
        ------
        LoadError
            The file is damaged.
        """
        start = 0
        try:
            for batch in self._batches(columns):
                yield batch, start
                start += batch.num_rows
        except (pa.ArrowException, OSError) as error:
            raise _unreadable(self.name, error) from error

    def _batches(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        if self.table is not None:
            yield from self.table.select(columns).to_batches(_ROWS)
            return
        # Strings come as they are in the file, so that what is no UTF-8 can be mended.
        file = parquet.ParquetFile(self.path or pa.BufferReader(self.content))
        rows = file.metadata.num_rows
        at_once = max(1, min(rows, _VALUES * rows // max(_value_count(file.metadata), 1)))
        yield from file.iter_batches(at_once, columns=columns)


def is_columnar(head: bytes) -> bool:
    """Say by its first bytes whether a file is one of columns."""
    return head.startswith((PARQUET_MAGIC, ARROW_MAGIC)) or is_arrow_stream(head)


def is_arrow_stream(head: bytes) -> bool:
    """Say whether a stream of Arrow messages begins here: a mark, and the length of the schema."""
    return head.startswith(_STREAM_MAGIC) and 0 < int.from_bytes(head[4:8], "little") <= _LONGEST_SCHEMA


def open_columnar(path: Path | None, content: bytes, name: str) -> ColumnarFile:
    """Look into a file of columns.

    Raises
    ------
    LoadError
        It is damaged.
    """
    if path is not None:
        with path.open("rb") as file:
            is_parquet = file.read(len(PARQUET_MAGIC)) == PARQUET_MAGIC
    else:
        is_parquet = content.startswith(PARQUET_MAGIC)
    return open_parquet(path, content, name) if is_parquet else open_arrow(path, content, name)


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
        frame.collect_schema()
        schema = parquet.read_schema(path if path is not None else pa.BufferReader(content))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, pa.ArrowException, OSError) as error:
        raise _unreadable(name, error) from error
    return ColumnarFile(name, frame, schema, path, content)


def open_arrow(path: Path | None, content: bytes, name: str) -> ColumnarFile:
    """Read a file or a stream of Arrow's; what stands in it is checked, for Arrow trusts it.

    Raises
    ------
    LoadError
        It is damaged.
    """
    try:
        table = arrow_table(pa.memory_map(str(path)) if path is not None else pa.BufferReader(content))
        # What polars keeps about enums stands beside the columns, where it is not checked; texts say as much.
        bare = pa.schema([pa.field(field.name, field.type) for field in table.schema])
        frame = pl.DataFrame(pl.from_arrow(table.cast(bare)))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, pa.ArrowException, *_ODD) as error:
        raise _unreadable(name, error) from error
    return ColumnarFile(name, frame.lazy(), table.schema, path, content, table)


def arrow_table(source: pa.NativeFile) -> pa.Table:
    """Read a file or a stream of Arrow's and check what stands in it.

    Raises
    ------
    pyarrow.ArrowException
        It is damaged.
    """
    is_file = source.read(len(ARROW_MAGIC)) == ARROW_MAGIC
    source.seek(0)
    table = (ipc.open_file if is_file else ipc.open_stream)(source).read_all()
    return _checked(table)


def checked_batch(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Check what stands in a batch of a stream.

    Raises
    ------
    pyarrow.ArrowException
        It is damaged.
    """
    return _checked(batch)


def _checked(rows: Any) -> Any:
    odd = next((field for field in rows.schema if not _is_known(field)), None)
    if odd is not None:
        raise pa.ArrowInvalid(f"the column {odd.name} is of the type {odd.type!s:.60}")
    rows.validate(full=True)
    return rows.cast(pa.schema([_without_views(field) for field in rows.schema], rows.schema.metadata))


def _without_views(field: pa.Field) -> pa.Field:
    """Take offsets instead of views: nobody checks where the view of a null points, and polars looks there."""
    dtype = field.type
    if pa.types.is_string_view(dtype):
        return field.with_type(pa.large_string())
    if pa.types.is_binary_view(dtype):
        return field.with_type(pa.large_binary())
    inner = [_without_views(dtype.field(number)) for number in range(dtype.num_fields)]
    if pa.types.is_map(dtype):
        return field.with_type(pa.map_(*map(_without_views, (dtype.key_field, dtype.item_field))))
    if pa.types.is_struct(dtype):
        return field.with_type(pa.struct(inner))
    if pa.types.is_list(dtype) or pa.types.is_large_list(dtype):
        return field.with_type((pa.list_ if pa.types.is_list(dtype) else pa.large_list)(inner[0]))
    return field


def _is_known(field: pa.Field, depth: int = _DEEPEST) -> bool:
    """Say whether a column has a name that is text and a type that polars can have."""
    dtype = field.type
    if not depth or not isinstance(field.name, str):
        return False
    if pa.types.is_dictionary(dtype):
        return pa.types.is_integer(dtype.index_type) and _is_known(pa.field("", dtype.value_type), depth - 1)
    if any(check(dtype) for check in _NESTED):
        return all(_is_known(dtype.field(number), depth - 1) for number in range(dtype.num_fields))
    return any(check(dtype) for check in _FLAT)


def _value_count(metadata: parquet.FileMetaData) -> int:
    """Count the values in all columns: what a file says of its bytes says little of how much they unfold to."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    return sum(group.column(number).num_values for group in groups for number in range(group.num_columns))


def _unreadable(name: str, error: BaseException) -> LoadError:
    return LoadError(f"{name}: the file of columns cannot be read ({error!s:.200}). Write or copy it again.")
