"""Answers: functions that take a span frame and give back a small frame.

What is here is listed in `__init__.pyi`, and each room is imported when it is first used.
"""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
