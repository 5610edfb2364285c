"""Files of columns, looked into without reading them: which columns there are, and how to come at their rows."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from tracelab.errors import LoadError

if TYPE_CHECKING:
    from pathlib import Path

PARQUET_MAGIC: Final = b"PAR1"


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
