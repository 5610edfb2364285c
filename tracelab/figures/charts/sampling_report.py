"""What sampling policies cost, against how far the figures are off that one reads from what they keep."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from math import floor, isfinite, log10
from typing import TYPE_CHECKING, Any, Final

import plotly.graph_objects as go

from tracelab.analysis.latency.percentiles import percentile_names
from tracelab.analysis.policies.comparing import compare_policies
from tracelab.analysis.policies.losses import KINDS
from tracelab.colors import service_colors
from tracelab.conforming import takes_any_frame
from tracelab.display.words import counted, format_bytes, format_number, format_share
from tracelab.figures.parts.axes import log_zero
from tracelab.figures.parts.labels import Box, label_sides
from tracelab.figures.parts.style import GRID, LINE, NARROWEST, TEXT, framed, in_legend
from tracelab.figures.parts.text import shortened, text_width
from tracelab.markup import plain

if TYPE_CHECKING:
    from tracelab.analysis.grouping import Spans

_HIGH, _APART = 190, 34
_LONGEST_NAME: Final = 46
_LEFT: Final = 110
_PAST_ALL: Final = 0.12
_MARK, _HOLLOW_MARK, _NUMBER = 11, 10, 11
_BELOW: Final = 0.08
_STEPS: Final = ((1, 2, 5), (1, 3), (1,))
_SYMBOLS: Final = {
    "all failed traces kept": "diamond",
    "some failed traces kept": "circle",
    "no failed trace kept": "square",
    "no trace failed": "hexagon",
}
_AS_KEPT: Final = "as kept, without weights"


@takes_any_frame
def plot_sampling_report(
    spans: Spans,
    policies: Any,
    *,
    quantile: float = 0.95,
    user: str | None = None,
    confidence: float = 0.95,
    arrival: Any = None,
    missing_parents: str = "root",
) -> go.Figure:
    """Draw what sampling policies keep of these spans, against how far the figures are off that are made of it.

    Every policy has a filled point, where its figures are estimated by weights, and a hollow one, where every span that
    is kept counts once. The line between the two is what weights repair.

    Parameters
    ----------
    spans
        The spans, taken for all that there was.
    policies
        A mapping of names to policies, each whatever `sampling_decisions` takes; or a single policy that is no mapping.
    quantile, user, confidence, arrival, missing_parents
        As in `compare_policies`.

    Returns
    -------
    A plotly Figure: above the error rate, below the quantile of the durations, each by how far it is off, as the mean
    over services. The axis of what is kept is logarithmic; the form of a point says whether failed traces are kept.

    Raises
    ------
    TracelabError
        There are no policies, or one is refused, or another option is not what it should be.

    Examples
    --------
    >>> from tracelab.sampling import AlwaysOff, AlwaysOn
    >>> from tracelab.synthetic import draw
    >>> figure = plot_sampling_report(draw("api ==!"), {"all": AlwaysOn(), "nothing": AlwaysOff()})
    >>> figure.data[1].y  # the error rate of `nothing`, as kept and estimated, in points of per cent
    (100.0, 100.0)
    """
    named = policies if isinstance(policies, Mapping) else {_name_of(policies): policies}
    compared = compare_policies(
        spans,
        named,
        quantile=quantile,
        user=user,
        confidence=confidence,
        arrival=arrival,
        missing_parents=missing_parents,
    )
    rows = list(compared.iter_rows(named=True))
    (percentile,) = percentile_names([quantile])
    figure = go.Figure()
    _draw_policies(figure, rows, percentile)
    _explain_forms(figure, rows)
    _draw_axes(figure, rows, percentile)
    return framed(
        figure,
        title="What sampling policies keep, and how far their figures are off",
        subtitle="The mean over services, by their requests. Filled: estimated by weights. Hollow: without",
        inner=2 * _HIGH + _APART,
        bottom=76,
        nothing="" if spans.lazy().select("trace_id").head(1).collect().height else "No spans",
        hovermode="closest",
    )


def _name_of(policy: Any) -> str:
    """Name a single policy: a sampler by how one makes it, others by the file that they are in, if they are in one."""
    text = str(policy)
    return text if len(text) <= _LONGEST_NAME and "\n" not in text else "the policy"


def _draw_policies(figure: go.Figure, rows: list[dict[str, Any]], percentile: str) -> None:
    """Draw each policy in both panels, under a number of its own, since colours alone tell few apart."""
    names = [f"{number} {row['policy']}" for number, row in enumerate(rows, start=1)]
    colors = service_colors(names)
    zero = log_zero([row["spans_kept_share"] or 0.0 for row in rows])
    places = [row["spans_kept_share"] or zero or 1.0 for row in rows]
    for panel, value in enumerate(("error_rate_off", "duration_off")):
        sides = _number_sides(places, rows, value)
        for number, (name, row, place, side) in enumerate(zip(names, rows, places, sides, strict=True), start=1):
            group, symbol, said = plain(shortened(name, _LONGEST_NAME)), _SYMBOLS[_form(row)], _hover(row, percentile)
            figure.add_scatter(
                x=[place, place],
                y=[_per_cent(row[f"{value}_kept"]), _per_cent(row[value])],
                yaxis=("y", "y2")[panel],
                mode="lines+markers+text",
                name=group,
                legendgroup=group,
                showlegend=False,
                line={"color": colors[name], "width": 1.5, "dash": "dot"},
                marker={
                    "symbol": [f"{symbol}-open", symbol],
                    "size": [_HOLLOW_MARK, _MARK],
                    "color": colors[name],
                    "opacity": 1,
                    "line": {"width": [2, 0], "color": colors[name]},
                },
                text=["", str(number) if side else ""],
                textfont={"size": _NUMBER, "color": TEXT},
                textposition=side or "middle right",
                cliponaxis=False,
                hoverinfo="text",
                hovertext=[f"{said}<br><i>{_AS_KEPT}</i>", said],
            )
    for name, row in zip(names, rows, strict=True):
        style = {"symbol": _SYMBOLS[_form(row)], "size": 10, "color": colors[name]}
        in_legend(figure, plain(shortened(name, _LONGEST_NAME)), go.Scatter, mode="markers", marker=style)


def _number_sides(places: list[float], rows: list[dict[str, Any]], value: str) -> list[str]:
    """Say on which side of its point each number stands; nothing where there is no room or no point."""
    lowest, top = _lowest(places), _range_of(rows, value)
    wide = NARROWEST - _LEFT
    xs = [(log10(place) - lowest) / (_PAST_ALL - lowest) * wide for place in places]
    ends = [
        [
            None if share is None else share / top * _HIGH
            for share in (_per_cent(row[f"{value}_kept"]), _per_cent(row[value]))
        ]
        for row in rows
    ]
    taken = [Box(0, wide, 0, 0)]
    for x, (hollow, filled) in zip(xs, ends, strict=True):
        taken += [Box.around(x, y, mark / 2) for y, mark in ((hollow, _HOLLOW_MARK), (filled, _MARK)) if y is not None]
        if hollow is not None and filled is not None:
            taken.append(Box(x, x, min(hollow, filled), max(hollow, filled)))
    labels = [
        (x, filled, str(number))
        for number, (x, (_, filled)) in enumerate(zip(xs, ends, strict=True), start=1)
        if filled is not None
    ]
    area = Box(-_NUMBER, wide + _NUMBER, -_BELOW * _HIGH - _NUMBER, _HIGH)
    found = iter(label_sides(labels, taken, area, radius=_MARK / 2, size=_NUMBER))
    return ["" if filled is None else next(found) for _, filled in ends]


def _form(row: dict[str, Any]) -> str:
    kept = row["failed_traces_kept_share"]
    if kept is None:
        return "no trace failed"
    return f"{'all' if kept == 1 else 'some'} failed traces kept" if kept else "no failed trace kept"


def _explain_forms(figure: go.Figure, rows: list[dict[str, Any]]) -> None:
    """Say in the legend what the forms of points mean, as far as they are there."""
    there = {_form(row) for row in rows}
    for form, symbol in _SYMBOLS.items():
        if form in there:
            in_legend(figure, form, go.Scatter, mode="markers", marker={"symbol": symbol, "size": 10, "color": LINE})
    hollow = {"symbol": "circle-open", "size": 10, "color": LINE, "line": {"width": 2}}
    in_legend(figure, _AS_KEPT, go.Scatter, mode="markers", marker=hollow)


def _draw_axes(figure: go.Figure, rows: list[dict[str, Any]], percentile: str) -> None:
    """Set one panel above the other; both have the axis of what is kept, and the lower one its numbers."""
    whole = 2 * _HIGH + _APART
    upright = {"gridcolor": GRID, "nticks": 6, "zeroline": True, "zerolinecolor": LINE, "ticksuffix": " %"}
    figure.update_layout(
        xaxis={
            "type": "log",
            "anchor": "y2",
            "title": "kept spans: share, and number per second",
            "gridcolor": GRID,
            "tickmode": "array",
            "tickangle": 0,
            **_kept_axis(rows),
        },
        yaxis={**upright, "domain": [1 - _HIGH / whole, 1], "title": "error rate off (points)"},
        yaxis2={**upright, "domain": [0, _HIGH / whole], "anchor": "x", "title": f"{percentile} off (%)"},
    )
    for axis, value in ((figure.layout.yaxis, "error_rate_off"), (figure.layout.yaxis2, "duration_off")):
        axis.range = [-_BELOW * _range_of(rows, value), _range_of(rows, value)]


def _range_of(rows: list[dict[str, Any]], value: str) -> float:
    """Say how far an axis goes, so that marks at its ends have room."""
    values = [_per_cent(row[name]) or 0.0 for row in rows for name in (value, f"{value}_kept")]
    return (max(values) or 1.0) * 1.12


def _lowest(places: list[float]) -> float:
    """Say where the axis of what is kept begins, as a power of ten."""
    return log10(min(*places, 0.5)) - 0.15


def _kept_axis(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Give the axis of shares up to all, with spans per second below each share where their pace is known."""
    kept = [row["spans_kept_share"] or 0.0 for row in rows]
    zero = log_zero(kept)
    lowest = _lowest([share or zero or 1.0 for share in kept])
    first = min((share for share in kept if share > 0), default=0.5) / 1.5 if zero else 10.0**lowest
    pace = next((row["spans_per_second"] / row["spans_kept_share"] for row in rows if _has_pace(row)), None)
    ticks: list[float] = []
    texts: list[str] = []
    for steps in _STEPS:
        ticks = [step * 10.0**power for power in range(floor(lowest), 1) for step in steps]
        ticks = [share for share in ticks if first <= share <= 1]
        texts = [_tick(share, pace) for share in ticks]
        widest = max((text_width(line, 12) for text in texts for line in text.split("<br>")), default=0.0)
        closest = min((log10(after / before) for before, after in pairwise(ticks)), default=1.0)
        if closest / (_PAST_ALL - lowest) * (NARROWEST - _LEFT) >= widest + 10:
            break
    if zero:
        ticks, texts = [zero, *ticks], ["0", *texts]
    return {"tickvals": ticks, "ticktext": texts, "range": [lowest, _PAST_ALL]}


