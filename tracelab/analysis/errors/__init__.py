"""What failed and how often, where failures start, how far they get, and what callers saw of them."""

from __future__ import annotations
