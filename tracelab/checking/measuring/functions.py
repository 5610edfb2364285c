"""How each function of a rule is measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from tracelab.checking.measuring import baselines, requests, traces

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from tracelab.checking.measuring.evidence import Evidence
    from tracelab.checking.measuring.measured import Measured
    from tracelab.checking.rules.nodes import Comparison


class Measure(Protocol):
    """A function of a rule: what it is given, queries for the spans that are meant, and what its figure must be."""

    def __call__(
        self, evidence: Evidence, arguments: Mapping[str, Any], wheres: tuple[str, ...], comparison: Comparison, /
    ) -> Measured: ...


MEASURES: Final[dict[str, Measure]] = {
    "quantile": requests.quantile,
    "max": requests.longest,
    "error_rate": requests.error_rate,
    "failure_rate": requests.failure_rate,
    "critical_share": traces.critical_share,
    "requests": requests.requests,
    "spans": requests.spans,
    "no_errors": requests.no_errors,
    "no_repeated_calls": traces.no_repeated_calls,
    "no_gaps": traces.no_gaps,
    "no_audit_findings": traces.no_audit_findings,
    "no_new_edges": baselines.no_new_edges,
    "no_new_errors": baselines.no_new_errors,
    "not_slower": baselines.not_slower,
    "not_failing_more": baselines.not_failing_more,
}
