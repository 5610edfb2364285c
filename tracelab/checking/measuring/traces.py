"""Figures of whole traces: what the critical path is spent on, repeated calls, gaps, and what the audit finds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from scipy import stats

from tracelab.analysis.calls.repeated_calls import repeated_calls
from tracelab.analysis.errors.routes import route
from tracelab.analysis.latency.gaps import gaps
from tracelab.analysis.traces import whole_traces
from tracelab.checking.measuring.measured import (
    Measured,
    exact,
    interval,
    listed,
    nothing,
    share_interval,
    traces_of,
)
from tracelab.checking.measuring.selecting import Selection, shortened, unknown_route
from tracelab.checking.rules.quantities import in_words
from tracelab.display.words import counted
from tracelab.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracelab.array_types import Floats
    from tracelab.checking.measuring.evidence import Dump, Evidence
    from tracelab.checking.rules.nodes import Comparison

    Arguments = Mapping[str, Any]
    Wheres = tuple[str, ...]


def critical_share(evidence: Evidence, arguments: Arguments, wheres: Wheres, _: Comparison) -> Measured:
    """Measure which share of the critical paths of all traces some spans take."""
    dump = evidence.dump.within(wheres)
    selection = Selection.of({**arguments, "entry_only": False}, ())
    meant = selection.of_spans(dump.spans)
    if meant.is_empty():
        return nothing(selection.missing(dump.spans), "trace")
    sections = dump.path
    if (of := arguments.get("of")) is not None:
        begun = _begun_by(dump, of)
        if isinstance(begun, str):
            return nothing(begun, "trace")
        sections = sections.filter(pl.col("trace_id").is_in(begun.implode()))
    per_trace = (
        sections.lazy()
        .join(meant.lazy().select("trace_id", "span_id", meant=pl.lit(1)), on=["trace_id", "span_id"], how="left")
        .group_by("trace_id")
        .agg(
            own=(pl.col("duration").to_physical() * pl.col("meant").fill_null(0)).sum(),
            whole=pl.col("duration").to_physical().sum(),
        )
        .sort("own", "trace_id", descending=[True, False])
        .collect()
    )
    own, whole = (per_trace[name].to_numpy().astype(np.float64) for name in ("own", "whole"))
    if not whole.sum():
        return nothing("No trace takes any time.", "trace")
    value = float(own.sum() / whole.sum())
    confidence = evidence.confidence
    lower, upper = (value, value) if confidence is None else _ratio_interval(own, whole, confidence)
    told = (
        f"{in_words(value, 'share')}{interval(lower, upper, 'share', confidence)} of the critical path of "
        f"{counted(per_trace.height, 'trace')}"
    )
    return Measured(
        told, per_trace.height, "trace", value, lower, upper, traces_of(per_trace.filter(pl.col("own") > 0))
    )


def no_repeated_calls(evidence: Evidence, arguments: Arguments, wheres: Wheres, _: Comparison) -> Measured:
    """Count the runs of like calls under one parent."""
    dump = evidence.dump.within(wheres)
    if why := _nobody(dump, arguments):
        return nothing(why, "trace")
    fewest = arguments.get("min", 5)
    found = _about(repeated_calls(dump.spans, min_count=fewest), arguments)
    said = found.group_by("parent_service_name", "parent_name", "service_name", "name").agg(
        pl.len(), pl.col("count").max()
    )
    kinds = said.sort("len", *said.columns[:4], descending=[True, False, False, False, False])
    names = [
        f"{shortened(row['service_name'])}::{shortened(row['name'])} up to {row['count']:,} times below "
        f"{shortened(row['parent_name'])}"
        for row in kinds.head(3).to_dicts()
    ]
    seen = f"{counted(found.height, 'run')} of {fewest:,} or more like calls"
    told = f"{seen} in {counted(dump.traces, 'trace')}{': ' + '; '.join(names) if names else ''}"
    return exact(told, found.height, dump.traces, "trace", traces_of(found))


def no_gaps(evidence: Evidence, arguments: Arguments, wheres: Wheres, _: Comparison) -> Measured:
    """Count the long times inside spans that no child covers."""
    dump = evidence.dump.within(wheres)
    if why := _nobody(dump, arguments):
        return nothing(why, "trace")
    fewest = arguments["min"]
    found = _about(gaps(dump.spans, min_duration=f"{fewest:.0f}ns"), arguments)
    kinds = found.group_by("service_name", "name").agg(pl.col("duration").to_physical().max())
    ordered = kinds.sort("duration", "service_name", "name", descending=[True, False, False])
    names = [f"{shortened(a)}::{shortened(b)} up to {format_duration(c)}" for a, b, c in ordered.rows()]
    told = f"{counted(found.height, 'gap')} of {format_duration(fewest)} or more in {counted(dump.traces, 'trace')}"
    return exact(f"{told}{': ' + listed(names) if names else ''}", found.height, dump.traces, "trace", traces_of(found))


def no_audit_findings(evidence: Evidence, arguments: Arguments, wheres: Wheres, _: Comparison) -> Measured:
    """Count what the audit finds, from a severity on."""
    dump = evidence.dump.within(wheres)
    if why := _nobody(dump, arguments):
        return nothing(why, "trace")
    level, rule, service = (arguments.get(name) for name in ("severity", "rule", "service"))
    found = dump.findings.filter(pl.col("severity") >= (level or "warning"))
    if rule is not None:
        found = found.filter(pl.col("rule") == rule)
    if service is not None:
        found = found.filter(
            pl.any_horizontal(*(pl.col(name) == service for name in ("service_name", "caller", "callee")))
        )
    names = [f"{rule} of {shortened(of)}" for rule, of in _findings(found)]
    told = (
        f"{counted(found.height, 'finding')} in {counted(dump.traces, 'trace')}{': ' + listed(names) if names else ''}"
    )
    traces = found["exemplar_trace_ids"].explode().drop_nulls().unique(maintain_order=True).to_list()
    return exact(told, found.height, dump.traces, "trace", traces)


def _findings(found: pl.DataFrame) -> list[tuple[str, str]]:
    edge = pl.format("{} -> {}", "caller", "callee")
    return found.select("rule", pl.coalesce(edge, "service_name", pl.lit("all"))).rows()


def _nobody(dump: Dump, arguments: Arguments) -> str:
    """Say why there is nothing that such calls or spans could be among; nothing where there is."""
    selection = Selection.of({**arguments, "entry_only": False, "route": None}, ())
    return selection.missing(dump.spans) if selection.of_spans(dump.spans).is_empty() else ""


def _about(found: pl.DataFrame, arguments: Arguments) -> pl.DataFrame:
    """Keep what an answer says of a service and of a name."""
    keys = {"service_name": arguments.get("service"), "name": arguments.get("name")}
    return found.filter(*(pl.col(column) == value for column, value in keys.items() if value is not None))


def _begun_by(dump: Dump, of: str) -> pl.Series | str:
    """Give the traces that begin with a route, or a name; or say why there are none."""
    traces = whole_traces(dump.spans, [route(), pl.col("name")])
    begun = traces.filter((pl.col("route") == of) | (pl.col("name") == of))["trace_id"]
    return begun if begun.len() else unknown_route(of, traces["route"].unique().to_list())


def _ratio_interval(own: Floats, whole: Floats, confidence: float) -> tuple[float | None, float | None]:
    """Give the bounds of a share of a sum over traces, of which each is one draw.

    Wilson's interval with as many independent draws as would spread so much, after E. L. Korn and B. I. Graubard,
    "Confidence intervals for proportions with small expected number of positive counts estimated from survey data",
    Survey Methodology 24 (1998), 193-201. The spread is that of the jackknife, since a few long traces draw the share
    towards their own; and how well it is known goes by how many traces would weigh as much, were all alike, those that
    have some of it or all of them.
    """
    own, whole = own[whole > 0], whole[whole > 0]
    if own.size < 2:
        return None, None
    total = float(whole.sum())
    alike = min(_worth(each) for each in (own, whole) if each.any())
    share = float(own.sum()) / total
    off = (own - share * whole) / (1 - whole / total)
    variance = own.size / (own.size - 1) * float((off**2).sum()) / total**2
    effective = share * (1 - share) / variance if variance > 0 else _worth(whole)
    tail = 0.5 + confidence / 2
    effective *= float(stats.norm.ppf(tail) / stats.t.ppf(tail, max(alike - 1, 1.0))) ** 2
    return share_interval(share * effective, effective, confidence)


def _worth(values: Floats) -> float:
    """Say how many equal values a sum rests on (Kish's effective size)."""
    return float(values.sum()) ** 2 / float((values**2).sum())
