"""Findings that somebody has already: what is shown of an audit need not be computed twice, and may be a part of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from tracelab.auditing.examining import audit
from tracelab.auditing.findings import FINDINGS
from tracelab.errors import SchemaError
from tracelab.frames import as_polars
from tracelab.options import shown

if TYPE_CHECKING:
    from tracelab.analysis.grouping import Spans

_REMEDY: Final = "Pass what `audit` gives, or rows of it."


def known_findings(spans: Spans, findings: Any = None) -> pl.DataFrame:
    """Give the findings that were passed, in the columns of `audit`; without, audit the spans.

    Raises
    ------
    SchemaError
        What was passed are no findings.
    """
    if findings is None:
        return audit(spans)
    if isinstance(findings, pl.LazyFrame):
        findings = findings.collect()
    if isinstance(findings, str | bytes) or not hasattr(findings, "__arrow_c_stream__"):
        raise SchemaError(f"`findings` must be a frame of findings, got {shown(findings)}. {_REMEDY}")
    given = as_polars(findings, what="frame of findings", remedy=_REMEDY)
    missing = [name for name in FINDINGS if name not in given.columns]
    if missing:
        raise SchemaError(f"`findings` has no column {missing[0]!r}. {_REMEDY}")
    try:
        return given.select(pl.col(name).cast(dtype) for name, dtype in FINDINGS.items())
    except pl.exceptions.PolarsError as error:
        raise SchemaError(f"`findings` holds what no audit gives: {str(error)[:120]}. {_REMEDY}") from error
