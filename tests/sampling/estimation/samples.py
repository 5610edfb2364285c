"""Samples for tests, written as one row per item: group, trace, weight."""

from __future__ import annotations

import numpy as np

from tracelab.sampling.estimation.samples import Sample


def sample_of(*items: tuple[int, int, float | None]) -> Sample:
    group = np.array([item[0] for item in items], dtype=np.int64)
    trace = np.array([item[1] for item in items], dtype=np.uint64)
    weight = np.array([np.nan if item[2] is None else item[2] for item in items], dtype=np.float64)
    return Sample(group, trace, weight, groups=int(group.max(initial=-1)) + 1)
