"""The gate: what traces must hold to, in rules or in tests, and whether the data show that they do not."""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
