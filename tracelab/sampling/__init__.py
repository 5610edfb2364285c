"""Sampling: which spans a sampler or a policy would have kept, and what those that were kept stand for."""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
