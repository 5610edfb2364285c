"""TraceQL over span frames: text to tokens to nodes to polars.

`parse` and `validate` work on the text alone; `query`, `search`, `query_metrics` and `gap` run on a frame.
"""

from __future__ import annotations

from tracelab.traceql.engine import query
from tracelab.traceql.explaining import explain
from tracelab.traceql.gaps import gap
from tracelab.traceql.metric_nodes import Query
from tracelab.traceql.metrics import query_metrics
from tracelab.traceql.names import QueryWarning
from tracelab.traceql.parser import parse
from tracelab.traceql.searching import search
from tracelab.traceql.validation import validate

__all__ = [
    "Query",
    "QueryWarning",
    "explain",
    "gap",
    "parse",
    "query",
    "query_metrics",
    "search",
    "validate",
]
