"""When latency or error rates stepped: each over time, with a line where it did, and what came with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import plotly.graph_objects as go
import polars as pl

from tracelab.analysis.errors.rates import error_rates
from tracelab.analysis.latency.percentiles import latency_percentiles
from tracelab.colors import ERROR
from tracelab.conforming import takes_any_frame
from tracelab.differences.changes.detecting import change_points
from tracelab.figures.parts.axes import duration_text, log_duration_axis, log_zero
from tracelab.figures.parts.groups import with_groups
from tracelab.figures.parts.panels import moment, with_breaks
from tracelab.figures.parts.style import (
    GRID,
    NARROWEST,
    TEXT,
    colors_in,
    faint,
    first_rows,
    framed,
    length_text,
    of_all,
    percent,
    time_unit,
)
from tracelab.figures.parts.text import fitting, text_width
from tracelab.markup import plain
from tracelab.options import window_length

if TYPE_CHECKING:
    from datetime import datetime

    from tracelab.analysis.grouping import By, Every, Spans

_HIGH: Final = 130
_LABEL: Final = 330
_TITLE: Final = 40
_WINDOWS: Final = 60
_WORSE: Final = "#c2531e"
_BETTER: Final = "#2f7fc1"
_STEPS: Final = tuple(
    scale * step
    for scale, steps in (
        (10**3, (1, 10, 100)), (10**6, (1, 2, 5, 10, 20, 50, 100, 200, 500)), (10**9, (1, 2, 3, 5, 10, 15, 30)),
        (60 * 10**9, (1, 2, 3, 5, 10, 15, 30)), (3_600 * 10**9, (1, 2, 3, 6, 12)), (86_400 * 10**9, (1, 2, 7, 14, 30)),
    )
    for step in steps
)  # fmt: skip
_PERCENTILES: Final = (0.25, 0.5, 0.95)


@takes_any_frame
def plot_change_points(
    spans: Spans,
    *,
    by: By = ("service_name", "name"),
    q: float = 0.05,
    confidence: float = 0.95,
    entry_only: bool = True,
    gradual: bool = False,
    min_traces: int = 40,
    every: Every = None,
    first: int = 10,
) -> go.Figure:
    r"""Draw when latency or error rates stepped, and what appeared at that moment.

    Parameters
    ----------
    spans
        A span frame.
    by, q, confidence, entry_only, gradual, min_traces
        As in `change_points`.
    every
        The length of windows of time that latency and error rates are drawn in; without, about sixty of them.
    first
        How many pictures to draw at most: one per group and measure that has a change, those first that
        `change_points` gives first.

    Returns
    -------
    A plotly Figure: below one another the median latency over time, in a band from the 25th to the 95th percentile, or
    the error rate with its interval; at each change a line, in a band where its interval is. A dashed line only follows
    from a callee.

    Raises
    ------
    TracelabError
        As in `change_points`; `every` is no length of time, or `first` no number of pictures.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> fast = "\n".join("api::GET / ==== version=1.8 \n\n" for _ in range(30))
    >>> slow = "\n".join("api::GET / ========= version=1.9 \n\n" for _ in range(30))
    >>> plot_change_points(draw(fast + slow)).layout.annotations[1].text
    'version = 1.9 of api appeared 12:00:30'
    """
    found = change_points(
        spans, by=by, q=q, confidence=confidence, entry_only=entry_only, gradual=gradual, min_traces=min_traces
    )
    keys = found.columns[: found.columns.index("measure")]
    named = with_groups(found, keys)
    pictures = named.select("group", "color", "measure").unique(maintain_order=True, subset=["group", "measure"])
    top = first_rows(pictures, first)
    step = f"{_window(spans)}ns" if every is None else window_length("every", every)
    said = length_text(every) if every is not None else duration_text(_window(spans))
    figure = go.Figure()
    if top.height:
        colors = colors_in(spans, top["color"])
        options: dict[str, Any] = {"by": by, "every": step, "entry_only": entry_only, "confidence": confidence}
        lengths = with_groups(latency_percentiles(spans, quantiles=_PERCENTILES, **options), keys)
        rates = with_groups(error_rates(spans, **options), keys)
        inner, times = top.height * (_HIGH + _TITLE), _times(rates, step)
        for place, (group, color, measure) in enumerate(top.iter_rows()):
            panel = _Panel(figure, place, top.height, inner, times)
            own = pl.col("group") == group
            if measure == "latency":
                panel.draw_latency(lengths.filter(own), colors[color], step)
            else:
                panel.draw_errors(rates.filter(own), step)
            changes = named.filter(own & (pl.col("measure").cast(pl.String) == measure)).sort("moment")
            panel.draw_changes(changes, f"{group}: {measure}")
        last = f"y{top.height}" if top.height > 1 else "y"
        figure.update_xaxes(
            title="time (UTC)", anchor=last, tickangle=0, nticks=7, range=[time.isoformat() for time in times]
        )
    return framed(
        figure,
        title=f"Change points{of_all(first, pictures.height)}",
        subtitle="Median latency in a band from the 25th to the 95th percentile, error rates with "
        f"{percent(confidence)} intervals, in windows of {said}; lines where they changed, red for the worse, dashed "
        f"where it follows from a callee; of what is given no more than {percent(q)} is expected to be chance",
        inner=top.height * (_HIGH + _TITLE),
        nothing="" if top.height else "Nothing changed that is more than chance",
        hovermode="closest",
        showlegend=False,
    )


class _Panel:
    """One picture of several below one another."""

    def __init__(self, figure: go.Figure, place: int, count: int, inner: int, times: tuple[datetime, datetime]) -> None:
        self.figure = figure
        self.times = times
        self.number = f"{place + 1}" if place else ""
        self.top = 1 - place / count
        self.bottom = self.top - 1 / count + 6 / inner
        self.ceiling = self.top - _TITLE / inner

    def share(self, time: datetime) -> float:
        """Say how far to the right a time is drawn, as a share of the width."""
        low, high = self.times
        return (time - low) / (high - low)

    def draw_latency(self, lengths: pl.DataFrame, color: str, every: str) -> None:
        """Draw the median over time, in its band."""
        exact = pl.col("duration").dt.total_nanoseconds()
        wide = [
            lengths.filter(pl.col("quantile") == quantile).select("window", "count", exact.alias("length"))
            for quantile in _PERCENTILES
        ]
        parts = [with_breaks(part, every) for part in wide]
        seen = [float(value) for part in wide for value in part["length"]]
        _, scale = time_unit(sorted(seen)[len(seen) // 2] if seen else 0.0)
        zero = log_zero(seen)
        lows, middles, highs = (
            [None if value is None else max(value, zero or 0) / scale for value in part["length"]] for part in parts
        )
        hover = [
            "" if mid is None else f"median {duration_text(mid)}, p25 {duration_text(low)}, p95 {duration_text(high)}"
            f"<br>{count:,} spans<br>from {moment(begin)}"
            for begin, count, low, mid, high in zip(
                parts[1]["window"], parts[1]["count"], *(part["length"] for part in parts), strict=True
            )
        ]  # fmt: skip
        times = parts[1]["window"].to_list()
        self._band(times, lows, highs, color)
        self._line(times, middles, hover, color)
        self._axis({"title": "latency", **log_duration_axis(seen, scale=scale, room=_HIGH, upright=True)})

    def draw_errors(self, rates: pl.DataFrame, every: str) -> None:
        """Draw the error rate over time, in its interval."""
        parts = with_breaks(rates, every)
        low, mid, high = (
            [None if value is None else 100 * value for value in parts[name]]
            for name in ("lower", "error_rate", "upper")
        )
        hover = [
            "" if rate is None else f"{rate:.3g} %<br>{errors:,} of {spans:,} spans<br>from {moment(begin)}"
            for begin, rate, errors, spans in zip(parts["window"], mid, parts["errors"], parts["spans"], strict=True)
        ]
        times = parts["window"].to_list()
        self._band(times, low, high, ERROR)
        self._line(times, mid, hover, ERROR)
        most = max((value for value in high if value is not None), default=1.0)
        self._axis({"title": "error rate", "ticksuffix": " %", "range": [0, most * 1.04], "nticks": 5})

    def draw_changes(self, changes: pl.DataFrame, title: str) -> None:
        """Draw a line at each change, with what came with it above."""
        self.figure.add_annotation(
            text=f"<b>{plain(fitting(title, NARROWEST - 120, 12))}</b>", x=0, xref="paper", xanchor="left",
            y=self.top, yref="paper", yanchor="top", showarrow=False, font={"size": 12, "color": TEXT},
        )  # fmt: skip
        for row in changes.iter_rows(named=True):
            color = _WORSE if row["effect"] > 0 else _BETTER
            axes = {"xref": "x", "yref": f"y{self.number} domain", "y0": 0, "y1": 1, "layer": "below"}
            self.figure.add_shape(
                type="rect", x0=row["moment_lower"], x1=row["moment_upper"], line_width=0,
                fillcolor=faint(color, 0.14), **axes,
            )  # fmt: skip
            dash = "solid" if row["follows"] is None else "dash"
            line = {"color": color, "width": 2, "dash": dash}
            self.figure.add_shape(type="line", x0=row["moment"], x1=row["moment"], line=line, **axes)
        self._labels(changes)

    def _labels(self, changes: pl.DataFrame) -> None:
        """Write above the lines what changed, as far as there is room to the next one."""
        shown = changes.filter(pl.col("what_changed").is_not_null() | pl.col("follows").is_not_null())
        taken: list[tuple[float, float]] = []
        for row in shown.sort("effect", "moment", descending=[True, False]).iter_rows(named=True):
            text = fitting(row["what_changed"] or f"follows {row['follows']}", _LABEL, 11)
            # How far to the right the label is, in pixels of the narrowest figure, and to which side it goes.
            at, width = self.share(row["moment"]) * (NARROWEST - 90), text_width(text, 11)
            left = min(max(at - width / 2, 0.0), NARROWEST - 90 - width)
            if any(left < end + 8 and begin < left + width + 8 for begin, end in taken):
                continue
            taken.append((left, left + width))
            side = "left" if left > at - width / 2 else "right" if left < at - width / 2 else "center"
            self.figure.add_annotation(
                text=plain(text), hovertext=_said(row), x=left / (NARROWEST - 90) if side == "left" else row["moment"],
                xref="paper" if side == "left" else "x", xanchor=side, y=self.ceiling, yref="paper", yanchor="bottom",
                showarrow=False, font={"size": 11, "color": _WORSE if row["effect"] > 0 else _BETTER},
            )  # fmt: skip
        self.figure.add_scatter(
            x=changes["moment"].to_list(), y=[1.0] * changes.height, yaxis=f"y{1000 + int(self.number or 1)}",
            mode="markers", hoverinfo="text", hovertext=[_said(row) for row in changes.iter_rows(named=True)],
            marker={
                "size": 9, "symbol": ["triangle-down" if up else "triangle-up" for up in changes["effect"] > 0],
                "color": [_WORSE if up else _BETTER for up in changes["effect"] > 0],
            },
            showlegend=False,
        )  # fmt: skip
        self.figure.layout[f"yaxis{1000 + int(self.number or 1)}"] = {
            "overlaying": f"y{self.number}", "anchor": "x", "range": [0, 1.0], "visible": False, "fixedrange": True,
        }  # fmt: skip

    def _band(self, times: list[Any], low: list[Any], high: list[Any], color: str) -> None:
        """Fill between two lines, stretch by stretch, since what is filled has no gaps."""
        begin = 0
        for end in [*(place for place, value in enumerate(low) if value is None), len(low)]:
            if end > begin:
                self.figure.add_scatter(
                    x=[*times[begin:end], *reversed(times[begin:end])],
                    y=[*high[begin:end], *reversed(low[begin:end])],
                    fill="toself", fillcolor=faint(color, 0.18), line={"width": 0}, mode="lines",
                    hoverinfo="skip", yaxis=f"y{self.number}", showlegend=False,
                )  # fmt: skip
            begin = end + 1

    def _line(self, times: list[Any], values: list[Any], hover: list[str], color: str) -> None:
        self.figure.add_scatter(
            x=times, y=values, mode="lines+markers", line={"color": color, "width": 1.5}, marker={"size": 4},
            hoverinfo="text", hovertext=hover, yaxis=f"y{self.number}", showlegend=False,
        )  # fmt: skip

    def _axis(self, axis: dict[str, Any]) -> None:
        self.figure.layout[f"yaxis{self.number}"] = {
            **axis, "gridcolor": GRID, "domain": [max(self.bottom, 0.0), min(self.ceiling, 1.0)], "anchor": "x",
        }  # fmt: skip


def _said(row: dict[str, Any]) -> str:
    """Say what is known of a change, as markup."""
    lines = [f"<b>{row['measure']} {'rose' if row['effect'] > 0 else 'fell'}</b>, {moment(row['moment'])}"]
    lines.append(f"between {moment(row['moment_lower'])} and {moment(row['moment_upper'])}")
    if row["measure"] == "latency":
        lines += [
            f"{name} {_length(row[f'before_{name}'])} to {_length(row[f'after_{name}'])}" for name in ("p50", "p95")
        ]
    else:
        lines.append(f"{100 * row['before_error_rate']:.3g} % to {100 * row['after_error_rate']:.3g} %")
    lines.append(f"{row['before_traces']:,} traces before, {row['after_traces']:,} after")
    lines.append(f"false-discovery rate {row['q_value']:.2g}")
    if row["follows"] is not None:
        lines.append(f"follows {plain(row['follows'], longest=120)}")
    if row["what_changed"] is not None:
        lines += [plain(text, longest=120) for text in row["what_changed"].split("; ")]
    return "<br>".join(lines)


def _length(length: Any) -> str:
    return duration_text(pl.Series([length]).dt.total_nanoseconds().item())


def _window(spans: Spans) -> int:
    """Choose windows that are round, of which there are about sixty."""
    start = pl.col("start_time").to_physical()
    low, high = spans.lazy().select(start.min().alias("low"), start.max().alias("high")).collect().row(0)
    wanted = ((high or 0) - (low or 0)) / _WINDOWS
    return next((step for step in _STEPS if step >= wanted), _STEPS[-1])


def _times(rates: pl.DataFrame, every: str) -> tuple[datetime, datetime]:
    """Give the times to show: all windows, whole."""
    window = pl.col("window")
    low, high = rates.select(low=window.min(), high=window.max().dt.offset_by(every)).row(0)
    return low, high
