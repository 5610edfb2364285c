"""Systems under load, put together from groups of like spans: who calls whom, when, and who loses the context."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

import tracelab as tl
from tracelab.schema import KIND

if TYPE_CHECKING:
    from collections.abc import Mapping

Ints = npt.NDArray[np.int64]
MS = 1_000_000
BEGIN = 1_767_225_600_000_000_000


@dataclass(frozen=True)
class Group:
    """Like spans of one service, one each at the times given (in nanoseconds since the system began)."""

    trace: Ints
    span: Ints
    start: Ints
    end: Ints

    def some(self, rows: Any) -> Group:
        """Pick some of the spans."""
        return Group(self.trace[rows], self.span[rows], self.start[rows], self.end[rows])


@dataclass
class System:
    """Spans that are added group by group."""

    seed: int = 0
    parts: list[pl.DataFrame] = field(default_factory=list)
    count: int = 0

    def __post_init__(self) -> None:
        """Draw from the seed."""
        self.rng = np.random.default_rng(self.seed)

    def times(self, count: int, *, seconds: float) -> Ints:
        """Draw when requests come, so many in so many seconds."""
        return np.sort(self.rng.integers(0, int(seconds * 1e9), count))

    def lengths(self, count: int, *, ms: float) -> Ints:
        """Draw how long things take, around so many milliseconds."""
        return (ms * MS * self.rng.lognormal(0, 0.5, count)).astype(np.int64)

    def within(self, group: Group, *, ms: float = 1.0) -> tuple[Ints, Ints]:
        """Draw times that lie within spans, about so far from both of their ends."""
        length = group.end - group.start
        before, after = (np.minimum(self.lengths(length.size, ms=ms), length // 3) for _ in range(2))
        return group.start + before, length - before - after

    def add(
        self,
        service: str,
        name: str,
        kind: str,
        start: Ints,
        duration: Ints,
        *,
        below: Group | None = None,
        clock: int = 0,
        attributes: Mapping[str, Any] | None = None,
    ) -> Group:
        """Add a span per time: roots, or each below one of the spans given."""
        span = self.count + 1 + np.arange(start.size)
        self.count += start.size
        trace = span if below is None else below.trace
        self.parts.append(
            pl.DataFrame(
                {
                    "trace_id": [f"{number:032x}" for number in trace],
                    "span_id": [f"{number:016x}" for number in span],
                    "parent_span_id": pl.Series(
                        [None] * start.size if below is None else [f"{number:016x}" for number in below.span],
                        dtype=pl.String,
                    ),
                    "name": name,
                    "kind": pl.Series([kind] * start.size, dtype=KIND),
                    "service_name": service,
                    "start_time": pl.Series(start + clock + BEGIN).cast(pl.Datetime("ns", "UTC")),
                    "duration": pl.Series(duration).cast(pl.Duration("ns")),
                }
            ).with_columns(
                pl.Series(key, value) if isinstance(value, list) else pl.lit(value).alias(key)
                for key, value in (attributes or {}).items()
            )
        )
        return Group(trace, span, start, start + duration)

    def spans(self) -> pl.DataFrame:
        """Give all spans, in no order."""
        frame = pl.concat(self.parts, how="diagonal")
        return tl.conform(frame.sample(fraction=1, shuffle=True, seed=self.seed))


def cut(
    spans: pl.DataFrame, caller: str, callee: str, *, share: float = 1.0, seed: int = 0
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Lose the context between two services: what is called goes on in a trace of its own.

    Gives the spans, and of those that were called and lost their parent the ids as they were.
    """
    spans = tl.conform(spans).sort("tree_left")
    above = spans.select("trace_id", "span_id", above="service_name")
    called = spans.with_row_index("row").join(
        above, left_on=["trace_id", "parent_span_id"], right_on=["trace_id", "span_id"], maintain_order="left"
    )
    called = called.filter(
        pl.col("service_name") == callee, pl.col("above") == caller, pl.col("kind").is_in(["server", "consumer"])
    )
    called = called.filter(pl.Series(np.random.default_rng(seed).random(called.height) < share))
    trace = spans["trace_id"].to_list()
    left, right = (spans[name].to_numpy() for name in ("tree_left", "tree_right"))
    for row in called["row"].to_list():  # the outer ones first
        end = int(np.searchsorted(left, right[row]))
        trace[row:end] = [f"{0xC07 << 100 | row:032x}"] * (end - row)
    parent = spans["parent_span_id"].to_list()
    for row in called["row"].to_list():
        parent[row] = None
    lost = spans.with_columns(
        trace_id=pl.Series(trace, dtype=pl.String), parent_span_id=pl.Series(parent, dtype=pl.String)
    )
    lost = lost.drop("depth", "tree_left", "tree_right", "entry")
    return tl.conform(lost), called.select("trace_id", "span_id", "parent_span_id")
