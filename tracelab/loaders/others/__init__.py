"""One file per format: how its documents are recognised, and how one becomes spans."""

from __future__ import annotations
