"""check: rules over spans, each with its verdict."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from tracelab.analysis.intervals import checked_confidence
from tracelab.checking.measuring.evidence import Evidence
from tracelab.checking.rules.files import read_rules
from tracelab.checking.rules.functions import FUNCTIONS
from tracelab.checking.rules.nodes import SEVERITIES
from tracelab.checking.rules.parser import parse
from tracelab.checking.verdicts import VERDICTS, Judgement, judged
from tracelab.conforming import span_frame, takes_any_frame
from tracelab.errors import RuleError
from tracelab.files import expanded
from tracelab.options import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracelab.analysis.grouping import Spans
    from tracelab.checking.rules.nodes import Rule

_UNITS: Final = {"nanoseconds": "seconds", "share": "share", "count": "count"}
CHECKED: Final = pl.Schema(
    {
        "rule": pl.String(),
        "check": pl.String(),
        "where": pl.String(),
        "severity": pl.Enum(SEVERITIES),
        "verdict": pl.Enum(VERDICTS),
        "value": pl.Float64(),
        "lower": pl.Float64(),
        "upper": pl.Float64(),
        "limit": pl.Float64(),
        "unit": pl.Enum(list(_UNITS.values())),
        "n": pl.UInt32(),
        "counted": pl.String(),
        "message": pl.String(),
        "exemplar_trace_ids": pl.List(pl.String()),
        "line": pl.UInt32(),
    }
)


@takes_any_frame
def check(
    spans: Spans,
    rules: str | PathLike[str] | Sequence[str],
    *,
    baseline: Any = None,
    confidence: float | None = 0.95,
) -> pl.DataFrame:
    r"""Judge spans by rules, such as `p95("POST /orders") < "800ms"` or `no_new_edges`.

    Parameters
    ----------
    spans
        The spans. Pass whole traces.
    rules
        The path of a TOML file of rules, one rule as text, or a list of rules. A text that ends in `.toml` is a path.
    baseline
        The spans of another version or day, for rules that compare with it.
    confidence
        The confidence of the interval of each rule's figure. None: what was seen is judged as it is, as if there were
        nothing beyond it.

    Returns
    -------
    One row per rule, in their order: `rule` (String, its name, or its text where it has none), `check` (String, its
    text), `where` (String, null where it is about all), `severity` (Enum: warning, error), `verdict` (Enum: fails, not
    tested, cannot tell, holds), `value`, `lower`, `upper`, `limit` (Float64; what was measured, its interval and what
    it was compared with; null where there is none), `unit` (Enum: seconds, share, count, of these four), `n` (UInt32,
    how many it rests on), `counted` (String, what these are: request, span, trace), `message` (String, all of that in
    words), `exemplar_trace_ids` (List(String), up to five traces that show it, the worst first), `line` (UInt32, of
    the file; null where there is none).

    Raises
    ------
    RuleError
        A file or a rule cannot be read; the message points to the place. Or a rule compares with a baseline, and there
        is none.
    SchemaError
        The baseline cannot be conformed.
    TracelabError
        `confidence` is none.

    Warns
    -----
    SkewWarning
        The clocks of two hosts are further apart than the calls between them leave room for.

    Notes
    -----
    A rule *fails* where all of the interval lies beyond the limit: the data show it. It *holds* where all of the
    interval lies within. Else nobody *can tell* by so few. Where the truth lies exactly at the limit, 2.5 % of runs
    fail all the same with a `confidence` of 0.95; each rule is asked by itself. Requests are taken for independent. A
    rule about something that is not there, a route that was renamed, say, is *not tested*, unless it is `optional`.

    A rule is a function, what it is about, and a limit. Requests are entry spans: where a request enters a service
    (see `is_entry`). They are chosen by a name, that of the span, its route (method and `http.route`), or either
    behind its service (`"orders::POST /orders"`), and by `service=`, `route=`, `where=` (TraceQL), all of which must
    fit; `entry_only=false` measures all spans. A duration has a unit, a share is below 1 or has a `%`.

    * `p50`, `p95`, `p99.9`, `quantile(0.999)`, `max`: how long requests take.
    * `error_rate`: which share of requests failed in their service, as `error_rates` has it. `failure_rate("GET /")`:
      which share of what users asked for did, as `outcomes` has it.
    * `critical_share("SELECT", service="db", of="GET /")`: which share of the critical paths of traces that begin so
      is spent there.
    * `requests`, `spans`: how many there are. That there are none is an answer to `<= 0` and to `> 0` alone.
    * `no_errors` (of any span), `no_repeated_calls(min=10)`, `no_gaps(min="100ms")`,
      `no_audit_findings(severity="warning")`: what was seen is counted, and nothing of it is uncertain.
    * `no_new_edges`, `no_new_errors`: calls between services, or kinds of failures (see `error_origins`), that the
      baseline has not. What is in few traces may have been missed there by chance; Fisher's exact test decides.
    * `not_slower(than=baseline, by="10%")`: the p50 and p90 of each operation that both sides have (or the `quantile=`
      asked for). `not_failing_more(than=baseline, by="1%")`: their error rates, in points. Where several figures are
      asked, each has an interval for so many (Bonferroni), and the clearest is told.

    `where` chooses spans where spans are measured. Where traces are (`failure_rate`, `critical_share`, and all that
    begins with `no_` but `no_errors`), it chooses the traces that hold such a span. `max`, `requests`, `spans` and the
    functions of the fourth kind count what is there.

    A file of rules holds a list, and tables for rules with more to say::

        rules = [
            'p95("POST /orders") < "800ms"',
            'error_rate(service="payments") < 0.01',
            'no_new_edges',
        ]

        [[rule]]
        name = "Business customers do not wait"
        check = 'p50("POST /orders") < "150ms"'
        where = '{ span.customer.kind = "business" }'
        severity = "warning"  # told, and no build fails; without it "error"
        optional = true       # there may be no such requests

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... web::GET /  ===== kind=server
    ... ''')
    >>> found = check(spans, ['p95("GET /") < "3ms"', 'requests("GET /") >= 1', "no_errors"])
    >>> found["verdict"].to_list()
    ['cannot tell', 'holds', 'holds']
    >>> check(spans, 'p95("GET /") < "3ms"', confidence=None)["message"].item()
    'p95 5 ms of 1 request of web; less than 3 ms is wanted.'
    """
    if confidence is not None:
        checked_confidence(confidence)
    asked = rules_given(rules)
    refuse_without_baseline(asked, there=baseline is not None)
    before = None if baseline is None else span_frame(baseline).lazy().collect()
    evidence = Evidence(spans.lazy().collect(), before, confidence)
    return as_frame([judged(rule, FUNCTIONS[rule.call.function].unit, evidence) for rule in asked])


def rules_given(rules: Any) -> list[Rule]:
    """Read rules, or the file that they stand in.

    Raises
    ------
    RuleError
        They are none.
    """
    if isinstance(rules, PathLike) or (isinstance(rules, str) and rules.strip().endswith(".toml")):
        return read_rules(expanded(Path(rules)))
    listed = [rules] if isinstance(rules, str) else list(rules) if isinstance(rules, list | tuple) else None
    if not listed or not all(isinstance(each, str) for each in listed):
        raise RuleError(
            f"`rules` must be a rule, a list of rules, or the path of a TOML file, got {shown(rules)}. "
            "For instance ['p95(\"GET /\") < \"800ms\"', 'no_errors']."
        )
    return [parse(each) for each in listed]


def refuse_without_baseline(rules: Sequence[Rule], *, there: bool) -> None:
    """Refuse rules that compare with a baseline where there is none.

    Raises
    ------
    RuleError
        There is such a rule, and no baseline.
    """
    for rule in rules:
        if FUNCTIONS[rule.call.function].baseline and not there:
            at = f", in line {rule.line}," if rule.line else ""
            raise RuleError(
                f"{rule.call.function}{at} compares with a baseline, and there is none. "
                "Pass baseline=, or --baseline on the command line."
            )


def as_frame(judgements: Sequence[Judgement]) -> pl.DataFrame:
    """Put judgements into a frame, a row each."""
    return pl.DataFrame([_row(each) for each in judgements], schema=CHECKED, orient="row")


def _row(each: Judgement) -> tuple[Any, ...]:
    rule, measured = each.rule, each.measured
    scale = 1e9 if each.unit == "nanoseconds" else 1.0
    figures = (measured.value, measured.lower, measured.upper, rule.comparison.limit)
    return (
        rule.name,
        rule.text.strip(),
        rule.where,
        rule.severity,
        each.verdict,
        *(None if figure is None else figure / scale for figure in figures),
        _UNITS[each.unit],
        measured.n,
        measured.counted,
        each.message(),
        list(measured.exemplars),
        rule.line,
    )
