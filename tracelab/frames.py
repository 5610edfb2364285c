"""Whatever is a frame, as a frame of polars."""

from __future__ import annotations

from typing import Any

import polars as pl
import pyarrow as pa

from tracelab.errors import SchemaError


def as_polars(frame: Any, *, what: str, remedy: str) -> pl.DataFrame:
    """Read a frame of polars, of pandas or of anything with the Arrow interface; a series is a frame of one column.

    The index of a pandas frame becomes columns where it has names, and no column has one of them.

    Parameters
    ----------
    frame
        What was passed.
    what, remedy
        What it should have been, and what to do where it is not.

    Raises
    ------
    SchemaError
        It is no frame, or polars cannot hold its values.
    """
    if isinstance(frame, pl.DataFrame):
        return frame
    if isinstance(frame, pl.Series):
        return frame.to_frame()
    try:
        if type(frame).__module__.partition(".")[0] == "pandas" and hasattr(frame, "index"):
            table = frame.to_frame() if frame.ndim == 1 else frame
            names = {name for name in table.index.names if name is not None}
            return pl.from_pandas(table, include_index=bool(names) and names.isdisjoint(table.columns))
        if hasattr(frame, "__arrow_c_stream__"):
            return pl.DataFrame(frame)
    except (pl.exceptions.PolarsError, pa.ArrowException, TypeError, ValueError) as error:
        raise SchemaError(
            f"polars cannot read this {type(frame).__name__}: {error} Make each column one type."
        ) from error
    raise SchemaError(f"A {type(frame).__name__} is no {what}. {remedy}")
