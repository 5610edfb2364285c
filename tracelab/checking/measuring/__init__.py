"""What the spans say of a rule: a figure with its interval, how many it rests on, and traces that show it."""

from __future__ import annotations
