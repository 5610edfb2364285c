"""The tables that the report and the command line show of a dump: the answers, with the worst on top."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from tracelab.analysis.errors.rates import error_rates
from tracelab.analysis.latency.percentiles import latency_percentiles
from tracelab.analysis.traces import trace_summary
from tracelab.display.words import counted

if TYPE_CHECKING:
    from tracelab.analysis.grouping import Spans

_LOSSES: Final = (("spans", "dropped"), ("requests", "refused"))
_TIME: Final = "%Y-%m-%d %H:%M:%S"


def slowest_services(spans: Spans) -> pl.DataFrame:
    """Give the latency percentiles of each service side by side, the service with the longest of the highest first."""
    return latency_percentiles(spans, wide=True)


def failing_services(spans: Spans, *, entry_only: bool = True) -> pl.DataFrame:
    """Give the error rates of each service, the highest first."""
    rates = error_rates(spans, entry_only=entry_only)
    return rates.sort("error_rate", "errors", "spans", "service_name", descending=[True, True, True, False])


def longest_traces(spans: Spans) -> pl.DataFrame:
    """Give one row per trace, the longest first."""
    return trace_summary(spans).sort("duration", "trace_id", descending=[True, False])


def contents(spans: pl.DataFrame) -> str:
    """Say how many spans, traces and services there are, and when the first span starts and the last one ends."""
    end = pl.col("start_time") + pl.col("duration")
    times = spans.select(pl.col("start_time").min(), end=end.max()).select(pl.all().dt.strftime(_TIME)).row(0)
    counts = (
        f"{counted(spans.height, 'span')} in {counted(spans['trace_id'].n_unique(), 'trace')} of "
        f"{counted(spans['service_name'].n_unique(), 'service')}"
    )
    return f"{counts}, {times[0]} to {times[1]} UTC" if spans.height else counts


def received(stats: pl.DataFrame) -> str:
    """Say what a receiver got, by what it counted, and what became of that."""

    def total(what: str) -> int:
        return int(stats.filter(pl.col("what") == what)["count"].sum())

    def parts(what: str) -> str:
        some = stats.filter((pl.col("what") == what) & (pl.col("count") > 0))
        return ", ".join(f"{count:,} {of}" for of, count in some.select("of", "count").rows())

    services = stats.filter(pl.col("what") == "spans of service").height
    traces = total("traces held") + total("traces dropped")
    came = f"{counted(total('spans received'), 'span')} in {counted(traces, 'trace')} of {counted(services, 'service')}"
    told = [f"{came}, by {counted(total('requests'), 'request')}"]
    told += [f"{what}: {parts(f'{name} {what}')}" for name, what in _LOSSES if parts(f"{name} {what}")]
    if total("lines not written"):
        told.append(f"{total('lines not written'):,} times the file could not be written")
    return "; ".join(told)
