"""Rows with recognisable columns: any table of spans, whoever wrote it, from names to units to a chunk."""

from __future__ import annotations
