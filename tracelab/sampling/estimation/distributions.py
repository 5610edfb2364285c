"""The distribution behind intervals: the normal one."""

from __future__ import annotations

from statistics import NormalDist


def normal_quantile(confidence: float) -> float:
    """Give the number of standard deviations that a two-sided interval reaches to either side."""
    return NormalDist().inv_cdf(0.5 + confidence / 2)
