"""Findings that were made up, for what is done with them."""

from __future__ import annotations

from typing import Any

import polars as pl

from tracelab.auditing.findings import FINDINGS, together

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"


def finding(rule: str = "split-trace", **columns: Any) -> pl.DataFrame:
    """Make one finding, of a usual kind where nothing else is said."""
    made: dict[str, Any] = {
        "rule": rule,
        "severity": "error",
        "service_name": "web",
        "caller": "web",
        "callee": "shop",
        "hop": "http",
        "detail": None,
        "library": "opentelemetry.instrumentation.requests",
        "library_version": "0.50b0",
        "count": 1,
        "out_of": 3,
        "unit": "calls",
        "share": 1 / 3,
        "share_lower": 0.0615,
        "share_upper": 0.7923,
        "finding": "1 of 3 calls of 'shop' by 'web' go on in another trace.",
        "explanation": None,
        "fix": "Inject the context.",
        "exemplar_trace_ids": [TRACE],
        "exemplar_span_ids": [SPAN],
    }
    return pl.DataFrame([{**made, **columns}], schema=FINDINGS, orient="row")


def findings(*each: pl.DataFrame) -> pl.DataFrame:
    """Put findings together as an audit does."""
    return together(list(each))


WARNING = finding(
    "missing-parent",
    severity="warning",
    service_name="bank",
    caller=None,
    callee=None,
    hop=None,
    count=7,
    finding="7 of 9 spans of 'bank' name a parent that is not in their trace.",
    fix="Flush the exporter.",
)
EXPLAINED = finding(
    "missing-parent",
    severity="info",
    service_name="parcels",
    caller=None,
    callee=None,
    hop=None,
    count=4,
    explanation="sampling",
    finding="4 of 9 spans of 'parcels' name a parent that is not in their trace.",
    fix="Flush the exporter.",
)
ALL = findings(EXPLAINED, WARNING, finding())
