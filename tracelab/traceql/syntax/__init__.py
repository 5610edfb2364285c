"""The text of a query and its nodes: tokens, grammar, what may be combined, limits, and advice on what was meant."""

from __future__ import annotations
