"""TraceQL: text to tokens to nodes to polars."""

from __future__ import annotations
