"""What changed against a baseline: calls and failures that are new, operations that are slower or fail more often."""

from __future__ import annotations

from math import exp, log, nan, sqrt
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from tracelab.analysis.errors.rates import error_rates
from tracelab.analysis.failures import has_failed
from tracelab.analysis.latency.percentiles import latency_percentiles, percentile_names
from tracelab.checking.measuring.measured import Measured, interval, listed, nothing, traces_of
from tracelab.checking.measuring.selecting import Selection, operation, shortened, unknown_service
from tracelab.checking.rules.quantities import in_words
from tracelab.differences.significance import Tables, difference_interval, fisher, tables
from tracelab.display.words import counted
from tracelab.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracelab.checking.measuring.evidence import Dump, Evidence
    from tracelab.checking.rules.nodes import Comparison

    Arguments = Mapping[str, Any]
    Change = tuple[float, float | None, float | None]
    Wheres = tuple[str, ...]

_QUANTILES: Final = (0.5, 0.9)
_OPERATION: Final = "operation"
_KIND: Final = ("service_name", "name", "exception_type", "message")


def no_new_edges(evidence: Evidence, arguments: Arguments, wheres: Wheres, _: Comparison) -> Measured:
    """Count who calls whom and did not before."""
    now, before = (side.within(wheres) for side in (evidence.dump, evidence.baseline))
    if why := _cannot_compare(now, before, arguments.get("service")):
        return nothing(why, "trace")
    edges = now.edges
    if (service := arguments.get("service")) is not None:
        edges = edges.filter((pl.col("caller") == service) | (pl.col("callee") == service))
    new = edges.join(before.edges, on=["caller", "callee"], how="anti").with_columns(
        label=pl.format("{} -> {}", "caller", "callee")
    )
    return _new("call", new, asked=edges.height, sides=(now, before), confidence=evidence.confidence)


def no_new_errors(evidence: Evidence, arguments: Arguments, wheres: Wheres, _: Comparison) -> Measured:
    """Count the kinds of failures that there were not before, by where they start and what they say."""
    now, before = (side.within(wheres) for side in (evidence.dump, evidence.baseline))
    if why := _cannot_compare(now, before, arguments.get("service")):
        return nothing(why, "trace")
    kinds = now.origins
    if (service := arguments.get("service")) is not None:
        kinds = kinds.filter(pl.col("service_name") == service)
    said = pl.concat_str("exception_type", "message", separator=": ", ignore_nulls=True)
    new = kinds.join(before.origins, on=_KIND, how="anti", nulls_equal=True).with_columns(
        label=pl.format("{}::{}{}", "service_name", "name", pl.when(said != "").then(" " + said).otherwise(pl.lit("")))
    )
    return _new("kind of failure", new, asked=kinds.height, sides=(now, before), confidence=evidence.confidence)


def not_slower(evidence: Evidence, arguments: Arguments, wheres: Wheres, comparison: Comparison) -> Measured:
    """Measure by how much operations take longer, that which does so most clearly."""
    selection = Selection.of(arguments, wheres)
    now, before = (selection.of_spans(side.spans) for side in (evidence.dump, evidence.baseline))
    if why := _nothing_on_a_side(selection, now, before, evidence):
        return nothing(why, selection.counted)
    shares = [arguments["quantile"]] if "quantile" in arguments else list(_QUANTILES)
    usual = _lengths(now, before, shares, evidence.width)
    if usual.is_empty():
        return nothing("No operation is on both sides.", selection.counted)
    told_apart = usual.filter(pl.all_horizontal(pl.col("^(before_)?(lower|upper)$").is_not_null())).height
    rows, confidence = usual, evidence.confidence
    if confidence is not None and told_apart > 1:
        confidence = 1 - (1 - confidence) / told_apart
        rows = _lengths(now, before, shares, confidence)
    changes = [_growth(row, sure=evidence.confidence is not None) for row in rows.to_dicts()]
    row, (value, lower, upper) = _clearest(rows.to_dicts(), changes, comparison.limit)
    called = percentile_names([row["quantile"]])[0]
    told = (
        f"{called} of {shortened(row[_OPERATION])} went from {format_duration(row['before_duration'])} "
        f"(n = {row['before_count']:,}) to {format_duration(row['duration'])} (n = {row['count']:,}): "
        f"{_signed(value)}{interval(lower, upper, 'share', confidence)}"
    )
    exemplars = (row["exemplar_trace_id"],)
    return Measured(
        told + _among(rows, usual, told_apart),
        row["count"],
        selection.counted,
        value,
        lower,
        upper,
        exemplars,
        "it takes more requests on both sides" if lower is None or upper is None else "",
    )


