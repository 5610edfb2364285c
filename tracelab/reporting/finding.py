"""What is wrong, in sentences, the most harmful first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracelab.conforming import span_frame, takes_any_frame
from tracelab.reporting.asking import Asked
from tracelab.reporting.quiet import quietly
from tracelab.reporting.sentences.against import cause_findings, laid_against
from tracelab.reporting.sentences.changes import change_findings
from tracelab.reporting.sentences.failures import failure_findings
from tracelab.reporting.sentences.instrumentation import clock_findings, gap_findings, loss_findings
from tracelab.reporting.sentences.repetition import repetition_findings
from tracelab.reporting.sentences.rows import table
from tracelab.reporting.sentences.slowness import slowness_findings

if TYPE_CHECKING:
    import polars as pl

    from tracelab.analysis.grouping import Spans
    from tracelab.reporting.sentences.rows import Finding


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
    with quietly():
        asked = Asked.of(spans.lazy().collect())
        found = _found(asked)
        if baseline is None:
            return table(found)
        usual = Asked.of(span_frame(baseline).lazy().collect())
        causes = cause_findings(asked, usual)
        sizes = (asked.spans["trace_id"].n_unique(), usual.spans["trace_id"].n_unique())
        return table(laid_against(found, _found(usual, changes=False), causes, sizes))


def _found(asked: Asked, *, changes: bool = True) -> list[Finding]:
    """Ask all answers; what one has told of, the next ones leave out."""
    failed, told = failure_findings(asked, fold=changes)
    changed: list[Finding] = []
    slower = told.clear()
    if changes:
        changed, failed, slower = change_findings(asked, failed)
    return [
        *failed,
        *changed,
        *slowness_findings(asked, told, slower),
        *repetition_findings(asked),
        *loss_findings(asked),
        *clock_findings(asked),
        *gap_findings(asked),
    ]
