"""Metrics over time: spans to series, the windows they are counted in, comparing, and arithmetic between series."""

from __future__ import annotations
