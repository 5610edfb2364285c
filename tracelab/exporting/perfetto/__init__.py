"""Trace events, as Perfetto and Chrome open them: lanes, texts, and the events themselves."""

from __future__ import annotations
