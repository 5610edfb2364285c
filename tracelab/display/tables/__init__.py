"""The one engine for tables that people read: on a terminal, in a notebook, in a page.

HTML of our own, since `great-tables` neither sorts nor filters, and `itables` adds 970 kB to a page that opens without
a network, prints only the rows in view, and fits no narrow window. Neither knows our units or folds bounds.
"""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
