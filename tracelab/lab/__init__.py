"""Notebooks in a folder of the user's: fresh ones about dumps, copies of the samples, and JupyterLab to open them."""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
