"""Figures of requests and spans: how long they take, how many of them fail, how many there are."""

from __future__ import annotations

from math import ceil, log
from typing import TYPE_CHECKING, Any

import polars as pl

from tracelab.analysis.errors.outcomes import outcomes
from tracelab.analysis.errors.rates import error_rates
from tracelab.analysis.failures import has_failed
from tracelab.analysis.latency.percentiles import latency_percentiles, percentile_names
from tracelab.checking.measuring.measured import (
    Measured,
    exact,
    interval,
    nothing,
    share_interval,
    traces_of,
)
from tracelab.checking.measuring.selecting import Selection, shortened, unknown_route, unknown_service
from tracelab.checking.rules.quantities import in_words
from tracelab.display.words import counted
from tracelab.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracelab.checking.measuring.evidence import Evidence
    from tracelab.checking.rules.nodes import Comparison

    Arguments = Mapping[str, Any]
    Wheres = tuple[str, ...]


def quantile(evidence: Evidence, arguments: Arguments, wheres: Wheres, comparison: Comparison) -> Measured:
    """Measure a quantile of how long requests take."""
    selection = Selection.of(arguments, wheres)
    rows = selection.of_spans(evidence.dump.spans)
    if rows.is_empty():
        return nothing(selection.missing(evidence.dump.spans), selection.counted)
    share, confidence = arguments["quantile"], evidence.confidence
    found = latency_percentiles(
        rows, by=None, quantiles=share, entry_only=False, confidence=evidence.width
    ).with_columns(pl.col(pl.Duration).to_physical())
    value, lower, upper = (None if each is None else float(each) for each in found.row(0)[1:4])
    if confidence is None:
        lower = upper = value
    called = percentile_names([share])[0]
    return Measured(
        f"{called} {in_words(value or 0.0, 'nanoseconds')}{interval(lower, upper, 'nanoseconds', confidence)} "
        f"of {selection.told(rows)}",
        rows.height,
        selection.counted,
        value,
        lower,
        upper,
        _beyond(rows, comparison),
        _enough(share, confidence, called) if lower is None or upper is None else "",
    )


def longest(evidence: Evidence, arguments: Arguments, wheres: Wheres, comparison: Comparison) -> Measured:
    """Find the longest request, which is what it is."""
    selection = Selection.of(arguments, wheres)
    rows = selection.of_spans(evidence.dump.spans)
    if rows.is_empty():
        return nothing(selection.missing(evidence.dump.spans), selection.counted)
    value = float(rows["duration"].to_physical().max())  # type: ignore[arg-type]  # there are rows
    told = f"the longest of {selection.told(rows)} took {format_duration(value)}"
    return exact(told, value, rows.height, selection.counted, _beyond(rows, comparison))


def error_rate(evidence: Evidence, arguments: Arguments, wheres: Wheres, _: Comparison) -> Measured:
    """Measure which share of requests failed in their service."""
    selection = Selection.of(arguments, wheres)
    rows = selection.of_spans(evidence.dump.spans)
    if rows.is_empty():
        return nothing(selection.missing(evidence.dump.spans), selection.counted)
    found = error_rates(rows, by=None, entry_only=False).row(0, named=True)
    failed = rows.filter(has_failed(rows)).sort("start_time", "trace_id", "span_id")
    return _share(found["errors"], rows.height, f"of {selection.told(rows)}", evidence, traces_of(failed))


def failure_rate(evidence: Evidence, arguments: Arguments, wheres: Wheres, _: Comparison) -> Measured:
    """Measure which share of what users asked for failed."""
    spans = evidence.dump.within(wheres).spans
    found = outcomes(spans)
    service, route = arguments.get("service"), arguments.get("route")
    chosen = found.filter(
        *([pl.col("service_name") == service] if service else []), *([pl.col("route") == route] if route else [])
    )
    if chosen.is_empty():
        why = (service and unknown_service(service, spans)) or (
            route and unknown_route(route, found["route"].unique().to_list())
        )
        return nothing(why or "There are no requests that somebody asked.", "request")
    failing = chosen.filter("failed")
    asked = int(chosen["requests"].sum())
    of = shortened(route or service or "all routes")
    traces = tuple(failing["exemplar_trace_id"].to_list())
    return _share(int(failing["requests"].sum()), asked, f"of {counted(asked, 'request')} of {of}", evidence, traces)


def requests(evidence: Evidence, arguments: Arguments, wheres: Wheres, comparison: Comparison) -> Measured:
    """Count the requests."""
    return _count(evidence, Selection.of(arguments, wheres), comparison)


def spans(evidence: Evidence, arguments: Arguments, wheres: Wheres, comparison: Comparison) -> Measured:
    """Count the spans."""
    return _count(evidence, Selection.of(arguments, wheres, entry_only=False), comparison)


def no_errors(evidence: Evidence, arguments: Arguments, wheres: Wheres, _: Comparison) -> Measured:
    """Count the spans that failed, those inside services too."""
    selection = Selection.of(arguments, wheres, entry_only=False)
    rows = selection.of_spans(evidence.dump.spans)
    if rows.is_empty():
        return nothing(selection.missing(evidence.dump.spans), selection.counted)
    failed = rows.filter(has_failed(rows)).sort("start_time", "trace_id", "span_id")
    told = f"{failed.height or 'none'} of {selection.told(rows)} failed"
    return exact(told, failed.height, rows.height, selection.counted, traces_of(failed))


def _count(evidence: Evidence, selection: Selection, comparison: Comparison) -> Measured:
    rows = selection.of_spans(evidence.dump.spans)
    told = f"there are {counted(rows.height, selection.counted)}"
    if rows.is_empty():
        missing = selection.missing(evidence.dump.spans)
        if comparison.operator in ("<", "<=") and comparison.limit >= 1:
            return nothing(missing, selection.counted)  # few are not none: a name may be misspelt
        told = f"{told}. {missing}".removesuffix(".")
    # Whoever asks for none knows that there may be none, and whoever asks for some gets to know.
    return exact(told, rows.height, rows.height, selection.counted, traces_of(rows))


def _share(some: int, of: int, told: str, evidence: Evidence, exemplars: tuple[str, ...]) -> Measured:
    """Tell a share of failures with its interval."""
    value, confidence = some / of, evidence.confidence
    lower, upper = (value, value) if confidence is None else share_interval(some, of, confidence)
    return Measured(
        f"{f'{some:,}' if some else 'none'} {told} failed, {in_words(value, 'share')}"
        f"{interval(lower, upper, 'share', confidence)}",
        of,
        "request",
        value,
        lower,
        upper,
        exemplars,
    )


def _beyond(rows: pl.DataFrame, comparison: Comparison) -> tuple[str, ...]:
    """Give the traces of the spans that are beyond a limit, the furthest first."""
    length, too_long = pl.col("duration").to_physical(), comparison.operator in ("<", "<=")
    beyond = length > comparison.limit if too_long else length < comparison.limit
    ordered = rows.filter(beyond).sort("duration", "trace_id", descending=[too_long, False])
    return traces_of(ordered)


def _enough(share: float, confidence: float | None, called: str) -> str:
    """Say from how many on a quantile has both bounds."""
    if confidence is None or not 0 < share < 1:
        return ""
    needed = ceil(log((1 - confidence) / 2) / log(max(share, 1 - share)))
    return f"{called} has an interval from {needed:,} on"
