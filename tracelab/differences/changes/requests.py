"""What is looked at for changes: the requests of each group in order of time, each ranked among its like."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.analysis.failures import has_failed
from tracelab.analysis.grouping import By, keys, names_of
from tracelab.numbering import renumbered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracelab.array_types import Flags, Floats, Ints


LEVELS: Final = (0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98)
"""The quantiles at which distributions of latency are compared."""

_KEY: Final = "__key"


@dataclass(frozen=True)
class Group:
    """The requests of one group, in order of time.

    A unit is a trace: its requests of the group together, at the start of the first. Retries and repeated calls within
    a trace are no independent witnesses.

    Attributes
    ----------
    key
        The values of the columns that tell the group from others.
    services
        The services of its requests.
    trace
        The number of the trace of each unit.
    time
        When each unit began, in nanoseconds; ascending.
    above
        By unit and level: the share of its requests that took longer than this quantile of all requests of the same
        operation in the group.
    failed
        By unit: the share of its requests that failed.
    unit, duration, operation, error, left, right
        Of each request: its unit, nanoseconds, the number of its operation, whether it failed, and its place in the
        tree. Sorted by unit.
    """

    key: tuple[object, ...]
    services: tuple[str, ...]
    trace: Ints
    time: Ints
    above: Floats
    failed: Floats
    unit: Ints
    duration: Ints
    operation: Ints
    error: Flags
    left: Ints
    right: Ints

    @property
    def size(self) -> int:
        """How many units there are."""
        return self.time.size

    @cached_property
    def borders(self) -> Flags:
        """Where a change may be: before units that are later than the one before."""
        return np.diff(self.time, prepend=self.time[0]) > 0


@dataclass(frozen=True)
class Requests:
    """All groups, and the names of what tells them apart.

    Attributes
    ----------
    names
        The columns of `by`.
    dtypes
        Their dtypes.
    groups
        The groups that have enough traces, in the order of their keys.
    traces
        The ids of the traces that units have the numbers of.
    small
        How many groups had too few traces to be asked.
    """

    names: list[str]
    dtypes: list[pl.DataType]
    groups: list[Group]
    traces: pl.Series
    small: int


def requests_of(spans: pl.DataFrame, by: By, *, made: Sequence[str], entry_only: bool, least: int) -> Requests:
    """Read the requests of every group.

    Parameters
    ----------
    spans
        A span frame.
    by
        What tells groups apart.
    made
        The columns of the answer, which no key may be called like.
    entry_only
        Whether only spans are requests at which one enters a service.
    least
        A group with fewer traces is counted and left out.
    """
    found = keys(spans, by, made=made)
    names = names_of(found)
    rows = (
        spans.lazy()
        .filter(pl.col("entry") if entry_only else pl.lit(value=True))
        .select(
            *found,
            __trace="trace_id",
            __span="span_id",
            __service="service_name",
            __name="name",
            __time=pl.col("start_time").to_physical(),
            __duration=pl.col("duration").to_physical(),
            __left=pl.col("tree_left").cast(pl.Int64),
            __right=pl.col("tree_right").cast(pl.Int64),
            __failed=has_failed(spans).fill_null(value=False),
        )
        .collect()
    )
    dtypes = [rows.schema[name] for name in names]
    ids = rows["__trace"].unique().sort()
    if rows.is_empty():
        return Requests(names, dtypes, [], ids, 0)
    rows = rows.with_columns(
        _numbered(rows, names),
        __trace=pl.col("__trace").rank("dense").cast(pl.Int64) - 1,
    )
    parts = rows.partition_by(_KEY, maintain_order=True)
    groups, small = [], 0
    for part in sorted(parts, key=lambda part: int(part[_KEY][0])):
        if part["__trace"].n_unique() < least:
            small += 1
            continue
        groups.append(_group(part, tuple(part[name][0] for name in names)))
    return Requests(names, dtypes, groups, ids, small)


def _numbered(rows: pl.DataFrame, names: list[str]) -> pl.Series:
    """Give numbers to the combinations of the keys in their order, null being the last."""
    if not names:
        return pl.zeros(rows.height, dtype=pl.Int64, eager=True).alias(_KEY)
    distinct = rows.select(names).unique().sort(names, nulls_last=True).with_row_index(_KEY)
    return rows.select(names).join(distinct, on=names, how="left", nulls_equal=True, maintain_order="left")[_KEY]


def _group(rows: pl.DataFrame, key: tuple[object, ...]) -> Group:
    """Put the requests of a group into order."""
    operation = ["__service", "__name"]
    first = pl.col("__time").min().over("__trace")
    ordered = (
        rows.lazy()
        .with_columns(
            __first=first,
            __rank=(pl.col("__duration").rank("average").over(operation) - 0.5) / pl.len().over(operation),
            __operation=pl.struct(operation).rank("dense").cast(pl.Int64),
        )
        .sort("__first", "__trace", "__time", "__span", "__duration")
        .collect()
    )
    trace = ordered["__trace"].to_numpy()
    starts = np.flatnonzero(np.diff(trace, prepend=-1))
    sizes = np.diff(np.append(starts, trace.size))
    rank, error = ordered["__rank"].to_numpy(), ordered["__failed"].to_numpy()
    above = (rank[:, None] > np.array(LEVELS)).astype(np.float64)
    number, _ = renumbered(ordered["__operation"].to_numpy())
    return Group(
        key=key,
        services=tuple(ordered["__service"].unique().sort().to_list()),
        trace=trace[starts],
        time=ordered["__first"].to_numpy()[starts].astype(np.int64),
        above=np.add.reduceat(above, starts) / sizes[:, None],
        failed=np.add.reduceat(error.astype(np.float64), starts) / sizes,
        unit=np.repeat(np.arange(starts.size), sizes),
        duration=ordered["__duration"].to_numpy().astype(np.int64),
        operation=number,
        error=error,
        left=ordered["__left"].to_numpy(),
        right=ordered["__right"].to_numpy(),
    )
