"""What the page rests on: every answer that it shows, each asked once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracelab.analysis.critical_paths.profile import critical_path_profile
from tracelab.analysis.errors.origins import error_origins
from tracelab.analysis.errors.outcomes import outcomes
from tracelab.analysis.traces import trace_summary
from tracelab.auditing.examining import audit
from tracelab.clocks.correcting import as_recorded
from tracelab.clocks.skews import clock_skew
from tracelab.diff_overview import Verdict, verdict_of
from tracelab.report_overview import repetitions, requests_beside, requests_by, waits
from tracelab.reporting.asking import Asked
from tracelab.reporting.finding import findings_of
from tracelab.reporting.kinds import request_kinds

if TYPE_CHECKING:
    import polars as pl

    from tracelab.analysis.grouping import By
    from tracelab.reporting.page.steps import Steps

ANSWERS: Final = 15
"""How many answers are asked."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The answers of a report.

    Attributes
    ----------
    spans, baseline
        What was asked, and what it is held beside; None if that is nothing.
    findings, kinds
        What is wrong, and which kinds of failing and slow requests there are.
    requests, answers, origins, profile
        Requests by route, what callers saw, where errors start, where the time goes.
    repeated, waited
        Repeated calls and gaps, by operation.
    traces, audited, clocks
        Traces one by one, what is wrong with the instrumentation, which clocks are, as they were recorded.
    beside, verdict
        Requests beside those of the baseline, and how traces differ as a whole; None without one.
    changes
        When latency and error rates stepped.
    """

    spans: pl.DataFrame
    baseline: pl.DataFrame | None
    findings: pl.DataFrame
    kinds: pl.DataFrame
    requests: pl.DataFrame
    answers: pl.DataFrame
    origins: pl.DataFrame
    profile: pl.DataFrame
    repeated: pl.DataFrame
    waited: pl.DataFrame
    traces: pl.DataFrame
    audited: pl.DataFrame
    clocks: pl.DataFrame
    beside: pl.DataFrame | None
    verdict: Verdict | None
    changes: pl.DataFrame


def gathered(spans: pl.DataFrame, baseline: pl.DataFrame | None, *, by: By, steps: Steps) -> Evidence:
    """Ask every answer once."""
    asked = steps.run(lambda: Asked.of(spans))
    return Evidence(
        spans=spans,
        baseline=baseline,
        requests=steps.run(lambda: requests_by(spans, by)),
        answers=steps.run(lambda: outcomes(spans)),
        origins=steps.run(lambda: error_origins(spans)),
        profile=steps.run(lambda: critical_path_profile(spans)),
        repeated=steps.run(lambda: repetitions(spans)),
        waited=steps.run(lambda: waits(spans)),
        traces=steps.run(lambda: trace_summary(spans)),
        audited=steps.run(lambda: audit(spans)),
        clocks=steps.run(lambda: clock_skew(as_recorded(spans))),
        kinds=steps.run(lambda: request_kinds(spans)),
        beside=steps.run(lambda: None if baseline is None else requests_beside(spans, baseline, by)),
        verdict=steps.run(lambda: None if baseline is None else verdict_of(baseline, spans)),
        findings=steps.run(lambda: findings_of(asked, baseline)),
        changes=steps.run(lambda: asked.changes),
    )
