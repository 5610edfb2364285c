"""Arrow arrays out of files: fields, lists, texts, ids and numbers, none of whose types or contents is trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from tracelab.loaders.columns.chunk import VALUE_DTYPES
from tracelab.loaders.columns.nested import integers
from tracelab.loaders.report import problems

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracelab.loaders.report.findings import Findings

Ints = npt.NDArray[np.int64]

_LARGEST: Final = np.uint64(2**63 - 1)


def is_text(dtype: pa.DataType) -> bool:
    """Say whether values of a type are texts or bytes, which may be texts."""
    return any(
        check(dtype)
        for check in (
            pa.types.is_string,
            pa.types.is_large_string,
            pa.types.is_string_view,
            pa.types.is_binary,
            pa.types.is_large_binary,
            pa.types.is_binary_view,
            pa.types.is_fixed_size_binary,
        )
    )


def is_list(dtype: pa.DataType) -> bool:
    """Say whether values of a type are lists."""
    return any(
        check(dtype)
        for check in (
            pa.types.is_list,
            pa.types.is_large_list,
            pa.types.is_fixed_size_list,
            pa.types.is_list_view,
            pa.types.is_large_list_view,
        )
    )


def plain(array: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Give an array in one piece, and its values instead of places in a dictionary or runs of equal ones."""
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
        if isinstance(array, pa.ChunkedArray):
            array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], type=array.type)
    if pa.types.is_dictionary(array.type):
        return plain(array.dictionary_decode())
    return plain(pc.run_end_decode(array)) if pa.types.is_run_end_encoded(array.type) else array


def field_of(structs: pa.Array, name: str) -> pa.Array | None:
    """Give a field of structs; None if they have no such field."""
    if structs.type.get_field_index(name) < 0:
        return None
    return plain(pc.struct_field(structs, name) if structs.null_count else structs.field(name))


def exploded(array: pa.Array) -> tuple[pa.Array, Ints]:
    """Give the items of a column of lists, and for each item the row that it is from."""
    if not (pa.types.is_list(array.type) or pa.types.is_large_list(array.type)):
        array = array.cast(pa.large_list(array.type.value_type))
    # Buffers are read directly: pyarrow's to_numpy imports pandas where it is installed.
    width: Any = np.int32 if pa.types.is_list(array.type) else np.int64
    size = np.dtype(width).itemsize
    buffer = array.buffers()[1]
    offsets = (
        np.frombuffer(buffer, dtype=width, count=len(array) + 1, offset=size * array.offset)
        if buffer is not None and buffer.size
        else np.zeros(len(array) + 1, dtype=width)
    )
    first, last = int(offsets[0]), int(offsets[-1])
    return plain(array.values.slice(first, last - first)), np.repeat(np.arange(len(array)), np.diff(offsets))


def valid(array: pa.Array) -> npt.NDArray[np.bool_]:
    """Say where an array has values."""
    bitmap = array.buffers()[0]
    if bitmap is None or not array.null_count:
        return np.full(len(array), array.null_count == 0, dtype=bool)
    bits = np.unpackbits(np.frombuffer(bitmap, dtype=np.uint8), bitorder="little", count=array.offset + len(array))
    return bits[array.offset :].view(bool)


