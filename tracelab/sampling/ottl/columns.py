"""Values of many rows at once, each row's of its own kind.

A column has one series for each common kind of value, null on the rows that hold another. What is rare, such as maps,
stands in a list of different values, and a series says which row holds which. Rows without any value hold nil.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import polars as pl

from tracelab.sampling.ottl.values import (
    MAX_INT,
    MIN_INT,
    ConditionFailedError,
    Duration,
    Identifier,
    NotReplayableError,
    Time,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

BOOL: Final = "bool"
INT: Final = "int"
DOUBLE: Final = "double"
STRING: Final = "string"
TIME: Final = "time"
DURATION: Final = "duration"
OTHER: Final = "other"
IDENTIFIERS: Final = {"trace": "trace id", "span": "span id", "profile": "profile id"}
"""What an id is of to the kind of its column, which holds hexadecimal digits."""

DTYPES: Final[dict[str, pl.DataType]] = {
    BOOL: pl.Boolean(),
    INT: pl.Int64(),
    DOUBLE: pl.Float64(),
    STRING: pl.String(),
    TIME: pl.Int64(),
    DURATION: pl.Int64(),
    OTHER: pl.UInt32(),
    **dict.fromkeys(IDENTIFIERS.values(), pl.String()),
}


@dataclass(frozen=True)
class Failure:
    """What a row has instead of a value where the Collector answers with an error."""

    message: str


@dataclass(frozen=True)
class Unknown:
    """What a row has instead of a value where a span frame does not tell it."""


@dataclass(frozen=True)
class Constant:
    """The same value on all rows; it may also be a `Failure` or `Unknown`."""

    value: Any


@dataclass(frozen=True)
class Column:
    """A value, or nil, on each row.

    Attributes
    ----------
    height
        How many rows there are.
    parts
        Kind to series: times and durations in nanoseconds, others as places in `others`.
    others
        The different values of rare kinds.
    failures
        String: why there is no value, null where there is one; None where no row fails.
    unknown
        Boolean: a span frame does not tell the value; None where all are known.
    """

    height: int
    parts: dict[str, pl.Series] = field(default_factory=dict)
    others: Sequence[Any] = ()
    failures: pl.Series | None = None
    unknown: pl.Series | None = None

    def gather(self, rows: pl.Series) -> Column:
        """Take rows, in this order."""
        return Column(
            rows.len(),
            {kind: part.gather(rows) for kind, part in self.parts.items()},
            self.others,
            None if self.failures is None else self.failures.gather(rows),
            None if self.unknown is None else self.unknown.gather(rows),
        )

    @property
    def present(self) -> pl.Series:
        """Tell which rows hold a value that is not nil."""
        return any_of([part.is_not_null() for part in self.parts.values()], self.height)

    @property
    def settled(self) -> bool:
        """Tell whether every row has a value, be it nil."""
        return self.failures is None and self.unknown is None


_OF_IDENTIFIERS: Final = {kind: of for of, kind in IDENTIFIERS.items()}

Cells: TypeAlias = Column | Constant


def always(value: bool, height: int) -> pl.Series:
    """Give one truth for all rows."""
    return pl.Series([value]).new_from_index(0, height)


def any_of(masks: Sequence[pl.Series], height: int) -> pl.Series:
    """Tell where any of several is true."""
    return reduce(lambda one, other: one | other, masks) if masks else always(False, height)


def failing(columns: Sequence[Cells]) -> pl.Series | None:
    """Give the first failure of each row."""
    found = [column.failures for column in columns if isinstance(column, Column) and column.failures is not None]
    return reduce(lambda one, other: one.zip_with(one.is_not_null(), other), found) if found else None


def unknown(columns: Sequence[Cells]) -> pl.Series | None:
    """Tell on which rows some value is not known."""
    found = [column.unknown for column in columns if isinstance(column, Column) and column.unknown is not None]
    return reduce(lambda one, other: one | other, found) if found else None


def truth_of(column: Column) -> pl.Series:
    """Give the bools of a column; null where it has none."""
    return (
        column.parts[BOOL]
        if BOOL in column.parts
        else pl.Series([None], dtype=pl.Boolean()).new_from_index(0, column.height)
    )


def spread(cells: Cells, height: int) -> Column:
    """Give a value to all rows, where it is the same for all."""
    if isinstance(cells, Column):
        return cells
    return column_of([cells.value], pl.Series([0], dtype=pl.UInt32()).new_from_index(0, height))


def first_of(one: Column, other: Column) -> Column:
    """Take the values of one column, and those of another where it has nil."""
    theirs_count = ~one.present
    if one.failures is not None:
        theirs_count = theirs_count & one.failures.is_null()
    if one.unknown is not None:
        theirs_count = theirs_count & ~one.unknown
    parts = dict(one.parts)
    for kind, part in other.parts.items():
        theirs = (part + len(one.others)).cast(pl.UInt32) if kind == OTHER else part
        theirs = theirs.set(~theirs_count, None)
        parts[kind] = parts[kind].zip_with(~theirs_count, theirs) if kind in parts else theirs
    found = Column(one.height, parts, [*one.others, *other.others], one.failures, one.unknown)
    failures = None if other.failures is None else other.failures.set(~theirs_count, None)
    return with_faults(found, failures, None if other.unknown is None else other.unknown & theirs_count)


def kind_of(value: Any) -> str:
    """Say in which part of a column a value stands."""
    match value:
        case bool():
            return BOOL
        case int():
            return INT
        case float():
            return DOUBLE
        case str():
            return STRING
        case Duration():
            return DURATION
        case Identifier():
            return IDENTIFIERS[value.of]
        case Time(nanoseconds=number, zone="UTC") if MIN_INT <= number <= MAX_INT:
            return TIME
    return OTHER


def raw(value: Any) -> Any:
    """Give what stands in a series for a value of a common kind."""
    if isinstance(value, Time | Duration):
        return value.nanoseconds
    return value.content.hex() if isinstance(value, Identifier) else value


def column_of(values: Sequence[Any], codes: pl.Series | None = None) -> Column:
    """Make a column of values; with `codes`, row for row the value at the place that they say, null for nil."""
    lists: dict[str, list[Any]] = {}
    others: list[Any] = []
    failures: list[str | None] = [None] * len(values)
    unknowns = [False] * len(values)
    for place, value in enumerate(values):
        if value is None:
            continue
        if isinstance(value, Failure):
            failures[place] = value.message
            continue
        if isinstance(value, Unknown):
            unknowns[place] = True
            continue
        kind = kind_of(value)
        if kind == OTHER:
            others.append(value)
            value = len(others) - 1  # noqa: PLW2901
        else:
            value = raw(value)  # noqa: PLW2901
        lists.setdefault(kind, [None] * len(values))[place] = value
    column = Column(
        len(values),
        {kind: pl.Series(kind, items, dtype=DTYPES[kind]) for kind, items in lists.items()},
        others,
        pl.Series(failures, dtype=pl.String()) if any(failure is not None for failure in failures) else None,
        pl.Series(unknowns) if any(unknowns) else None,
    )
    if codes is None:
        return column
    found = column.gather(codes)
    if found.unknown is None:
        return found
    sure = found.unknown.fill_null(value=False)
    return Column(found.height, found.parts, found.others, found.failures, sure)


def python_values(column: Column) -> list[Any]:
    """Give the values of a column as the converters take them."""
    found: list[Any] = [None] * column.height
    for kind, part in column.parts.items():
        for place, value in enumerate(part.to_list()):
            if value is not None:
                found[place] = python_value(kind, value, column.others)
    return found


def python_value(kind: str, value: Any, others: Sequence[Any]) -> Any:
    """Give one value of a part of a column."""
    if kind == TIME:
        return Time(value)
    if kind == DURATION:
        return Duration(value)
    if kind in _OF_IDENTIFIERS:
        return Identifier(_OF_IDENTIFIERS[kind], bytes.fromhex(value))
    return others[value] if kind == OTHER else value


def mapped(function: Callable[..., Any], columns: Sequence[Cells], height: int) -> Cells:
    """Call a function once for each combination of values that occurs, and bring what it gives to the rows.

    What fails or is unknown already is not handed in: a failure stays one, else it stays unknown.
    """
    constants = [column for column in columns if isinstance(column, Constant)]
    for constant in constants:
        if isinstance(constant.value, Failure):
            return constant
    varying = [column for column in columns if isinstance(column, Column)]
    if not varying:
        if any(isinstance(constant.value, Unknown) for constant in constants):
            return Constant(Unknown())
        return Constant(called(function, [constant.value for constant in constants]))
    failures, unsure = failing(varying), unknown(varying)
    if any(isinstance(constant.value, Unknown) for constant in constants):
        unsure = always(True, height)
    groups, codes = _combinations(varying, failures, unsure, height)
    values = [python_values(group) for group in groups]
    results = []
    for place in range(groups[0].height):
        row = iter([each[place] for each in values])
        arguments = [column.value if isinstance(column, Constant) else next(row) for column in columns]
        results.append(called(function, arguments))
    found = column_of(results, codes)
    return with_faults(found, failures, unsure)


def called(function: Callable[..., Any], arguments: Sequence[Any]) -> Any:
    """Call a function on values; what it cannot answer becomes a value, too."""
    try:
        return function(*arguments)
    except ConditionFailedError as error:
        return Failure(str(error))
    except (NotReplayableError, RecursionError):
        return Unknown()


def with_faults(column: Column, failures: pl.Series | None, unsure: pl.Series | None) -> Column:
    """Add failures and what is unknown to a column that has no values there."""
    if column.failures is not None:
        failures = column.failures if failures is None else failures.zip_with(failures.is_not_null(), column.failures)
    if column.unknown is not None:
        unsure = column.unknown if unsure is None else unsure | column.unknown
    if failures is not None and unsure is not None:
        unsure = unsure & failures.is_null()
    return Column(column.height, column.parts, column.others, failures, unsure)


def _combinations(
    columns: Sequence[Column], failures: pl.Series | None, unsure: pl.Series | None, height: int
) -> tuple[list[Column], pl.Series]:
    """Find which combinations of values occur; gives their columns, and which one each row has, null for a fault."""
    parts = {f"{place} {kind}": part for place, column in enumerate(columns) for kind, part in column.parts.items()}
    fine = always(value=True, height=height) if failures is None else failures.is_null()
    if unsure is not None:
        fine = fine & ~unsure
    frame = pl.DataFrame({"row": pl.int_range(height, dtype=pl.UInt32, eager=True), **parts}).filter(fine)
    # Where all is nil on all rows there is no part, and one combination.
    keys = [pl.col(name) for name in parts] or [pl.lit(0).alias("nil")]
    groups = frame.group_by(keys, maintain_order=True).agg("row")
    codes = np.zeros(height, dtype=np.uint32)
    rows = groups["row"].explode(empty_as_null=False).to_numpy()
    codes[rows] = np.repeat(np.arange(groups.height, dtype=np.uint32), groups["row"].list.len().to_numpy())
    found = [
        Column(groups.height, {kind: groups[f"{place} {kind}"] for kind in column.parts}, column.others)
        for place, column in enumerate(columns)
    ]
    return found, pl.Series(codes) if fine.all() else pl.Series(codes).set(~fine, None)
