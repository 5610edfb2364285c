"""Whatever is a frame, as a frame of polars."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

import polars as pl
import pyarrow as pa

from tracelab.errors import SchemaError

_REFUSED: Final = (pl.exceptions.PolarsError, pa.ArrowException, TypeError, ValueError, OverflowError)


def as_polars(frame: Any, *, what: str, remedy: str, mixed_as_text: bool = False) -> pl.DataFrame:
    """Read a frame of polars, of pandas or of anything with the Arrow interface; a series is a frame of one column.

    The index of a pandas frame becomes columns where it has names, and no column has one of them. Its periods become
    text, which polars has no other values for.

    Parameters
    ----------
    frame
        What was passed.
    what, remedy
        What it should have been, and what to do where it is not.
    mixed_as_text
        Whether a column of pandas that polars cannot hold, such as one of several types, becomes text.

    Raises
    ------
    SchemaError
        It is no frame, two columns have one name, or polars cannot hold the values of a column.
    """
    if isinstance(frame, pl.DataFrame):
        return frame
    if isinstance(frame, pl.Series):
        return frame.to_frame()
    if type(frame).__module__.partition(".")[0] == "pandas" and hasattr(frame, "index"):
        return _of_pandas(frame.to_frame() if frame.ndim == 1 else frame, mixed_as_text=mixed_as_text)
    if hasattr(frame, "__arrow_c_stream__"):
        try:
            return pl.DataFrame(frame)
        except _REFUSED as error:
            raise SchemaError(
                f"polars cannot read this {type(frame).__name__}: {error} Make each column one type."
            ) from error
    raise SchemaError(f"A {type(frame).__name__} is no {what}. {remedy}")


def _of_pandas(table: Any, *, mixed_as_text: bool) -> pl.DataFrame:
    names = [name for name in table.index.names if name is not None]
    indexed = bool(names) and set(names).isdisjoint(table.columns)
    index = [(name, table.index.get_level_values(level)) for level, name in enumerate(table.index.names)]
    columns = [
        *((str(name), values.to_series()) for name, values in index if indexed),
        *((str(name), table.iloc[:, place]) for place, name in enumerate(table.columns)),
    ]
    twice = [name for name, count in Counter(name for name, _ in columns).items() if count > 1]
    if twice:
        raise SchemaError(f"Several columns are called {', '.join(map(repr, twice))}. Give each a name of its own.")
    return pl.DataFrame([_column(name, values, mixed_as_text=mixed_as_text) for name, values in columns])


def _column(name: str, values: Any, *, mixed_as_text: bool) -> pl.Series:
    plain = values.reset_index(drop=True)
    if str(plain.dtype).startswith("period"):
        return _texts(name, plain)
    try:
        return pl.Series(name, pl.from_pandas(plain))
    except _REFUSED as error:
        if mixed_as_text:
            return _texts(name, plain)
        raise SchemaError(f"polars cannot read the column {name!r}: {error}. Make it one type.") from error


def _texts(name: str, values: Any) -> pl.Series:
    missing = values.isna().tolist()
    texts = [None if gone else str(value) for value, gone in zip(values.tolist(), missing, strict=True)]
    return pl.Series(name, texts, dtype=pl.String)
