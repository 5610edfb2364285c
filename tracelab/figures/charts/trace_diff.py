"""Two cohorts of traces as one flame graph: red where more time goes now, blue where less does."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import plotly.graph_objects as go
import polars as pl
import polars.selectors as cs

from tracelab.differences.paths.diffing import differences_of
from tracelab.figures.charts.gantt import HALO, INSIDE, time_axis
from tracelab.figures.parts.axes import linear_duration_axis
from tracelab.figures.parts.style import LINE, framed, percent, time_unit
from tracelab.markup import plain
from tracelab.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracelab.differences.paths.diffing import Totals

_NARROWEST: Final = 1_000
_MOST: Final = 2_000
_HIGHEST: Final = 2_400
_SMALLEST: Final = 9
"""Text that would have to be smaller than this many points is left out."""
_SAME: Final = (138, 138, 138)
_LESS: Final = (63, 134, 198)
_MORE: Final = (207, 75, 43)


def plot_trace_diff(
    before: Any, after: Any, *, quantile: float = 0.95, confidence: float = 0.95, resamples: int = 200
) -> go.Figure:
    """Draw what changed between two cohorts of traces, call path below call path.

    Parameters
    ----------
    before, after, quantile, confidence, resamples
        As in `trace_diff`.

    Returns
    -------
    A plotly Figure: one bar per call path below that of its caller, as wide as the time that it and what is below it
    take of the critical path of a trace on average, in the cohort where that is more; red where it takes more time in
    `after`, blue where it takes less, the stronger the larger the difference. Bars that are too narrow to be seen are
    left out.

    Raises
    ------
    TracelabError
        As in `trace_diff`.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> before = draw('''
    ... api    ======
    ...   db   .==
    ... ''')
    >>> after = draw('''
    ... api    =========
    ...   db   .=====
    ... ''')
    >>> plot_trace_diff(before, after).data[0].y
    (0, 1)
    """
    found, totals = differences_of(before, after, quantile=quantile, confidence=confidence, resamples=resamples)
    bars = _laid_out(found.with_columns(cs.duration().dt.total_nanoseconds()))
    total = float((bars["left"] + bars["width"]).to_numpy().max(initial=0))
    seen = bars.filter((pl.col("width") > 0) & (pl.col("width") * _NARROWEST >= total))
    drawn = seen.sort("width", "call_path", descending=[True, False]).head(_MOST).sort("level", "left")
    unit, scale = time_unit(total)
    differences = drawn["critical_difference"].to_numpy()
    furthest = max(float(np.abs(differences).max(initial=0)), 1.0)
    figure = go.Figure(
        go.Bar(
            base=(drawn["left"] / scale).to_list(),
            x=(drawn["width"] / scale).to_list(),
            y=drawn["level"].to_list(),
            orientation="h",
            width=0.94,
            showlegend=False,
            text=[plain(name, longest=40) for name in drawn["name"]],
            textposition="inside",
            insidetextanchor="start",
            insidetextfont={"color": INSIDE, "shadow": HALO},
            constraintext="inside",
            textangle=0,
            # As texts, since plotly.js complains of bars with texts inside whose colours are numbers.
            marker={
                "color": [_color(share) for share in (differences / furthest).tolist()],
                "line": {"color": LINE, "width": 0.5},
            },
            hoverinfo="text",
            hovertext=[_said(row) for row in drawn.iter_rows(named=True)],
        )
    )
    levels = int(drawn["level"].to_numpy().max(initial=0)) + 1
    figure.update_yaxes(range=[levels - 0.5, -0.5], visible=False, fixedrange=True)
    axis = time_axis(round(total)) | linear_duration_axis(total, scale=scale, unit=unit)
    figure.update_xaxes(**axis | {"title": f"time on the critical path of a trace, on average ({unit})"})
    return framed(
        figure,
        title=_verdict(totals),
        subtitle=f"{totals.before_traces:,} traces before, {totals.after_traces:,} after"
        f"{_interval(totals, confidence)}; red takes more time now, blue less; as wide as the larger of both",
        inner=min(26 * levels, _HIGHEST),
        nothing="" if drawn.height else "No trace takes any time",
        hovermode="closest",
    ).update_layout(margin={"l": 16}, uniformtext={"minsize": _SMALLEST, "mode": "hide"})


def _color(share: float) -> str:
    """Mix the colour of a difference, from -1, which is all blue, to 1, which is all red."""
    end = _MORE if share > 0 else _LESS
    mixed = (round(same + (own - same) * abs(share)) for same, own in zip(_SAME, end, strict=True))
    return f"rgb({', '.join(map(str, mixed))})"


def _verdict(totals: Totals) -> str:
    """Say how the means differ, and how sure that is."""
    if not totals.before_traces and not totals.after_traces:
        return "No traces"
    if not totals.difference and totals.before_traces and totals.after_traces:
        return f"Traces take {format_duration(totals.after_mean)} on average, as before"
    if not totals.before_traces or not totals.after_traces:
        return f"Traces take {format_duration(totals.after_mean or totals.before_mean)} on average, of one cohort alone"
    change = "longer" if totals.difference > 0 else "shorter"
    share = f" ({percent(round(abs(totals.difference) / totals.before_mean, 3))})" if totals.before_mean else ""
    return f"Traces take {format_duration(abs(totals.difference))}{share} {change} on average"


def _interval(totals: Totals, confidence: float) -> str:
    """Say between which bounds the difference of the means lies, if that is known."""
    if isnan(totals.lower):
        return ""
    between = f"{_signed(round(totals.lower))} to {_signed(round(totals.upper))}"
    return f"; {percent(round(confidence, 4))} interval {between}"


def _laid_out(found: pl.DataFrame) -> pl.DataFrame:
    """Give every call path its level, its width with what is below it, and where it begins."""
    ordered = found.sort("number")
    parent = ordered["parent"].to_numpy()
    own = np.maximum(ordered["before_critical"].to_numpy(), ordered["after_critical"].to_numpy())
    level = (parent >= 0).astype(np.int64)
    at = parent.copy()
    while (above := np.flatnonzero(at >= 0)).size:  # twice as far up each time
        level[above], at[above] = level[above] + level[at[above]], at[at[above]]
    width = own.astype(np.float64)
    deepest = np.argsort(-level, kind="stable")
    for here in np.split(deepest, np.flatnonzero(np.diff(level[deepest])) + 1)[:-1]:
        np.add.at(width, parent[here], width[here])
    left = np.zeros(parent.size)
    paths = ordered["call_path"].to_list()
    reached = np.zeros(parent.size)  # how far the children of each are drawn already
    top = 0.0
    for number in sorted(range(parent.size), key=lambda number: (level[number], paths[number])):
        above = parent[number]
        if above < 0:
            left[number], top = top, top + width[number]
        else:
            left[number] = left[above] + reached[above]
            reached[above] += width[number]
    places = pl.DataFrame({"number": ordered["number"], "level": level, "left": left, "width": width})
    return ordered.join(places, on="number", how="left", maintain_order="left")


def _said(row: Mapping[str, Any]) -> str:
    """Say what is known of a call path, as markup."""
    before, after = (row[name] for name in ("before_critical", "after_critical"))
    lines = [
        f"<b>{plain(row['name'], longest=80)}</b> of {plain(row['service_name'], longest=60)}",
        f"{format_duration(before)} of the critical path before, {format_duration(after)} after",
        f"{row['before_count']:.3g} spans a trace before, {row['after_count']:.3g} after",
    ]
    if row["critical_lower"] is not None:
        lines.append(f"difference from {_signed(row['critical_lower'])} to {_signed(row['critical_upper'])}")
    if row["change"] != "both":
        lines.append({"new": "new", "gone": "gone", "moved": "called from elsewhere before"}[row["change"]])
    rates = [row[name] for name in ("before_error_rate", "after_error_rate")]
    if any(rates):
        lines.append(" before, ".join(percent(round(rate or 0, 4)) + " failed" for rate in rates) + " after")
    return "<br>".join(lines)


def _signed(nanoseconds: int) -> str:
    """Write a length of time with its sign."""
    return ("-" if nanoseconds < 0 else "+") + format_duration(abs(nanoseconds))
