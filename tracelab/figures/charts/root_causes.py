"""What to look at first: the likely causes as bars, as long as the harm that each does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import plotly.graph_objects as go
import polars as pl

from tracelab.differences.causes.ranking import root_causes
from tracelab.figures.parts.style import GRID, first_rows, framed, in_legend, label_rows, of_all, percent
from tracelab.markup import plain
from tracelab.units import format_duration

if TYPE_CHECKING:
    from datetime import timedelta

    from tracelab.differences.sides import Where

_PERCENT: Final = 100
_PARTS: Final = (("time_score", "takes longer", "#d68a1c"), ("failure_score", "fails more often", "#c03b3b"))
_FAINT: Final = 0.4
_MOST: Final = 1_000


def plot_root_causes(
    abnormal: Any,
    normal: Any = None,
    *,
    where: Where | None = None,
    q: float = 0.05,
    confidence: float = 0.95,
    first: int = 10,
) -> go.Figure:
    r"""Draw what to look at first where some traces are worse than others.

    Parameters
    ----------
    abnormal, normal, where, q, confidence
        As in `root_causes`.
    first
        How many causes to draw, the worst ones.

    Returns
    -------
    A plotly Figure: one bar per cause, as long as its score: the time that it takes longer, as a share of what a normal
    trace takes, and the share of traces that it makes fail. What may be chance is drawn fainter. The evidence is shown
    where the mouse is.

    Raises
    ------
    TracelabError
        As in `root_causes`, or `first` is no number of rows.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> fast = "\n".join("api::GET / ======\n  db::read .== \n\n" for _ in range(20))
    >>> slow = "\n".join("api::GET / =========\n  db::read .===== \n\n" for _ in range(20))
    >>> plot_root_causes(draw(slow), draw(fast)).data[0].x
    (50.0,)
    """
    found = root_causes(abnormal, normal, where=where, q=q, confidence=confidence, limit=_MOST)
    top = first_rows(found, first).with_row_index("row")
    figure = go.Figure()
    for column, name, color in _PARTS:
        rows = top.filter(pl.col(column) > 0)
        figure.add_bar(
            x=(rows[column] * _PERCENT).to_list(),
            y=rows["row"].to_list(),
            orientation="h",
            width=0.6,
            name=name,
            legendgroup=name,
            showlegend=False,
            marker={"color": color, "opacity": [1.0 if sure else _FAINT for sure in rows["certain"]]},
            hoverinfo="text",
            hovertext=[_said(row) for row in rows.iter_rows(named=True)],
        )
        if rows.height:
            in_legend(figure, name, go.Scatter, mode="markers", marker={"size": 10, "color": color, "symbol": "square"})
    longest = max(top["score"].to_list(), default=0.0) * _PERCENT
    figure.update_xaxes(
        title="harm per trace", gridcolor=GRID, range=[0, 1.06 * longest or 1.0], ticksuffix=" %", rangemode="tozero"
    )
    hosts = {value: row["cause"] for row in reversed(list(found.iter_rows(named=True))) for value in row["changed"]}
    names = [_name(row, hosts) for row in top.iter_rows(named=True)]
    label_rows(figure, [name for name, _ in names], below=[small for _, small in names])
    figure.update_layout(barmode="stack")
    certain = int(found["certain"].sum())
    return framed(
        figure,
        title=f"What to look at first{of_all(first, found.height)}",
        subtitle=f"100 % is the time of a normal trace, or every trace failing; {certain:,} of {found.height:,} are "
        f"certain (of those no more than {percent(q)} is expected to be chance), the fainter ones may be chance",
        inner=36 * max(top.height, 1),
        nothing="" if top.height else "Nothing is worse than before",
        hovermode="closest",
    )


def _name(row: dict[str, Any], hosts: dict[str, str]) -> tuple[str, str]:
    """Write what to look at, and small below it why; of a pair its second part."""
    if row["kind"] != "attribute value":
        return row["cause"], _small(row)
    one, _, other = row["cause"].partition(" and ")
    return one, f"and {other}" if other else f"goes with {hosts[row['cause']]}"


def _small(row: dict[str, Any]) -> str:
    """Write the most important evidence in a few words."""
    said = []
    if row["calls_lower"] > 0 and row["time_score"] > 0:
        said.append(f"+{row['calls_gained']:.2g} calls a trace")
    elif row["time_score"] > 0 and row["self_gained"].total_seconds() > 0:
        said.append(f"+{_length(row['self_gained'])} self time a trace")
    if row["failure_score"] > 0 and row["lost_gained"] > max(row["errors_gained"], 0):
        said.append(f"{row['lost_gained']:.2g} calls a trace without an answer")
    elif row["failure_score"] > 0 and row["errors_gained"] > 0:
        said.append(f"errors start in {_PERCENT * row['errors_gained']:.2g} % more traces")
    return ", ".join(said) or f"{row['kind']} in {row['abnormal_traces']:,} traces"


def _length(time: timedelta) -> str:
    return format_duration(round(time.total_seconds() * 1e9))


def _said(row: dict[str, Any]) -> str:
    """Say what is known of a cause, as markup."""
    lines = [f"<b>{plain(row['cause'], longest=120)}</b> ({row['kind']})"]
    lines += [plain(part, longest=160) for part in row["because"].split("; ")]
    if row["path_lower"] is not None:
        low, high = (row[f"path_{end}"].total_seconds() * 1e3 for end in ("lower", "upper"))
        lines.append(f"on the critical path {low:+,.3g} to {high:+,.3g} ms a trace")
    if row["path_share"] is not None:
        lines.append(f"{_PERCENT * row['path_share']:.3g} % of what traces take longer")
    lines += [f"goes with: {plain(changed, longest=120)}" for changed in row["changed"][:3]]
    lines.append(f"false-discovery rate {row['q_value']:.2g}")
    return "<br>".join(lines)
