"""Figures of the page: their data lie in it as text, and are drawn when they come into view."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import plotly.io as pio

if TYPE_CHECKING:
    import plotly.graph_objects as go

_HEIGHT: Final = 450
# A script of this type is text to a browser; of that text only this character could end it.
_ESCAPED: Final = str.maketrans({"<": "\\u003c", "\u2028": "\\u2028", "\u2029": "\\u2029"})


def figure(drawing: go.Figure) -> str:
    """Give a figure as HTML: room as high as it will be, and its data."""
    height = int(drawing.layout.height or _HEIGHT)
    data = pio.to_json(drawing, validate=False).translate(_ESCAPED)
    return (
        f'<div class="figure"><div class="drawing" style="height: {height}px"></div>'
        f'<script type="application/json">{data}</script></div>'
    )
