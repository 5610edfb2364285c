"""What leaves the house: files for other programs, text for tickets, dumps without secrets."""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
