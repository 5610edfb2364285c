"""Where the boxes and arrows of a service graph are drawn."""

from __future__ import annotations
