"""What is wrong, in sentences, the most harmful first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracelab.conforming import span_frame, takes_any_frame
from tracelab.errors import QueryWarning, warn_caller
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

    Each sentence rests on an answer that `evidence` names, and gives how many requests it concerns, of how many. One
    fault gives one sentence: a failure is told where it started, together with all the routes that it got to, the
    attempts that were made and the requests that somebody made up for; what is slow because of a failure, a change or a
    burst is told of with these. Where nothing is wrong there is no row.

    Parameters
    ----------
    spans
        The spans. Pass whole traces: what was filtered away can be no reason.
    baseline
        The spans of a time when all was well. Then what surely got worse since comes first, and the others say whether
        it was so in the baseline too.

    Returns
    -------
    One row per finding; with `baseline` first what got worse since; then the most harmful first, then by subject and
    names: `finding` (String, the sentence), `subject` (Enum: change, failure, slowness, loss, repetition, gap, context,
    clock), `service_name` (String, who is at fault as far as it is known: a service, a database or the like), `name`
    (String, the route or operation that it is about, the first of them where there are several; null where it is none),
    `requests` (UInt32, how many it concerns: requests, or what the sentence says is counted), `of` (UInt32, of how
    many), `share`, `lower`, `upper` (Float64, with Wilson's interval of 95 %), `added` (Duration, what it costs a
    request that it concerns; null where that is not known), `added_lower`, `added_upper` (Duration, its interval),
    `harm` (Float64, what the order goes by, see notes), `evidence` (String, the answer that it rests on),
    `exemplar_trace_id` (String, a typical trace; null where there is none).

    Raises
    ------
    SchemaError
        The baseline cannot be conformed.

    Warns
    -----
    QueryWarning
        The baseline has no spans, so that nothing can be compared with it.

    Notes
    -----
    Harm is counted in seconds of waiting, over all requests that were seen, so that unlike things have one order. What
    is no waiting has a price, after the limits of Nielsen ("Usability Engineering", 1993, chapter 5; people notice 0.1
    s, lose their thread after 1 s, turn away after 10 s): a request that failed for who asked counts 10 s, one that was
    answered though something below failed 1 s, and so does one that was refused (4xx) and a failure that nobody has
    been told of, such as one of a job; one after which another attempt went well 0.1 s; a span or trace that does not
    tell what it should 0.01 s, a tenth of that where sampling or the like explains it, and time that no span tells of
    one hundredth of itself. Of time lost the lower bound of its interval counts, times the requests concerned (of
    repeated calls that of the mean of what all but one took): what may be chance does no harm, and is left out. A
    change that lasts counts as if it had been there all the time (at most tenfold), since it goes on. Failures in ways
    of which none hit more than two requests go together where there are many; they count as much as the worst of them.
    With weights of a sample counts are still of what was seen.

    Slow is told as `request_kinds` does it, from five requests on, with what `compare` finds at nearly all of them and
    hardly any other: an attribute's value, two together, or a word in texts that are nearly unique; changes are the
    steps for the worse that `change_points` finds where they started, put together where they began and ended at about
    the same time; `root_causes` says which step they are in, and `compare` whom they concern. In a burst, a time in
    which at least 1.5 times as many requests came as in others, all that was slower is one finding.

    With `baseline` those causes are given that `root_causes` is certain of, with harm in the same measure. What else is
    seen at more requests than in the baseline stands with them if Fisher's test says so at 5 %, divided by the number
    of findings (Bonferroni), and of services that `root_causes` does not name at 0.01 %; what it does more harm than in
    the baseline counts.

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
    before = None if baseline is None else span_frame(baseline).lazy().collect()
    if before is not None and before.is_empty():
        warn_caller("The baseline has no spans, so that nothing can be compared with it.", QueryWarning)
    return findings_of(Asked.of(spans.lazy().collect()), before)


def findings_of(asked: Asked, before: pl.DataFrame | None) -> pl.DataFrame:
    """Give the findings of `findings`, to whoever shows what was asked for them, too."""
    with quietly():
        found = _found(asked)
        if before is None or before.is_empty():
            return table(found)
        usual = Asked.of(before)
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
