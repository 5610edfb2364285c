"""The audit: every rule asked of the same evidence."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from tracelab.auditing.evidence import Evidence
from tracelab.auditing.findings import nothing, together
from tracelab.auditing.rules import RULES
from tracelab.conforming import takes_any_frame

if TYPE_CHECKING:
    import polars as pl

    from tracelab.analysis.grouping import Spans


_LONGEST: Final = (
    "secret-in-attributes",
    "old-attribute-names",
    "missing-server-span",
    "split-trace",
    "error-attribute-without-status",
    "duplicate-span-id",
)
"""The rules that take longest: asked first, so that no thread waits for one of them at the end."""


@takes_any_frame
def audit(spans: Spans) -> pl.DataFrame:
    """Find where context propagation breaks, and what else is wrong with the instrumentation.

    Parameters
    ----------
    spans
        The spans.

    Returns
    -------
    One row per finding, the most severe first, then the most frequent: `rule` (String, its id), `severity` (Enum: info,
    warning, error; info is what something harmless explains, or what is only worth to know), `service_name` (String,
    whose instrumentation it is), `caller`, `callee` (String, the edge, null where it is none), `hop` (String: http,
    grpc, rpc, queue, database, in-process, null where it is not known), `detail` (String: the attribute, the library,
    the host or the like that tells findings of one rule and service apart, else null), `library`, `library_version`
    (String, the instrumentation library of most of these spans), `count`, `out_of` (UInt32: how many show it, of how
    many that could), `unit` (String, what is counted), `share`, `share_lower`, `share_upper` (Float64, with Wilson's
    interval of 95 %), `finding` (String, what was seen, in a sentence), `explanation` (String, what explains it better
    than a fault: sampling, the window, a lost export; else null), `fix` (String, what to do, in the words of the
    service's SDK), `exemplar_trace_ids`, `exemplar_span_ids` (List(String), up to five spans that show it, the clearest
    first). Sentences, `detail` and libraries are shown
    with secrets masked; names of services are as they are, since they tell rows apart.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... web::GET /pay  =========== kind=server
    ...   gone::GET
    ...     bank::pay  ..======    kind=server
    ... ''')
    >>> audit(spans).select("rule", "service_name", "count", "out_of").rows()
    [('missing-parent', 'bank', 1, 1)]
    """
    frame = spans.lazy().collect()
    if not frame.height:
        return nothing()
    return together(_asked_of_all(Evidence(frame)))


def _asked_of_all(evidence: Evidence) -> list[pl.DataFrame]:
    """Ask all rules, several at a time: they do not wait for each other, and numpy and polars let others run.

    One thread per processor asks, this one among them: memory that is given back here need not be cleared anew.
    """
    left = [*(rule for rule in RULES if rule not in _LONGEST), *reversed(_LONGEST)]
    found = dict.fromkeys(RULES, nothing())

    def ask() -> None:
        while True:
            try:
                rule = left.pop()
            except IndexError:
                return
            found[rule] = RULES[rule](evidence)

    processors = os.cpu_count() or 1
    with ThreadPoolExecutor(processors) as threads:
        others = [threads.submit(ask) for _ in range(processors - 1)]
        try:
            ask()
        finally:
            left.clear()  # an interruption ends it, once the rules that are under way have
        for other in others:
            other.result()
    return [*found.values()]
