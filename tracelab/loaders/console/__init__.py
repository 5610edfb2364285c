"""Spans as exporters print them to a console, for people to read; they end up in logs."""

from __future__ import annotations
