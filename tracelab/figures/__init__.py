"""Figures: functions that take a span frame and give back a plotly Figure; none of them shows it."""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
