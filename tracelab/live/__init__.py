"""Live: spans that a server holds, that somebody sends, or that this process makes, as a span frame."""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