def not_failing_more(evidence: Evidence, arguments: Arguments, wheres: Wheres, comparison: Comparison) -> Measured:
    """Measure by how many points operations fail more often, that which does so most clearly."""
    selection = Selection.of(arguments, wheres)
    now, before = (selection.of_spans(side.spans) for side in (evidence.dump, evidence.baseline))
    if why := _nothing_on_a_side(selection, now, before, evidence):
        return nothing(why, selection.counted)
    after, earlier = (error_rates(side, by=operation().alias(_OPERATION), entry_only=False) for side in (now, before))
    both = after.join(earlier, on=_OPERATION, suffix="_before").sort(_OPERATION)
    if both.is_empty():
        return nothing("No operation is on both sides.", selection.counted)
    confidence = None if evidence.confidence is None else 1 - (1 - evidence.confidence) / both.height
    counts = [both[name].to_numpy().astype(np.int64) for name in ("errors", "errors_before", "spans", "spans_before")]
    values = counts[0] / counts[2] - counts[1] / counts[3]
    lows, highs = (values, values) if confidence is None else difference_interval(Tables(*counts), confidence)
    changes: list[Change] = [(float(a), float(b), float(c)) for a, b, c in zip(values, lows, highs, strict=True)]
    row, (value, lower, upper) = _clearest(both.to_dicts(), changes, comparison.limit)
    told = (
        f"{shortened(row[_OPERATION])} failed in {in_words(row['error_rate_before'], 'share')} of "
        f"{row['spans_before']:,} before and in {in_words(row['error_rate'], 'share')} of {row['spans']:,} now: "
        f"{_signed(value)} of all{interval(lower, upper, 'share', confidence)}{_widened(both.height, 'operation')}"
    )
    failed = now.filter(has_failed(now), operation() == row[_OPERATION]).sort("start_time", "trace_id", "span_id")
    return Measured(told, row["spans"], selection.counted, value, lower, upper, traces_of(failed))


def _new(what: str, new: pl.DataFrame, *, asked: int, sides: tuple[Dump, Dump], confidence: float | None) -> Measured:
    """Count what is new, and of this what cannot have been missed before by chance.

    What is in so many traces now, and was in none before, may have been rare all the time. Each is asked with Fisher's
    exact test, at a level for as many questions as there are kinds.
    """
    now, before = sides
    ordered = new.sort("traces", "label", descending=[True, False])
    sure = ordered.height
    if confidence is not None and ordered.height:
        having = ordered["traces"].to_numpy().astype(np.int64)
        p = fisher(tables(having, np.zeros_like(having), (now.traces, before.traces)), over_only=True)
        sure = int((p <= (1 - confidence) / 2 / asked).sum())
    named = [f"{shortened(row['label'])} (in {counted(row['traces'], 'trace')})" for row in ordered.head(4).to_dicts()]
    chance = f", {sure or 'none'} of them by more than chance" if confidence is not None and ordered.height else ""
    told = (
        f"{counted(ordered.height, what)} that the baseline has not{chance}{': ' + listed(named) if named else ''} "
        f"({counted(now.traces, 'trace')} now, {before.traces:,} before)"
    ).replace("kind of failures", "kinds of failures")
    traces = tuple(ordered["exemplar_trace_id"].head(5).to_list())
    return Measured(told, now.traces, "trace", float(ordered.height), float(sure), float(ordered.height), traces)


