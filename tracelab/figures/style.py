"""What all figures share: fonts, margins, units of time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from tracelab.colors import service_colors
from tracelab.errors import TracelabError
from tracelab.markup import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import plotly.graph_objects as go

    from tracelab.analysis.grouping import Spans

GRID: Final = "rgba(128, 128, 128, 0.18)"
_UNITS: Final = (("s", 1_000_000_000), ("ms", 1_000_000), ("µs", 1_000), ("ns", 1))


def time_unit(nanoseconds: float) -> tuple[str, int]:
    """Choose the unit in which a length of time is easiest to read: its name and its nanoseconds."""
    return next((unit for unit in _UNITS if nanoseconds >= 2 * unit[1]), _UNITS[-1])


def colors_in(spans: Spans, names: Iterable[str]) -> dict[str, str]:
    """Give services the colours that they have in all figures of a frame, and other names colours beside them."""
    services = spans.lazy().select(pl.col("service_name").unique()).collect()["service_name"]
    return service_colors(names, among=services)


def first_rows(rows: pl.DataFrame, first: int) -> pl.DataFrame:
    """Give the rows to draw.

    Raises
    ------
    TracelabError
        It is no number of rows.
    """
    if first < 1:
        raise TracelabError(f"`first` is the number of rows to draw and must be at least 1, got {first}.")
    return rows.head(first)


def label_rows(
    figure: go.Figure, texts: Sequence[str], *, below: Sequence[str] | None = None, longest: int = 60
) -> go.Figure:
    """Write the names of rows that are numbered from 0, the first at the top, and something small below each.

    As categories, names that are numbers would become a scale, and two that are cut alike would become one row.
    """
    labels = [plain(text, longest=longest) for text in texts]
    if below is not None:
        small = [plain(text, longest=longest) for text in below]
        labels = [
            f"{label}<br><span style='font-size: 10px'>{text}</span>" for label, text in zip(labels, small, strict=True)
        ]
    return figure.update_yaxes(
        tickmode="array",
        tickvals=list(range(len(texts))),
        ticktext=labels,
        range=[max(len(texts), 1) - 0.5, -0.5],
        automargin=True,
        zeroline=False,
    )


def styled(figure: go.Figure, *, title: str, **layout: Any) -> go.Figure:
    """Give a figure its title and the house's look, which is quiet on white and on dark pages."""
    figure.update_layout(
        title={"text": title, "x": 0.01, "xanchor": "left", "font": {"size": 15}},
        font={"family": "system-ui, sans-serif", "size": 12},
        template="plotly_white",
        margin={"l": 60, "r": 20, "t": 50, "b": 45},
        hoverlabel={"align": "left"},
        legend={"orientation": "h", "y": -0.18, "x": 0, "title": None},
        **layout,
    )
    return figure
