"""What may be decided on a trace: the words that all tables of decisions share."""

from __future__ import annotations

from typing import Final

import polars as pl

DECISIONS: Final = ("sampled", "not_sampled", "partial", "dropped", "unknown")
"""Kept, not kept, kept in part (spans were decided on one by one), excluded by a policy, not to be decided."""

DECISION: Final = pl.Enum(DECISIONS)
