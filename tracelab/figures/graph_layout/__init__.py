"""Graphs of services: where boxes and arrows are, and what they are drawn with."""

from __future__ import annotations
