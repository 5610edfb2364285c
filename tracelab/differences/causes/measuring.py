"""What is measured of either side: a table of cells, one per kind of step and trace.

A step is what is done at one place of a call path: an operation that a service does, or a call that it makes, told
apart by whom it calls. Steps of the same operation at several places belong to one suspect.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.analysis.arrays import durations
from tracelab.analysis.calls.edges import names_of_callees, naming_columns
from tracelab.analysis.critical_paths.call_paths import call_path_numbers
from tracelab.analysis.errors.exceptions import FAILED, REFUSED, failure_columns
from tracelab.analysis.errors.propagation import propagated
from tracelab.analysis.latency.self_time import self_times
from tracelab.clocks.hosts import host_columns
from tracelab.differences.paths.cohort import path_of_traces
from tracelab.forest import build_forest
from tracelab.schema import KIND

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Floats, Ints
    from tracelab.forest import Forest


SUSPECT: Final = ["service_name", "name", "callee"]
_CLIENT, _PRODUCER = (KIND.categories.index_of(kind) for kind in ("client", "producer"))


@dataclass(frozen=True)
class Measured:
    """The spans of a side, by place, and what is measured of each.

    Attributes
    ----------
    frame, forest
        The spans, and who is below whom.
    path
        The number of the call path of each span.
    callee
        Whom a call goes to, as text; null for other spans, and where it is not known.
    own, critical
        The self time of each span, and what of the critical path of its trace is its own, in nanoseconds.
    origin, failed
        Whether an error starts at a span, and whether it failed.
    total
        How long each trace took, in nanoseconds.
    """

    frame: pl.DataFrame
    forest: Forest
    path: Ints
    callee: pl.Series
    own: Ints
    critical: Ints
    origin: Flags
    failed: Flags
    total: Ints

    @property
    def traces(self) -> int:
        """How many traces there are."""
        return self.total.size


def measured(spans: pl.DataFrame) -> Measured:
    """Measure the spans of a side; whom calls go to is not told yet."""
    columns: list[str | pl.Expr] = [*failure_columns(spans)]
    taken = {column for column in columns if isinstance(column, str)}
    columns += [name for name in naming_columns(spans) if name not in taken]
    frame, forest = build_forest(spans, *columns, *host_columns(spans))
    root, owner, length = path_of_traces(frame, forest)
    critical = np.bincount(owner, weights=length, minlength=frame.height)
    failed, refused = (frame[name].to_numpy() for name in (FAILED, REFUSED))
    origin = np.zeros(frame.height, dtype=bool)
    origin[propagated(frame, forest, failed, refused).origin] = True
    return Measured(
        frame,
        forest,
        call_path_numbers(frame, forest),
        pl.repeat(None, frame.height, dtype=pl.String, eager=True),
        self_times(frame, forest),
        critical.astype(np.int64),
        origin,
        failed,
        durations(frame)[root],
    )


def _told(frame: pl.DataFrame, forest: Forest) -> pl.DataFrame:
    """Give of each call its place, who calls, the service that answers, and what the call says of its other end."""
    kind = frame["kind"].to_physical().to_numpy()
    calls = np.flatnonzero((kind == _CLIENT) | (kind == _PRODUCER))
    answering = np.full(frame.height, -1, dtype=np.int64)
    below = np.flatnonzero(forest.has_parent)
    answering[forest.parent[below[::-1]]] = below[::-1]  # the first child stays
    services = frame["service_name"]
    who = services.gather(pl.Series(answering[calls]).set(pl.Series(answering[calls] < 0), None))
    caller = services.gather(pl.Series(calls))
    said = names_of_callees(frame[calls])
    return pl.DataFrame({"place": calls, "caller": caller, "said": said, "who": who}).with_columns(
        who=pl.when(pl.col("who") != pl.col("caller")).then("who")
    )


def with_callees(sides: tuple[Measured, Measured]) -> tuple[Measured, Measured]:
    """Say whom each call goes to: the service that answers, and where none does, the one that answers calls like it.

    Both sides are asked who that is, since a service that is down answers on one of them alone.
    """
    told = [_told(side.frame, side.forest) for side in sides]
    usual = (
        pl.concat(told)
        .lazy()
        .filter(pl.col("who").is_not_null() & pl.col("said").is_not_null())
        .group_by("caller", "said", "who")
        .len()
        .sort("len", "who", descending=[True, False])
        .group_by("caller", "said", maintain_order=True)
        .agg(usual=pl.col("who").first())
    )
    one, other = (
        replace(side, callee=_at_places(each, usual, side.frame.height)) for side, each in zip(sides, told, strict=True)
    )
    return one, other


def _at_places(told: pl.DataFrame, usual: pl.LazyFrame, count: int) -> pl.Series:
    named = (
        told.lazy()
        .join(usual, on=["caller", "said"], how="left", maintain_order="left")
        .select(pl.coalesce("who", "usual", "said").alias("callee"))
        .collect()["callee"]
    )
    calls = told["place"].to_numpy()
    place = np.full(count, -1, dtype=np.int64)
    place[calls] = np.arange(calls.size)
    return named.gather(pl.Series(place).set(pl.Series(place < 0), None))


@dataclass(frozen=True)
class Cells:
    """What the traces of a side have of each kind of step: an item per kind and trace that has any.

    Attributes
    ----------
    step, trace
        Which kind of step, and in which trace.
    count
        How many spans.
    own, critical, below
        Sums over them, in nanoseconds: self time, time on the critical path, and the same of all that is below as well.
    origins, failed
        How many of them errors start at, and how many failed.
    unanswered
        Of calls, how many have nothing below them.
    """

    step: Ints
    trace: Ints
    count: Ints
    own: Floats
    critical: Floats
    below: Floats
    origins: Ints
    failed: Ints
    unanswered: Ints


@dataclass(frozen=True)
class Steps:
    """All kinds of steps of both sides.

    Attributes
    ----------
    suspect
        The number of the suspect that each belongs to.
    parent
        The kind of step above; -1 for those at which traces begin.
    calls
        Whether it is a call that waits for its answer.
    suspects
        `service_name`, `name` and `callee` of each suspect.
    """

    suspect: Ints
    parent: Ints
    calls: Flags
    suspects: pl.DataFrame


def tabulated(sides: tuple[Measured, Measured]) -> tuple[Steps, tuple[Cells, Cells]]:
    """Give numbers to the kinds of steps of both sides, and add up what spans have by step and trace."""
    keys = np.concatenate([side.path ^ side.callee.hash(1).fill_null(0).to_numpy().view(np.int64) for side in sides])
    _, first, number = np.unique(keys, return_index=True, return_inverse=True)
    cut = sides[0].path.size
    step = number[:cut], number[cut:]
    names = pl.concat(side.frame.select("service_name", "name", "kind", side.callee.alias("callee")) for side in sides)[
        first
    ]
    suspects = names.select(SUSPECT).unique().sort(SUSPECT, nulls_last=False)
    suspect = names.join(
        suspects.with_row_index("suspect"), on=SUSPECT, how="left", nulls_equal=True, maintain_order="left"
    )["suspect"]
    above = np.concatenate(
        [np.where(side.forest.parent >= 0, own[side.forest.parent], -1) for side, own in zip(sides, step, strict=True)]
    )
    calls = names["kind"].to_physical().to_numpy() == _CLIENT
    steps = Steps(suspect.to_numpy().astype(np.int64), above[first], calls, suspects)
    return steps, (_cells(sides[0], step[0]), _cells(sides[1], step[1]))


def _cells(side: Measured, step: Ints) -> Cells:
    leaf = side.forest.size == 1
    reached = np.append(0, np.cumsum(side.critical))
    table = (
        pl.LazyFrame(
            {
                "step": step,
                "trace": side.forest.trace,
                "own": side.own,
                "critical": side.critical,
                "below": reached[np.arange(step.size) + side.forest.size] - reached[:-1],
                "origin": side.origin,
                "failed": side.failed,
                "leaf": leaf,
            }
        )
        .group_by("step", "trace")
        .agg(
            pl.len().cast(pl.Int64).alias("count"),
            pl.col("own", "critical", "below").sum().cast(pl.Float64),
            pl.col("origin", "failed", "leaf").sum().cast(pl.Int64),
        )
        .sort("step", "trace")
        .collect()
    )
    names = ("step", "trace", "count", "own", "critical", "below", "origin", "failed", "leaf")
    return Cells(*(table[name].to_numpy() for name in names))
