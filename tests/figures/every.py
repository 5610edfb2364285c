"""Every figure there is, and a small trace for them."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import polars as pl

import tracelab as tl
from tests.auditing.handmade import finding, findings
from tracelab.synthetic import draw

if TYPE_CHECKING:
    from collections.abc import Callable

    import plotly.graph_objects as go

TRACE = draw("""
web::GET /pay     ==========      kind=server
  web::POST       .========       kind=client
    bank::charge  ..======!       kind=server
  lost
    web::orphan   .==
""")

POLICIES: dict[str, Any] = {
    "everything": tl.sampling.AlwaysOn(),
    "1 % of the traces": tl.sampling.TraceIdRatioBased(0.01),
    "half of the traces": tl.sampling.TraceIdRatioBased(0.5),
    "recommended": tl.sampling.presets.production(),
    "errors, " + "and all that is slow, " * 5 + "and 1 %": tl.sampling.presets.everyday("500ms"),
    "<b>nothing</b> & <script>no</script>": tl.sampling.AlwaysOff(),
}


def broken(spans: pl.DataFrame) -> pl.DataFrame:
    """Make up findings of every kind about the services of a frame, and edges between them that no trace holds."""
    names = spans["service_name"].unique().sort().to_list()
    ends = list(zip(names, [*names[1:], *names[:1]], strict=True))
    kinds = [("split-trace", "error"), ("missing-client-span", "warning"), ("clock-skew", "warning")]
    explained = [("missing-parent", "info")]
    return findings(
        *(
            finding(rule, severity, callee, caller=caller, callee=callee, finding=f"{caller} loses it. " * 5)
            for place, (caller, callee) in enumerate(ends)
            for rule, severity in [*kinds, *explained][place % 4 :][:2]
        ),
        *(finding("unbounded-span-names", "info", name, detail=f"name-{name}") for name in names[:3]),
        *(finding("old-attribute-names", "warning", name, fix=f"Write {name}. " * 20) for name in names[:5] * 2),
    )


def compared(spans: pl.DataFrame) -> go.Figure:
    """Compare the longer half of the spans with the other, if there is one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tl.QueryWarning)
        return tl.plot_compare(spans, where=pl.col("duration") > pl.col("duration").median(), unit="span")


def changed(spans: pl.DataFrame) -> go.Figure:
    """Look for changes, whether there are enough traces or not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tl.QueryWarning)
        return tl.plot_change_points(spans, min_traces=16)


def caused(spans: pl.DataFrame) -> go.Figure:
    """Look for the causes of the traces of the later half, if there are both."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tl.QueryWarning)
        return tl.plot_root_causes(spans, where=pl.col("start_time") > pl.col("start_time").median(), q=1)


FIGURES: dict[str, Callable[[pl.DataFrame], go.Figure]] = {
    "gantt": lambda spans: tl.plot_gantt(spans, spans["trace_id"][0]),
    "flamegraph": lambda spans: tl.plot_flamegraph(spans, spans["trace_id"][0]),
    "latency_percentiles": tl.plot_latency_percentiles,
    "latency_percentiles over time": lambda spans: tl.plot_latency_percentiles(spans, every="1m"),
    "latency_histogram": tl.plot_latency_histogram,
    "error_rates": tl.plot_error_rates,
    "error_rates over time": lambda spans: tl.plot_error_rates(spans, every="1m"),
    "service_graph": tl.plot_service_graph,
    "audit": tl.plot_audit,
    "clock_skew": tl.plot_clock_skew,
    "audit of broken services": lambda spans: tl.plot_audit(spans, findings=broken(spans)),
    "sampling_report": lambda spans: tl.plot_sampling_report(spans, POLICIES),
    "critical_path_profile": tl.plot_critical_path_profile,
    "error_origins": tl.plot_error_origins,
    "outliers": lambda spans: tl.plot_outliers(spans, min_count=1),
    "repeated_calls": lambda spans: tl.plot_repeated_calls(spans, min_count=2),
    "gaps": tl.plot_gaps,
    "change_points": changed,
    "compare": compared,
    "what_if": lambda spans: tl.plot_what_if(spans, pl.col("depth") > 0, factor=0.5, resamples=20),
    "what_if slower": lambda spans: tl.plot_what_if(spans, pl.col("depth") > 0, factor=1.5, resamples=20),
    "optimise": lambda spans: tl.plot_optimise(spans, resamples=20),
    "root_causes": caused,
    "trace_diff": lambda spans: tl.plot_trace_diff(spans.filter(pl.int_range(pl.len()) % 3 != 0), spans, resamples=20),
}


def by_name(figure: go.Figure) -> dict[str, Any]:
    return {trace.name: trace for trace in figure.data}
