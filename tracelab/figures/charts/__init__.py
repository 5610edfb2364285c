"""One file per chart: a span frame in, a plotly Figure out."""

from __future__ import annotations
