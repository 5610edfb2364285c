"""The gantt: the timeline of one trace, and the arrays that every drawing of one is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

import plotly.graph_objects as go
import polars as pl

from tracelab.analysis.timeline import (
    path_marks,
    telling_rows,
    timeline_path,
    timeline_rows,
    trace_length,
    trace_spans,
)
from tracelab.colors import CRITICAL_PATH, ERROR
from tracelab.conforming import takes_any_frame
from tracelab.figures.parts.style import GRID, colors_in, first_rows, styled, time_unit
from tracelab.markup import named, plain
from tracelab.options import choice
from tracelab.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracelab.analysis.grouping import Spans

Keep: TypeAlias = Literal["first", "telling"]

ROW_HEIGHT: Final = 20
BAR_WIDTH: Final = 0.72
# The edges tell dark marks from dark pages.
_EDGE: Final = {"color": "rgba(255, 255, 255, 0.6)", "width": 1}
ERROR_STYLE: Final = {"color": ERROR, "size": 9, "symbol": "x", "line": _EDGE}
PATH_STYLE: Final = {"color": CRITICAL_PATH, "line": _EDGE}
EARLY_STYLE: Final = {"color": "#e0690c", "size": 10, "symbol": "triangle-left", "line": _EDGE}
"""What marks a span that starts before its parent."""
INSIDE: Final = "white"
HALO: Final = "0 0 2px #000, 0 0 3px #000, 0 0 4px #000"
"""The colour of text in bars, and what stands around it, so that it can be read whatever their colour."""
_AXIS_HEIGHT: Final = 62
_LEGEND_LINE: Final = 20
_LEGEND_MARK: Final = 58
_LETTER: Final = 7
_NARROWEST: Final = 700
_LONGEST_LABEL: Final = 48
_SHORTEST_NAME: Final = 30
_DEEPEST_INDENT: Final = 12
_SPACE: Final = "\u00a0"
_ROOM: Final = 0.13
_QUIET: Final = "#797979"
_CLEAR: Final = "rgba(0, 0, 0, 0)"
_HOVERED: Final = (
    "name", "service_name", "kind", "length", "start", "self_time", "below", "is_error", "fragment", "early", "late",
)  # fmt: skip


@takes_any_frame
def plot_gantt(spans: Spans, trace_id: str | None = None, *, first: int = 200, keep: Keep = "first") -> go.Figure:
    """Draw a trace as a timeline: a row for each span, in tree order.

    Bars are coloured by service, errors are marked at their end, and a dark line runs over the critical path. A span
    that starts before its parent, as those do whose host has another clock, has a triangle at its start. For traces
    of thousands of spans use `widgets.Gantt`, which draws only what is in view.

    Parameters
    ----------
    spans
        A span frame.
    trace_id
        The trace to draw; the slowest one if there is none.
    first
        How many rows to draw at most; the title says so where there are more.
    keep
        Which ones where there are more: the `"first"`, or the most `"telling"`: spans that failed, then those with the
        most time on the critical path, then the longest, each with the spans that it stands below.

    Returns
    -------
    A plotly Figure, time in the unit that its axis names.

    Raises
    ------
    TracelabError
        There is no such trace, or none at all, or `first` is no number of rows, or `keep` is none of both.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... api    =====
    ...   db   .===!
    ... ''')
    >>> [bar.name for bar in plot_gantt(spans, spans["trace_id"][0]).data if bar.name]
    ['api', 'db', 'critical path', 'error']
    """
    telling = choice("keep", keep, get_args(Keep)) == "telling"
    trace = trace_spans(spans, trace_id)
    rows, path = timeline_rows(trace), timeline_path(trace)
    total = trace_length(rows)
    most = first_rows(rows, first).height
    shown = telling_rows(rows, path, most=most) if telling else rows.head(most)
    marks = path_marks(path, shown, low=0, high=total)
    colors = colors_in(spans, shown["service_name"])
    figure = go.Figure(_traces(bar_columns(shown, total=total), marks, colors, total=total))
    figure.update_yaxes(
        **row_axis(shown),
        range=[shown.height - 0.5, -0.5],
        showgrid=False,
        zeroline=False,
        fixedrange=shown.height <= 40,
    )
    figure.update_xaxes(**time_axis(total))
    which = f"the {most:,} most telling" if telling else f"the first {most:,}"
    more = f", {which} of {rows.height:,} spans" if rows.height > most else f", {_spans(rows.height)}"
    styled(figure, title=timeline_title(rows, total=total) + more, barmode="overlay", hovermode="closest")
    bottom = _AXIS_HEIGHT + _LEGEND_LINE * _legend_lines(figure)
    return figure.update_layout(
        height=figure.layout.margin.t + ROW_HEIGHT * max(shown.height, 4) + bottom,
        margin={"l": 10, "b": bottom},
        legend={"x": 0, "xref": "container", "y": 0, "yref": "container", "yanchor": "bottom"},
    )  # fmt: skip


def _legend_lines(figure: go.Figure) -> int:
    """Say how many lines the legend takes on a narrow page, where plotly gives all entries the width of the widest."""
    names = [trace.name for trace in figure.data if trace.name and trace.showlegend is not False]
    across = _NARROWEST // (max(map(len, names)) * _LETTER + _LEGEND_MARK)
    return -(-len(names) // max(across, 1))


def timeline_title(rows: pl.DataFrame, *, total: int) -> str:
    """Say what a timeline shows: its root, and how long it took."""
    service, name = rows.select("service_name", "name").row(0)
    took = total if (rows["start"] + rows["length"]).max() else 0  # a drawing of no time at all still has an axis
    return f"{plain(named(service), longest=60)}: {plain(name, longest=80)}, {format_duration(took)}"


def time_span(total: int) -> tuple[int, int]:
    """Give the nanoseconds that a timeline shows: the whole trace and a little room on both sides."""
    return -total // 100, total + total // 50 + 1


def time_axis(total: int) -> dict[str, Any]:
    """Give the axis of a trace that is so many nanoseconds long."""
    unit, scale = time_unit(total)
    return {
        "title": f"time since the trace began ({unit})",
        "gridcolor": GRID,
        "zeroline": False,
        "range": [end / scale for end in time_span(total)],
    }


def bar_columns(rows: pl.DataFrame, *, total: int, seen: int | None = None) -> pl.DataFrame:
    """Add what bars need: `base` and `x` in the axis' unit, and the text of the hover label in `hover`.

    A span that took no time, or nearly none, still gets a bar that can be told from nothing, where `seen` nanoseconds
    are in view (all of them if it is not said).
    """
    scale = time_unit(total)[1]
    least = (total if seen is None else seen) / 700 / scale
    return rows.with_columns(
        base=pl.col("start") / scale,
        x=(pl.col("length") / scale).clip(lower_bound=least),
        hover=pl.Series([_hover(lines) for lines in tips(rows)], dtype=pl.String),
    )


def bar_arrays(bars: pl.DataFrame) -> dict[str, list[Any]]:
    """Give the arrays of a trace of bars."""
    return {
        "base": bars["base"].to_list(),
        "x": bars["x"].to_list(),
        "y": bars["row"].to_list(),
        "hovertext": bars["hover"].to_list(),
    }


def path_arrays(marks: pl.DataFrame, *, total: int) -> dict[str, list[Any]]:
    """Give the arrays of the bars that mark the critical path."""
    scale = time_unit(total)[1]
    return {
        "base": (marks["start"] / scale).to_list(),
        "x": (marks["length"] / scale).to_list(),
        "y": marks["row"].to_list(),
    }


def error_arrays(bars: pl.DataFrame) -> dict[str, list[Any]]:
    """Give the arrays of the marks at the ends of failed spans."""
    failed = bars.filter("is_error")
    return {"x": (failed["base"] + failed["x"]).to_list(), "y": failed["row"].to_list()}


def early_arrays(bars: pl.DataFrame) -> dict[str, list[Any]]:
    """Give the arrays of the marks at the starts of spans that start before their parents."""
    early = bars.filter(pl.col("early") > 0)
    return {"x": early["base"].to_list(), "y": early["row"].to_list()}


def length_arrays(bars: pl.DataFrame, *, total: int, low: int, high: int) -> dict[str, Any]:
    """Give the texts that say how long spans took: behind the bar, before it, or in it, where there is room."""
    scale = time_unit(total)[1]
    left, right = low / scale, high / scale
    room = (right - left) * _ROOM
    places = []
    for base, x, length, failed in bars.select("base", "x", "length", "is_error").iter_rows():
        text = format_duration(length).replace(" ", _SPACE)
        gap = _SPACE * (3 if failed else 1)
        end = base + x
        if end < left or base > right:
            places.append((None, "middle right", "", _QUIET))
        elif end + room <= right:
            places.append((end, "middle right", gap + text, _QUIET))
        elif base - room >= left:
            places.append((base, "middle left", text + _SPACE, _QUIET))
        else:
            places.append((min(end, right), "middle left", text + gap, INSIDE))
    xs, positions, texts, colors = zip(*places, strict=True) if places else ((), (), (), ())
    return {
        "x": list(xs),
        "y": bars["row"].to_list(),
        "text": list(texts),
        "textposition": list(positions),
        "textfont.color": list(colors),
        "textfont.shadow": [HALO if color == INSIDE else "none" for color in colors],
    }


def row_axis(rows: pl.DataFrame) -> dict[str, object]:
    """Label the rows with the names of their spans, indented by depth.

    Plotly aligns tick labels on the right; letters of one width, padded to one length, align them on the left.
    """
    # Indents count from the least deep row that is drawn, or as far as there is room.
    depths = rows["depth"].to_numpy().astype(int)
    cut = max(int(depths.max(initial=0)) - _DEEPEST_INDENT, int(depths.min(initial=2**31)) if depths.size else 0)
    texts = []
    for name, depth, fragment in rows.select("name", "depth", "fragment").iter_rows():
        indent = "  " * max(0, depth - cut) + ("⚠ " if fragment else "")
        room = max(_LONGEST_LABEL - len(indent), _SHORTEST_NAME)
        texts.append(indent + (name if len(name) <= room else name[: room - 1] + "…"))
    width = max(map(len, texts), default=0)
    return {
        "tickmode": "array",
        "tickvals": rows["row"].to_list(),
        "ticktext": [plain(text.ljust(width)).replace(" ", _SPACE) for text in texts],
        "tickfont": {"size": 11, "family": "ui-monospace, Menlo, Consolas, DejaVu Sans Mono, monospace"},
        "automargin": True,
    }


def _traces(
    bars: pl.DataFrame, marks: pl.DataFrame, colors: dict[str, str], *, total: int
) -> list[go.Bar | go.Scatter]:
    """Give one trace of bars per service, then the critical path, the lengths and the errors."""
    low, high = time_span(total)
    services = [
        go.Bar(
            **bar_arrays(bars.filter(pl.col("service_name") == service)),
            name=plain(named(service)),
            orientation="h",
            width=BAR_WIDTH,
            marker={"color": color, "line": {"width": 0}},
            hoverinfo="text",
        )
        for service, color in colors.items()
    ]
    path = go.Bar(
        **path_arrays(marks, total=total),
        name="critical path",
        orientation="h",
        width=0.28,
        marker=PATH_STYLE,
        hoverinfo="skip",
    )
    texts = length_arrays(bars, total=total, low=low, high=high)
    lengths = go.Scatter(
        x=texts["x"], y=texts["y"], text=texts["text"], textposition=texts["textposition"], mode="text",
        textfont={"size": 10, "color": texts["textfont.color"], "shadow": texts["textfont.shadow"]},
        hoverinfo="skip", showlegend=False,
    )  # fmt: skip
    errors = go.Scatter(**error_arrays(bars), name="error", mode="markers", marker=ERROR_STYLE, hoverinfo="skip")
    early = early_arrays(bars)
    marks_of_clocks = [
        go.Scatter(**early, name="starts before its parent", mode="markers", marker=EARLY_STYLE, hoverinfo="skip")
    ]
    return [*services, path, lengths, errors, *(marks_of_clocks if early["x"] else [])]


def clock_notes(row: Mapping[str, Any]) -> list[str]:
    """Say where a span does not lie within its parent: a start before it is most often another host's clock."""
    notes = []
    if row["early"]:
        notes.append(f"starts {format_duration(row['early'])} before its parent (the clocks of their hosts may differ)")
    if row["late"]:
        notes.append(f"ends {format_duration(row['late'])} after its parent")
    return notes


def tips(rows: pl.DataFrame) -> list[list[str]]:
    """Give the lines that tell about each row: its name first. They are text as it was sent, to be escaped or not."""
    return [_tip(row) for row in rows.select(_HOVERED).iter_rows(named=True)]


def _tip(row: dict[str, Any]) -> list[str]:
    lines = [
        row["name"],
        f"{named(row['service_name'])}, {row['kind']}",
        f"{format_duration(row['length'])}, from {format_duration(row['start'])}",
    ]
    if row["below"]:
        lines.append(f"self {format_duration(row['self_time'])}, {_spans(row['below'])} below")
    notes = {"error": row["is_error"], "its parent is missing": row["fragment"]}
    return [*lines, *(note for note, holds in notes.items() if holds), *clock_notes(row)]


def _hover(lines: list[str]) -> str:
    name, *rest = (plain(line, longest=120) for line in lines)
    return "<br>".join([f"<b>{name}</b>", *rest])


def _spans(count: int) -> str:
    return f"{count:,} spans" if count != 1 else "1 span"
