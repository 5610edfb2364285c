"""Samples for tests, written as one row per item: group, trace, weight."""

from __future__ import annotations

import numpy as np

from tracelab.sampling.estimation.samples import Sample


def sample_of(*items: tuple[int, int, float | None]) -> Sample:
    group = np.array([item[0] for item in items], dtype=np.int64)
    # Spread over 64 bits, as hashes of ids are.
    trace = np.array([item[1] * 0x9E3779B97F4A7C15 % 2**64 for item in items], dtype=np.uint64)
    weight = np.array([np.nan if item[2] is None else item[2] for item in items], dtype=np.float64)
    return Sample(group, trace, weight, groups=int(group.max(initial=-1)) + 1)
