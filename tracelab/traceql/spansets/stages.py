"""The stages of a pipeline, run on all spansets of all traces at once.

Every span is in one spanset at most, so the spansets are two columns: whether a span is in one, and in which. A stage
makes new columns; none of them loops over traces or spansets.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final, cast

import numpy as np
import polars as pl

from tracelab.errors import QueryError
from tracelab.forest import Forest, numbered
from tracelab.traceql.spansets.aggregates import Attribute, aggregated, scalar_test
from tracelab.traceql.spansets.structural import related
from tracelab.traceql.syntax import nodes as n

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Ints
    from tracelab.traceql.spansets.plans import Plan

_LOGIC: Final = ("&&", "||")
_MANY: Final = "one trace gives several groups here; bring them together with `| coalesce()` before this operator"


@dataclass(frozen=True, slots=True)
class Spansets:
    """The spansets between two stages.

    Attributes
    ----------
    members
        Marks the spans that are in a spanset.
    labels
        Numbers the spanset of each of these spans; None where each trace is one.
    attributes
        What stages said of the spansets: `by(...)` and aggregates, under their canonical text.
    selected
        The fields that `select(...)` asked for.
    """

    members: Flags
    labels: Ints | None = None
    attributes: dict[str, Attribute] = field(default_factory=dict)
    selected: tuple[n.Attribute | n.Intrinsic, ...] = ()


@dataclass
class Run:
    """One query on the columns that its plan asked for."""

    frame: pl.DataFrame
    plan: Plan

    @cached_property
    def forest(self) -> Forest:
        return Forest.of(self.frame)

    def pipeline(self, stages: tuple[n.Stage, ...]) -> Spansets:
        """Run a whole query: it begins with all spans, each trace in a spanset of its own."""
        return self.stages(stages, Spansets(np.ones(self.frame.height, dtype=bool)))

    def labels(self, spansets: Spansets) -> Ints:
        return self.forest.trace if spansets.labels is None else spansets.labels

    def mask(self, filter_: n.Filter) -> Flags:
        series = self.frame[self.plan.masks[filter_]]
        if series.len() != self.frame.height:  # a literal
            series = series.new_from_index(0, self.frame.height)
        return series.fill_null(False).to_numpy()

    def stages(self, stages: tuple[n.Stage, ...], spansets: Spansets) -> Spansets:
        """Run one stage after the other."""
        for stage in stages:
            spansets = self.stage(stage, spansets)
        return spansets

    def stage(self, stage: n.Stage, spansets: Spansets) -> Spansets:
        match stage:
            case n.Filter() | n.SpansetOperation():
                return replace(spansets, members=self.spanset(stage, spansets))
            case n.ScalarFilter():
                return self.scalar_filter(stage, spansets)
            case n.GroupBy():
                return self.group(stage, spansets)
            case n.Select():
                return replace(spansets, selected=(*spansets.selected, *stage.fields))
            case n.Coalesce():
                return replace(spansets, labels=None, attributes={})

    def spanset(self, spanset: n.Spanset, spansets: Spansets) -> Flags:
        """Give the members of each spanset that a filter, an operation or a pipeline keeps."""
        match spanset:
            case n.Filter():
                return spansets.members & self.mask(spanset)
            case n.Pipeline():
                return self.stages(spanset.stages, spansets).members
        left = self.operand(spanset.first, spansets, spanset.steps[0].operator)
        for step in spanset.steps:
            right = self.operand(step.operand, spansets, step.operator)
            left = self.joined(step.operator, left, right, spansets)
        return left

    def operand(self, spanset: n.Spanset, spansets: Spansets, operator: str) -> Flags:
        """Give one side of an operator; a pipeline with several groups fits `&&` and `||` only."""
        if isinstance(spanset, n.Pipeline):
            result = self.stages(spanset.stages, spansets)
            if operator not in _LOGIC and self.is_split(result, spansets):
                raise QueryError(_MANY)
            return result.members
        return self.spanset(spanset, spansets)

    def is_split(self, result: Spansets, before: Spansets) -> bool:
        """Tell whether some spanset was split into several."""
        if result.labels is None:
            return False
        rows = np.flatnonzero(result.members)
        labels, outer = result.labels[rows], self.labels(before)[rows]
        return np.unique(labels).size > np.unique(outer).size

    def joined(self, operator: str, left: Flags, right: Flags, spansets: Spansets) -> Flags:
        """Apply one spanset operator within every spanset."""
        if operator == "||":
            return left | right
        if operator != "&&":
            return related(self.forest, operator, left, right, spansets.labels)
        labels = self.labels(spansets)
        both = _seen(labels, left) & _seen(labels, right)
        return (left | right) & both[labels]

    def scalar_filter(self, stage: n.ScalarFilter, spansets: Spansets) -> Spansets:
        """Keep the spansets for which a comparison of aggregates holds, and note the aggregates."""
        rows = np.flatnonzero(spansets.members)
        if not rows.size:
            return spansets
        labels = self.labels(spansets)
        groups = pl.DataFrame({"group": np.flatnonzero(_seen(labels, spansets.members))})
        values: dict[n.Scalar, tuple[str, str]] = {}
        for scalar in _aggregates(stage):
            if scalar not in values:
                kind, result = self.scalar(scalar, spansets)
                name = f"aggregate {len(values)}"
                values[scalar] = kind, name
                groups = groups.join(result.rename({"value": name}), on="group", how="left", maintain_order="left")
        kept = groups.filter(scalar_test(stage, values))
        keep = np.zeros(int(labels[rows].max()) + 1, dtype=bool)
        keep[kept["group"].to_numpy()] = True
        members = spansets.members.copy()
        members[rows] = keep[labels[rows]]
        noted = {
            str(scalar): Attribute(kind, values=groups.select("group", value=name), labels=labels)
            for scalar, (kind, name) in values.items()
        }
        return replace(spansets, members=members, attributes={**spansets.attributes, **noted})

    def scalar(self, scalar: n.Scalar, spansets: Spansets) -> tuple[str, pl.DataFrame]:
        """Work an aggregate out for each spanset: its kind, and a frame of `group` and `value`."""
        labels = self.labels(spansets)
        members = spansets.members
        aggregate = cast("n.Aggregate", scalar)
        if isinstance(scalar, n.ScalarPipeline):
            result = self.stages(scalar.stages, spansets)
            if self.is_split(result, spansets):
                raise QueryError(_MANY)
            members, aggregate = result.members, scalar.aggregate
        rows = np.flatnonzero(members)
        kinds = {} if aggregate.argument is None else self.plan.values[aggregate.argument]
        columns = {kind: self.column(name) for kind, name in kinds.items()}
        if rows.size < self.frame.height:
            columns = {kind: column.gather(rows) for kind, column in columns.items()}
        return aggregated(aggregate, labels[rows], columns)

    def column(self, name: str) -> pl.Series:
        series = self.frame[name]
        return series if series.len() == self.frame.height else series.new_from_index(0, self.frame.height)

    def group(self, stage: n.GroupBy, spansets: Spansets) -> Spansets:
        """Split every spanset by the value of an expression; spans without one are a group of their own."""
        kinds = self.plan.values[stage.expression]
        rows = np.flatnonzero(spansets.members)
        values = np.zeros(rows.size, dtype=np.int64)
        width = 1
        for name in kinds.values():
            column = self.column(name)
            numbers = _numbered(column.gather(rows) if rows.size < self.frame.height else column)
            values = np.where(numbers >= 0, numbers + width, values)
            width += int(numbers.max(initial=-1)) + 1
        outer = self.labels(spansets)
        labels = outer[rows] * width + values
        if labels.max(initial=0) > 4 * self.frame.height + 1024:
            labels = np.unique(labels, return_inverse=True)[1]
        everybody = np.zeros(self.frame.height, dtype=np.int64)
        everybody[rows] = labels
        noted = {str(stage): Attribute("", columns=kinds)}
        return replace(spansets, labels=everybody, attributes={**spansets.attributes, **noted})


def _seen(labels: Ints, members: Flags) -> Flags:
    """Mark the labels that occur among the members."""
    seen = np.zeros(int(labels.max(initial=0)) + 1, dtype=bool)
    seen[labels[members]] = True
    return seen


def _aggregates(scalar: n.Scalar | n.ScalarFilter) -> list[n.Scalar]:
    """List the aggregates in a comparison."""
    match scalar:
        case n.ScalarFilter():
            return [*_aggregates(scalar.left), *_aggregates(scalar.right)]
        case n.ScalarOperation():
            parts = (scalar.first, *(step.operand for step in scalar.steps))
            return [aggregate for part in parts for aggregate in _aggregates(part)]
        case n.Static():
            return []
    return [scalar]


def _numbered(column: pl.Series) -> Ints:
    """Give every different value of a column a number; null is -1."""
    dtype = column.dtype
    if dtype.is_nested():
        column = column.cast(pl.List(pl.String)).list.join(", ")
    elif isinstance(dtype, pl.Enum):
        return column.to_physical().cast(pl.Int64).fill_null(-1).to_numpy()
    elif dtype.is_integer() or dtype == pl.Boolean() or dtype.is_temporal():
        whole = column.to_physical().cast(pl.Int64)
        low, high = whole.min(), whole.max()
        if isinstance(low, int) and isinstance(high, int) and high - low < 2**20:
            return (whole - low).fill_null(-1).to_numpy()
        column = whole
    return numbered(column.cast(pl.String))
