"""What was asked and how it went, row by row: requests, and the failures in them with who is to blame for each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.analysis.calls.edges import names_of_callees, naming_columns
from tracelab.analysis.calls.repeated_calls import repeated_calls
from tracelab.analysis.errors.exceptions import FAILED, REFUSED, TIMEOUT, exceptions_of, failure_columns
from tracelab.analysis.errors.outcomes import requests_of, route_columns
from tracelab.analysis.errors.propagation import propagated
from tracelab.analysis.errors.requests import callers_of
from tracelab.differences.changes.detecting import change_points
from tracelab.forest import build_forest

if TYPE_CHECKING:
    from tracelab.array_types import Ints
    from tracelab.forest import Forest

OPERATION: Final = "{}::{}"
ROUTE: Final = ["service_name", "route"]
_CALL: Final = ["trace_id", "parent_span_id", "service_name", "name", "kind"]
_ASKER: Final = (
    r"HTTP 4(?:0[0-79]|[13]\d|2[0-8])|gRPC (?:NOT_FOUND|ALREADY_EXISTS|INVALID_ARGUMENT|CANCELLED|OUT_OF_RANGE"
    r"|FAILED_PRECONDITION|UNAUTHENTICATED|PERMISSION_DENIED)"
)
"""Answers that put the blame on who asked, all but 408 and 429."""


@dataclass(frozen=True)
class Asked:
    """The requests of a frame and the failures in it.

    Attributes
    ----------
    spans
        The span frame, with all its columns.
    frame, forest
        Its spans in their places.
    """

    spans: pl.DataFrame
    frame: pl.DataFrame
    forest: Forest

    @classmethod
    def of(cls, spans: pl.DataFrame) -> Asked:
        """Put the spans into their places, with all that tells of failures, routes and callees."""
        columns = dict.fromkeys([*route_columns(spans), *naming_columns(spans)])
        return cls(spans, *build_forest(spans, *failure_columns(spans), *columns))

    def spans_of(self, traces: pl.DataFrame | pl.Series) -> pl.DataFrame:
        """Give the whole traces with these ids, for an answer to be asked of them alone."""
        ids = (traces.to_frame() if isinstance(traces, pl.Series) else traces).select("trace_id").unique()
        return self.spans.join(ids, on="trace_id", how="semi", maintain_order="left")

    @cached_property
    def changes(self) -> pl.DataFrame:
        """What `change_points` finds."""
        return change_points(self.spans)

    @cached_property
    def requests(self) -> pl.DataFrame:
        """One row per request, as `outcomes` counts them.

        `place` (Int64, of its root), `trace_id`, `span_id`, `start_time`, `duration`, `service_name`, `route`,
        `outcome`, `failed`, `refused` (Boolean), in order of places.
        """
        return requests_of(self.frame, np.flatnonzero(callers_of(self.frame, self.forest).asked))

    @cached_property
    def failures(self) -> pl.DataFrame:
        """One row per failure, as `error_origins` and `outcomes` find them.

        `trace_id`, `span_id`, `service_name`, `name`, `start_time`, `exception_type`, `message`, `kind` (of the span
        where it started), `place` (Int64, of the root of its fragment), `asked` (Boolean, that is a request), `began`
        (Boolean, the trace begins there: a request or a message), `reached` (Boolean, it got there), `own_answer`
        (Boolean, it started there), `top_service`, `top_name` (String, of that root), `swallowed_by` (String, who made
        up for it), `culprit` (String, the service, database or the like that failed: whom a call asked, else the
        service of the span), `attempts` (UInt32, how many like calls the caller made), `failed_attempts` (UInt32, at
        how many of them it failed), `timed_out`, `blamed` (Boolean, its answer puts the blame on who asked).
        """
        frame, forest = self.frame, self.forest
        failing, refusing = (frame[name].to_numpy() for name in (FAILED, REFUSED))
        found = propagated(frame, forest, failing, refusing, refusals_start=True)
        origin, above, root = found.origin, forest.parent[found.top], forest.root[found.origin]
        reached, callers = above < 0, callers_of(frame, forest)
        known = exceptions_of(frame[origin], pl.Series(origin)).with_columns(
            frame[origin]["kind"],
            pl.Series("place", root, dtype=pl.Int64),
            pl.Series("asked", callers.asked[root]),
            pl.Series("began", callers.known[root]),
            pl.Series("reached", reached),
            pl.Series("own_answer", origin == root),
            frame[root]["service_name"].alias("top_service"),
            frame[root]["name"].alias("top_name"),
            _operations(frame[np.maximum(above, 0)]).set(pl.Series(reached), None).alias("swallowed_by"),
            self._culprits(origin),
            *self._attempts(origin, above),
        )
        said = pl.concat_str("exception_type", "message", separator=" ", ignore_nulls=True)
        return known.with_columns(
            timed_out=said.str.contains(TIMEOUT),
            blamed=pl.col("exception_type").str.contains(f"^(?:{_ASKER})$").fill_null(value=False),
        ).filter(pl.Series(failing[origin]) | pl.col("reached"))

    def _culprits(self, origin: Ints) -> pl.Series:
        """Name who failed: the one who was asked where the span is a call, else the service of the span."""
        frame, forest = self.frame, self.forest
        spans = frame[origin]
        callee = pl.Series("callee", np.full(frame.height, None), dtype=pl.String)
        children = np.flatnonzero(forest.has_parent)
        service = frame["service_name"]
        crossing = children[(service[children] != service[forest.parent[children]]).to_numpy()]
        crossing = crossing[np.isin(forest.parent[crossing], origin)]
        callee = callee.scatter(forest.parent[crossing], service[crossing])
        calls = spans["kind"].is_in(["client", "producer"])
        return (
            pl.DataFrame({"own": spans["service_name"], "seen": callee[origin], "told": names_of_callees(spans)})
            .select(pl.when(calls).then(pl.coalesce("seen", "told", "own")).otherwise("own").alias("culprit"))
            .to_series()
        )

    def _attempts(self, origin: Ints, swallower: Ints) -> tuple[pl.Series, pl.Series]:
        """Count the like calls beside the one that failed, and those of them that failed too.

        A message that could not be dealt with is delivered again: then its deliveries are the attempts.
        """
        frame, forest = self.frame, self.forest
        service, kind = frame["service_name"], frame["kind"]
        above, over = np.maximum(forest.parent[origin], 0), np.maximum(swallower, 0)
        answers = forest.has_parent[origin] & (service[origin] != service[above]).to_numpy()
        answers &= (kind[above] == "client").to_numpy()
        delivered = (swallower >= 0) & (kind[over] == "consumer").to_numpy()
        call = np.where(delivered, over, np.where(answers, above, origin))
        calls = frame[call].select(_CALL).with_columns(pl.Series("call", call))
        failed = calls.with_columns(failed_attempts=pl.col("call").n_unique().over(_CALL).cast(pl.UInt32))
        traces = frame[origin].select("trace_id").unique()
        like = repeated_calls(self.spans.join(traces, on="trace_id", how="semi"), min_count=2)
        counted = failed.join(like.select(*_CALL, "count").unique(_CALL), on=_CALL, how="left", maintain_order="left")
        return counted["count"].fill_null(1).alias("attempts"), counted["failed_attempts"]


def _operations(frame: pl.DataFrame) -> pl.Series:
    return frame.select(pl.format(OPERATION, "service_name", "name").alias("operation")).to_series()
