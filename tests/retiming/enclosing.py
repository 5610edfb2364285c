"""How often the bounds of what_if enclose the truth, and how far they are apart.

    python -m tests.retiming.enclosing [PROGRAMS]

Each kind of program is run a thousand times, as it is and changed.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl

from tests.retiming.programs import KINDS, Case, case_of
from tracelab.retiming.tracing import retime


def bounds_of(case: Case) -> tuple[int, int, int]:
    """Give what the program took, and the bounds of what it would take, in nanoseconds."""
    options: dict[str, Any] = {"factor": case.change.factor}
    if case.change.steps is not None:
        options = {"duration": timedelta(microseconds=100 * case.change.steps)}
    found = retime(case.spans, pl.col("name") == case.change.name, **options)
    before, low, high = (
        int(found[name].dt.total_nanoseconds().item()) for name in ("before", "after_optimistic", "after_pessimistic")
    )
    return before, low, high


def enclosed(kind: str, programs: int) -> dict[str, float]:
    """Measure one kind of program."""
    inside, exact, widths, shares, below, above = 0, 0, [], [], 0, 0
    for seed in range(programs):
        case = case_of(kind, seed)
        before, low, high = bounds_of(case)
        inside += low <= case.truth <= high
        below += case.truth < low
        above += case.truth > high
        exact += low == high == case.truth
        widths.append((high - low) / before)
        if high - low:
            shares.append((case.truth - low) / (high - low))
    return {
        "enclosed": inside / programs,
        "below": below / programs,
        "above": above / programs,
        "exact": exact / programs,
        "mean width": float(np.mean(widths)),
        "median width": float(np.median(widths)),
        "where": float(np.mean(shares)) if shares else float("nan"),
    }


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    for kind in KINDS:
        row = enclosed(kind, count)
        sys.stdout.write(f"{kind:12}" + "  ".join(f"{name} {value:7.1%}" for name, value in row.items()) + "\n")
