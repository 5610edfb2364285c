"""Honeycomb Refinery: its rules read, and run on spans as it would.

What is followed is Refinery 2.9 (its `rulesMeta.yaml`, validation and samplers), the algorithms of dynsampler-go 0.6.3,
and Honeycomb's translation of OTLP (husky) to the events that Refinery sees.
"""

from __future__ import annotations
