"""How often the bounds of what_if enclose the truth, and how far they are apart.

    python -m tests.retiming.enclosing [PROGRAMS]

Each kind of program is run a thousand times, as it is and changed.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from tests.retiming.programs import KINDS, STEP, Case, Change, case_of, frame_of
from tracelab import retime

BOUNDS: Final = ("before", "after_optimistic", "after_pessimistic")


def bounds_of(cases: list[Case]) -> npt.NDArray[np.int64]:
    """Give a row per case: what the program took, and the bounds of what it would take, in nanoseconds."""
    spans = frame_of(*(case.run for case in cases))
    result = np.zeros((len(cases), len(BOUNDS)), dtype=np.int64)
    traces: dict[Change, list[int]] = {}
    for number, case in enumerate(cases):
        traces.setdefault(case.change, []).append(number)
    for change, numbers in traces.items():
        options: dict[str, Any] = {"factor": change.factor}
        if change.steps is not None:
            options = {"duration": timedelta(microseconds=change.steps * STEP / 1_000)}
        ids = [f"{number + 1:032x}" for number in numbers]
        some = spans.filter(pl.col("trace_id").is_in(ids))
        found = retime(some, pl.col("name") == change.name, **options).sort("trace_id")
        result[numbers] = found.select(pl.col(BOUNDS).dt.total_nanoseconds()).to_numpy()
    return result


def enclosed(kind: str, programs: int) -> dict[str, float]:
    """Measure one kind of program."""
    cases = [case_of(kind, seed) for seed in range(programs)]
    before, low, high = bounds_of(cases).T
    truth = np.array([case.truth for case in cases])
    return {
        "enclosed": float(np.mean((low <= truth) & (truth <= high))),
        "too fast": float(np.mean(truth < low)),
        "too slow": float(np.mean(truth > high)),
        "both exact": float(np.mean((low == truth) & (truth == high))),
        "apart, mean": float(np.mean((high - low) / before)),
        "apart, median": float(np.median((high - low) / before)),
    }


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    for name in KINDS:
        row = "  ".join(f"{what} {value:6.1%}" for what, value in enclosed(name, count).items())
        sys.stdout.write(f"{name:12}{row}\n")
