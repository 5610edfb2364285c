"""Findings as rules would give them, written down by hand: what shows findings is tried with all kinds of them."""

from __future__ import annotations

from typing import Any

import polars as pl

from tracelab.analysis.intervals import wilson
from tracelab.auditing.findings import FINDINGS


def finding(rule: str, severity: str, service: str | None, /, **columns: Any) -> dict[str, Any]:
    """Write a finding down; what is not said is made up."""
    where = service if columns.get("caller") is None else f"{columns['caller']} and {columns.get('callee')}"
    said = {
        "count": 12,
        "out_of": 40,
        "unit": "spans",
        "finding": f"{columns.get('count', 12)} of {columns.get('out_of', 40)} spans of {where} show it.",
        "fix": f"Mend {rule} of {service}, and look again.",
        "library": "opentelemetry.instrumentation.requests",
        "library_version": "0.66b0",
        "exemplar_trace_ids": [],
        "exemplar_span_ids": [],
    }
    return {**dict.fromkeys(FINDINGS), **said, **columns, "rule": rule, "severity": severity, "service_name": service}


def findings(*made: dict[str, Any]) -> pl.DataFrame:
    """Put findings into a frame as `audit` gives them, in the order given."""
    frame = pl.DataFrame([{name: each[name] for name in FINDINGS} for each in made], schema=FINDINGS)
    lower, upper = wilson(pl.col("count"), pl.col("out_of"), confidence=0.95)
    return frame.with_columns(share=pl.col("count") / pl.col("out_of"), share_lower=lower, share_upper=upper)
