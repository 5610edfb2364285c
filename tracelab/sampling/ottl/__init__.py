"""OTTL, the language of the Collector's conditions, over whole columns of a span frame."""

from __future__ import annotations

from tracelab.sampling.ottl.conditions import Conditions

__all__ = ["Conditions"]
