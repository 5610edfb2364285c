"""Answers: functions that take a span frame and give back a small frame."""

from __future__ import annotations

from tracelab.analysis.paths import critical_path

__all__ = ["critical_path"]
