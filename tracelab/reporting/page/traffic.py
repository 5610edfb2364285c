"""Requests and their answers: by route and service, as callers saw them, and where failures start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracelab.report_overview import TREND
from tracelab.reporting.page.section import Section, quiet
from tracelab.reporting.page.tables import table

if TYPE_CHECKING:
    from tracelab.reporting.page.evidence import Evidence
    from tracelab.reporting.page.links import Links

REQUESTS: Final = 100
ANSWERS: Final = 60
ORIGINS: Final = 40
_ORIGIN: Final = (
    *("service_name", "name", "exception_type", "message", "traces", "requests", "reached_requests"),
    *("swallowed_by", "first_seen", "last_seen", "exemplar_trace_id"),
)


def requests_section(evidence: Evidence, links: Links) -> Section:
    """Give the requests that enter services."""
    text = (
        "Requests as they enter a service. What surely fails most stands first, then what takes longest. p95 is the "
        "time within which 95 of 100 requests are answered. In brackets: where the true value lies, with 95 % "
        "confidence; from or to: too few requests for both bounds. The line: p95 over the time of the traces."
    )
    content = table(evidence.requests, links, rows=REQUESTS, trends=[TREND])
    return Section("requests", "Requests", "Requests by service and route", text, content)


def answers_section(evidence: Evidence, links: Links) -> Section:
    """Give what callers saw."""
    text = (
        "The answers to requests that came from outside, failures first, and how many requests of a route got each. "
        "Origins: in which operations these failures started, and in how many requests."
    )
    answers = evidence.answers
    content = table(answers, links, rows=ANSWERS) if answers.height else quiet("No request came from outside.")
    return Section("answers", "Answers", "What callers saw", text, content)


def origins_section(evidence: Evidence, links: Links) -> Section:
    """Give where errors start."""
    text = (
        "The deepest operation that failed in each chain of failures, those that reached callers first. Swallowed by: "
        "the operation that went on as if nothing had happened."
    )
    origins = evidence.origins.select(_ORIGIN)
    content = table(origins, links, rows=ORIGINS) if origins.height else quiet("Nothing failed.")
    return Section("origins", "Errors", "Where errors start", text, content)
