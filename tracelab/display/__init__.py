"""How answers read: numbers, times and names in words, frames as tables for people and as records for programs."""

from __future__ import annotations
