"""What several rules look at, worked out once: the dump, its baseline, and answers about both."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final

import polars as pl

from tracelab.analysis.calls.edges import calls_of, forest_of_calls, per_edge
from tracelab.analysis.critical_paths.paths import critical_path
from tracelab.analysis.errors.origins import error_origins
from tracelab.auditing.examining import audit
from tracelab.traceql import query

if TYPE_CHECKING:
    from collections.abc import Sequence


_USUAL: Final = 0.95


class Dump:
    """Spans, and answers about them."""

    def __init__(self, spans: pl.DataFrame) -> None:
        self.spans = spans
        self._within: dict[tuple[str, ...], Dump] = {}

    def within(self, wheres: Sequence[str]) -> Dump:
        """Give the traces that hold a span for each of these queries, whole."""
        key = tuple(wheres)
        if not key:
            return self
        if key not in self._within:
            spans = self.spans
            for where in key:
                spans = spans.filter(pl.col("trace_id").is_in(query(self.spans, where)["trace_id"].unique().implode()))
            self._within[key] = Dump(spans)
        return self._within[key]

    @cached_property
    def traces(self) -> int:
        """How many traces there are."""
        return self.spans["trace_id"].n_unique()

    @cached_property
    def path(self) -> pl.DataFrame:
        """The sections of all critical paths."""
        return critical_path(self.spans)

    @cached_property
    def origins(self) -> pl.DataFrame:
        """Where failures start."""
        return error_origins(self.spans)

    @cached_property
    def findings(self) -> pl.DataFrame:
        """What the audit finds."""
        return audit(self.spans)

    @cached_property
    def edges(self) -> pl.DataFrame:
        """Who calls whom: `caller`, `callee`, in how many `traces`, and the first as `exemplar_trace_id`."""
        frame, forest = forest_of_calls(self.spans)
        calls = calls_of(frame, forest).with_columns(
            trace=pl.lit(pl.Series(forest.trace)).gather(pl.col("place")),
        )
        edges = per_edge(frame, calls, traces=pl.col("trace").n_unique(), first=pl.col("place").min())
        return (
            edges.with_columns(frame["trace_id"].gather(edges["first"]).alias("exemplar_trace_id"))
            .select("caller", "callee", "traces", "exemplar_trace_id")
            .sort("caller", "callee")
        )


class Evidence:
    """What rules are judged by.

    Attributes
    ----------
    dump, baseline
        The spans, and those that they are compared with: none, where no rule compares.
    confidence
        How sure an interval is; None where what was seen is all that counts.
    """

    def __init__(self, spans: pl.DataFrame, baseline: pl.DataFrame | None, confidence: float | None) -> None:
        self.dump = Dump(spans)
        self.baseline = Dump(spans.clear() if baseline is None else baseline)
        self.confidence = confidence

    @property
    def width(self) -> float:
        """The confidence of intervals that answers give, whether or not they count."""
        return self.confidence or _USUAL