def _has_pace(row: dict[str, Any]) -> bool:
    return bool(row["spans_kept_share"]) and row["spans_per_second"] is not None


def _tick(share: float, pace: float | None) -> str:
    text = f"{share * 100:.6g} %"
    if pace is None:
        return text
    number = share * pace
    return f"{text}<br>{format_number(number) if number >= 1000 else f'{number:.3g}'}/s"


def _per_cent(share: float | None) -> float | None:
    return None if share is None or not isfinite(share) else share * 100


def _hover(row: dict[str, Any], percentile: str) -> str:
    """Say all that is known of a policy."""
    volume = ""
    if (pace := row["spans_per_second"]) is not None:
        size = f", {format_bytes(round(row['bytes_per_day']))}/day" if row["bytes_per_day"] else ""
        volume = f"<br>{format_number(pace)} spans/s{size}"
    kept = ", ".join(f"{_share(row[f'{what}_kept_share'])} of the {what}" for what in ("spans", "traces", "bytes"))
    lost = [counted(row[f"{kind}s_lost"], words) for kind, words in KINDS.items() if row[f"{kind}s_lost"]]
    failed, slow = (_share(row[f"{which}_traces_kept_share"]) for which in ("failed", "slow"))
    lines = [
        f"<b>{plain(row['policy'], longest=120)}</b>",
        f"kept: {kept}{volume}",
        f"failed traces kept: {failed}, slow ones: {slow}",
        f"error rate off by {_points(row['error_rate_off'])}, without weights {_points(row['error_rate_off_kept'])}",
        f"{percentile} off by {_share(row['duration_off'])}, without weights {_share(row['duration_off_kept'])}",
        f"intervals that hold the true figure: {_share(row['intervals_right_share'])}",
        f"lost altogether: {', '.join(lost) or 'nothing'}",
        f"broken traces: {row['broken_traces']:,}",
    ]
    return "<br>".join(lines)


def _share(share: float | None) -> str:
    return "-" if share is None or not isfinite(share) else format_share(share)


def _points(share: float | None) -> str:
    return "-" if share is None or not isfinite(share) else f"{format_share(share)[:-2]} points"
