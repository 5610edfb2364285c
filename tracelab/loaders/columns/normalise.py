"""Ids, times, kinds and statuses as the span frame has them, whatever the format wrote; every repair is counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from tracelab.loaders.columns.chunk import CHUNK_SCHEMA
from tracelab.loaders.report import problems
from tracelab.schema import KIND, STATUS_CODE

if TYPE_CHECKING:
    from tracelab.loaders.report.findings import Findings, Problem

Place = Callable[[int], str]
"""Tells where the span in a row stands in the input."""

TRACE_ID_WIDTH: Final = 32
SPAN_ID_WIDTH: Final = 16
NO_TRACE_ID: Final = "0" * TRACE_ID_WIDTH
NO_SPAN_ID: Final = "0" * SPAN_ID_WIDTH
"""How an id that is missing is written until all chunks are there."""

_BASE64_SHAPE: Final = {TRACE_ID_WIDTH: r"^[A-Za-z0-9+/_-]{22}==$", SPAN_ID_WIDTH: r"^[A-Za-z0-9+/_-]{11}=$"}
_ZERO, _NINE, _A, _F = np.frombuffer(b"09af", dtype=np.uint8)
_ZEROS: Final = np.uint64(int.from_bytes(b"00000000", "little"))
_FIRST_DAY: Final = 86_400 * 1_000_000_000


def normalise(raw: pl.DataFrame, findings: Findings, place: Place) -> pl.DataFrame:
    """Make a chunk's spans of what a decoder read.

    Parameters
    ----------
    raw
        The columns of `CHUNK_SCHEMA`, but `kind` and `status_code` as numbers of OTLP (UInt8), and instead of
        `duration` the `end_time`. Times are Int64 nanoseconds, null where they are missing.
    findings
        Counts the repairs.
    place
        Tells where the span in a row stands.

    Returns
    -------
    The columns of `CHUNK_SCHEMA`.
    """
    findings.spans += raw.height
    trace_id, span_id = raw["trace_id"], raw["span_id"]
    if trace_id.null_count() or not _are_plain(trace_id, TRACE_ID_WIDTH):
        trace_id = _ids(trace_id, TRACE_ID_WIDTH, findings, place)
        trace_id = _required(trace_id, NO_TRACE_ID, problems.TRACE_ID_MISSING, findings, place)
    if span_id.null_count() or not _are_plain(span_id, SPAN_ID_WIDTH):
        span_id = _ids(span_id, SPAN_ID_WIDTH, findings, place)
        span_id = _required(span_id, NO_SPAN_ID, problems.SPAN_ID_MISSING, findings, place)
    start, duration = _times(raw["start_time"], raw["end_time"], findings, place)
    name = raw["name"]
    if name.null_count():
        _count(name.is_null(), problems.NAME_MISSING, findings, place)
        name = name.fill_null("")
    return raw.select(
        trace_id,
        span_id,
        _parents(raw["parent_span_id"], findings, place),
        name,
        enum(raw["kind"], KIND, findings, place),
        start,
        duration,
        enum(raw["status_code"], STATUS_CODE, findings, place),
        *(_text(raw[column]) for column in ("status_message", "trace_state")),
        pl.when(pl.col("flags") != 0).then("flags"),
        "events",
        "links",
        "resource",
        "scope",
    ).match_to_schema(CHUNK_SCHEMA)


def link_ids(links: pl.DataFrame, findings: Findings) -> pl.DataFrame:
    """Normalise the ids of links, one row per link."""

    def place(_: int) -> str:
        return "a link"

    return links.with_columns(
        _ids(links["trace_id"], TRACE_ID_WIDTH, findings, place).fill_null(""),
        _ids(links["span_id"], SPAN_ID_WIDTH, findings, place).fill_null(""),
        _text(links["trace_state"]),
    )


def enum(numbers: pl.Series, dtype: pl.Enum, findings: Findings, place: Place) -> pl.Series:
    """Name OTLP's numbers; what is missing or unknown is the first name."""
    if numbers.null_count():
        numbers = numbers.fill_null(0)
    held = numbers.to_numpy()
    if held.size and int(held.max()) >= len(dtype.categories):
        wrong = numbers >= len(dtype.categories)
        _count(wrong, problems.BAD_ENUM, findings, place, numbers)
        numbers = numbers.set(wrong, 0)
    return numbers.cast(pl.UInt8).cat.to(dtype)


def _ids(ids: pl.Series, width: int, findings: Findings, place: Place) -> pl.Series:
    """Write ids as lower-case hex of full width."""
    if _are_hex(ids, width):
        return ids
    text = pl.col(ids.name)
    ids = ids.str.strip_prefix("0x")
    base64 = ids.str.contains(_BASE64_SHAPE[width]).fill_null(value=False)
    if base64.any():
        standard = text.str.replace_all("-", "+", literal=True).str.replace_all("_", "/", literal=True)
        decoded = standard.str.decode("base64", strict=False).bin.encode("hex")
        ids = _where(ids, base64, pl.coalesce(decoded, text))
        _count(base64, problems.IDS_BASE64, findings, place)
    hexadecimal = ids.str.contains("^[0-9a-fA-F]+$").fill_null(value=False)
    upper = hexadecimal & ids.str.contains("[A-F]").fill_null(value=False)
    if upper.any():
        _count(upper, problems.IDS_UPPER, findings, place, ids)
        ids = _where(ids, upper, text.str.to_lowercase())
    zero = ids.str.contains("^0+$").fill_null(value=False)
    if zero.any():
        ids = _where(ids, zero, pl.lit("0" * width))
    lengths = ids.str.len_bytes()
    short = hexadecimal & (lengths < width).fill_null(value=False)
    if short.any():
        _count(short, problems.IDS_SHORT, findings, place, ids)
        ids = _where(ids, short, text.str.zfill(width))
    long = hexadecimal & (lengths > width).fill_null(value=False)
    _count(long, problems.IDS_LONG, findings, place, ids)
    _count(ids.is_not_null() & (lengths > 0) & ~hexadecimal, problems.IDS_NOT_HEX, findings, place, ids)
    return ids


