"""Explore distributed traces in a notebook.

`read` makes a span frame, a plain polars frame, of any trace dump; every other function takes that frame and gives back
a frame, a figure or a widget. What is here is listed in `__init__.pyi`, and each room is imported when it is first
used, so that importing the package costs hardly more than importing polars.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def load_ipython_extension(ipython: Any) -> None:
    """Show polars frames with readable durations, and give the notebook `%%trace`: what `%load_ext tracelab` calls."""
    import_module("tracelab.display.ipython").install(ipython)
    import_module("tracelab.cell_magic").install(ipython)


def unload_ipython_extension(ipython: Any) -> None:
    """Take back what `%load_ext tracelab` gave: what `%unload_ext tracelab` calls."""
    import_module("tracelab.display.ipython").uninstall(ipython)
    import_module("tracelab.cell_magic").uninstall(ipython)
