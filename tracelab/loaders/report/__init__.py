"""What was repaired, skipped or guessed while reading: the kinds of problems, and how they are counted."""

from __future__ import annotations
