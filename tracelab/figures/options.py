"""What an option of a figure may be, checked where it is given."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, Final

import polars as pl

from tracelab.errors import TracelabError

_LARGEST: Final = 2**31 - 1


def whole(name: str, value: Any, *, what: str, least: int = 1, most: int | None = None) -> int:
    """Give a whole number back, or the largest that polars takes where it is larger.

    Raises
    ------
    TracelabError
        It is none, or is too small or too large.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < least:
        raise TracelabError(
            f"`{name}` is {what} and must be a whole number of at least {least}, got {value!r}. Write {name}=20."
        )
    if most is not None and int(value) > most:
        raise TracelabError(f"`{name}` is {what} and must be at most {most:,}, got {value!r}.")
    return min(int(value), _LARGEST)


def number(name: str, value: Any, *, usual: float, above: float, below: float = float("inf")) -> float:
    """Give a number back that lies between two others.

    Raises
    ------
    TracelabError
        It is none, or lies elsewhere.
    """
    if isinstance(value, bool) or not isinstance(value, Real) or not above < float(value) < below:
        range_ = f"above {above:g}" if below == float("inf") else f"between {above:g} and {below:g}"
        raise TracelabError(f"`{name}` must be a number {range_}, got {value!r}. {usual:g} is usual.")
    return float(value)


def share(name: str, value: Any, *, usual: float) -> float:
    """Give a number from 0 to 1 back.

    Raises
    ------
    TracelabError
        It is none, or lies elsewhere.
    """
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= float(value) <= 1:
        raise TracelabError(f"`{name}` must be a share between 0 and 1, got {value!r}. {usual:g} is usual.")
    return float(value)


def shares(name: str, values: Any) -> list[float]:
    """Give numbers from 0 to 1 back, each once, the smallest first.

    Raises
    ------
    TracelabError
        They are no list of such numbers, or there is none.
    """
    if not isinstance(values, Sequence) or isinstance(values, str | bytes) or not len(values):
        raise TracelabError(f"`{name}` must be a list of shares between 0 and 1, got {values!r}. Write (0.5, 0.95).")
    return sorted({share(name, value, usual=0.95) for value in values})


def length_of_time(name: str, value: Any, *, optional: bool = False) -> None:
    """See that a length of time is written as text; what the text means is checked where it is used.

    Raises
    ------
    TracelabError
        It is no text.
    """
    if not (isinstance(value, str) or (optional and value is None)):
        other = " or None" if optional else ""
        raise TracelabError(
            f"`{name}` must be a length of time as text{other}, got {value!r}. Write a duration such as 30s or 1m."
        )


def flag(name: str, value: Any) -> None:
    """See that a choice of yes or no is one.

    Raises
    ------
    TracelabError
        It is neither True nor False.
    """
    if not isinstance(value, bool):
        raise TracelabError(f"`{name}` must be True or False, got {value!r}.")


def grouping(value: Any) -> None:
    """See that `by` names groups; which names there are is checked where they are looked up.

    Raises
    ------
    TracelabError
        It is no name, expression or list of these.
    """
    items = value if isinstance(value, Sequence) and not isinstance(value, str | bytes) else [value]
    if value is not None and not all(isinstance(item, str | pl.Expr) for item in items):
        raise TracelabError(
            f"`by` must be a column, an attribute's key, an expression, a list of these, or None, got {value!r}. "
            'Write by="service_name".'
        )