def _cannot_compare(now: Dump, before: Dump, service: str | None) -> str:
    """Say why two sides cannot be compared; nothing where they can."""
    for side, called in ((now, "There are no spans."), (before, "The baseline has no spans.")):
        if side.spans.is_empty():
            return called
    return "" if service is None else unknown_service(service, now.spans)


def _nothing_on_a_side(selection: Selection, now: pl.DataFrame, before: pl.DataFrame, evidence: Evidence) -> str:
    if now.is_empty():
        return selection.missing(evidence.dump.spans)
    return f"In the baseline: {selection.missing(evidence.baseline.spans)}" if before.is_empty() else ""


def _lengths(now: pl.DataFrame, before: pl.DataFrame, shares: Sequence[float], confidence: float) -> pl.DataFrame:
    """Lay the quantiles of the operations that both sides have side by side, in nanoseconds."""
    sides = (
        latency_percentiles(
            side, by=operation().alias(_OPERATION), quantiles=shares, entry_only=False, confidence=confidence
        ).with_columns(pl.col(pl.Duration).to_physical())
        for side in (now, before)
    )
    after, earlier = sides
    key = [_OPERATION, "quantile"]
    renamed = earlier.drop("exemplar_trace_id").rename(
        {name: f"before_{name}" for name in ("duration", "lower", "upper", "count")}
    )
    return after.join(renamed, on=key).sort(key)


def _growth(row: dict[str, Any], *, sure: bool) -> Change:
    """Give by which share something is longer than before, and the bounds of that.

    The bounds are made of those of both sides, on a scale of logarithms: A. Donner and G. Y. Zou, "Closed-form
    confidence intervals for functions of the normal mean and standard deviation", Statistical Methods in Medical
    Research 21 (2012), 347-359, the method that Newcombe's interval of shares is a case of.
    """
    now, low, high, before, least, most = (
        None if row[name] is None else log(max(row[name], 1))
        for name in ("duration", "lower", "upper", "before_duration", "before_lower", "before_upper")
    )
    if now is None or before is None:  # there are such spans on both sides
        return nan, None, None
    value = exp(now - before) - 1
    if not sure:
        return value, value, value
    lower = None if low is None or most is None else now - before - sqrt((now - low) ** 2 + (most - before) ** 2)
    upper = None if high is None or least is None else now - before + sqrt((high - now) ** 2 + (before - least) ** 2)
    return value, None if lower is None else exp(lower) - 1, None if upper is None else exp(upper) - 1


def _clearest(rows: list[dict[str, Any]], changes: list[Change], limit: float) -> tuple[dict[str, Any], Change]:
    """Take what speaks most clearly against a limit: what is shown to be beyond it, else what may be, else the worst.

    So the verdict on it is the verdict on all.
    """

    def against(place: int) -> tuple[int, float]:
        value, lower, upper = changes[place]
        if lower is not None and lower > limit:
            return 2, lower
        if upper is None or upper > limit:
            return 1, value
        return 0, upper

    place = max(range(len(rows)), key=against)
    return rows[place], changes[place]


def _among(rows: pl.DataFrame, usual: pl.DataFrame, told_apart: int) -> str:
    """Say of how many figures this is the clearest, and how many have too few requests to tell."""
    few = usual.height - told_apart
    more = f", {few:,} of them of too few requests" if few and rows.height > 1 else ""
    return f"{_widened(rows.height, 'figure')}{more}"


def _widened(number: int, what: str) -> str:
    return f"; the clearest of {counted(number, what)}" if number > 1 else ""


def _signed(share: float) -> str:
    return ("+" if share > 0 else "") + in_words(share, "share")
