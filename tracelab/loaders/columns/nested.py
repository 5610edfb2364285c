"""Lists of structs and text maps, put together from flat columns."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa


def integers(values: npt.NDArray[Any]) -> pa.Array:
    """Make an Arrow array of whole numbers; `pyarrow.array` imports pandas where it is installed."""
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [None, pa.py_buffer(values)])


def text_map(keys: pl.Series, values: pl.Series, ends: Any, *, empty_is_null: bool = False) -> pa.Array:
    """Make a column of text maps of flat keys and values; `ends` says where each row's entries end."""
    offsets = np.zeros(len(ends) + 1, dtype=np.int32)
    offsets[1:] = ends
    valid = None
    if empty_is_null:
        valid = pa.py_buffer(np.packbits(np.append(offsets[1:] > offsets[:-1], True), bitorder="little"))
    bounds = pa.Array.from_buffers(pa.int32(), offsets.size, [valid, pa.py_buffer(offsets)])
    newest = pl.CompatLevel.newest()
    return pa.MapArray.from_arrays(bounds, keys.to_arrow(compat_level=newest), values.to_arrow(compat_level=newest))


def list_of_structs(fields: dict[str, pa.Array], *, owners: Any, count: int, dtype: pl.DataType) -> pl.Series:
    """Make a column of lists of structs of flat fields; `owners` says whose each struct is, in ascending order."""
    if not len(owners):
        return lists(_no_structs(dtype), np.zeros(count + 1, dtype=np.int64), dtype)
    lengths = np.bincount(np.asarray(owners, dtype=np.int64), minlength=count)
    offsets = np.zeros(count + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return lists(pa.StructArray.from_arrays(list(fields.values()), names=list(fields)), offsets, dtype)


@cache
def _no_structs(dtype: pl.DataType) -> pa.Array:
    return pl.Series([[]], dtype=dtype).explode().clear().to_arrow()


def lists(flat: pa.Array, offsets: npt.NDArray[np.int64], dtype: pl.DataType) -> pl.Series:
    """Make a column of lists of a flat array."""
    array = pa.LargeListArray.from_arrays(integers(offsets), flat)
    series: pl.Series = pl.from_arrow(array)  # type: ignore[assignment]
    return series if series.dtype == dtype else series.cast(dtype)
