"""Spans that took far longer than their like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import plotly.graph_objects as go
import polars as pl

from tracelab.analysis.grouping import keys, names_of
from tracelab.analysis.unusual import outliers
from tracelab.conforming import takes_any_frame
from tracelab.figures.bars import legend_at_the_bottom, of_all
from tracelab.figures.style import GRID, colors_in, first_rows, label_rows, styled, time_unit
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
        `first` is no number of rows.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw("\n\n".join(["api ===", "api ====", "api ====="] * 8 + ["api " + 90 * "="]))
    >>> plot_outliers(spans).data[1].x
    (90.0,)
    """
    found = outliers(spans, by=by, threshold=threshold, min_count=min_count)
    names = [pl.col(key).cast(pl.String).fill_null("(none)") for key in names_of(keys(spans, by))] or [
        pl.lit("all spans")
    ]
    found = found.with_columns(
        group=pl.concat_str(names, separator=" · "), nanoseconds=pl.col("duration").dt.total_nanoseconds()
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
    figure = go.Figure()
    figure.add_scatter(
        x=(top["typical"] / scale).to_list(),
        y=top["row"].to_list(),
        mode="markers",
        name="median of the group",
        marker={"symbol": "line-ns-open", "size": 16, "color": "rgba(110, 110, 110, 0.9)", "line": {"width": 2}},
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
        marker={"size": 7, "opacity": 0.6, "color": [colors[name] for name in drawn["service_name"]]},
        hoverinfo="text",
        hovertext=[
            f"<b>{plain(group, longest=120)}</b><br>{format_duration(length)}, {times:.3g} times the median "
            f"(score {score:.1f})<br>trace {plain(trace_id)}"
            for group, length, times, score, trace_id in drawn.select(
                "group", "nanoseconds", "times", "score", "trace_id"
            ).iter_rows()
        ],
    )
    figure.update_xaxes(title=f"duration ({unit})", type="log", minorloglabels="complete", gridcolor=GRID)
    label_rows(figure, top["group"].to_list())
    title = f"Spans far longer than their like: score above {threshold:g}{of_all(first, groups.height)}"
    styled(figure, title=title, height=150 + 26 * max(top.height, 2))
    return legend_at_the_bottom(figure)
