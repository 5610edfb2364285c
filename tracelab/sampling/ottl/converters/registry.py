"""Which converters there are, what each takes, and which cannot be replayed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable


class _Open:
    """Stands for an argument that is known on a span only."""


OPEN: Final = _Open()


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a converter takes at one place, under the name that Go has for it."""

    name: str
    kind: str
    optional: bool


@dataclass(frozen=True, slots=True)
class Converter:
    """A converter: what it takes, and what it makes of it.

    Attributes
    ----------
    function
        Takes values of the parameters' kinds, None where an optional one is missing. Where a converter `looks`, it
        takes the values as they are.
    check
        Refuses arguments that are written out, as the Collector does when it starts; those that are not are `OPEN`.
    only_in
        The context that it is for; empty where it is for all.
    missing
        Why it cannot be replayed; empty where it can.
    """

    name: str
    parameters: tuple[Parameter, ...]
    function: Callable[..., Any]
    check: Callable[..., None] | None = None
    looks: bool = False
    only_in: str = ""
    missing: str = ""


CONVERTERS: Final[dict[str, Converter]] = {}
EXPERIMENTAL: Final = ("All", "Any", "Filter", "Find", "MapEach", "MapKeys", "Reduce", "When")
"""Converters that take lambda expressions, which the Collector refuses unless feature gates are set."""


def converter(
    name: str, *parameters: str, check: Callable[..., None] | None = None, looks: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a function a converter. Parameters are written `Name: kind`, optional ones `Name?: kind`."""

    def added(function: Callable[..., Any]) -> Callable[..., Any]:
        CONVERTERS[name] = Converter(name, _read(parameters), function, check=check, looks=looks)
        return function

    return added


def unreplayable(name: str, *parameters: str, why: str, only_in: str = "") -> None:
    """Note a converter that is known and cannot be replayed."""
    CONVERTERS[name] = Converter(name, _read(parameters), _never, missing=why, only_in=only_in)


def _read(parameters: tuple[str, ...]) -> tuple[Parameter, ...]:
    pairs = [text.split(": ") for text in parameters]
    return tuple(Parameter(name.removesuffix("?"), kind, name.endswith("?")) for name, kind in pairs)


def _never(*_: Any) -> Any:
    raise AssertionError("it is never called")
