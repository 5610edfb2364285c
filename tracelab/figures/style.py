"""What all figures share: fonts, margins, units of time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tracelab.markup import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go

GRID: Final = "rgba(128, 128, 128, 0.18)"
_UNITS: Final = (("s", 1_000_000_000), ("ms", 1_000_000), ("µs", 1_000), ("ns", 1))


def time_unit(nanoseconds: float) -> tuple[str, int]:
    """Choose the unit in which a length of time is easiest to read: its name and its nanoseconds."""
    return next((unit for unit in _UNITS if nanoseconds >= 2 * unit[1]), _UNITS[-1])


def label_rows(figure: go.Figure, texts: Sequence[str], *, longest: int = 60) -> go.Figure:
    """Write the names of rows that are numbered from 0, the first at the top.

    As categories, names that are numbers would become a scale, and two that are cut alike would become one row.
    """
    return figure.update_yaxes(
        tickmode="array",
        tickvals=list(range(len(texts))),
        ticktext=[plain(text, longest=longest) for text in texts],
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
