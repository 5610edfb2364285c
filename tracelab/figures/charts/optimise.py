"""Which operation gives the most if it gets a little faster, as bars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import polars.selectors as cs

from tracelab.figures.parts.axes import linear_duration_axis
from tracelab.figures.parts.bars import ranked_bars
from tracelab.figures.parts.groups import with_groups
from tracelab.figures.parts.style import percent, time_unit
from tracelab.markup import plain
from tracelab.retiming.optimising import optimise
from tracelab.retiming.tracing import eager_frame
from tracelab.units import format_duration

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from tracelab.analysis.grouping import By


def plot_optimise(
    spans: Any,
    *,
    by: By = ("service_name", "name"),
    saving: float = 0.1,
    limit: int = 20,
    quantile: float = 0.95,
    confidence: float = 0.95,
    resamples: int = 200,
) -> go.Figure:
    """Draw which operation gives traces the most if its own work takes a little less time.

    Parameters
    ----------
    spans, by, saving, limit, quantile, confidence, resamples
        As in `optimise`.

    Returns
    -------
    A plotly Figure: one bar per operation that was tried, as long as what the mean duration from end to end loses; the
    part that is hatched lies between the pessimistic and the optimistic bound.

    Raises
    ------
    TracelabError
        As in `optimise`.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> plot_optimise(draw("api ==========")).data[0].x
    (1000.0,)
    """
    frame = eager_frame(spans)
    found = optimise(
        frame,
        by=by,
        saving=saving,
        limit=limit,
        quantile=quantile,
        confidence=confidence,
        resamples=resamples,
    )
    keys = found.columns[: found.columns.index("saved_optimistic")]
    rows = with_groups(found, keys).with_columns(cs.by_name(*_durations(found)).dt.total_nanoseconds())
    longest = float(rows["saved_optimistic"].max() or 0)  # type: ignore[arg-type]
    unit, scale = time_unit(longest)
    return ranked_bars(
        frame,
        rows["group"].to_list(),
        rows["color"].to_list(),
        [_said(row, quantile, confidence) for row in rows.iter_rows(named=True)],
        solid=("pessimistic bound", (rows["saved_pessimistic"] / scale).to_list()),
        hatched=("optimistic bound", ((rows["saved_optimistic"] - rows["saved_pessimistic"]) / scale).to_list()),
        axis={
            "title": f"saved of the mean duration from end to end ({unit})",
            **linear_duration_axis(longest, scale=scale, unit=unit),
        },
        title="What to make faster",
        total=int(rows["operations"][0]) if rows.height else 0,
        subtitle=f"What a trace saves on average if one operation saves {percent(saving)} of its own work",
        below=[_small(row) for row in rows.iter_rows(named=True)],
        nothing="" if rows.height else "No spans",
    )


def _durations(found: pl.DataFrame) -> list[str]:
    """List the durations that the answer makes, whatever keys it has."""
    return [
        name for name in found.columns[found.columns.index("saved_optimistic") :] if found[name].dtype == pl.Duration
    ]


def _small(row: dict[str, Any]) -> str:
    """Say how much of the whole is saved, and where, as small text below the name of a row."""
    share = row["saved_share_pessimistic"]
    saved = "" if share is None else f"{100 * share:.2g} % of the mean, "
    return f"{saved}in {row['traces']:,} of {row['all_traces']:,} traces"


def _said(row: dict[str, Any], quantile: float, confidence: float) -> str:
    """Say what is known of an operation, as markup."""
    lines = [
        f"<b>{plain(row['group'], longest=120)}</b>",
        f"{row['spans']:,} spans in {row['traces']:,} of {row['all_traces']:,} traces",
        _from_to("saved of the mean", row["saved_pessimistic"], row["saved_optimistic"]),
        _from_to(
            f"saved of the {quantile:g} quantile", row["quantile_saved_pessimistic"], row["quantile_saved_optimistic"]
        ),
    ]
    if row["saved_lower"] is not None:
        interval = _from_to("interval of the mean", row["saved_lower"], row["saved_upper"])
        lines.append(f"{interval} ({percent(confidence)})")
    if row["path_share"] is not None:
        lines.append(f"owns {100 * row['path_share']:.1f} % of the critical paths")
    return "<br>".join(lines)


def _from_to(what: str, low: int, high: int) -> str:
    one, other = format_duration(low), format_duration(high)
    return f"{what}: {one}" if one == other else f"{what}: {one} to {other}"
