"""From decoded spans to the span frame: builders and chunks, values and times, ids, and what becomes a column."""

from __future__ import annotations
