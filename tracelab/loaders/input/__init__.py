"""Bytes before they are spans: sources, decompression, text cut into pieces, damaged JSON, work side by side."""

from __future__ import annotations
