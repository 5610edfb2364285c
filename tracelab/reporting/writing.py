"""One HTML file that opens anywhere, without a network: tables, figures, timelines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import plotly.io as pio
from plotly.offline import get_plotlyjs

from tracelab.analysis.critical_paths.profile import critical_path_profile
from tracelab.analysis.errors.origins import error_origins
from tracelab.analysis.timeline import slowest_traces
from tracelab.conforming import takes_any_frame
from tracelab.display.tables import STYLE, shown
from tracelab.errors import SourceError, TracelabError
from tracelab.figures.charts.critical_path_profile import plot_critical_path_profile
from tracelab.figures.charts.gantt import plot_gantt
from tracelab.figures.charts.latency_percentiles import plot_latency_percentiles
from tracelab.figures.parts.style import NARROWEST
from tracelab.files import check_target, replacing
from tracelab.markup import plain
from tracelab.options import file_path
from tracelab.overview import contents, failing_services, longest_traces, slowest_services

if TYPE_CHECKING:
    from pathlib import Path

    import plotly.graph_objects as go
    import polars as pl

    from tracelab.analysis.grouping import Spans

_ROWS: Final = 25
_PERCENTILE_ROWS: Final = 100
# The cards are white or nearly black, as the grounds are for which the figures' tones are chosen.
_CSS: Final = f"""
:root {{ color-scheme: light; --text: #1c2733; --quiet: #51606e; --page: #f5f7f9; --card: #fff; --line: #e1e6eb; }}
@media screen and (prefers-color-scheme: dark) {{
  :root {{ color-scheme: dark; --text: #e3e7eb; --quiet: #a5afb9; --page: #1d2125; --card: #111; --line: #3a424a; }}
}}
body {{ font: 14px/1.5 system-ui, sans-serif; color: var(--text); background: var(--page); margin: 0; }}
main {{ max-width: 1120px; margin: 0 auto; padding: 24px 20px 60px; }}
h1, h2, p {{ overflow-wrap: anywhere; }}
h1 {{ font-size: 24px; margin: 8px 0 2px; }} h2 {{ font-size: 17px; margin: 0 0 8px; }}
section {{ background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: 16px 18px; margin: 16px 0; }}
p {{ margin: 2px 0 10px; color: var(--quiet); }} .tracelab-table p {{ color: inherit; }}
.figure {{ overflow-x: auto; }} .figure > div {{ min-width: {NARROWEST}px; }}
@media (max-width: 600px) {{ main {{ padding: 12px 8px 40px; }} section {{ padding: 12px 10px; }} }}
@media print {{ .figure {{ overflow: visible; }} }}
"""


@takes_any_frame
def write_report(spans: Spans, path: str | Path, *, slowest: int = 5, title: str | None = None) -> None:
    """Write a report on all traces as one HTML file that needs no network.

    Parameters
    ----------
    spans
        A span frame.
    path
        The file to write; one that is there is replaced once the new one is whole.
    slowest
        How many of the slowest traces get a timeline.
    title
        The heading; by default the services' names.

    Raises
    ------
    TracelabError
        The frame holds no spans.
    SourceError
        The path is none, or the file cannot be written.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from tracelab.synthetic import draw
    >>> with TemporaryDirectory() as folder:
    ...     write_report(draw("api ====="), f"{folder}/report.html")
    ...     "api" in Path(f"{folder}/report.html").read_text(encoding="utf-8")
    True
    """
    target = file_path("path", path)
    check_target(target)
    frame = spans.lazy().collect()
    if frame.is_empty():
        raise TracelabError("There are no spans to report on. Pass a frame that holds at least one trace.")
    services = frame["service_name"].unique().sort().to_list()
    heading = title or f"Traces of {', '.join(services[:4])}" + (" and others" if len(services) > 4 else "")
    body = "".join([_head(frame, heading), *_answers(frame), *_timelines(frame, slowest)])
    page = (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{plain(heading)}</title>'
        f"<style>{_CSS}{STYLE}</style><script>{get_plotlyjs()}</script></head><body><main>{body}</main></body></html>\n"
    )
    try:
        with replacing(target) as part:
            part.write_text(page, encoding="utf-8")
    except OSError as error:
        raise SourceError(f"{target}: {error.strerror or error}. Check the folder and its permissions.") from error


def _head(frame: pl.DataFrame, heading: str) -> str:
    return f"<h1>{plain(heading)}</h1><p>{contents(frame)}.</p>"


def _answers(frame: pl.DataFrame) -> list[str]:
    origins = error_origins(frame)
    return [
        _section(
            "Latency percentiles by service",
            "Entry spans. Exact quantiles; lower and upper bound the true value with 95 % confidence, whatever the "
            "distribution. A dash means that there are too few spans to bound it.",
            _figure(plot_latency_percentiles(frame)) + _table(slowest_services(frame), rows=_PERCENTILE_ROWS),
        ),
        _section("Error rates by service", "Entry spans, with 95 % Wilson intervals.", _table(failing_services(frame))),
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
        _section("Slowest traces", "", _table(longest_traces(frame))),
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
    """Give a figure that scrolls within its card where the page is too narrow to read it."""
    drawn = pio.to_html(figure, include_plotlyjs=False, full_html=False, config={"displaylogo": False})
    return f'<div class="figure">{drawn}</div>'


def _table(frame: pl.DataFrame, *, rows: int = _ROWS) -> str:
    return shown(frame, rows=rows).html()
