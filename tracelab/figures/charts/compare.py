"""What sets a selection apart: every difference as a point with its interval."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import plotly.graph_objects as go
import polars as pl

from tracelab.differences.attributes.comparing import compare
from tracelab.figures.parts.style import GRID, LINE, TEXT, first_rows, framed, in_legend, label_rows, of_all, percent
from tracelab.markup import plain

if TYPE_CHECKING:
    from tracelab.differences.sides import Unit, Where

_PERCENT: Final = 100
_EDGE: Final = 5.0
_MORE: Final = "#c2531e"
_LESS: Final = "#2f7fc1"
_OF_NUMBERS: Final = "; diamonds: how much more often a number of the selection is the larger one (Cliff's delta)"
_SYMBOLS: Final = {True: "diamond", False: "circle"}


def plot_compare(
    selection: Any,
    baseline: Any = None,
    *,
    where: Where | None = None,
    unit: Unit = "trace",
    q: float = 0.05,
    pairs: bool = True,
    confidence: float = 0.95,
    first: int = 20,
) -> go.Figure:
    r"""Draw what sets some traces or spans apart from others.

    Parameters
    ----------
    selection, baseline, where, unit, q, pairs, confidence
        As in `compare`.
    first
        How many differences to draw, those first that `compare` gives first.

    Returns
    -------
    A plotly Figure: one row per difference, a point where its effect is, with the interval; a circle for a difference
    of shares, a diamond for numbers. What only follows from others is drawn fainter.

    Raises
    ------
    TracelabError
        As in `compare`, or `first` is no number of rows.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> fast = "\n".join("api::GET / ==== version=1.8 \n\n" for _ in range(20))
    >>> slow = "\n".join("api::GET / ========= version=1.9 \n\n" for _ in range(20))
    >>> plot_compare(draw(fast + slow), where="traceDuration > 5ms").data[0].x
    (100.0,)
    """
    found = compare(selection, baseline, where=where, unit=unit, q=q, pairs=pairs, confidence=confidence)
    top = first_rows(found, first).with_row_index("row")
    figure = go.Figure()
    for name, color, rows in (
        ("more in the selection", _MORE, top.filter(pl.col("effect") > 0)),
        ("less in the selection", _LESS, top.filter(pl.col("effect") <= 0)),
    ):
        own = rows["explained_by"].is_null().to_list()
        figure.add_scatter(
            x=(rows["effect"] * _PERCENT).to_list(),
            y=rows["row"].to_list(),
            mode="markers",
            name=name,
            legendgroup=name,
            showlegend=False,
            marker={
                "size": 10,
                "color": color,
                "opacity": [1.0 if alone else 0.45 for alone in own],
                "symbol": [_SYMBOLS[kind == "number"] for kind in rows["kind"]],
            },
            error_x={
                "type": "data",
                "symmetric": False,
                "array": ((rows["effect_upper"] - rows["effect"]) * _PERCENT).to_list(),
                "arrayminus": ((rows["effect"] - rows["effect_lower"]) * _PERCENT).to_list(),
                "color": LINE,
                "thickness": 1,
                "width": 4,
            },
            hoverinfo="text",
            hovertext=[_said(row, unit) for row in rows.iter_rows(named=True)],
        )
        if rows.height:
            in_legend(figure, name, go.Scatter, mode="markers", marker={"size": 10, "color": color})
    figure.add_vline(x=0, line={"color": TEXT, "width": 1})
    figure.update_xaxes(
        title="effect: selection less baseline",
        gridcolor=GRID,
        range=_range(top),
        tickformat="+",
        ticksuffix=" %",
    )
    names = [_name(row) for row in top.iter_rows(named=True)]
    label_rows(figure, [name for name, _ in names], below=[small for _, small in names])
    alone = found["explained_by"].null_count()
    return framed(
        figure,
        title=f"What sets the selection apart{of_all(first, found.height)}",
        subtitle=f"Counted in {unit}s; of what is given no more than {percent(q)} is expected to be chance; "
        f"{alone:,} of {found.height:,} stand on their own, the fainter ones follow from them"
        + (_OF_NUMBERS if (top["kind"] == "number").any() else ""),
        inner=36 * max(top.height, 1),
        nothing="" if top.height else "Nothing sets it apart",
        hovermode="closest",
    )


def _range(rows: pl.DataFrame) -> list[float]:
    """Give the part of the axis that holds all intervals, and nothing at all."""
    low, high = rows["effect_lower"].min(), rows["effect_upper"].max()
    ends = [0.0, *(float(end) * _PERCENT for end in (low, high) if isinstance(end, float))]
    return [min(ends) - _EDGE, max(ends) + _EDGE]


def _name(row: dict[str, Any]) -> tuple[str, str]:
    """Write what a row is about, and small below it what either side has; of a pair its second part."""
    if row["kind"] == "pair":
        one, _, other = row["finding"].partition(" and ")
        return one, f"and {other}"
    if row["kind"] == "number":
        one, other = f"median {row['selection_median']:,.4g}", f"{row['baseline_median']:,.4g}"
    else:
        one, other = _share(row["selection_share"]), _share(row["baseline_share"])
    return row["finding"], f"{one} in the selection, {other} in the baseline"


def _share(share: float) -> str:
    return f"{_PERCENT * share:.2g} %" if share < 1 else "100 %"


def _said(row: dict[str, Any], unit: str) -> str:
    """Say what is known of a difference, as markup."""
    lines = [f"<b>{plain(row['finding'], longest=120)}</b>"]
    if row["kind"] == "number":
        lines.append(f"median {row['selection_median']:,.6g} of {row['selection_count']:,} {unit}s in the selection")
        lines.append(f"median {row['baseline_median']:,.6g} of {row['baseline_count']:,} in the baseline")
    else:
        lines.append(f"{_share(row['selection_share'])} of the selection ({row['selection_count']:,} {unit}s)")
        lines.append(f"{_share(row['baseline_share'])} of the baseline ({row['baseline_count']:,} {unit}s)")
    lines.append(f"false-discovery rate {row['q_value']:.2g}")
    if row["explained_by"] is not None:
        lines.append(f"follows from: {plain(row['explained_by'], longest=120)}")
    lines += [f"also: {plain(also, longest=120)}" for also in row["also"][:3]]
    return "<br>".join(lines)
