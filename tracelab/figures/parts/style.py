"""What all figures share: tones, fonts, margins, units of time.

Nothing of a figure says whether the page below it is white or, as in JupyterLab's dark theme, nearly black (#111111):
the grounds are clear, and every tone is about as far from one as from the other. A grey cannot have a contrast of more
than 4.35 to both; `TEXT` has that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import plotly.graph_objects as go
import polars as pl

from tracelab.colors import service_colors
from tracelab.figures.parts.text import shortened, text_width, wrapped
from tracelab.markup import plain
from tracelab.options import whole
from tracelab.units import format_duration, from_timedelta, parse_duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import timedelta

    from tracelab.analysis.grouping import Spans

CLEAR: Final = "rgba(0, 0, 0, 0)"
"""The ground of every figure: the page shows through."""

TEXT: Final = "#797979"
"""Titles, ticks and labels, on the page itself."""

ERROR_TEXT: Final = "#dc3f3f"
"""Text about failures: the red of errors is too dark for small letters on a dark page."""

LINE: Final = "rgba(121, 121, 121, 0.8)"
"""Axes, intervals, outlines: what has no service's colour."""

GRID: Final = "rgba(128, 128, 128, 0.2)"
"""Lines behind what is drawn."""

HOVER: Final = {
    "align": "left",
    "bgcolor": "#2f353b",
    "bordercolor": TEXT,
    "font": {"color": "#f0f0f0", "family": "system-ui, sans-serif", "size": 12},
}
"""Hover labels stand over anything, so that they have a ground of their own."""

FONT: Final = {"family": "system-ui, sans-serif", "size": 12, "color": TEXT}

NARROWEST: Final = 700
"""The width in pixels at which nothing of a figure may be cut: a cell of a notebook beside a file browser."""

_AXIS: Final = {
    "gridcolor": GRID,
    "zerolinecolor": GRID,
    "linecolor": LINE,
    "tickcolor": CLEAR,
    "automargin": True,
    "zeroline": False,
    "ticks": "outside",
    "ticklen": 5,
    "title": {"standoff": 12, "font": {"size": 12, "color": TEXT}},
    "tickfont": {"color": TEXT},
}
_TEMPLATE: Final = go.layout.Template(
    layout={
        "xaxis": _AXIS,
        "yaxis": _AXIS,
        "colorway": [TEXT],
        "colorscale": {"sequential": "Viridis"},
        "legend": {"bgcolor": CLEAR, "font": {"color": TEXT}},
        "modebar": {"bgcolor": CLEAR, "color": LINE, "activecolor": TEXT},
        "annotationdefaults": {"font": {"color": TEXT}, "arrowcolor": LINE},
        "hoverlabel": HOVER,
    }
)
_TITLE_SIZE: Final = 16
_SUBTITLE_SIZE: Final = 12
_LONGEST_NAME: Final = 46
_TITLE_LINE, _LEGEND_LINE = 21, 20
_TOP, _SIDE = 10, 12
_RAISED: Final = 11
"""How much higher plotly sets a title of several lines than one of a single line."""
_LEGEND_MARK: Final = 58
_UNITS: Final = (("s", 1_000_000_000), ("ms", 1_000_000), ("µs", 1_000), ("ns", 1))


def time_unit(nanoseconds: float) -> tuple[str, int]:
    """Choose the unit in which a length of time is easiest to read: its name and its nanoseconds."""
    return next((unit for unit in _UNITS if nanoseconds >= 2 * unit[1]), _UNITS[-1])


def percent(share: float) -> str:
    """Write a share such as a confidence in per cent, with no digit lost: `95 %`, `99.9 %`."""
    return f"{float(share) * 100:.10g} %"


def length_text(length: str | timedelta) -> str:
    """Write a length of time that was asked for, with no digit lost: text as it stands, a timedelta as `1 m 30 s`."""
    if isinstance(length, str):
        return plain(length.strip())
    nanoseconds = from_timedelta(length)
    text = format_duration(nanoseconds)
    return text if parse_duration(text) == nanoseconds else f"{nanoseconds / 1_000_000_000:.15g} s"


def colors_in(spans: Spans, names: Iterable[str]) -> dict[str, str]:
    """Give services the colours that they have in all figures of a frame, and other names colours beside them."""
    services = spans.lazy().select(pl.col("service_name").unique()).collect()["service_name"]
    return service_colors(names, among=services)


