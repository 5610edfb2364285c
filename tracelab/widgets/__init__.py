"""Widgets: a span frame in, traits with words for names, a selection out."""

from __future__ import annotations

try:
    import anywidget as _anywidget  # noqa: F401  (plotly's FigureWidget is one)
    import ipywidgets as _ipywidgets  # noqa: F401
except ImportError as error:
    raise ImportError(
        'Widgets need ipywidgets and anywidget. Install them with: pip install "tracelab-kit[lab]"'
    ) from error

from tracelab.widgets.audit import Audit
from tracelab.widgets.gantt import Gantt
from tracelab.widgets.live import Live

__all__ = ["Audit", "Gantt", "Live"]