def _are_hex(ids: pl.Series, width: int) -> bool:
    """Tell whether all ids that are there are lower-case hex of full width: byte by byte, faster than a pattern is."""
    return _digits(ids, width) is not None


def _are_plain(ids: pl.Series, width: int) -> bool:
    """Tell whether all ids that are there are lower-case hex of full width and none is zero."""
    digits = _digits(ids, width)
    if digits is None:
        return False
    halves = digits.view("<u8").reshape(-1, width // 8)
    zero = halves[:, 0] == _ZEROS
    return not zero.any() or not (halves[zero] == _ZEROS).all(axis=1).any()


def _digits(ids: pl.Series, width: int) -> npt.NDArray[np.uint8] | None:
    """Give the digits of all ids that are there, if they are lower-case hex of full width."""
    array: Any = ids.to_arrow(compat_level=pl.CompatLevel.oldest())
    _, offsets, content = array.buffers()
    bounds = np.frombuffer(offsets, dtype=np.int64, count=len(array) + 1, offset=8 * array.offset)
    lengths = np.diff(bounds)
    there = len(array) - ids.null_count()
    if np.count_nonzero(lengths == width) != there or int(bounds[-1] - bounds[0]) != there * width:
        return None
    if not there:
        return np.zeros(0, dtype=np.uint8)
    digits = np.frombuffer(content, dtype=np.uint8, count=there * width, offset=int(bounds[0]))
    # What is below the first digit or letter wraps around and is as much too large as what is above the last.
    fits = np.all((digits - _ZERO <= _NINE - _ZERO) | (digits - _A <= _F - _A))
    return digits if fits else None


def _required(ids: pl.Series, nothing: str, problem: Problem, findings: Findings, place: Place) -> pl.Series:
    """Write zeros where an id is missing; count those and the ones that are zero already."""
    missing = ids.is_null() | (ids == "") | (ids == nothing)
    if not missing.any():
        return ids
    _count(missing, problem, findings, place)
    return _where(ids, missing, pl.lit(nothing))


def _parents(parents: pl.Series, findings: Findings, place: Place) -> pl.Series:
    """Give the parents' ids, null for roots: missing, empty and all-zero parents are none."""
    if _are_plain(parents, SPAN_ID_WIDTH):
        return parents
    zero = parents.str.contains("^(0x)?0+$|^A{11}=$").fill_null(value=False)
    none = zero | (parents == "").fill_null(value=False)
    if none.any():
        _count(zero, problems.PARENT_ZERO, findings, place)
        parents = _where(parents, none, pl.lit(None, dtype=pl.String))
    return _ids(parents, SPAN_ID_WIDTH, findings, place)


def _times(start: pl.Series, end: pl.Series, findings: Findings, place: Place) -> tuple[pl.Series, pl.Series]:
    """Give starts and durations; no duration is negative and no start missing."""
    if start.null_count():
        # Proto3 does not tell zero from missing; in traces whose clock begins at zero, a start may well be zero.
        start = _where(start, start.is_null() & (end < _FIRST_DAY).fill_null(value=False), pl.lit(0, dtype=pl.Int64))
    if start.null_count():
        _count(start.is_null(), problems.START_MISSING, findings, place)
        start = start.zip_with(start.is_not_null(), end).fill_null(0).alias("start_time")
    if end.null_count():
        _count(end.is_null(), problems.END_MISSING, findings, place)
        end = end.zip_with(end.is_not_null(), start)
    duration = end.to_numpy() - start.to_numpy()
    if duration.size and int(duration.min()) < 0:
        backwards = end < start
        _count(backwards, problems.ENDS_BEFORE_START, findings, place)
        duration = np.maximum(duration, 0)
    return start, pl.Series("duration", duration)


def _text(text: pl.Series) -> pl.Series:
    """Write null for empty text, which is what proto3 means by it."""
    if text.null_count() == text.len():
        return text
    empty = text == ""
    return _where(text, empty, pl.lit(None, dtype=pl.String)) if empty.any() else text


def _where(series: pl.Series, mask: pl.Series, then: pl.Expr) -> pl.Series:
    frame = series.to_frame()
    return frame.select(pl.when(mask).then(then).otherwise(pl.col(series.name)).alias(series.name)).to_series()


def _count(
    mask: pl.Series, problem: Problem, findings: Findings, place: Place, examples: pl.Series | None = None
) -> None:
    count = int(mask.sum() or 0)
    if count:
        first = mask.fill_null(value=False).arg_max() or 0
        findings.add(problem, count, place=place(first), example=None if examples is None else examples[first])
