"""Nodes to polars: what each expression of a query gives on every span, and which column it is read from."""

from __future__ import annotations
