"""Clocks of hosts: how far they are apart, told from the calls between them, and times that are set right."""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
