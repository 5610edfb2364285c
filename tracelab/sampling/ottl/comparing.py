"""Comparing and calculating with whole columns."""

from __future__ import annotations

from functools import reduce
from operator import eq, ge, gt, le, lt, ne
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from tracelab.sampling.ottl.columns import (
    BOOL,
    DOUBLE,
    DURATION,
    IDENTIFIERS,
    INT,
    OTHER,
    TIME,
    Cells,
    Column,
    Constant,
    Failure,
    Unknown,
    always,
    failing,
    kind_of,
    mapped,
    raw,
    spread,
    truth_of,
    unknown,
    with_faults,
)
from tracelab.sampling.ottl.operators import calculated, compared

if TYPE_CHECKING:
    from collections.abc import Callable

_OPERATORS: Final[dict[str, Callable[[Any, Any], Any]]] = {"==": eq, "!=": ne, "<": lt, "<=": le, ">=": ge, ">": gt}
_NUMBERS: Final = (INT, DOUBLE)
_MOST: Final = 2.0**63 - 2.0**12


def compare(operator: str, left: Cells, right: Cells, height: int) -> Cells:
    """Compare two values on each row; gives bools."""
    if isinstance(left, Constant) and isinstance(right, Constant):
        return mapped(lambda one, other: compared(operator, one, other), [left, right], height)
    if isinstance(left, Constant):
        # The same question the other way round, so that the constant stands on the right.
        turned = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}.get(operator, operator)
        return compare(turned, right, left, height)
    if isinstance(right, Constant) and (isinstance(right.value, Failure | Unknown) or kind_of(right.value) == OTHER):
        if right.value is None:
            return _bools(_with_nil(operator, left), left)
        return mapped(lambda one, other: compared(operator, one, other), [left, right], height)
    if OTHER in left.parts or (isinstance(right, Column) and OTHER in right.parts):
        return _compared_with_rare(operator, left, right, height)
    return _bools(_common(operator, left, right), left, right)


def _bools(truth: pl.Series, *of: Cells) -> Column:
    """Make a column of truths, which are none where what was compared fails or is unknown."""
    failures, unsure = failing(of), unknown(of)
    if failures is not None:
        truth = truth.set(failures.is_not_null(), None)
    if unsure is not None:
        truth = truth.set(unsure, None)
    return with_faults(Column(truth.len(), {BOOL: truth.alias(BOOL)}), failures, unsure)


def _with_nil(operator: str, column: Column) -> pl.Series:
    """Compare with nil. Empty bytes are nil to Go, too."""
    present = column.present
    empty = [place for place, value in enumerate(column.others) if value == b"" and isinstance(value, bytes)]
    if empty:
        present = present & ~column.parts[OTHER].is_in(empty).fill_null(False)
    if operator == "!=":
        return present
    return ~present if operator in ("==", "<=", ">=") else always(False, column.height)


def _common(operator: str, left: Column, right: Cells) -> pl.Series:
    """Compare values of common kinds: first those whose kinds go together, and the rest differ."""
    found: list[pl.Series] = []
    for kind, part in left.parts.items():
        if isinstance(right, Constant):
            if _go_together(operator, kind, kind_of(right.value)):
                found.append(_answers(operator, part, raw(right.value)))
        else:
            found += [
                _answers(operator, part, other)
                for name, other in right.parts.items()
                if _go_together(operator, kind, name)
            ]
    differs = operator == "!="
    truth = reduce(lambda one, other: one.zip_with(one.is_not_null(), other), found) if found else None
    truth = always(differs, left.height) if truth is None else truth.fill_null(differs)
    if isinstance(right, Column) and operator not in ("<", ">"):
        neither = ~left.present & ~right.present
        truth = truth & ~neither if differs else truth | neither
    return truth


def _go_together(operator: str, one: str, other: str) -> bool:
    if one in IDENTIFIERS.values() and operator not in ("==", "!="):
        return False
    return one == other or (one in _NUMBERS and other in _NUMBERS)


def _answers(operator: str, left: pl.Series, right: Any) -> pl.Series:
    """Compare two parts; polars finds NaN equal to itself and the greatest, and Go finds it neither."""
    if isinstance(right, float) or (isinstance(right, pl.Series) and right.dtype == pl.Float64):
        left = left.cast(pl.Float64)
    if left.dtype == pl.Boolean:
        # Only numbers have an order in polars; false comes before true.
        left, right = left.cast(pl.Int8), right.cast(pl.Int8) if isinstance(right, pl.Series) else int(right)
    if left.dtype == pl.Float64:
        right = right.cast(pl.Float64) if isinstance(right, pl.Series) else float(right)
    truth: pl.Series = _OPERATORS[operator](left, right)
    if left.dtype != pl.Float64:
        return truth
    strange = left.is_nan()
    if isinstance(right, pl.Series):
        strange = strange | right.is_nan()
    elif right != right:  # noqa: PLR0124 - NaN is no number like itself
        strange = strange | True
    return truth.set(strange.fill_null(False) & truth.is_not_null(), operator == "!=") if strange.any() else truth


def _compared_with_rare(operator: str, left: Column, right: Cells, height: int) -> Cells:
    """Compare where some rows hold rare values: those one by one, and the others as they are."""
    rare = left.parts[OTHER].is_not_null() if OTHER in left.parts else always(False, height)
    if isinstance(right, Column) and OTHER in right.parts:
        rare = rare | right.parts[OTHER].is_not_null()
    rows = rare.arg_true()

    def function(one: Any, other: Any) -> bool:
        return compared(operator, one, other)

    if rows.len() == height:
        return mapped(function, [left, right], height)
    plain_right = right if isinstance(right, Constant) else _without_rare(right)
    common = _bools(_common(operator, _without_rare(left), plain_right), left, right)
    if not rows.len():
        return common
    some = mapped(
        function, [each if isinstance(each, Constant) else each.gather(rows) for each in (left, right)], rows.len()
    )
    return merged(common, spread(some, rows.len()), rows)


