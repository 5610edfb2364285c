"""What is wrong, in sentences, the most harmful first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracelab.conforming import takes_any_frame
from tracelab.reporting.asking import Asked
from tracelab.reporting.quiet import quietly
from tracelab.reporting.sentences.failures import failure_findings
from tracelab.reporting.sentences.repetition import repetition_findings
from tracelab.reporting.sentences.rows import table

if TYPE_CHECKING:
    import polars as pl

    from tracelab.analysis.grouping import Spans


@takes_any_frame
def findings(spans: Spans, *, baseline: Any = None) -> pl.DataFrame:
    """Say what is wrong, in sentences, the most harmful first.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... web::GET /pay   ======== kind=server http.response.status_code=502
    ...   web::POST     .===!    kind=client
    ...     bank::pay   ..=!     kind=server http.response.status_code=503
    ...
    ... web::GET /pay   ====     kind=server http.response.status_code=200
    ... ''')
    >>> findings(spans)["finding"][0]
    '1 of 2 requests to GET /pay was answered 502 (9.5 - 90.5 %): bank answered 503.'
    """
    del baseline
    with quietly():
        asked = Asked.of(spans.lazy().collect())
        failures, _ = failure_findings(asked)
        return table([*failures, *repetition_findings(asked)])
