"""How long spans and traces take, what a span did itself, and which spans took longer than their like."""

from __future__ import annotations
