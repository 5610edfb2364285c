"""Dumps that may leave the house: what stays of spans, and what stands for the rest."""

from __future__ import annotations
