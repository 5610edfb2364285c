"""Kinds and statuses in the words of many tools, and what remains an attribute because it is neither."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.loaders.report import problems
from tracelab.loaders.rows.ids import NO_WORDS
from tracelab.loaders.rows.table import Column, dense, text_of_scalars
from tracelab.schema import KINDS, STATUS_CODES
from tracelab.status_codes import CALLERS, http_failed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracelab.loaders.columns.chunk import Rows
    from tracelab.loaders.report.findings import Findings
    from tracelab.loaders.rows.table import Table

_NUMBERS: Final = pl.UInt8()
_KIND_WORDS: Final = {
    **{name: number for number, name in enumerate(KINDS)},
    **{str(number): number for number in range(len(KINDS))},
    "request": 2,
    "requests": 2,
    "apprequests": 2,
    "dependency": 3,
    "dependencies": 3,
    "appdependencies": 3,
    "local": 1,
    "inproc": 1,
}
_STATUS_WORDS: Final = {
    **{name: number for number, name in enumerate(STATUS_CODES)},
    **{str(number): number for number in range(len(STATUS_CODES))},
    **dict.fromkeys(("unspecified", "none"), 0),
    **dict.fromkeys(("success", "succeeded", "successful", "completed"), 1),
    **dict.fromkeys(("err", "failed", "failure", "fail", "exception", "fault"), 2),
}
_PREFIXES: Final = ("span_kind_", "spankind.", "status_code_", "statuscode.", "rpc_", "kind_")
_YES: Final = ("true", "1", "yes", "t", "y", "1.0")
_NO: Final = (*NO_WORDS, "false", "0", "no", "f", "n", "0.0")
_LEAST, _MOST = 100, 599
_ERROR: Final = 2


@dataclass(slots=True)
class Read:
    """Numbers of OTLP for each row, and what could not be read, which stays an attribute."""

    numbers: pl.Series
    rest: dict[str, Column]


def kinds(table: Table, names: list[str], findings: Findings) -> Read:
    """Read kinds; a column in which they are rare is something else."""
    return _enum(table, names, _KIND_WORDS, findings)


def statuses(table: Table, fields: Mapping[str, list[str]], kind: pl.Series, findings: Findings) -> Read:
    """Read statuses: a status of its own, a status code of HTTP, and columns that say error or success."""
    read = _enum(table, fields.get("status_code", []), _STATUS_WORDS, findings)
    failed = np.zeros(table.height, dtype=bool)
    for name, column in read.rest.items():
        failed |= _failed_by_http(column, kind, table, findings, name)
    for name in fields.get("error", []):
        said, rest = _errors(table.columns[name], table, findings, name)
        failed |= said
        if rest.count():
            read.rest[name] = rest
    for name in fields.get("success", []):
        yes, no, rest = _answers(table.columns[name], table.height)
        failed |= no & ~yes
        if rest.count():
            read.rest[name] = rest
    if failed.any():
        frame = read.numbers.to_frame("s")
        read.numbers = frame.select(pl.when(pl.Series(failed)).then(_ERROR).otherwise("s").cast(_NUMBERS)).to_series()
    return read


def _enum(table: Table, names: list[str], words: Mapping[str, int], findings: Findings) -> Read:
    pieces: list[tuple[Rows, pl.Series]] = []
    rest: dict[str, Column] = {}
    for name in reversed(names):
        column = table.columns[name]
        known = [_known(values, words) for _, values in column.scalars]
        found = sum(each.count() for each in known)
        if 2 * found < column.count():
            rest[name] = column
            if _is_http(column):
                continue
            findings.add(problems.OTHER_WORDS, column.count(), place=name, example=_example(column))
            continue
        pieces += [(rows, each) for (rows, _), each in zip(column.scalars, known, strict=True)]
        if found < column.count():
            left = np.zeros(table.height, dtype=bool)
            for rows, each in pieces[-len(known) :]:
                left[rows[each.is_null().to_numpy()]] = True
            for rows, _ in column.objects:
                left[rows] = True
            unread = _said(column.where(left))
            if unread.count():
                rest[name] = unread
                findings.add(problems.OTHER_WORDS, unread.count(), place=name, example=_example(unread))
    pieces = [(rows[each.is_not_null().to_numpy()], each.drop_nulls()) for rows, each in pieces]
    return Read(dense(pieces, table.height, _NUMBERS), rest)


def _known(values: pl.Series, words: Mapping[str, int]) -> pl.Series:
    distinct = text_of_scalars(values)
    known = {each: words.get(_bare(each)) for each in distinct.unique().to_list()}
    return distinct.replace_strict(known, default=None, return_dtype=_NUMBERS)


def _bare(word: str) -> str:
    word = word.strip().lower().removesuffix(".0")
    for prefix in _PREFIXES:
        word = word.removeprefix(prefix)
    return word


def _said(column: Column) -> Column:
    """Leave out the words that say that there is nothing."""
    kept = Column(objects=column.objects)
    for rows, values in column.scalars:
        says = ~text_of_scalars(values).str.to_lowercase().is_in(NO_WORDS)
        if says.any():
            kept.scalars.append((rows[says.to_numpy()], values.filter(says)))
    return kept


def _example(column: Column) -> object:
    return column.scalars[0][1][0] if column.scalars else column.objects[0][1][0]


def _is_http(column: Column) -> bool:
    """Say whether most values are status codes of HTTP."""
    found = sum(int(_http(values).is_not_null().sum()) for _, values in column.scalars)
    return 2 * found >= column.count()


def _http(values: pl.Series) -> pl.Series:
    return text_of_scalars(values).str.extract(r"^\s*([1-5]\d\d)(?:\.0)?(?:\s.*)?$").cast(pl.Int64)


def _failed_by_http(column: Column, kind: pl.Series, table: Table, findings: Findings, name: str) -> np.ndarray:
    """Tell which rows failed by a status code of HTTP that stands where a status stands."""
    failed = np.zeros(table.height, dtype=bool)
    if not _is_http(column):
        return failed
    callers = kind.fill_null(0).is_in([KINDS.index(each) for each in CALLERS])
    for rows, values in column.scalars:
        frame = pl.DataFrame({"code": _http(values), "caller": callers.gather(pl.Series(rows))})
        distinct = frame.unique()
        told = [http_failed(code, caller=caller) for code, caller in distinct.iter_rows()]
        joined = frame.join(
            distinct.with_columns(failed=pl.Series(told, dtype=pl.Boolean)),
            on=["code", "caller"],
            how="left",
            nulls_equal=True,
            maintain_order="left",
        )
        failed[rows[joined["failed"].fill_null(value=False).to_numpy()]] = True
    findings.add(problems.STATUS_OF_HTTP, int(failed.sum()), place=name)
    return failed


def _errors(column: Column, table: Table, findings: Findings, name: str) -> tuple[np.ndarray, Column]:
    """Tell which rows have an error: a yes, or a text or object that describes one, which stays an attribute."""
    yes, _, rest = _answers(column, table.height)
    if rest.count():
        findings.add(problems.STATUS_OF_ERROR, rest.count(), place=name, example=_example(rest))
        yes[rest.rows()] = True
    return yes, rest


def _answers(column: Column, height: int) -> tuple[np.ndarray, np.ndarray, Column]:
    """Tell which rows say yes and which no, and give what says neither."""
    yes, no = np.zeros(height, dtype=bool), np.zeros(height, dtype=bool)
    rest = Column(objects=column.objects)
    for rows, values in column.scalars:
        words = text_of_scalars(values).str.strip_chars().str.to_lowercase()
        agrees, denies = words.is_in(_YES).to_numpy(), words.is_in(_NO).to_numpy()
        yes[rows[agrees]] = True
        no[rows[denies & (words != "").to_numpy()]] = True
        other = ~agrees & ~denies
        if other.any():
            rest.scalars.append((rows[other], values.filter(pl.Series(other))))
    return yes, no, rest
