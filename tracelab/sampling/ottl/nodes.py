"""The parts that a condition is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

COMPARISONS: Final = ("==", "!=", "<", "<=", ">=", ">")


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that is written out; `plain` where it stands by itself, without a sign or parentheses."""

    value: bool | int | float | str | bytes | None
    start: int
    plain: bool = True


@dataclass(frozen=True, slots=True)
class EnumName:
    """A name in capitals that stands for a number, such as `STATUS_CODE_ERROR`."""

    name: str
    start: int


@dataclass(frozen=True, slots=True)
class Segment:
    """A name in a path, with the keys in brackets behind it."""

    name: str
    keys: tuple[Value, ...]
    start: int


@dataclass(frozen=True, slots=True)
class Path:
    """Names with dots between them: where in a span a value stands."""

    segments: tuple[Segment, ...]
    start: int

    def __str__(self) -> str:
        return ".".join(segment.name + "[...]" * len(segment.keys) for segment in self.segments)


@dataclass(frozen=True, slots=True)
class Argument:
    """What a converter is given, by position or by name."""

    name: str | None
    value: Value
    start: int


@dataclass(frozen=True, slots=True)
class Call:
    """A converter with its arguments, and the keys that its result is indexed by."""

    name: str
    arguments: tuple[Argument, ...]
    keys: tuple[Value, ...]
    start: int


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list that is written out."""

    items: tuple[Value, ...]
    start: int


@dataclass(frozen=True, slots=True)
class MapOf:
    """A map that is written out; its keys may be computed."""

    items: tuple[tuple[Value, Value], ...]
    start: int


@dataclass(frozen=True, slots=True)
class Negative:
    """A number with a minus before it."""

    operand: Value
    start: int


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Two values with `+`, `-`, `*` or `/` between them."""

    operator: str
    left: Value
    right: Value
    start: int


Value: TypeAlias = Literal | EnumName | Path | Call | ListOf | MapOf | Negative | Arithmetic


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two values that are compared."""

    operator: str
    left: Value
    right: Value
    start: int


@dataclass(frozen=True, slots=True)
class Fixed:
    """A condition that is the same for all spans."""

    holds: bool


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a condition."""

    operand: Condition


@dataclass(frozen=True, slots=True)
class And:
    """Conditions that must all hold."""

    operands: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Conditions of which one is enough."""

    operands: tuple[Condition, ...]


Condition: TypeAlias = Comparison | Call | Fixed | Not | And | Or
