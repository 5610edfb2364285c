"""The audit: where the context of traces breaks, why, and how good each service's instrumentation is."""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
