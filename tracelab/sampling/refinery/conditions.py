"""Conditions of rules on all events at once, with Go's and Refinery's notions of what equals what."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import polars as pl

from tracelab.go_regexes import RegexError, searching
from tracelab.sampling.refinery import samplers as s
from tracelab.sampling.refinery.reading import is_convertible, number
from tracelab.sampling.refinery.values import BOOL, FLOAT, INT, NIL, TEXT, Values, first_of, printed

if TYPE_CHECKING:
    from tracelab.array_types import Flags
    from tracelab.sampling.refinery.fields import Events

_LARGEST: Final = 2**63 - 1
_TRUE: Final = ("1", "t", "T", "TRUE", "true", "True")


def matched(events: Events, rule: s.Rule) -> Flags:
    """Mark the traces that a rule matches."""
    if not rule.conditions:
        return np.ones(events.traces.count, dtype=np.bool_)
    if rule.scope == "span":
        together = np.ones(events.height, dtype=np.bool_)
        for condition in rule.conditions:
            together &= _met(events, condition)
        return _any(events, together)
    traces = np.ones(events.traces.count, dtype=np.bool_)
    for condition in rule.conditions:
        if condition.operator == s.HAS_ROOT:
            traces &= np.equal(events.root >= 0, printed(condition.value) in _TRUE)
        else:
            traces &= _any(events, _met(events, condition))
    return traces


def _any(events: Events, met: Flags) -> Flags:
    traces = np.zeros(events.traces.count, dtype=np.bool_)
    traces[events.trace[met]] = True
    return traces


def _met(events: Events, condition: s.Condition) -> Flags:
    """Mark the events that meet a condition.

    `has-root-span` asks about a trace: where a condition is put to each event, Refinery finds none that meets it.
    """
    if condition.operator == s.HAS_ROOT:
        return np.zeros(events.height, dtype=np.bool_)
    return meets(_values(events, condition), condition)


def _values(events: Events, condition: s.Condition) -> Values:
    """Give for each event the first of the condition's fields that it (or the root span of its trace) has."""
    if condition.is_computed:
        return Values.of(INT, pl.Series(events.counts[events.trace]))
    return first_of(
        events.height,
        [
            events.root_field(field.removeprefix(s.ROOT_PREFIX))
            if field.startswith(s.ROOT_PREFIX)
            else events.field(field)
            for field in condition.fields
        ],
    )


def meets(values: Values, condition: s.Condition) -> Flags:
    """Mark the values that meet a condition; a missing one is a value too, which Go prints as `<nil>`."""
    test, value, datatype = condition.operator, condition.value, condition.datatype
    if test in (s.EXISTS, s.NOT_EXISTS):
        return values.exists if test == s.EXISTS else ~values.exists
    if test in (s.IN, s.NOT_IN):
        return _among(values, condition)
    if test == s.MATCHES:
        try:
            pattern = searching(printed(value))
        except RegexError:
            return np.zeros(values.height, dtype=np.bool_)
        return _flags(values.text().fill_null(NIL).str.contains(pattern))
    if test in (s.STARTS, s.CONTAINS, s.LACKS):
        texts, part = values.text().fill_null(NIL), printed(value)
        if test == s.STARTS:
            return _flags(texts.str.starts_with(part))
        found = _flags(texts.str.contains(part, literal=True))
        return found if test == s.CONTAINS else ~found
    if datatype is None or not is_convertible(test, value, datatype):
        return _compared_as_they_are(values, test, value)
    if datatype == "string":
        return _compared(values.text().fill_null(NIL), test, printed(value))
    if datatype == "int":
        return _compared(values.ints(), test, number(value, "int"))
    if datatype == "float":
        return _compared(values.floats(), test, number(value, "float"))
    return _compared(values.bools(), test, printed(value) in _TRUE)


def _among(values: Values, condition: s.Condition) -> Flags:
    value, datatype = condition.value, condition.datatype
    if datatype == "bool" or value is None or isinstance(value, bool):
        # Refinery cannot make this test, and finds nothing that meets it.
        return np.zeros(values.height, dtype=np.bool_)
    items = value if isinstance(value, list) else [value]
    if datatype in ("int", "float"):
        numbers = [found for item in items if (found := number(item, datatype)) is not None]
        column = values.ints() if datatype == "int" else values.floats()
        wanted = pl.Series(numbers, dtype=column.dtype, strict=False)
        # NaN is in no set of Go's.
        wanted = wanted.filter(wanted.is_not_nan()) if datatype == "float" else wanted
        inside = _flags(column.is_in(wanted.implode()))
    else:
        inside = _flags(values.text().fill_null(NIL).is_in([printed(item) for item in items]))
    return inside if condition.operator == s.IN else ~inside


def _compared(column: pl.Series, test: str, value: Any) -> Flags:
    """Compare as Go does: null compares with nothing, and NaN is unequal to all."""
    if column.dtype == pl.Float64:
        known: Flags = column.is_not_null().to_numpy()
        known &= _TESTS[test](column.fill_null(0.0).to_numpy(), value)
        return known
    return _flags(_TESTS[test](column, value))


def _compared_as_they_are(values: Values, test: str, value: Any) -> Flags:
    """Compare without a datatype: numbers with numbers, text with text, booleans with booleans, else nothing.

    A missing `Value` is less than any field. Numbers of which one is NaN are neither less nor more, hence equal here.
    """
    if value is None:
        return values.exists if test in (s.UNEQUAL, s.ABOVE, s.AT_LEAST) else np.zeros(values.height, dtype=np.bool_)
    met = np.zeros(values.height, dtype=np.bool_)
    for kind, column in values.kinds.items():
        known = column.is_not_null().to_numpy()
        if kind == BOOL and isinstance(value, bool):
            met |= known & _flags(_TESTS[test](column.cast(pl.Int8), int(value)))
        elif (kind == TEXT and isinstance(value, str)) or (kind == INT and _is_int(value)):
            met |= known & _flags(_TESTS[test](column, value))
        elif kind in (INT, FLOAT) and (isinstance(value, float) or _is_int(value)):
            floats, wanted = column.cast(pl.Float64).fill_null(0.0).to_numpy(), float(value)
            below, above = floats < wanted, floats > wanted
            met |= known & _ORDERED[test](below, above)
    return met


def _is_int(value: Any) -> bool:
    """Tell whether a value is an int of Go's; a larger one is of another type, which compares with nothing."""
    return isinstance(value, int) and not isinstance(value, bool) and value <= _LARGEST


def _flags(column: pl.Series) -> Flags:
    found: Flags = column.fill_null(value=False).to_numpy()
    return found


_Test: TypeAlias = Callable[[Any, Any], Any]
_TESTS: Final[dict[str, _Test]] = {
    s.EQUAL: operator.eq,
    s.UNEQUAL: operator.ne,
    s.ABOVE: operator.gt,
    s.BELOW: operator.lt,
    s.AT_LEAST: operator.ge,
    s.AT_MOST: operator.le,
}
_ORDERED: Final[dict[str, _Test]] = {
    s.EQUAL: lambda below, above: ~below & ~above,
    s.UNEQUAL: lambda below, above: below | above,
    s.ABOVE: lambda _below, above: above,
    s.BELOW: lambda below, _above: below,
    s.AT_LEAST: lambda below, _above: ~below,
    s.AT_MOST: lambda _below, above: ~above,
}
