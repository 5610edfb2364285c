"""The stages of a pipeline, run on the spansets of all traces at once: plans, operators, groups and aggregates."""

from __future__ import annotations
