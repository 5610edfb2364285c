"""Critical paths: their sections, the algorithm that finds those of all traces at once, and profiles of many."""

from __future__ import annotations