class ArrayReader:
    """Makes columns of arrays, and counts what does not fit."""

    def __init__(self, findings: Findings, where: str) -> None:
        self.findings = findings
        self.where = where

    def texts(self, structs: pa.Array, name: str) -> pl.Series:
        """Read a field of texts; null where there is none."""
        array = field_of(structs, name)
        return self.text(array, name) if array is not None else _nulls(name, len(structs), pl.String())

    def text(self, array: pa.Array, name: str) -> pl.Series:
        """Read texts, mending what is no UTF-8."""
        if not is_text(array.type):
            return self.misfits(array, name, pl.String())
        array = array.cast(pa.large_binary())
        try:
            return series_of(array.cast(pa.large_string()), name)
        except pa.ArrowInvalid:
            contents = array.to_pylist()
        found = [None if content is None else content.decode("utf-8", "replace") for content in contents]
        bad = sum(
            text is not None and "\ufffd" in text and b"\xef\xbf\xbd" not in content
            for text, content in zip(found, contents, strict=True)
        )
        self.findings.add(problems.BAD_UTF8, max(bad, 1), place=self.where)
        return pl.Series(name, found, dtype=pl.String)

    def ids(self, structs: pa.Array, name: str) -> pl.Series:
        """Read a field of ids: bytes as hex, texts as they are."""
        array = field_of(structs, name)
        if array is None:
            return _nulls(name, len(structs), pl.String())
        if any(check(array.type) for check in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)):
            return self.text(array, name)
        if not is_text(array.type):
            return self.misfits(array, name, pl.String())
        return series_of(array.cast(pa.large_binary()), name).bin.encode("hex")

    def integers(self, structs: pa.Array, name: str) -> pl.Series:
        """Read a field of whole numbers; null where there is none."""
        array = field_of(structs, name)
        return self.integer(array, name) if array is not None else _nulls(name, len(structs), pl.Int64())

    def integer(self, array: pa.Array, name: str) -> pl.Series:
        """Read whole numbers."""
        if not pa.types.is_integer(array.type):
            return self.misfits(array, name, pl.Int64())
        held = series_of(array, name)
        numbers = held.cast(pl.Int64, strict=False)
        self.findings.add(problems.BAD_FIELD, numbers.null_count() - held.null_count(), place=self.where, example=name)
        return numbers

    def doubles(self, array: pa.Array, name: str) -> pl.Series:
        """Read real numbers."""
        if not (pa.types.is_floating(array.type) or pa.types.is_integer(array.type)):
            return self.misfits(array, name, pl.Float64())
        return series_of(array, name).cast(pl.Float64)

    def booleans(self, array: pa.Array, name: str) -> pl.Series:
        """Read truth values."""
        return series_of(array, name) if pa.types.is_boolean(array.type) else self.misfits(array, name, pl.Boolean())

    def counts(self, structs: pa.Array, name: str) -> Ints:
        """Read a field that counts something; zero where it does not say."""
        return self.integers(structs, name).fill_null(0).clip(0).to_numpy()

    def small(self, structs: pa.Array, name: str) -> pl.Series:
        """Read enum numbers; what no enum has becomes 255."""
        numbers = self.integers(structs, name)
        known = pl.when(pl.col(name).is_between(0, 254)).then(name).when(pl.col(name).is_not_null()).then(255)
        return numbers.to_frame().select(known.cast(pl.UInt8).alias(name)).to_series()

    def items(self, structs: pa.Array, name: str) -> tuple[pa.Array, Ints] | None:
        """Give the structs in a field of lists, and the row that each is from; None where there are none."""
        array = field_of(structs, name)
        if array is None or array.null_count == len(array):
            return None
        if not is_list(array.type) or not pa.types.is_struct(plain_type(array.type.value_type)):
            self.misfits(array, name, pl.Null())
            return None
        return exploded(array)

    def instants(self, numbers: npt.NDArray[np.uint64], name: str) -> pl.Series:
        """Make instants of nanoseconds; zero is none, and what no datetime can hold is dropped."""
        large = numbers > _LARGEST
        self.findings.add(problems.BAD_TIME, int(large.sum()), place=self.where, example=name)
        usable = (numbers > 0) & ~large
        held = pl.DataFrame({"t": np.where(usable, numbers, 0).astype(np.int64), "usable": usable})
        return held.select(pl.when("usable").then("t").alias(name)).to_series()

    def each(
        self, array: pa.Array, done: npt.NDArray[np.bool_], read: Callable[[bytes], tuple[int, Any] | None]
    ) -> list[tuple[int, Ints, pl.Series]]:
        """Read values that are encoded one by one: equal ones once."""
        rows = np.flatnonzero((lengths_of(array) > 0) & ~done)
        if not rows.size:
            return []
        held = array.cast(pa.large_binary()).take(integers(rows)).dictionary_encode()
        codes = series_of(held.indices, "code").to_numpy()
        found: dict[int, tuple[list[int], list[Any]]] = {}
        for code, content in enumerate(held.dictionary.to_pylist()):
            value = read(content)
            if value is not None:
                codes_of, values_of = found.setdefault(value[0], ([], []))
                codes_of.append(code)
                values_of.append(value[1])
        result = []
        for kind, known, values in columns_of(found):
            places = np.full(len(held.dictionary), -1, dtype=np.int64)
            places[known] = np.arange(known.size)
            which = np.flatnonzero(places[codes] >= 0)
            result.append((kind, rows[which], values.gather(pl.Series(places[codes[which]]))))
        return result

    def misfits(self, array: pa.Array, name: str, dtype: pl.DataType) -> pl.Series:
        """Count the values of a field that is of another type than it should be, and give none instead."""
        example = f"{name}: {array.type!s:.60}"
        self.findings.add(problems.BAD_FIELD, len(array) - array.null_count, place=self.where, example=example)
        return _nulls(name, len(array), dtype)


def plain_type(dtype: pa.DataType) -> pa.DataType:
    """Give the type that `plain` gives."""
    return dtype.value_type if pa.types.is_dictionary(dtype) or pa.types.is_run_end_encoded(dtype) else dtype


def columns_of(found: dict[int, tuple[list[int], list[Any]]]) -> list[tuple[int, Ints, pl.Series]]:
    """Make columns of rows and values that were collected kind by kind."""
    return [
        (kind, np.array(rows, dtype=np.int64), pl.Series(values, dtype=VALUE_DTYPES[kind]))
        for kind, (rows, values) in found.items()
    ]


def lengths_of(array: pa.Array) -> Ints:
    """Give the lengths of texts or bytes, zero where there are none."""
    return series_of(array.cast(pa.large_binary()), "b").bin.size().fill_null(0).cast(pl.Int64).to_numpy()


def unsigned(array: pa.Array) -> npt.NDArray[np.uint64]:
    """See whole numbers as what 64 bits hold without a sign, zero where there are none."""
    held = series_of(array, "n").fill_null(0).to_numpy()
    return held.astype(np.int64).view(np.uint64) if held.dtype.kind == "i" else held.astype(np.uint64)


def series_of(array: pa.Array, name: str) -> pl.Series:
    """Make a series of an array."""
    series: pl.Series = pl.from_arrow(array)  # type: ignore[assignment]
    return series.rename(name)


def _nulls(name: str, count: int, dtype: pl.DataType) -> pl.Series:
    return pl.Series(name, [None], dtype=dtype).new_from_index(0, count)
