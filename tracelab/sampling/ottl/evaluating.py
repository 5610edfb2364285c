"""Plans to answers, over whole columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from tracelab.sampling.ottl import plans as p
from tracelab.sampling.ottl.columns import (
    BOOL,
    INT,
    Cells,
    Column,
    Constant,
    Failure,
    Unknown,
    first_of,
    mapped,
    spread,
    truth_of,
)
from tracelab.sampling.ottl.comparing import calculate, compare, merged
from tracelab.sampling.ottl.fast import FAST
from tracelab.sampling.ottl.operators import indexed, negated
from tracelab.sampling.ottl.values import ConditionFailedError, RawList, RawMap, as_kind, storable, type_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracelab.sampling.ottl.converters.registry import Converter
    from tracelab.sampling.ottl.reading import PartOfRows, Rows


_COUNTING: Final = ("Len", "IsEmpty")
_FEW: Final = 3
"""One row in so many: if it is fewer, it is worth while to take them out."""


class Evaluator:
    """Answers plans about the same rows; what is asked twice is worked out once."""

    def __init__(self, rows: Rows | PartOfRows) -> None:
        self.rows = rows
        self.known: dict[int, tuple[p.Value, Cells]] = {}

    @property
    def height(self) -> int:
        return self.rows.height

    # Tests

    def test(self, plan: p.Test) -> Cells:
        """Answer a test: bools, null where it fails or is unknown."""
        match plan:
            case p.Fixed():
                return Constant(plan.holds)
            case p.Not():
                return self.opposite(self.test(plan.operand))
            case p.And() | p.Or():
                return self.joined(plan.operands, decisive=isinstance(plan, p.Or))
            case p.Compare():
                return compare(plan.operator, self.value(plan.left), self.value(plan.right), self.height)
        return _must_be_bools(self.value(plan))

    def opposite(self, cells: Cells) -> Cells:
        if isinstance(cells, Constant):
            return Constant(not cells.value) if isinstance(cells.value, bool) else cells
        return Column(cells.height, {BOOL: ~truth_of(cells)}, (), cells.failures, cells.unknown)

    def joined(self, plans: Sequence[p.Test], *, decisive: bool) -> Cells:
        """Join tests with `and` or `or`: what comes after the one that settles it may even fail."""
        found = self.test(plans[0])
        for plan in plans[1:]:
            if isinstance(found, Constant):
                if isinstance(found.value, Failure) or found.value is decisive:
                    return found
                later = self.test(plan)
                if isinstance(found.value, Unknown):
                    later = _joined(spread(found, self.height), spread(later, self.height), decisive=decisive)
                found = later
                continue
            found = self.joined_to(found, plan, decisive=decisive)
        return found

    def joined_to(self, found: Column, plan: p.Test, *, decisive: bool) -> Column:
        """Join one more test, which is answered only where nothing is settled yet, if these rows are few."""
        waiting = truth_of(found) != decisive if decisive else truth_of(found)
        waiting = waiting.fill_null(value=True)
        if found.failures is not None:
            waiting = waiting & found.failures.is_null()
        rows = waiting.arg_true()
        if not rows.len():
            return found
        if rows.len() * _FEW > self.height:
            return _joined(found, spread(self.test(plan), self.height), decisive=decisive)
        later = spread(Evaluator(self.rows.part(rows)).test(plan), rows.len())
        return merged(found, _joined(found.gather(rows), later, decisive=decisive), rows)

    # Values

    def value(self, plan: p.Value) -> Cells:
        if isinstance(plan, p.Given):
            return Constant(plan.value)
        kept = self.known.get(id(plan))
        if kept is None:
            kept = self.known[id(plan)] = (plan, self._value(plan))
        return kept[1]

    def _value(self, plan: p.Value) -> Cells:
        match plan:
            case p.Read():
                return self.path(plan)
            case p.Apply():
                found = self.apply(plan.converter, plan.arguments)
                return self.indexed(found, plan.keys, strict=True)
            case p.Items():
                return mapped(lambda *items: RawList(items), [self.value(item) for item in plan.items], self.height)
            case p.Entries():
                return mapped(
                    lambda *values: _map(plan.keys, values), [self.value(each) for each in plan.values], self.height
                )
            case p.Negate():
                return mapped(negated, [self.value(plan.operand)], self.height)
            case p.Calculate():
                return calculate(plan.operator, self.value(plan.left), self.value(plan.right), self.height)
        raise AssertionError(plan)

    def path(self, plan: p.Read) -> Cells:
        if plan.missing:
            return Constant(Unknown())
        if not plan.keys:
            return self.rows.value(plan.context, plan.name)
        first = plan.keys[0]
        if isinstance(first, p.Given) and isinstance(first.value, str):
            found = self.rows.value(plan.context, plan.name, first.value)
            if plan.name == "trace_state":
                return found
            return self.indexed(found, plan.keys[1:], strict=False)
        if plan.name == "trace_state":
            return mapped(_no_key, [self.rows.value(plan.context, plan.name, "")], self.height)
        return self.indexed(self.rows.value(plan.context, plan.name), plan.keys, strict=False)

    def indexed(self, cells: Cells, keys: Sequence[p.Value], *, strict: bool) -> Cells:
        """Take what stands under keys; a missing attribute stays nil whatever its keys are."""
        if not keys:
            return cells
        wanted = [self.value(key) for key in keys]

        def taken(value: Any, *keys: Any) -> Any:
            if value is None and not strict:
                return None
            for key in keys:
                if not strict and isinstance(value, dict) and isinstance(key, str) and key not in value:
                    return None
                value = indexed(value, key, strict=strict)
            return value

        return mapped(taken, [cells, *wanted], self.height)

    def apply(self, converter: Converter, arguments: Sequence[p.Value | None]) -> Cells:
        """Apply a converter, with series where that can be done, else once for each combination of arguments."""
        if converter.missing:
            return self.unanswered(converter, arguments)
        if converter.name == "Coalesce":
            return self.coalesced(arguments[0])
        whole = arguments[0] if arguments else None
        if converter.name in _COUNTING and isinstance(whole, p.Read) and whole.name == "attributes" and not whole.keys:
            return self.counted(converter.name, whole.context)
        cells = [None if argument is None else self.value(argument) for argument in arguments]
        fast = FAST.get(converter.name)
        if fast is not None:
            found = fast(self.rows, *cells)
            if found is not None:
                return found
        kinds = _kinds(converter, arguments)

        def function(*values: Any) -> Any:
            return converter.function(*map(as_kind, kinds, values))

        return mapped(function, [Constant(None) if each is None else each for each in cells], self.height)

    def unanswered(self, converter: Converter, arguments: Sequence[p.Value | None]) -> Cells:
        """Give unknown where a converter that cannot be replayed is asked: it fails on values that it does not take."""
        kinds = _kinds(converter, arguments)
        cells = [Constant(None) if argument is None else self.value(argument) for argument in arguments]

        def function(*values: Any) -> Any:
            for kind, value in zip(kinds, values, strict=True):
                as_kind(kind, value)
            return Unknown()

        return mapped(function, cells, self.height)

    def counted(self, name: str, context: str) -> Cells:
        """Answer how many attributes there are, for which no map has to be put together."""
        counts = self.rows.count_attributes(context)
        if name == "Len":
            return Column(self.height, {INT: counts.alias(INT)})
        return Column(self.height, {BOOL: (counts == 0).alias(BOOL)})

    def coalesced(self, items: p.Value | None) -> Cells:
        """Take the first value that is not nil; what comes after it is not even worked out."""
        values: list[Cells] = []
        if isinstance(items, p.Given):
            values = [Constant(each) for each in items.value]
        if isinstance(items, p.Items):
            values = [self.value(each) for each in items.items]
        found = values.pop()
        while values:
            before = values.pop()
            if isinstance(before, Constant):
                found = found if before.value is None else before
            else:
                found = first_of(before, spread(found, self.height))
        return found


def _kinds(converter: Converter, arguments: Sequence[p.Value | None]) -> list[str]:
    return [
        "any" if argument is None or converter.looks else parameter.kind
        for parameter, argument in zip(converter.parameters, arguments, strict=True)
    ]


def _joined(one: Column, other: Column, *, decisive: bool) -> Column:
    left, right = truth_of(one), truth_of(other)
    truth = left | right if decisive else left & right
    failures = one.failures
    if failures is not None:
        truth = truth.set(failures.is_not_null(), None)
    if other.failures is not None:
        reached = (left != decisive).fill_null(False)
        later = other.failures.set(~reached, None)
        failures = later if failures is None else failures.zip_with(failures.is_not_null(), later)
    unsure = truth.is_null() if failures is None else truth.is_null() & failures.is_null()
    return Column(one.height, {BOOL: truth}, (), failures, unsure if unsure.any() else None)


def _no_key(member: str | None) -> None:
    """Fail where a trace state can be read, which the Collector does before it looks at the key."""
    if member is not None:
        raise ConditionFailedError("a trace state is indexed by a text that is written out")


def _must_be_bools(cells: Cells) -> Cells:
    """Refuse, row by row, what a converter gives that stands by itself and is no bool."""
    if isinstance(cells, Constant):
        if isinstance(cells.value, bool | Failure | Unknown):
            return cells
        return Constant(Failure(f"a bool was expected, and it is {type_name(cells.value)}"))
    truth = truth_of(cells)
    faults = [
        each
        for each in (cells.unknown, None if cells.failures is None else cells.failures.is_not_null())
        if each is not None
    ]
    wrong = truth.is_null()
    for fault in faults:
        wrong = wrong & ~fault
    if not wrong.any():
        return Column(cells.height, {BOOL: truth}, (), cells.failures, cells.unknown)
    message = pl.Series(["a bool was expected, and it is none"]).new_from_index(0, cells.height).set(~wrong, None)
    failures = message if cells.failures is None else cells.failures.zip_with(cells.failures.is_not_null(), message)
    return Column(cells.height, {BOOL: truth}, (), failures, cells.unknown)


def _map(keys: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    """Make a map; what Go can store in none fails."""
    for value in values:
        if not isinstance(value, dict):
            for item in value if isinstance(value, RawList) else [value]:
                if isinstance(item, RawMap) or not isinstance(item, dict):
                    storable(item)
    return dict(zip(keys, values, strict=True))
