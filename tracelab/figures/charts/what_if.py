"""What if: end-to-end durations before a change and after it, between an optimistic and a pessimistic bound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import plotly.graph_objects as go
import polars as pl
import polars.selectors as cs

from tracelab.analysis.latency.percentiles import QUANTILES
from tracelab.figures.parts.axes import linear_duration_axis
from tracelab.figures.parts.style import (
    GRID,
    LINE,
    TEXT,
    framed,
    in_legend,
    label_rows,
    length_text,
    percent,
    time_unit,
)
from tracelab.retiming.answering import what_if
from tracelab.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracelab.differences.sides import Where
    from tracelab.retiming.changing import Length, Part

_FASTER: Final = "#2f7fc1"
_SLOWER: Final = "#c2531e"
_AFTER: Final = "after, between the bounds"
_ROOM: Final = 1.06


def plot_what_if(
    spans: Any,
    where: Where,
    *,
    factor: float | None = None,
    duration: Length | None = None,
    remove: bool = False,
    part: Part = "whole",
    quantiles: Sequence[float] | float = QUANTILES,
    confidence: float = 0.95,
    resamples: int = 200,
) -> go.Figure:
    """Draw how long traces would take from end to end if some of their spans took less time, or more.

    Parameters
    ----------
    spans, where, factor, duration, remove, part, quantiles, confidence, resamples
        As in `what_if`.

    Returns
    -------
    A plotly Figure: one row for the mean and for each quantile, a line where it is before, and a bar from the
    optimistic to the pessimistic bound of what it is after; both ends are marked, so that bounds that are the same show
    as one mark.

    Raises
    ------
    TracelabError
        As in `what_if`.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... api    ==========
    ...   db   .=======
    ... ''')
    >>> plot_what_if(spans, "{ name = `db` }", remove=True, quantiles=0.5).data[1].x
    (3.0, 3.0)
    """
    found = what_if(
        spans,
        where,
        factor=factor,
        duration=duration,
        remove=remove,
        part=part,
        quantiles=quantiles,
        confidence=confidence,
        resamples=resamples,
    )
    rows = found.with_columns(cs.duration().dt.total_nanoseconds()).with_row_index("row")
    longest = float(rows.select(pl.max_horizontal("before", "after_pessimistic").max()).item() or 0)
    unit, scale = time_unit(longest)
    figure = go.Figure()
    hover = [_said(row, confidence) for row in rows.iter_rows(named=True)]
    figure.add_scatter(
        x=(rows["before"] / scale).to_list(),
        y=rows["row"].to_list(),
        mode="markers",
        name="before",
        marker={"symbol": "line-ns-open", "size": 22, "color": TEXT, "line": {"width": 2, "color": TEXT}},
        hoverinfo="text",
        hovertext=hover,
    )
    for row, text in zip(rows.iter_rows(named=True), hover, strict=True):
        color = _SLOWER if row["after_pessimistic"] > row["before"] else _FASTER
        figure.add_scatter(
            x=[row["after_optimistic"] / scale, row["after_pessimistic"] / scale],
            y=[row["row"], row["row"]],
            mode="lines+markers",
            name=_AFTER,
            legendgroup=_AFTER,
            showlegend=False,
            line={"color": color, "width": 7},
            marker={"color": color, "size": 11},
            hoverinfo="text",
            hovertext=[text, text],
        )
    if rows.height:
        mark = {"color": LINE, "size": 11}
        in_legend(figure, _AFTER, go.Scatter, mode="lines+markers", marker=mark, line={"color": LINE, "width": 7})
    figure.update_xaxes(
        title=f"duration from end to end ({unit})",
        gridcolor=GRID,
        linecolor=LINE,
        range=[0, max(longest, 1.0) * _ROOM / scale],
        **linear_duration_axis(longest, scale=scale, unit=unit),
    )
    label_rows(figure, rows["measure"].to_list(), below=[_small(row) for row in rows.iter_rows(named=True)])
    return framed(
        figure,
        title="What if: durations of traces before and after",
        subtitle=_subtitle(found, factor=factor, remove=remove, part=part, duration=duration),
        inner=44 * max(rows.height, 1),
        nothing="" if rows.height else "No traces",
        hovermode="closest",
    )


def _subtitle(found: pl.DataFrame, *, factor: float | None, remove: bool, part: str, duration: Length | None) -> str:
    """Say what was changed, and in how many traces it changes anything."""
    if not found.height:
        return ""
    spans, traces, changed = (int(found[name][0]) for name in ("chosen_spans", "traces", "changed_traces"))
    what = "their own work" if part == "self" else "their time"
    how = (
        "removed" if remove and part == "whole" else f"without {what}" if remove
        else f"set to {length_text(duration)}" if duration is not None
        else f"with {float(factor or 0):g} times {what}"
    )  # fmt: skip
    return (
        f"{spans:,} span{'' if spans == 1 else 's'} {how}; {changed:,} of {traces:,} traces may take more or less time"
    )


def _small(row: dict[str, Any]) -> str:
    """Say what is saved, as small text below the name of a row."""
    least, most = row["saved_share_pessimistic"], row["saved_share_optimistic"]
    if least is None or most is None:
        return ""
    # Rounded first and with 0.0 added, so that nothing is not written as -0.0.
    one, other = (f"{round(-100 * share, 1) + 0.0:+.1f} %" for share in (most, least))
    return one if one == other else f"{one} to {other}"


def _said(row: dict[str, Any], confidence: float) -> str:
    """Say what is known of a measure, as markup."""
    lines = [
        f"<b>{row['measure']}</b> of {row['traces']:,} traces",
        f"before: {format_duration(row['before'])}",
        f"after: {format_duration(row['after_optimistic'])} (optimistic)",
        f"after: {format_duration(row['after_pessimistic'])} (pessimistic)",
    ]
    if row["saved_lower"] is not None:
        saved = f"{format_duration(row['saved_lower'])} to {format_duration(row['saved_upper'])}"
        lines.append(f"saved: {saved} with a confidence of {percent(confidence)}")
    return "<br>".join(lines)
