"""What may be decided on a trace: the words, types and limits that all dialects share."""

from __future__ import annotations

from typing import Final

import polars as pl

DECISIONS: Final = ("sampled", "not_sampled", "partial", "dropped", "unknown")
"""Kept, not kept, kept in part (spans were decided on one by one), excluded by a policy, not to be decided."""

DECISION: Final = pl.Enum(DECISIONS)

SAMPLING_POLICY: Final = "sampling_policy"
"""The column that says which policy kept a span."""

SAMPLING_WEIGHT: Final = "sampling_weight"
"""The column that says how many spans each stands for."""

MOST_WEIGHT: Final = 2.0**64
"""How many spans one may stand for: no sampler has finer chances."""

EVALUATIONS: Final = pl.List(
    pl.Struct({"policy": pl.String(), "type": pl.String(), "decision": pl.String(), "reason": pl.String()})
)
"""What each policy that was asked said on a trace."""

_COUNTS: Final = ("traces", "matched", "matched_spans", "decided", "kept_alone", "errors")
MATCHES: Final = pl.Schema(
    {"policy": pl.String(), "type": pl.String()} | dict.fromkeys(_COUNTS, pl.UInt32()) | {"never_matched": pl.Boolean()}
)
"""What each policy matched among all traces."""
