"""Attributes as the Collector's policies read them: by the type of each value, not by what it could be read as."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.errors import QueryWarning, warn_caller
from tracelab.go_regexes import searching
from tracelab.schema import INTRINSIC_ATTRIBUTES, TYPE_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracelab.array_types import Flags

_MORE: Final = "more_attributes"
_SERVICE: Final = "service_name"
_NO_SERVICE: Final = "unknown_service"


def columns_of(key: str) -> list[str]:
    """Name the columns in which an attribute of spans or resources may be found."""
    names = [f"{scope}.{key}" for scope in ("resource", "span")]
    places = [INTRINSIC_ATTRIBUTES.get(name, name) for name in names]
    return [*places, *(name + TYPE_SUFFIX for name in places), _MORE]


def has_whole_number(frame: pl.DataFrame, name: str, least: int, most: int) -> Flags:
    """Mark the rows whose attribute is a whole number within the bounds; any other value counts as 0."""
    values, types = _read(frame, name)
    zero_fits = least <= 0 <= most
    if values is None:
        return _nowhere(frame)
    if values.dtype == pl.Int64:
        return _marks(values.is_between(least, most))
    if types is None:
        if values.dtype == pl.Float64:
            _warn_of_floats(name, values, least, most)
        return _marks(values.is_not_null()) & zero_fits
    numbers = values.cast(pl.Int64, strict=False)
    fits = numbers.is_between(least, most).fill_null(value=False)
    whole = types == "int"
    return _marks(values.is_not_null() & ((whole & fits) | (~whole if zero_fits else pl.Series([False]))))


def has_boolean(frame: pl.DataFrame, name: str, *, wanted: bool) -> Flags:
    """Mark the rows whose attribute is a yes or no, as wanted; any other value counts as no."""
    values, types = _read(frame, name)
    if values is None:
        return _nowhere(frame)
    if values.dtype == pl.Boolean:
        return _marks(values == wanted)
    yes = _nowhere(frame) if types is None else _marks((types == "bool") & (values == "true"))
    return yes if wanted else _marks(values.is_not_null()) & ~yes


def has_text(frame: pl.DataFrame, name: str, wanted: Sequence[str], *, regex: bool, empty_counts: bool) -> Flags:
    """Mark the rows whose attribute is one of some texts, or one in which a regular expression finds something.

    A value of another type counts as an empty text, which only resources are looked at with (`empty_counts`).
    """
    values, types = _read(frame, name)
    if values is None:
        return _nowhere(frame)
    empty_fits = empty_counts and regex and _finds("", wanted)
    if values.dtype != pl.String:
        return _marks(values.is_not_null()) & empty_fits
    if not regex:
        found = _marks(values.is_in([value for value in wanted if value]))
    else:
        found = _marks(values.is_in(_matching(values, wanted))) if wanted else _nowhere(frame)
        if not empty_fits:
            found &= _marks(values != "")
    if types is None:
        return found
    is_text = _marks(types == "string")
    return np.where(is_text, found, _marks(values.is_not_null()) & empty_fits)


def _matching(values: pl.Series, patterns: Sequence[str]) -> pl.Series:
    """Look through the different values only, of which there are few where a pattern is worth while."""
    different = values.unique().drop_nulls()
    found = pl.Series(np.zeros(different.len(), dtype=bool))
    for pattern in patterns:
        found = found | different.str.contains(searching(pattern))
    return different.filter(found)


def _finds(text: str, patterns: Sequence[str]) -> bool:
    return bool(_matching(pl.Series([text]), patterns).len())


def _read(frame: pl.DataFrame, name: str) -> tuple[pl.Series | None, pl.Series | None]:
    """Read an attribute, and the type of each value where they differ; None where there is no such attribute."""
    column = INTRINSIC_ATTRIBUTES.get(name, name)
    if column == _SERVICE and column in frame.columns:
        # What loaders write where there is no name; the Collector sees none.
        return frame[column].set((frame[column] == _NO_SERVICE).fill_null(value=False), None), None
    if column in frame.columns:
        return frame[column], _types(frame[column + TYPE_SUFFIX]) if column + TYPE_SUFFIX in frame.columns else None
    if _MORE not in frame.columns or frame[_MORE].null_count() == frame.height:
        return None, None
    more = pl.col(_MORE).map
    both = frame.select(more.get(name).alias("value"), more.get(name + TYPE_SUFFIX).alias("type"))
    return (both["value"], _types(both["type"])) if both["value"].null_count() < frame.height else (None, None)


def _types(types: pl.Series) -> pl.Series:
    """Fill in the type of texts, which is not always said."""
    return types.fill_null("string")


def _marks(flags: pl.Series) -> Flags:
    return flags.fill_null(value=False).to_numpy()


def _nowhere(frame: pl.DataFrame) -> Flags:
    return np.zeros(frame.height, dtype=bool)


def _warn_of_floats(name: str, values: pl.Series, least: int, most: int) -> None:
    """Say that values might have been whole numbers before a loader put them into one column with fractions."""
    whole = (values == values.round()) & values.is_between(least, most) & (values != 0)
    if whole.any():
        warn_caller(
            f"numeric_attribute reads {name!r}, whose column holds numbers with fractions: the Collector reads such a "
            "number as 0, and whether those without a fraction came as whole numbers is not known. They are read as 0.",
            QueryWarning,
        )
