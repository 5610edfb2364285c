"""Zipkin JSON of version 2 and of version 1, whose rows belong together across a whole file."""

from __future__ import annotations
