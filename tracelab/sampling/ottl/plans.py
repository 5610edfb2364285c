"""What is to be done on each span: conditions whose paths and converters have been found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from tracelab.sampling.ottl.converters.registry import Converter


@dataclass(frozen=True, slots=True)
class Given:
    """A value that is written out."""

    value: Any


@dataclass(frozen=True, slots=True)
class Read:
    """A value of the span, or of what it belongs to; `missing` says why a span frame does not hold it."""

    context: str
    name: str
    keys: tuple[Value, ...]
    missing: str


@dataclass(frozen=True, slots=True)
class Apply:
    """A converter and what it is applied to, in the order of its parameters, None where one is left out."""

    converter: Converter
    arguments: tuple[Value | None, ...]
    keys: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Items:
    """A list of which some items are known on a span only."""

    items: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Entries:
    """A map of which some entries are known on a span only."""

    keys: tuple[str, ...]
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Negate:
    """The negative of a number."""

    operand: Value


@dataclass(frozen=True, slots=True)
class Calculate:
    """A sum, difference, product or quotient."""

    operator: str
    left: Value
    right: Value


Value: TypeAlias = Given | Read | Apply | Items | Entries | Negate | Calculate


@dataclass(frozen=True, slots=True)
class Compare:
    """Two values that are compared."""

    operator: str
    left: Value
    right: Value


@dataclass(frozen=True, slots=True)
class Fixed:
    """What is the same for all spans."""

    holds: bool


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a test."""

    operand: Test


@dataclass(frozen=True, slots=True)
class And:
    """Tests that must all hold, of which the first that does not settles it."""

    operands: tuple[Test, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Tests of which the first that holds settles it."""

    operands: tuple[Test, ...]


Test: TypeAlias = Compare | Apply | Fixed | Not | And | Or
