"""The two sides of a comparison: units, which are traces or spans, and which of them are selected."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

import numpy as np
import polars as pl

from tracelab.attribute_values import columns_with_attributes
from tracelab.conforming import span_frame
from tracelab.errors import TracelabError
from tracelab.forest import build_forest
from tracelab.options import choice, shown
from tracelab.traceql import query

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Ints
    from tracelab.forest import Forest

Unit: TypeAlias = Literal["trace", "span"]
Where: TypeAlias = str | pl.Expr

_ROW: Final = "__row"
_FIXED: Final = ("service_name", "name", "kind", "status_code", "status_message", "scope_name", "scope_version")


@dataclass(frozen=True, slots=True)
class Placed:
    """Spans in places: trace after trace, and in a trace depth first.

    Attributes
    ----------
    frame
        The spans, with the columns that are compared.
    forest
        Who is below whom.
    matches
        Which spans a condition holds for; None if there is none.
    """

    frame: pl.DataFrame
    forest: Forest
    matches: Flags | None


@dataclass(frozen=True)
class Sides:
    """A selection and a baseline.

    Attributes
    ----------
    parts
        The spans of both in one frame, or of each in one of its own.
    unit
        What is counted.
    """

    parts: tuple[Placed, ...]
    unit: Unit

    @cached_property
    def frame(self) -> pl.DataFrame:
        """The spans of all parts, one after another."""
        frames = [part.frame.fill_nan(None) for part in self.parts]
        dtypes: dict[str, set[pl.DataType]] = {}
        for frame in frames:
            for name, dtype in frame.schema.items():
                dtypes.setdefault(name, set()).add(dtype)
        mixed = {name: found for name, found in dtypes.items() if len(found) > 1}
        numbers = [name for name, found in mixed.items() if all(dtype.is_numeric() for dtype in found)]
        texts = [name for name in mixed if name not in numbers]
        frames = [_as_floats(_as_texts(frame, texts), numbers) for frame in frames]
        return frames[0] if len(frames) == 1 else pl.concat(frames, how="diagonal")

    @cached_property
    def of_span(self) -> Ints:
        """The number of the unit that each span belongs to."""
        if self.unit == "span":
            return np.arange(self.frame.height)
        numbers, before = [], 0
        for part in self.parts:
            numbers.append(part.forest.trace + before)
            before += int(part.forest.trace.max(initial=-1)) + 1
        return np.concatenate(numbers)

    @cached_property
    def count(self) -> int:
        """How many units there are."""
        return int(self.of_span.max(initial=-1)) + 1

    @cached_property
    def selected(self) -> Flags:
        """Mark the units of the selection."""
        if len(self.parts) == 2:
            marks = np.arange(self.frame.height) < self.parts[0].frame.height
        else:
            marks = np.asarray(self.parts[0].matches)
        units = np.zeros(self.count, dtype=bool)
        units[self.of_span[marks]] = True
        return units

    @cached_property
    def sizes(self) -> tuple[int, int]:
        """How many units the selection has, and how many the baseline."""
        selected = int(self.selected.sum())
        return selected, self.count - selected

    @cached_property
    def ids(self) -> pl.Series:
        """The id of each unit."""
        if self.unit == "span":
            return self.frame["span_id"]
        firsts = np.flatnonzero(np.diff(self.of_span, prepend=-1))
        return self.frame["trace_id"].gather(pl.Series(firsts))


def sides_of(selection: Any, baseline: Any, where: Where | None, unit: str) -> Sides:
    """Read the arguments of a comparison.

    Raises
    ------
    TracelabError
        There are both a baseline and a condition, or neither; the condition is none; there is no such unit.
    """
    choice("unit", unit, get_args(Unit))
    if (baseline is None) == (where is None):
        given = "neither" if where is None else "both"
        raise TracelabError(
            f"Give either `baseline`, spans to compare with, or `where`, a condition that splits them, got {given}: "
            "for instance compare(spans, where='traceDuration > 800ms')."
        )
    if where is None:
        return Sides((_placed(selection, None), _placed(baseline, None)), unit)  # type: ignore[arg-type]
    return Sides((_placed(selection, where),), unit)  # type: ignore[arg-type]


def matching_rows(spans: pl.DataFrame, where: Any) -> Flags:
    """Tell for which spans a condition holds: TraceQL, or an expression of polars.

    Raises
    ------
    TracelabError
        It is neither, or its values are no Booleans.
    QueryError
        It is no query for spans.
    """
    marks = np.zeros(spans.height, dtype=bool)
    if isinstance(where, str):
        marks[query(spans.with_row_index(_ROW), where)[_ROW].to_numpy()] = True
        return marks
    if not isinstance(where, pl.Expr):
        raise TracelabError(
            f"`where` must be TraceQL or an expression of polars, got {shown(where)}. "
            "For instance 'traceDuration > 800ms', or polars.col('duration') > polars.duration(milliseconds=800)."
        )
    try:
        found = spans.select(where.alias(_ROW))
    except pl.exceptions.PolarsError as error:
        reason = str(error).partition("\n")[0]
        raise TracelabError(f"`where` cannot be computed from these spans: {reason}.") from error
    if found.width != 1 or found[_ROW].dtype != pl.Boolean or found.height not in (1, spans.height):
        raise TracelabError(
            f"`where` must say of every span whether it is meant, and gives {found.height:,} of {found[_ROW].dtype}. "
            "Compare the column with something."
        )
    marks[:] = found[_ROW].fill_null(value=False).to_numpy()
    return marks


def _placed(spans: Any, where: Where | None) -> Placed:
    frame = span_frame(spans)
    eager = frame.collect() if isinstance(frame, pl.LazyFrame) else frame
    wanted: list[str] = [name for name in _FIXED if name in eager.columns]
    wanted += columns_with_attributes(dict.fromkeys(eager.columns, pl.Null()))
    if where is None:
        return Placed(*build_forest(eager, "span_id", *wanted), None)
    marks = pl.Series(_ROW, matching_rows(eager, where))
    placed, forest = build_forest(eager.with_columns(marks), "span_id", *wanted, _ROW)
    return Placed(placed.drop(_ROW), forest, placed[_ROW].to_numpy())


def _as_floats(frame: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """Make columns floats, that are whole numbers in another frame, as where pandas had no other room for nulls."""
    return frame.with_columns(pl.col(name).cast(pl.Float64) for name in names if name in frame.columns)


def _as_texts(frame: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """Make columns text, that have other dtypes in another frame."""
    columns = []
    for name in names:
        if name in frame.columns:
            values = pl.col(name)
            listed = isinstance(frame[name].dtype, pl.List)
            columns.append(values.cast(pl.List(pl.String)).list.join(", ") if listed else values.cast(pl.String))
    return frame.with_columns(columns)
