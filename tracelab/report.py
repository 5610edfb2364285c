"""One HTML file that opens anywhere, without a network: tables, figures, timelines."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import plotly.io as pio
import polars as pl
from plotly.offline import get_plotlyjs

from tracelab.analysis.failures import error_rates
from tracelab.analysis.latency import latency_percentiles
from tracelab.analysis.origins import error_origins
from tracelab.analysis.path_profile import critical_path_profile
from tracelab.analysis.summary import trace_summary
from tracelab.analysis.timeline import slowest_traces
from tracelab.conforming import takes_any_frame
from tracelab.errors import SourceError, TracelabError
from tracelab.figures.gantt import plot_gantt
from tracelab.figures.latency import plot_latency_percentiles
from tracelab.figures.paths import plot_critical_path_profile
from tracelab.markup import plain
from tracelab.units import format_duration

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from tracelab.analysis.grouping import Spans

_ROWS: Final = 25
_PERCENTILE_ROWS: Final = 100
_CSS: Final = """
:root { color-scheme: light; }
body { font: 14px/1.5 system-ui, sans-serif; color: #1c2733; background: #f5f7f9; margin: 0; }
main { max-width: 1120px; margin: 0 auto; padding: 24px 20px 60px; }
h1 { font-size: 24px; margin: 8px 0 2px; } h2 { font-size: 17px; margin: 0 0 8px; }
section { background: #fff; border: 1px solid #e1e6eb; border-radius: 8px; padding: 16px 18px; margin: 16px 0; }
p { margin: 2px 0 10px; color: #51606e; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13px; width: 100%; }
th, td { text-align: left; padding: 4px 12px 4px 0; border-bottom: 1px solid #eef1f4; vertical-align: top; }
th { color: #51606e; font-weight: 600; }
td.number, th.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
"""


@takes_any_frame
def write_report(spans: Spans, path: str | Path, *, slowest: int = 5, title: str | None = None) -> None:
    """Write a report on all traces as one HTML file that needs no network.

    Parameters
    ----------
    spans
        A span frame.
    path
        The file to write; one that is there is replaced.
    slowest
        How many of the slowest traces get a timeline.
    title
        The heading; by default the services' names.

    Raises
    ------
    TracelabError
        The frame holds no spans.
    SourceError
        The file cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from tracelab.synthetic import draw
    >>> with TemporaryDirectory() as folder:
    ...     write_report(draw("api ====="), f"{folder}/report.html")
    ...     "api" in Path(f"{folder}/report.html").read_text(encoding="utf-8")
    True
    """
    frame = spans.lazy().collect()
    if frame.is_empty():
        raise TracelabError("There are no spans to report on. Pass a frame that holds at least one trace.")
    services = frame["service_name"].unique().sort().to_list()
    heading = title or f"Traces of {', '.join(services[:4])}" + (" and others" if len(services) > 4 else "")
    body = "".join([_head(frame, heading), *_answers(frame), *_timelines(frame, slowest)])
    page = (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{plain(heading)}</title>'
        f"<style>{_CSS}</style><script>{get_plotlyjs()}</script></head><body><main>{body}</main></body></html>\n"
    )
    try:
        Path(path).write_text(page, encoding="utf-8")
    except OSError as error:
        raise SourceError(f"The report cannot be written to {path}: {error.strerror}. Choose another place.") from error


def _head(frame: pl.DataFrame, heading: str) -> str:
    start, end = frame.select(
        start=pl.col("start_time").min(), end=(pl.col("start_time") + pl.col("duration")).max()
    ).row(0)
    return (
        f"<h1>{plain(heading)}</h1><p>{frame.height:,} spans in {frame['trace_id'].n_unique():,} traces of "
        f"{frame['service_name'].n_unique():,} services, {start:%Y-%m-%d %H:%M:%S} to {end:%Y-%m-%d %H:%M:%S} UTC.</p>"
    )


def _answers(frame: pl.DataFrame) -> list[str]:
    slow = trace_summary(frame).sort("duration", "trace_id", descending=[True, False])
    percentiles = latency_percentiles(frame)
    origins = error_origins(frame)
    return [
        _section(
            "Latency percentiles by service",
            "Entry spans. Exact quantiles; lower and upper bound the true value with 95 % confidence, whatever the "
            "distribution. A dash means that there are too few spans to bound it.",
            _figure(plot_latency_percentiles(frame)) + _table(percentiles, rows=_PERCENTILE_ROWS),
        ),
        _section("Error rates by service", "Entry spans, with 95 % Wilson intervals.", _table(error_rates(frame))),
        _section(
            "Where errors start",
            "The deepest failing span of each failing branch.",
            _table(origins) if origins.height else "<p>No span failed.</p>",
        ),
        _section(
            "Where the time goes",
            "Time on the critical path, over all traces: what the answers had to wait for.",
            _figure(plot_critical_path_profile(frame)) + _table(critical_path_profile(frame)),
        ),
        _section("Slowest traces", "", _table(slow)),
    ]


def _timelines(frame: pl.DataFrame, slowest: int) -> list[str]:
    return [
        _section(f"Timeline of trace {trace_id}", "", _figure(plot_gantt(frame, trace_id)))
        for trace_id in slowest_traces(frame, count=slowest)["trace_id"]
    ]


def _section(heading: str, text: str, content: str) -> str:
    return (
        f"<section><h2>{plain(heading)}</h2>{f'<p>{plain(text, longest=400)}</p>' if text else ''}{content}</section>"
    )


def _figure(figure: go.Figure) -> str:
    return str(pio.to_html(figure, include_plotlyjs=False, full_html=False, config={"displaylogo": False}))


def _table(frame: pl.DataFrame, *, rows: int = _ROWS) -> str:
    numeric = [dtype.is_numeric() or dtype == pl.Duration for dtype in frame.dtypes]
    head = "".join(_cell("th", plain(name), number) for name, number in zip(frame.columns, numeric, strict=True))
    body = "".join(
        f"<tr>{''.join(_cell('td', _shown(value), number) for value, number in zip(row, numeric, strict=True))}</tr>"
        for row in frame.head(rows).iter_rows()
    )
    more = f"<p>... and {frame.height - rows:,} rows more.</p>" if frame.height > rows else ""
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{more}'


def _cell(tag: str, content: str, number: bool) -> str:
    return f'<{tag} class="number">{content}</{tag}>' if number else f"<{tag}>{content}</{tag}>"


def _shown(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, timedelta):
        return format_duration(value.total_seconds() * 1e9)
    if isinstance(value, float):
        return f"{value:.4g}"
    return plain(f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else value, longest=120)
