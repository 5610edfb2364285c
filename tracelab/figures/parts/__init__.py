"""What charts are made of: the style that all share, axes, ranked bars, panels over time, text that fits."""

from __future__ import annotations
