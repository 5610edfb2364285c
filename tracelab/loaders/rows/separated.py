"""CSV and its relatives: which separator, where the header is, and rows that do not keep to it."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.loaders.report import problems
from tracelab.loaders.rows.ids import NO_WORDS
from tracelab.loaders.rows.names import are_columns_of_spans, missing
from tracelab.loaders.rows.spans import chunk_of
from tracelab.loaders.rows.table import table_of_frame

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracelab.loaders.columns.chunk import Chunk
    from tracelab.loaders.input.sources import Readable
    from tracelab.loaders.report.findings import Findings
    from tracelab.loaders.rows.names import Asked

SNIFFED: Final = 1 << 18
_SEPARATORS: Final = (",", "\t", ";", "|")
_LINES: Final = 20
_BLOCK: Final = 16 << 20
_JOINED: Final = 200
_QUOTE, _NEWLINE = b'"\n'
_WITH_COMMA: Final = r"^-?(?:\d+|\d{1,3}(?:\.\d{3})+)(?:,\d+)?$"
"""A number with a decimal comma, whose thousands may have points."""
_WITH_THOUSANDS: Final = r"^[+-]?(?:[1-9]\d{0,2}(?:,\d{3})+|\d+)(?:\.\d+)?(?:\s*(?:ns|us|[µμ]s|ms|s))?$"
"""A number with a decimal point, whose thousands have commas; a length of time may say its unit."""


@dataclass(frozen=True, slots=True)
class Header:
    """The names of the columns, what separates them, and where the rows begin."""

    names: tuple[str, ...]
    separator: str
    line: int
    body: int


def header_of(head: bytes, asked: Asked | None = None, *, forced: bool = False) -> Header | None:
    """Find the header in the beginning of a file; None if it is not one of spans.

    With `forced` it is the line that has the columns that were asked for, else the first one.
    """
    found = list(_headers(head))
    wanted = set(asked.columns.values()) if asked else set()
    for each in found:
        if are_columns_of_spans(each.names) if not wanted else wanted <= set(each.names):
            return each
    if not forced or not found:
        return None
    first = min(each.line for each in found)
    return max((each for each in found if each.line == first), key=lambda each: len(each.names))


def refusal(head: bytes) -> str | None:
    """Say what is missing if it looks like a table of something else."""
    found = list(_headers(head))
    for each in found:
        rows = head[each.body :].split(b"\n", 3)[:3]
        widths = [len(_cut(row.decode("utf-8", "replace"), each.separator)) for row in rows[:-1]]
        if each.line == 0 and len(each.names) > 2 and widths and set(widths) == {len(each.names)}:
            return missing(each.names)
    return None


def _headers(head: bytes) -> Iterator[Header]:
    """Give every line in the beginning as each separator would cut it."""
    position = 0
    for number in range(_LINES):
        end = head.find(b"\n", position)
        stop = end if end >= 0 else len(head)
        line = head[position:stop].decode("utf-8", "replace").strip("\r\n\x00 ")
        for separator in _SEPARATORS:
            names = tuple(name.strip() for name in _cut(line, separator))
            if len(names) > 1 and all(name.isprintable() and _is_closed(name) for name in names):
                yield Header(names, separator, number, stop + 1)
        if end < 0:
            return
        position = end + 1


def _is_closed(name: str) -> bool:
    """Say whether every bracket in a name has its other half; in code and SQL with names in a list they are cut."""
    return all(name.count(left) == name.count(right) for left, right in ("()", "[]", "{}"))


def _cut(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=separator), [])
    except csv.Error:
        return []


def read_separated(stream: Readable, header: Header, asked: Asked | None, findings: Findings) -> Iterator[Chunk]:
    """Read a table of text as spans."""
    parts = []
    while block := stream.read(_BLOCK):
        parts.append(block)
    content = b"".join(parts)
    del parts
    findings.add(
        problems.BEFORE_HEADER,
        header.line,
        place="line 1",
        example=content[:80].split(b"\n")[0].decode("utf-8", "replace"),
    )
    frame, rows = _frame(memoryview(content)[header.body :], header, findings)
    del content
    table = table_of_frame(frame, lambda row: f"row {int(rows[row]) + 1}", typed=False)
    yield chunk_of(table, asked, findings, stream.name)


def _frame(body: memoryview, header: Header, findings: Findings) -> tuple[pl.DataFrame, np.ndarray]:
    """Read the rows as text; gives their numbers too, for empty ones are left out."""
    names = _distinct(header.names)
    frame = _read(body, names, header.separator, findings)
    if frame is None:
        frame = _read_line_by_line(bytes(body), names, header.separator, findings)
    elif frame.height and frame.to_series(-1).null_count():
        _count_short(body, len(names), header.separator, findings)
    if frame.width == 0 or not frame.height:
        return frame, np.arange(frame.height)
    keeps = frame.select((~pl.all_horizontal(pl.all().is_null())).alias("k")).to_series()
    again = (
        frame.select(
            pl.all_horizontal(
                *((pl.col(own) == name) for own, name in zip(names[:3], header.names[:3], strict=True))
            ).alias("a")
        )
        .to_series()
        .fill_null(value=False)
    )
    findings.add(problems.HEADER_AGAIN, int(again.sum()), place=f"row {(again.arg_max() or 0) + 1}")
    keeps = keeps & ~again
    rows = np.flatnonzero(keeps.to_numpy())
    frame = frame if keeps.all() else frame.filter(keeps)
    frame = _without_index(frame, header, findings)
    frame = _with_points(frame, findings) if header.separator == ";" else frame
    return _without_thousands(frame, findings), rows


def _distinct(names: tuple[str, ...]) -> list[str]:
    """Give every column a name of its own."""
    found: list[str] = []
    for number, name in enumerate(names, start=1):
        own = name or f"column_{number}"
        while own in found:
            own = f"{own}_{number}"
        found.append(own)
    return found


def _read(body: memoryview, names: list[str], separator: str, findings: Findings) -> pl.DataFrame | None:
    """Read the rows with polars; None where they are not as regular as that needs."""
    if not bytes(body[:4096]).strip() and not bytes(body).strip():
        return pl.DataFrame(schema=dict.fromkeys(names, pl.String))
    frame = _read_regular(body, names, separator)
    if frame is not None:
        return frame
    text = bytes(body).decode("utf-8", "replace")
    wrong = text.count("\ufffd") - bytes(body).count(b"\xef\xbf\xbd")
    if wrong <= 0:
        return None
    findings.add(problems.BAD_UTF8, wrong)
    return _read_regular(memoryview(text.encode("utf-8")), names, separator)


def _read_regular(body: memoryview, names: list[str], separator: str) -> pl.DataFrame | None:
    schema = dict.fromkeys(names, pl.String)
    try:
        return pl.read_csv(
            io.BytesIO(body), has_header=False, schema=schema, separator=separator, null_values=["\\N"]
        ).rechunk()
    except pl.exceptions.PolarsError:
        return None


def _read_line_by_line(content: bytes, names: list[str], separator: str, findings: Findings) -> pl.DataFrame:
    """Read rows that have more fields than the header, or quotes that do not end."""
    lines = content.decode("utf-8", "replace").split("\n")
    columns: list[list[str | None]] = [[] for _ in names]
    long = short = height = 0
    first_long = first_short = ""
    number = 0
    while number < len(lines):
        fields, used = _record(lines, number, separator, len(names))
        number += used
        if fields is None:
            findings.spans += 1
            findings.add(problems.BAD_ROWS, place=f"line {number}", example=lines[number - 1], lost_spans=1)
            continue
        if not fields or fields == [""]:
            continue
        if len(fields) > len(columns):
            columns += [[None] * height for _ in range(len(fields) - len(columns))]
        if len(fields) > len(names):
            long, first_long = long + 1, first_long or f"row {height + 1}"
        if len(fields) < len(names):
            short, first_short = short + 1, first_short or f"row {height + 1}"
        for column, value in zip(columns, fields, strict=False):
            column.append(value or None)
        for column in columns[len(fields) :]:
            column.append(None)
        height += 1
    findings.add(problems.LONG_ROWS, long, place=first_long)
    findings.add(problems.SHORT_ROWS, short, place=first_short)
    more = [f"column_{number}" for number in range(len(names) + 1, len(columns) + 1)]
    whole = _distinct((*names, *more))
    return pl.DataFrame([pl.Series(name, column, dtype=pl.String) for name, column in zip(whole, columns, strict=True)])


def _record(lines: list[str], number: int, separator: str, width: int) -> tuple[list[str] | None, int]:
    """Give the fields of a row and how many lines it takes; None where its quotes do not end."""
    text = lines[number].removesuffix("\r")
    quotes = text.count('"')
    used = 1
    while quotes % 2 and used < _JOINED and number + used < len(lines):
        more = lines[number + used].removesuffix("\r")
        text, quotes, used = f"{text}\n{more}", quotes + more.count('"'), used + 1
    fields = _fields(text, separator)
    if quotes % 2 or fields is None or (used > 1 and len(fields) > width):
        return None, 1
    return fields, used


def _fields(text: str, separator: str) -> list[str] | None:
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 else ([] if not rows else None)


def _count_short(body: memoryview, width: int, separator: str, findings: Findings) -> None:
    """Count the rows that have fewer separators than they need, outside of quotes."""
    mark = ord(separator)
    short = row = pending = 0
    first = None
    inside = False
    empty = True
    for start in range(0, len(body), _BLOCK):
        block = np.frombuffer(body[start : start + _BLOCK], dtype=np.uint8)
        where = np.flatnonzero((block == mark) | (block == _NEWLINE) | (block == _QUOTE))
        signs = block[where]
        quoted = (np.cumsum(signs == _QUOTE) + inside) % 2 == 1
        inside = bool(quoted[-1]) if quoted.size else inside
        open_ = ~quoted & (signs != _QUOTE)
        ends = np.flatnonzero(open_ & (signs == _NEWLINE))
        counts = np.cumsum(open_ & (signs == mark))
        at_ends = np.diff(np.concatenate([[-pending], counts[ends]])) if ends.size else np.zeros(0, dtype=np.int64)
        blank = (
            np.diff(np.concatenate([[-1 if empty else -2], where[ends]])) <= 1 if ends.size else np.zeros(0, dtype=bool)
        )
        lacking = (at_ends < width - 1) & ~blank
        if lacking.any() and first is None:
            first = row + int(lacking.argmax()) + 1
        short, row = short + int(lacking.sum()), row + ends.size
        pending = (
            (int(counts[-1]) if counts.size else 0) - int(counts[ends[-1]])
            if ends.size
            else pending + (int(counts[-1]) if counts.size else 0)
        )
        empty = bool(ends.size and where[ends[-1]] == block.size - 1)
    if not empty and pending < width - 1:
        short, first = short + 1, first or row + 1
    findings.add(problems.SHORT_ROWS, short, place=f"row {first}")


def _without_index(frame: pl.DataFrame, header: Header, findings: Findings) -> pl.DataFrame:
    """Leave out the numbers of rows that pandas writes into a first column without a name."""
    if header.names[0] not in ("", "Unnamed: 0"):
        return frame
    numbers = frame.to_series(0).cast(pl.Int64, strict=False)
    if numbers.null_count() or not bool((numbers == pl.int_range(frame.height, eager=True)).all()):
        return frame
    findings.add(problems.ROW_NUMBERS, frame.height)
    return frame.drop(frame.columns[0])


def _with_points(frame: pl.DataFrame, findings: Findings) -> pl.DataFrame:
    """Write numbers with a decimal point that have a comma, where the comma separates nothing else."""
    named = []
    for column in frame.get_columns():
        said = column.drop_nulls()
        if said.str.contains(",", literal=True).any() and said.str.contains(_WITH_COMMA).all():
            named.append(column.name)
            findings.add(problems.DECIMAL_COMMAS, said.len(), place=column.name, example=said[0])
    return frame.with_columns(pl.col(named).str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True))


def _without_thousands(frame: pl.DataFrame, findings: Findings) -> pl.DataFrame:
    """Leave out the commas between the thousands of numbers, in columns that hold nothing else but such numbers."""
    named = []
    for column in frame.get_columns():
        commas = column.str.contains(",", literal=True).fill_null(value=False)
        if not commas.any():
            continue
        text = column.str.strip_chars()
        said = text.filter(~text.str.to_lowercase().is_in(NO_WORDS).fill_null(value=True))
        if said.str.contains(_WITH_THOUSANDS).all():
            named.append(column.name)
            findings.add(problems.THOUSANDS, int(commas.sum()), place=column.name, example=column.filter(commas)[0])
    return frame.with_columns(pl.col(named).str.replace_all(",", "", literal=True))