def merged(everything: Column, some: Column, rows: pl.Series) -> Column:
    """Put what was found out of some rows in the place of what stands there; both are bools."""
    truth = truth_of(everything).scatter(rows, truth_of(some))
    failures, unsure = everything.failures, everything.unknown
    if some.failures is not None:
        failures = (
            pl.Series([None], dtype=pl.String()).new_from_index(0, everything.height) if failures is None else failures
        )
        failures = failures.scatter(rows, some.failures)
    if some.unknown is not None:
        unsure = always(False, everything.height) if unsure is None else unsure
        unsure = unsure.scatter(rows, some.unknown)
    return Column(everything.height, {BOOL: truth}, (), failures, unsure)


def _without_rare(column: Column) -> Column:
    return Column(column.height, {kind: part for kind, part in column.parts.items() if kind != OTHER})


def calculate(operator: str, left: Cells, right: Cells, height: int) -> Cells:
    """Add, subtract, multiply or divide the values of each row."""
    kinds = _only_kind(left), _only_kind(right)
    result = _RESULTS.get((operator, *kinds))
    if result is None or (isinstance(left, Constant) and isinstance(right, Constant)):
        return mapped(lambda one, other: calculated(operator, one, other), [left, right], height)
    one, other = _operand(left, kinds[0]), _operand(right, kinds[1])
    values = _fast(operator, one, other, result)
    if values is None:
        return mapped(lambda one, other: calculated(operator, one, other), [left, right], height)
    failures, unsure = failing([left, right]), unknown([left, right])
    own = _faults(operator, one, other, height)
    if own is not None:
        failures = own if failures is None else failures.zip_with(failures.is_not_null(), own)
        if unsure is not None:
            failures = failures.set(unsure, None)
    if failures is not None:
        values = values.set(failures.is_not_null(), None)
    return with_faults(Column(height, {result: values.alias(result)}), failures, unsure)


def _faults(operator: str, left: Any, right: Any, height: int) -> pl.Series | None:
    """Say why there is no result where a value is nil, or it is divided by zero."""
    missing = [each.is_null() for each in (left, right) if isinstance(each, pl.Series) and each.null_count()]
    zero = None if operator != "/" else right == 0
    if isinstance(zero, bool | np.bool_):
        zero = always(value=True, height=height) if zero else None
    faults: list[tuple[pl.Series, str]] = [(mask, f"`{operator}` does not go with nil") for mask in missing]
    if zero is not None and zero.any():
        faults.append((zero.fill_null(value=False), "it is divided by zero"))
    if not faults:
        return None
    found = pl.Series([None], dtype=pl.String()).new_from_index(0, height)
    for mask, message in reversed(faults):
        found = found.set(mask, message)
    return found


_RESULTS: Final[dict[tuple[str, str, str], str]] = {
    **{(sign, INT, INT): INT for sign in "+-*/"},
    **{(sign, *pair): DOUBLE for sign in "+-*/" for pair in ((DOUBLE, DOUBLE), (INT, DOUBLE), (DOUBLE, INT))},
    ("+", TIME, DURATION): TIME,
    ("-", TIME, DURATION): TIME,
    ("+", DURATION, TIME): TIME,
    ("-", TIME, TIME): DURATION,
    ("+", DURATION, DURATION): DURATION,
    ("-", DURATION, DURATION): DURATION,
}


def _only_kind(cells: Cells) -> str:
    """Give the kind of all values that are not nil; empty where there are several."""
    if isinstance(cells, Constant):
        return kind_of(cells.value)
    return next(iter(cells.parts)) if len(cells.parts) == 1 else ""


def _operand(cells: Cells, kind: str) -> Any:
    return raw(cells.value) if isinstance(cells, Constant) else cells.parts[kind]


def _calculated(operator: str, left: Any, right: Any) -> Any:
    """Calculate with numbers of numpy. Ints are divided towards zero; what is divided by zero may be anything."""
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
    if np.asarray(left).dtype == np.float64:
        return left / right
    whole = left // np.where(right == 0, 1, right)
    # Numpy divides towards minus infinity.
    rest = left - whole * right
    return whole + ((rest != 0) & ((left < 0) != (right < 0)))


def _fast(operator: str, left: Any, right: Any, result: str) -> pl.Series | None:
    """Calculate with series of 64 bits, which go round where they are too small, as Go's ints do.

    Go's instants have more bits: None where one would not fit.
    """
    dtype = np.float64 if result == DOUBLE else np.int64
    nulls = [each.is_null() for each in (left, right) if isinstance(each, pl.Series) and each.null_count()]
    one, other = (
        each.fill_null(0).to_numpy().astype(dtype) if isinstance(each, pl.Series) else dtype(each)
        for each in (left, right)
    )
    with np.errstate(all="ignore"):
        found = _calculated(operator, one, other)
        rough = np.asarray(one, dtype=np.float64) + (other if operator == "+" else -other)
    if result in (TIME, DURATION) and np.any(np.abs(rough) >= _MOST):
        return None
    series = pl.Series(found)
    for missing in nulls:
        series = series.set(missing, None)
    return series
