"""How far the clocks of hosts are apart: every pair as a point with the offsets that its calls allow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import plotly.graph_objects as go
import polars as pl

from tracelab.clocks.skews import clock_skew
from tracelab.conforming import takes_any_frame
from tracelab.figures.parts.style import GRID, TEXT, first_rows, framed, in_legend, label_rows, of_all, time_unit
from tracelab.markup import plain
from tracelab.units import format_duration

if TYPE_CHECKING:
    from tracelab.analysis.grouping import Spans

_APART: Final = "#c2531e"
_TOGETHER: Final = "#2f7fc1"
_ROOM: Final = 0.08
_LENGTHS: Final = ("offset", "lower", "upper", "largest_violation", "drift", "correction")


@takes_any_frame
def plot_clock_skew(spans: Spans, *, first: int = 20) -> go.Figure:
    r"""Draw how far the clocks of hosts are apart, as the calls between them tell.

    Parameters
    ----------
    spans
        A span frame.
    first
        How many pairs of hosts to draw, those first that `clock_skew` gives first.

    Returns
    -------
    A plotly Figure: one row per pair, a point where the offset of the host's clock is estimated, and a line over all
    offsets that its calls allow, which runs to the edge where they give no bound; one colour for clocks that cannot
    agree, one for the others.

    Raises
    ------
    TracelabError
        `first` is no number of rows.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> call = '''
    ... web::GET    ....==========  kind=client
    ...   db::query .======         kind=server
    ... '''
    >>> plot_clock_skew(draw("\n".join([call] * 3))).data[1].x
    (-5.0,)
    """
    found = clock_skew(spans)
    numbers = found.with_columns(pl.col(_LENGTHS).to_physical())
    top = first_rows(numbers, first).with_row_index("row")
    ends = [abs(end) for name in ("offset", "lower", "upper") for end in top[name].drop_nulls()]
    unit, scale = time_unit(float(max(ends, default=0)))
    left, right = _range(top, scale)
    figure = go.Figure()
    for name, color, rows in (
        ("clocks that cannot agree", _APART, top.filter("skewed")),
        ("clocks that may agree", _TOGETHER, top.filter(~pl.col("skewed"))),
    ):
        _add_rows(figure, rows, name, color, scale, (left, right))
        if rows.height:
            in_legend(figure, name, go.Scatter, mode="lines+markers", marker={"size": 10, "color": color})
    figure.add_vline(x=0, line={"color": TEXT, "width": 1})
    figure.update_xaxes(title=f"ahead of the other clock ({unit})", gridcolor=GRID, range=[left, right])
    label_rows(figure, top["host"].to_list(), below=[_below(row) for row in top.iter_rows(named=True)])
    apart = int(found["skewed"].sum())
    return framed(
        figure,
        title=f"How far clocks are apart{of_all(first, found.height)}",
        subtitle=f"The clocks of {apart:,} of {found.height:,} pairs of hosts cannot agree; "
        "lines are the offsets that their calls allow",
        inner=36 * max(top.height, 1),
        nothing="" if top.height else "No calls between hosts",
        hovermode="closest",
    )


def _add_rows(
    figure: go.Figure, rows: pl.DataFrame, name: str, color: str, scale: int, edges: tuple[float, float]
) -> None:
    """Draw the intervals of some pairs, and a point on each."""
    lines = [
        (edges[0] if row["lower"] is None else row["lower"] / scale,
         edges[1] if row["upper"] is None else row["upper"] / scale,
         row["row"])
        for row in rows.iter_rows(named=True)
    ]  # fmt: skip
    figure.add_scatter(
        x=[x for low, high, _ in lines for x in (low, high, None)],
        y=[y for *_, place in lines for y in (place, place, None)],
        mode="lines",
        name=name,
        legendgroup=name,
        showlegend=False,
        line={"color": color, "width": 3},
        opacity=0.55,
        hoverinfo="skip",
    )
    points = rows.filter(pl.col("offset").is_not_null())
    figure.add_scatter(
        x=(points["offset"] / scale).to_list(),
        y=points["row"].to_list(),
        mode="markers",
        name=name,
        legendgroup=name,
        showlegend=False,
        marker={"size": 10, "color": color},
        hoverinfo="text",
        hovertext=[_said(row) for row in points.iter_rows(named=True)],
    )


def _range(rows: pl.DataFrame, scale: int) -> tuple[float, float]:
    """Give the part of the axis that holds all bounds, and nothing at all."""
    ends = [0.0, *(end / scale for name in ("offset", "lower", "upper") for end in rows[name].drop_nulls())]
    room = (max(ends) - min(ends)) * _ROOM or 1.0
    return min(ends) - room, max(ends) + room


def _below(row: dict[str, Any]) -> str:
    """Write small what a row rests on."""
    return f"beside {row['reference']}, {row['outside']:,} of {row['calls']:,} calls outside"


def _said(row: dict[str, Any]) -> str:
    """Say what is known of a pair, as markup."""
    bounds = ["no bound" if row[name] is None else _signed(row[name]) for name in ("lower", "upper")]
    lines = [
        f"<b>{plain(row['host'], longest=120)}</b> beside {plain(row['reference'], longest=120)}",
        f"offset {_signed(row['offset'])} ({bounds[0]} to {bounds[1]})",
        f"{row['agreeing']:,} of {row['calls']:,} calls allow it",
        f"{row['calls_to_host']:,} calls to the host, {row['calls_to_reference']:,} from it",
    ]
    if row["outside"]:
        furthest = format_duration(row["largest_violation"])
        lines.append(f"{row['outside']:,} lie outside of their callers, by up to {furthest}")
    if row["drift"] is not None:
        lines.append(f"moves by {_signed(row['drift'])} meanwhile")
    if row["correction"]:
        lines.append(f"correct_skew adds {_signed(row['correction'])}")
    return "<br>".join(lines)


def _signed(nanoseconds: int) -> str:
    return ("+" if nanoseconds > 0 else "") + format_duration(nanoseconds)
