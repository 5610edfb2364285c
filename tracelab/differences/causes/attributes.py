"""What goes with a cause: the attribute values of the traces that it hits, beside those that it spares."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from tracelab.differences.attributes.comparing import compare

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracelab.array_types import Flags
    from tracelab.differences.causes.suspects import Case


_SLOW: Final = 0.95
_FEWEST: Final = 5
_MOST: Final = 5
_OF_VALUES: Final = ("value", "pair")
_OUTCOMES: Final = re.compile(
    r"error|exception|status|^event|message\.id|response\.|resend_count|retry|thread\.|(?:^|\.)(?:duration|latency)|instrumentation\."
)
"""Attributes that tell of what happened, and not of what made it happen."""


def companions(case: Case, row: Mapping[str, Any], spans: tuple[pl.DataFrame, pl.DataFrame], q: float) -> pl.DataFrame:
    """Compare the traces that a cause hits with others that come to the same place, or to its caller.

    Hit is a trace of the abnormal side in which an error starts at the suspect, or where it takes longer than 19 of 20
    normal traces. Gives rows of `compare`.
    """
    hit, spared = _split(case, row)
    if min(sum(map(len, hit)), sum(map(len, spared))) < _FEWEST:
        return pl.DataFrame()
    selection = spans[0].filter(pl.col("trace_id").is_in(hit[0].implode()))
    others = [one.filter(pl.col("trace_id").is_in(ids.implode())) for one, ids in zip(spans, spared, strict=True)]
    baseline = _together(others[0], others[1])
    found = compare(selection, baseline, q=q)
    outcome = (
        pl.col("attribute")
        .fill_null("")
        .map_elements(lambda name: bool(_OUTCOMES.search(name)), return_dtype=pl.Boolean)
    )
    wanted = pl.col("kind").cast(pl.String).is_in(_OF_VALUES) & (pl.col("effect_lower") > 0)
    return found.filter(wanted & pl.col("explained_by").is_null() & ~outcome).head(_MOST)


def _together(one: pl.DataFrame, other: pl.DataFrame) -> pl.DataFrame:
    """Put two frames together, attributes that have other dtypes in one as text."""
    dtypes = dict(one.schema)
    mixed = [name for name, dtype in other.schema.items() if dtypes.get(name, dtype) != dtype]
    nested = [name for name in mixed if dtypes[name].is_nested() or other.schema[name].is_nested()]
    texts = [name for name in mixed if name not in nested]
    frames = [frame.drop(nested).with_columns(pl.col(texts).cast(pl.String)) for frame in (one, other)]
    return pl.concat(frames, how="diagonal")


def _split(case: Case, row: Mapping[str, Any]) -> tuple[list[pl.Series], list[pl.Series]]:
    """Give the ids of the traces that are hit and of those that are spared, each by side."""
    suspects = case.steps.suspects.with_row_index("number")
    same = pl.col("service_name") == row["service_name"]
    if row["name"] is not None:
        same &= pl.col("name") == row["name"]
    if row["level"] != "service":
        same &= pl.col("callee").eq_missing(pl.lit(row["callee"], dtype=pl.String))
    ours = np.isin(case.steps.suspect, suspects.filter(same)["number"].to_numpy().astype(np.int64))
    limit = _limits(case, ours)
    above = case.steps.parent[ours]
    near = ours.copy()
    near[above[above >= 0]] = True
    hit, spared = [], []
    for number, (cells, side) in enumerate(zip(case.cells, case.sides, strict=True)):
        rows = np.flatnonzero(ours[cells.step])
        there = np.unique(cells.trace[near[cells.step]])
        slow = cells.own[rows] / cells.count[rows] > limit[cells.step[rows]]
        bad = (row["time_counts"] & slow) | ((row["errors_counts"] or row["lost_counts"]) & (cells.origins[rows] > 0))
        found = np.unique(cells.trace[rows[bad]]) if number == 0 else there[:0]
        ids = side.frame["trace_id"].gather(pl.Series(np.flatnonzero(np.diff(side.forest.trace, prepend=-1))))
        hit.append(ids.gather(pl.Series(found)))
        spared.append(ids.gather(pl.Series(np.setdiff1d(there, found))))
    return hit, spared


def _limits(case: Case, ours: Flags) -> npt.NDArray[np.float64]:
    """Give what 19 of 20 normal traces stay below, by step; who does something new takes longer for it."""
    cells = case.cells[1]
    rows = np.flatnonzero(ours[cells.step])
    found = (
        pl.DataFrame({"step": cells.step[rows], "value": cells.own[rows] / cells.count[rows]})
        .group_by("step")
        .agg(pl.col("value").quantile(_SLOW, "linear"))
    )
    limits = np.full(ours.size, -1.0)
    limits[found["step"].to_numpy()] = found["value"].to_numpy()
    return limits
