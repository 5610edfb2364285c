"""Traces as they would have been: retimed with some spans shorter or longer, along the order that they show."""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
