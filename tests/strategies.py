"""Span frames for hypothesis: trees with orphans, cycles, ties, shared ids and several traces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
from hypothesis import strategies as st

from tracelab.conforming import conform
from tracelab.schema import DURATION, KIND, KINDS, TIME

if TYPE_CHECKING:
    from collections.abc import Callable

SERVICES = ("api", "auth", "db")


@st.composite
def span_frames(
    draw: Callable[[st.SearchStrategy[object]], object],
    *,
    max_traces: int = 3,
    max_spans: int = 12,
    cycles: bool = True,
) -> pl.DataFrame:
    """Draw a small frame; times are small whole numbers, so that ties and touching siblings are common."""
    rows = []
    for trace in range(draw(st.integers(1, max_traces))):  # type: ignore[call-overload]
        size = draw(st.integers(1, max_spans))
        for span in range(size):  # type: ignore[call-overload]
            parents = st.integers(0, size - 1) if cycles else st.integers(0, max(0, span - 1))  # type: ignore[operator]
            parent = draw(st.one_of(st.none(), parents, st.just(99)))
            rows.append(
                {
                    "trace_id": f"t{trace}",
                    "span_id": f"s{span}",
                    "parent_span_id": None if parent is None or (not cycles and parent == span) else f"s{parent}",
                    "name": draw(st.sampled_from(("get", "put", "scan"))),
                    "kind": draw(st.sampled_from(KINDS)),
                    "service_name": draw(st.sampled_from(SERVICES)),
                    "start_time": draw(st.integers(0, 12)),
                    "duration": draw(st.integers(0, 8)),
                    "status_code": draw(st.sampled_from(("unset", "ok", "error"))),
                }
            )
    frame = pl.DataFrame(
        rows,
        schema_overrides={
            "parent_span_id": pl.String(), "kind": KIND, "start_time": pl.Int64(), "duration": pl.Int64(),
        },
    )  # fmt: skip
    return conform(frame.cast({"start_time": TIME, "duration": DURATION}))
