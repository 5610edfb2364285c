"""What units have: values of attributes, services, operations and call paths, each with the units that have it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from tracelab.analysis.critical_paths.call_paths import call_path_numbers, call_path_texts
from tracelab.attribute_values import attribute_values
from tracelab.differences.significance import least_fisher
from tracelab.numbering import coded, renumbered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracelab.array_types import Floats, Ints
    from tracelab.attribute_values import AttributeValues
    from tracelab.differences.sides import Sides


KINDS: Final = ("value", "number", "presence", "service", "operation", "call path", "pair")
VALUE, NUMBER, PRESENCE, SERVICE, OPERATION, CALL_PATH, PAIR = range(len(KINDS))

_FIXED: Final = {"status": "status_code", "statusMessage": "status_message", "instrumentation.name": "scope_name"}
_BITMAP: Final = 1 << 24
_NEARLY_UNIQUE: Final = 0.5
_FEW: Final = 20
_OFTEN: Final = 0.02
_SHOWN: Final = 200
_NAMES: Final = re.compile(r"(?:^|[._])(?:codes?|ports?|ids?|version|pid)$")
"""Attributes whose numbers are names: of two status codes none is larger."""
_PASSING: Final = re.compile(r"(?:peer\.port|client\.port|source\.port|thread\.(?:id|name)|peer\.address)$")
"""Attributes that belong to a connection or a thread, so that they are alike at one moment and say nothing else."""


@dataclass(frozen=True)
class Label:
    """What a trait is called.

    Attributes
    ----------
    kind
        One of `KINDS`, as its number.
    attribute, value, service
        What it is about; None where it is not about such a thing.
    note
        What is to be said of it.
    """

    kind: int
    attribute: str | None = None
    value: str | None = None
    service: str | None = None
    note: str | None = None

    def __str__(self) -> str:
        """Write it as a condition."""
        if self.kind == SERVICE:
            return f"service {self.value}"
        if self.kind == OPERATION:
            return f"operation {self.value}"
        if self.kind == CALL_PATH:
            return f"call path {self.value}"
        of = f" of {self.service}" if self.service else ""
        if self.kind == PRESENCE:
            return f"any {self.attribute}{of}"
        if self.kind == NUMBER:
            return f"{self.attribute}{of}"
        return f"{self.attribute} = {self.value}{of}"


@dataclass(frozen=True)
class Traits:
    """Traits, each with the units that have it.

    Attributes
    ----------
    labels
        What they are.
    units
        The units of the first, then those of the second, and so on; those of each in ascending order.
    ends
        Where the units of each end.
    """

    labels: list[Label]
    units: npt.NDArray[np.int32]
    ends: Ints

    @property
    def sizes(self) -> Ints:
        """How many units have each."""
        return np.diff(self.ends, prepend=0)

    def sums(self, values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """Add up a value of the units over those that have each trait."""
        if not self.ends.size:
            return np.zeros(0, dtype=values.dtype)
        return np.add.reduceat(values[self.units], self.ends - self.sizes)

    def of(self, number: int) -> npt.NDArray[np.int32]:
        """Give the units that have one."""
        return self.units[self.ends[number] - self.sizes[number] : self.ends[number]]

    def kept(self, numbers: Ints) -> Traits:
        """Take some of them."""
        sizes = self.sizes[numbers]
        ends = np.cumsum(sizes)
        places = np.arange(int(sizes.sum())) + np.repeat(self.ends[numbers] - ends, sizes)
        return Traits([self.labels[number] for number in numbers.tolist()], self.units[places], ends)


@dataclass(frozen=True)
class Numbers:
    """A numeric attribute: the mean of its values in each unit that has any."""

    label: Label
    units: Ints
    means: Floats


@dataclass(frozen=True)
class _Sets:
    """Which units have which values: pairs, by value, then unit."""

    value: Ints
    unit: Ints

    @property
    def sizes(self) -> Ints:
        return np.bincount(self.value)


def traits_of(sides: Sides, *, least_p: float) -> tuple[Traits, list[Numbers]]:
    """Find out what the units have.

    What every unit has, and what so few or so many have that no split of them could be told from chance at `least_p`,
    is left out.
    """
    service, services = coded(sides.frame["service_name"])
    found: list[tuple[list[Label], npt.NDArray[np.int32], Ints]] = []
    numbers: list[Numbers] = []
    for labels, sets in _structure(sides, service, services, least_p):
        found.append((labels, sets.unit.astype(np.int32), np.cumsum(sets.sizes)))
    for attribute in attribute_values(sides.frame, fixed=_FIXED):
        if _PASSING.search(attribute.name):
            continue
        if attribute.values.dtype.is_numeric() and not _NAMES.search(attribute.name):
            numbers.append(_numbers(attribute, sides))
        else:
            for labels, sets in _of_attribute(attribute, sides, service, services, least_p):
                found.append((labels, sets.unit.astype(np.int32), np.cumsum(sets.sizes)))
    labels = [label for some, _, _ in found for label in some]
    units = np.concatenate([np.zeros(0, dtype=np.int32), *(unit for _, unit, _ in found)])
    starts = np.cumsum([0, *(unit.size for _, unit, _ in found)])
    ends = [end + start for (_, _, end), start in zip(found, starts[:-1], strict=True)]
    return Traits(labels, units, np.concatenate([np.zeros(0, dtype=np.int64), *ends])), numbers


def _structure(sides: Sides, service: Ints, services: pl.Series, least_p: float) -> Iterator[tuple[list[Label], _Sets]]:
    """Give services, operations and call paths."""
    name, names = coded(sides.frame["name"])
    for sets, distinct in _testable(service, sides.of_span, sides, least_p):
        yield [Label(SERVICE, value=text) for text in services.gather(distinct).to_list()], sets
    for sets, distinct in _testable(service * max(names.len(), 1) + name, sides.of_span, sides, least_p):
        pairs = zip(
            services.gather(distinct // names.len()).to_list(),
            names.gather(distinct % names.len()).to_list(),
            strict=True,
        )
        yield [Label(OPERATION, value=_cut(f"{of}::{text}"), service=of) for of, text in pairs], sets
    paths = np.concatenate([call_path_numbers(part.frame, part.forest) for part in sides.parts])
    for sets, distinct in _testable(paths, sides.of_span, sides, least_p):
        yield [Label(CALL_PATH, value=text) for text in _path_texts(sides, paths, distinct)], sets


def _path_texts(sides: Sides, paths: Ints, wanted: Ints) -> list[str]:
    texts: dict[int, str] = {}
    before = 0
    for part in sides.parts:
        own = paths[before : before + part.frame.height]
        before += part.frame.height
        distinct, first = np.unique(own, return_index=True)
        asked = np.isin(distinct, wanted)
        written = call_path_texts(part.frame, part.forest, first[asked]).to_list()
        texts |= dict(zip(distinct[asked].tolist(), written, strict=True))
    return [_cut(texts[number]) for number in wanted.tolist()]


def _of_attribute(
    attribute: AttributeValues, sides: Sides, service: Ints, services: pl.Series, least_p: float
) -> Iterator[tuple[list[Label], _Sets]]:
    """Give the values of an attribute: those of each service, and in all services where several have the same."""
    there = attribute.codes >= 0
    rows = np.flatnonzero(there) if attribute.rows is None else attribute.rows[there]
    code, of = attribute.codes[there], service[rows]
    units = sides.of_span[rows]
    carrying = _distinct(units, sides.count)
    many = attribute.values.len() > _FEW and attribute.values.len() > _NEARLY_UNIQUE * carrying.size
    note = f"nearly unique: {attribute.values.len():,} values in {carrying.size:,} {sides.unit}s" if many else None
    if carrying.size < sides.count:
        yield [Label(PRESENCE, attribute.name, note=note)], _Sets(np.zeros(carrying.size, dtype=np.int64), carrying)
    texts = _texts(attribute.values)
    size = max(services.len(), 1)
    if many:
        # Of an id only values that come again and again may mean something.
        often = np.bincount(code, minlength=attribute.values.len()) >= max(_FEW, _OFTEN * carrying.size)
        kept_rows = often[code]
        code, of, units = code[kept_rows], of[kept_rows], units[kept_rows]
        if not code.size:
            return
    combined, distinct = renumbered(code * size + of)
    spread = np.bincount(distinct // size, minlength=attribute.values.len())
    for sets, kept in _testable(combined, units, sides, least_p):
        value, whose = distinct[kept] // size, services.gather(distinct[kept] % size).to_list()
        labels = [
            Label(VALUE, attribute.name, text, of_service, note)
            for text, of_service in zip(texts.gather(value).to_list(), whose, strict=True)
        ]
        yield labels, sets
    shared = spread[code] > 1
    if shared.any():
        for sets, kept in _testable(code[shared], units[shared], sides, least_p):
            yield [Label(VALUE, attribute.name, text, None, note) for text in texts.gather(kept).to_list()], sets


def _numbers(attribute: AttributeValues, sides: Sides) -> Numbers:
    there = attribute.codes >= 0
    rows = np.flatnonzero(there) if attribute.rows is None else attribute.rows[there]
    values = attribute.values.cast(pl.Float64).to_numpy()[attribute.codes[there]]
    finite = np.isfinite(values)
    units = sides.of_span[rows[finite]]
    sums = np.bincount(units, weights=values[finite], minlength=sides.count)
    number = np.bincount(units, minlength=sides.count)
    having = np.flatnonzero(number)
    return Numbers(Label(NUMBER, attribute.name), having, sums[having] / number[having])


def _testable(codes: Ints, units: Ints, sides: Sides, least_p: float) -> Iterator[tuple[_Sets, Ints]]:
    """Give the values that can be told from chance, numbered anew, each with its units; nothing if there are none."""
    number, distinct = renumbered(codes)
    sets = _pairs(number, units, distinct.size, sides)
    sizes = np.bincount(sets.value, minlength=distinct.size)
    kept = np.flatnonzero((sizes < sides.count) & (least_fisher(sizes, sides.sizes) <= least_p))
    if not kept.size:
        return
    table = np.full(distinct.size, -1)
    table[kept] = np.arange(kept.size)
    own = table[sets.value]
    yield _Sets(own[own >= 0], sets.unit[own >= 0]), distinct[kept]


def _pairs(number: Ints, units: Ints, distinct: int, sides: Sides) -> _Sets:
    """Take each pair of a value and a unit once, by value, then unit."""
    if np.all(units[1:] > units[:-1]):
        # Every unit has one value, as spans have of their own attributes. Short numbers are sorted faster.
        small = distinct <= np.iinfo(np.uint16).max
        order = np.argsort(number.astype(np.uint16) if small else number, kind="stable")
        return _Sets(number[order], units[order])
    keys = number * sides.count + units
    if distinct * sides.count <= _BITMAP:
        marks = np.zeros(distinct * sides.count, dtype=bool)
        marks[keys] = True
        keys = np.flatnonzero(marks)
    else:
        keys = np.sort(keys)
        keys = keys[np.diff(keys, prepend=-1) != 0]
    return _Sets(keys // max(sides.count, 1), keys % max(sides.count, 1))


def _distinct(units: Ints, count: int) -> Ints:
    marks = np.zeros(count, dtype=bool)
    marks[units] = True
    return np.flatnonzero(marks)


def _texts(values: pl.Series) -> pl.Series:
    """Write values as text, cut to a readable length."""
    if isinstance(values.dtype, pl.List):
        values = "[" + values.cast(pl.List(pl.String)).list.join(", ") + "]"
    # A whole number is written as one, though pandas may have made it a float.
    text = values.cast(pl.String).str.strip_suffix(".0") if values.dtype.is_float() else values.cast(pl.String)
    short = pl.when(pl.nth(0).str.len_chars() > _SHOWN).then(pl.nth(0).str.head(_SHOWN) + "...").otherwise(pl.nth(0))
    return text.to_frame().select(short).to_series()


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
