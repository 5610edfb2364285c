"""Outliers, beside what is usual in their group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import plotly.graph_objects as go
import polars as pl

from tracelab.analysis.grouping import keys, names_of
from tracelab.analysis.latency.outliers import outliers
from tracelab.conforming import takes_any_frame
from tracelab.figures.parts.axes import log_duration_axis, log_zero
from tracelab.figures.parts.groups import with_groups
from tracelab.figures.parts.style import (
    GRID,
    LINE,
    colors_in,
    first_rows,
    framed,
    in_legend,
    label_rows,
    of_all,
    row_room,
    time_unit,
)
from tracelab.markup import plain
from tracelab.units import format_duration

if TYPE_CHECKING:
    from tracelab.analysis.grouping import By, Spans

_MOST_POINTS: Final = 200


@takes_any_frame
def plot_outliers(
    spans: Spans,
    *,
    by: By = ("service_name", "name"),
    threshold: float = 3.5,
    min_count: int = 20,
    first: int = 20,
) -> go.Figure:
    r"""Draw the spans that took far longer than their like, beside what is usual.

    Parameters
    ----------
    spans
        A span frame.
    by, threshold, min_count
        As in `outliers`.
    first
        How many groups to draw, those with the highest score first.

    Returns
    -------
    A plotly Figure: one row per group, a point for each of its 200 outliers with the highest scores, and a line where
    the median of the group is; the duration axis is logarithmic.

    Raises
    ------
    TracelabError
        `first` is no number of rows, `min_count` no number of spans, or `threshold` not above 0.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw("\n\n".join(["api ===", "api ====", "api ====="] * 8 + ["api " + 90 * "="]))
    >>> plot_outliers(spans).data[1].x
    (90.0,)
    """
    found = outliers(spans, by=by, threshold=threshold, min_count=min_count)
    found = with_groups(found, names_of(keys(spans, by))).with_columns(
        nanoseconds=pl.col("duration").dt.total_nanoseconds()
    )
    groups = found.group_by("group", maintain_order=True).agg(
        pl.len().alias("outliers"),
        pl.col("count").first(),
        pl.col("service_name").first(),
        pl.col("typical").first().dt.total_nanoseconds(),
    )
    top = first_rows(groups, first).with_row_index("row")
    drawn = found.join(top.select("group", "row"), on="group", maintain_order="left").filter(
        pl.int_range(pl.len()).over("group") < _MOST_POINTS
    )
    unit, scale = time_unit(float(drawn["nanoseconds"].median() or 0))  # type: ignore[arg-type]
    colors = colors_in(spans, drawn["service_name"])
    seen = [*top["typical"].to_list(), *drawn["nanoseconds"].to_list()]
    zero = log_zero(seen)
    figure = go.Figure()
    figure.add_scatter(
        x=(top["typical"].cast(pl.Float64).clip(lower_bound=zero) / scale).to_list(),
        y=top["row"].to_list(),
        mode="markers",
        name="median of the group",
        showlegend=top.height > 0,
        marker={"symbol": "line-ns-open", "size": 16, "color": LINE, "line": {"width": 2}},
        hoverinfo="text",
        hovertext=[
            f"<b>{plain(group, longest=120)}</b><br>usually {format_duration(typical)}<br>"
            f"{count:,} outliers among {of:,} spans"
            for group, typical, count, of in top.select("group", "typical", "outliers", "count").iter_rows()
        ],
    )
    figure.add_scatter(
        x=(drawn["nanoseconds"] / scale).to_list(),
        y=drawn["row"].to_list(),
        mode="markers",
        name="outliers",
        legendgroup="outliers",
        showlegend=False,
        marker={"size": 8, "opacity": 0.7, "color": [colors[name] for name in drawn["service_name"]]},
        hoverinfo="text",
        hovertext=[
            f"<b>{plain(group, longest=120)}</b><br>{format_duration(length)}, {times:.3g} times the median "
            f"(score {score:.1f})<br>trace {plain(trace_id)}"
            for group, length, times, score, trace_id in drawn.select(
                "group", "nanoseconds", "times", "score", "trace_id"
            ).iter_rows()
        ],
    )
    if drawn.height:
        in_legend(figure, "outliers", go.Scatter, mode="markers", marker={"size": 8, "color": LINE})
    figure.update_xaxes(
        title=f"duration ({unit})", gridcolor=GRID, **log_duration_axis(seen, scale=scale, room=row_room(top["group"]))
    )
    label_rows(figure, top["group"].to_list())
    return framed(
        figure,
        title=f"Spans far longer than their like{of_all(first, groups.height)}",
        subtitle=f"Score of {float(threshold):g} or more, in groups of at least {min_count:,} spans"
        + (f"; the {_MOST_POINTS} with the highest scores of each" if drawn.height < _of_top(found, top) else ""),
        inner=28 * max(top.height, 1),
        nothing="" if top.height else "No such spans",
        hovermode="closest",
    )


def _of_top(found: pl.DataFrame, top: pl.DataFrame) -> int:
    """Count the outliers of the groups that are drawn."""
    return found.filter(pl.col("group").is_in(top["group"].to_list())).height
