"""Ids as tables have them: in hex, in decimal, as UUIDs, as bytes, or words for none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pyarrow as pa

from tracelab.loaders.columns.normalise import SPAN_ID_WIDTH, TRACE_ID_WIDTH
from tracelab.loaders.report import problems
from tracelab.loaders.rows.table import dense

if TYPE_CHECKING:
    from tracelab.loaders.report.findings import Findings
    from tracelab.loaders.rows.table import Column, Table

NO_WORDS: Final = ("", "null", "none", "nan", "nil", "<nil>", "<na>", "n/a", "undefined", "nat", "\\n", "-")
"""How tables say that there is nothing, in lower case."""

_UUID: Final = r"^\{?([0-9a-fA-F]{8})-([0-9a-fA-F]{4})-([0-9a-fA-F]{4})-([0-9a-fA-F]{4})-([0-9a-fA-F]{12})\}?$"
_EXACT: Final = 2**53
_WIDEST: Final = {TRACE_ID_WIDTH: 2**128, SPAN_ID_WIDTH: 2**64}
_FULL: Final = {TRACE_ID_WIDTH: (16, 32), SPAN_ID_WIDTH: (16,)}


def read_ids(table: Table, fields: dict[str, list[str]], findings: Findings) -> dict[str, pl.Series]:
    """Give the columns of ids as text in hex; those of spans and parents are written alike."""
    read: dict[str, pl.Series] = {}
    for width, names in ((TRACE_ID_WIDTH, ("trace_id",)), (SPAN_ID_WIDTH, ("span_id", "parent_span_id"))):
        texts = {name: _text(table, fields.get(name, []), width, findings) for name in names}
        if _are_decimal(list(texts.values()), width):
            for name, text in texts.items():
                findings.add(problems.IDS_DECIMAL, text.count(), place=name, example=text.drop_nulls().first())
                texts[name] = hex_of_decimals(text, width)
        read |= {name: text.alias(name) for name, text in texts.items()}
    return _without_traces_as_parents(read, findings)


def _without_traces_as_parents(ids: dict[str, pl.Series], findings: Findings) -> dict[str, pl.Series]:
    """Take parents for none that are the id of the trace, which is how Application Insights writes roots."""
    if "trace_id" not in ids:
        return ids
    same = (ids["parent_span_id"] == ids["trace_id"]).fill_null(value=False) & ids["span_id"].ne_missing(
        ids["trace_id"]
    )
    known = ids["span_id"].filter(ids["span_id"] == ids["trace_id"])
    if same.any() and known.len():
        # A root may well have the id of its trace.
        same = same & ~ids["trace_id"].is_in(known.implode())
    if same.any():
        findings.add(problems.PARENT_IS_TRACE, int(same.sum()), example=ids["parent_span_id"].filter(same)[0])
        parents = pl.select(pl.when(~same).then(ids["parent_span_id"])).to_series()
        ids["parent_span_id"] = parents.alias("parent_span_id")
    return ids


def _text(table: Table, names: list[str], width: int, findings: Findings) -> pl.Series:
    pieces = []
    for name in reversed(names):
        column = table.columns[name]
        pieces += [(rows, _written(values, width, findings, name)) for rows, values in column.scalars]
        _count_objects(column, table, findings)
    text = dense(pieces, table.height, pl.String())
    frame = text.alias("id").to_frame().with_columns(pl.col("id").str.strip_chars())
    none = frame.select(
        pl.col("id").str.len_bytes().le(max(map(len, NO_WORDS))) & pl.col("id").str.to_lowercase().is_in(NO_WORDS)
    )
    if none.to_series().any():
        frame = frame.with_columns(pl.when(~none.to_series()).then("id"))
    if frame.select(pl.col("id").str.contains("-", literal=True).any()).item():
        frame = _without_dashes(frame, findings)
    return frame.to_series()


def _written(values: pl.Series, width: int, findings: Findings, name: str) -> pl.Series:
    """Write ids of any dtype as text."""
    if values.dtype == pl.Binary:
        sizes = values.bin.size()
        return values.bin.encode("hex") if bool((sizes <= width // 2).all()) else values.cast(pl.String, strict=False)
    if values.dtype.is_float():
        # A column of whole numbers in which some are missing becomes one of floats with pandas.
        whole = values.is_finite() & (values == values.floor()) & (values.abs() < 2.0**63)
        large = whole & (values.abs() > _EXACT)
        findings.add(problems.IDS_FLOAT, int(large.sum()), place=name, example=values.filter(large).first())
        return values.to_frame("v").select(pl.when(whole).then("v").cast(pl.Int64).cast(pl.String)).to_series()
    text = values.cast(pl.String, strict=False)
    if values.dtype == pl.String and bool(text.str.ends_with(".0").any()):
        return text.str.replace(r"^(\d+)\.0$", "$1")
    return text


def _count_objects(column: Column, table: Table, findings: Findings) -> None:
    for rows, items in column.objects:
        findings.add(problems.BAD_FIELD, rows.size, place=table.place(int(rows[0])), example=items[0])


def _without_dashes(frame: pl.DataFrame, findings: Findings) -> pl.DataFrame:
    uuid = frame.select(pl.col("id").str.contains(_UUID)).to_series().fill_null(value=False)
    if not uuid.any():
        return frame
    findings.add(problems.IDS_UUID, int(uuid.sum()), example=frame["id"].filter(uuid)[0])
    plain = pl.col("id").str.replace_all(r"[{}-]", "")
    return frame.with_columns(pl.when(uuid).then(plain).otherwise("id"))


def _are_decimal(texts: list[pl.Series], width: int) -> bool:
    """Say whether ids are decimal numbers: only digits, no zeros in front, and not all as long as hex would be."""
    ids = pl.concat([text.rename("id") for text in texts]).drop_nulls()
    ids = ids.filter(ids != "0")
    if not ids.len() or not bool(ids.str.contains(r"^[1-9]\d*$").all()):
        return False
    lengths = ids.str.len_bytes()
    if any(bool((lengths == full).all()) for full in _FULL[width]):
        return False
    longest = ids.filter(lengths == lengths.max()).max()
    return isinstance(longest, str) and len(longest) < 40 and int(longest) < _WIDEST[width]


def hex_of_decimals(text: pl.Series, width: int) -> pl.Series:
    """Write decimal numbers in hex."""
    numbers = text.cast(pl.UInt64, strict=False)
    if numbers.null_count() > text.null_count():
        known = {each: f"{int(each):0{width}x}" for each in text.drop_nulls().unique().to_list()}
        return text.replace_strict(known, default=None, return_dtype=pl.String)
    raw = numbers.fill_null(0).to_numpy().astype(">u8").tobytes()
    array: Any = pa.FixedSizeBinaryArray.from_buffers(pa.binary(8), text.len(), [None, pa.py_buffer(raw)])
    binary: pl.Series = pl.from_arrow(array)  # type: ignore[assignment]
    digits = ("0" * (width - SPAN_ID_WIDTH)) + binary.bin.encode("hex")
    return digits.to_frame("d").select(pl.when(numbers.is_not_null()).then("d")).to_series()
