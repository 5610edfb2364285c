"""Estimates from sampled traces: totals, shares and quantiles, each with what the sampling leaves open."""

from __future__ import annotations
