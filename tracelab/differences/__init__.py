"""Two sets of spans or traces side by side: what sets one apart from the other."""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