def faint(color: str, alpha: float) -> str:
    """Let the page show through a colour that is written as `#rrggbb`."""
    red, green, blue = (int(color[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {alpha:g})"


def first_rows(rows: pl.DataFrame, first: int) -> pl.DataFrame:
    """Give the rows to draw.

    Raises
    ------
    TracelabError
        It is no number of rows.
    """
    return rows.head(min(whole("first", first, least=1, why="It is the number of rows to draw."), rows.height))


def of_all(first: int, total: int) -> str:
    """Say in a title how many rows are left out."""
    return f", the first {first:,} of {total:,}" if total > first else ""


def whiskers(rows: pl.DataFrame, value: str, **line: Any) -> dict[str, Any]:
    """Give plotly the intervals, `lower` to `upper`, around the values of a column."""
    return {
        "type": "data",
        "symmetric": False,
        "array": (rows["upper"] - rows[value]).to_list(),
        "arrayminus": (rows[value] - rows["lower"]).to_list(),
        **line,
    }


def row_room(texts: Iterable[str]) -> float:
    """Say how many pixels are left for the plot at the narrowest where `label_rows` writes these names beside it."""
    longest = max((text_width(shortened(text, _LONGEST_NAME), 12) for text in texts), default=0.0)
    return NARROWEST - 40 - longest


def label_rows(
    figure: go.Figure, texts: Sequence[str], *, below: Sequence[str] | None = None, longest: int = _LONGEST_NAME
) -> go.Figure:
    """Write the names of rows that are numbered from 0, the first at the top, and something small below each.

    As categories, names that are numbers would become a scale, and two that are cut alike would become one row.
    """
    labels = [plain(shortened(text, longest)) for text in texts]
    if below is not None:
        small = [plain(shortened(text, longest + 8)) for text in below]
        labels = [
            f"{label}<br><span style='font-size: 10px'>{text}</span>" for label, text in zip(labels, small, strict=True)
        ]
    return figure.update_yaxes(
        tickmode="array",
        tickvals=list(range(len(texts))),
        ticktext=labels,
        range=[max(len(texts), 1) - 0.5, -0.5],
        automargin=True,
        zeroline=False,
        showgrid=False,
    )


def styled(figure: go.Figure, *, title: str, subtitle: str = "", **layout: Any) -> go.Figure:
    """Give a figure its title, broken into lines that are never cut, and the house's look.

    Parameters
    ----------
    figure
        The figure, which is changed.
    title, subtitle
        What it shows, and what one must know to read it; markup without tags, as `plain` gives it.
    layout
        Anything else that plotly's layout knows.
    """
    text, high = _heading(title, subtitle)
    figure.update_layout(
        template=_TEMPLATE,
        paper_bgcolor=CLEAR,
        plot_bgcolor=CLEAR,
        font=FONT,
        hoverlabel=HOVER,
        title={
            "text": text, "font": {"size": _TITLE_SIZE, "color": TEXT}, "x": 0, "xref": "container", "xanchor": "left",
            "y": 1, "yref": "container", "yanchor": "top",
            "pad": {"t": _TOP + (_RAISED if "<br>" in text else 0), "l": _SIDE},
        },
        margin={"l": 60, "r": 20, "t": high + 8, "b": 45},
        legend={"orientation": "h", "y": -0.18, "x": 0, "title": None},
        **layout,
    )  # fmt: skip
    return figure


def framed(
    figure: go.Figure,
    *,
    title: str,
    subtitle: str = "",
    inner: int,
    bottom: int = 54,
    nothing: str = "",
    **layout: Any,
) -> go.Figure:
    """Style a figure whose plot is `inner` pixels high: title, legend and plot below one another, the axis last.

    The legend stands between title and plot. Below it would share the place of the axis' title, which nobody can
    foresee. Where there is nothing to draw the figure says so instead of showing empty axes.
    """
    if nothing:
        figure.add_annotation(
            text=nothing, x=0, y=0.5, xref="paper", yref="paper", xanchor="left", showarrow=False,
            font={"size": 13, "color": TEXT},
        )  # fmt: skip
        figure.update_xaxes(visible=False).update_yaxes(visible=False)
    styled(figure, title=title, subtitle=subtitle, **layout)
    entries = [trace.name or "" for trace in figure.data if trace.showlegend is not False and trace.name]
    lines = _legend_lines(entries) if len(entries) > 1 or any(trace.showlegend for trace in figure.data) else 0
    heading = _heading(title, subtitle)[1]
    top = heading + _LEGEND_LINE * lines + 12
    inner, bottom = (44, 10) if nothing else (inner, bottom)
    height = top + inner + bottom
    return figure.update_layout(
        height=height,
        margin={"t": top, "b": bottom, **({"l": _SIDE} if nothing else {})},
        showlegend=lines > 0,
        legend={
            "orientation": "h", "xref": "container", "x": (_SIDE - 5) / NARROWEST, "xanchor": "left",
            "yref": "container", "y": 1 - heading / height, "yanchor": "top", "traceorder": "normal",
        },
    )  # fmt: skip


def in_legend(figure: go.Figure, name: str, drawn: type[Any], **style: Mapping[str, Any] | str) -> None:
    """Put a mark into the legend that has no service's colour, for traces that have the colours of many.

    A click on it hides all traces whose `legendgroup` is its name.
    """
    figure.add_trace(drawn(x=[None], y=[None], name=name, legendgroup=name, showlegend=True, hoverinfo="skip", **style))


def _heading(title: str, subtitle: str) -> tuple[str, int]:
    """Break title and subtitle into lines: their text, and how many pixels they take from the top."""
    room = NARROWEST - 2 * _SIDE
    large, small = wrapped(title, room, _TITLE_SIZE), wrapped(subtitle, room, _SUBTITLE_SIZE) if subtitle else []
    below = [f"<span style='font-size: {_SUBTITLE_SIZE}px'>{line}</span>" for line in small]
    return "<br>".join([*large, *below]), _TOP + _TITLE_LINE * (len(large) + len(small)) + 4


def _legend_lines(entries: Sequence[str]) -> int:
    """Say how many lines a legend has at the narrowest; where it breaks all entries are as wide as the widest."""
    room = NARROWEST - 2 * _SIDE
    widths = [text_width(entry, 12) + _LEGEND_MARK for entry in entries]
    if sum(widths) <= room:
        return 1
    each = max(int(room // max(widths)), 1)
    return -(-len(entries) // each)
