"""Honeycomb Refinery: its rules read, and run on spans as it would.

What is followed is Refinery 2.9: its `rulesMeta.yaml`, validation and samplers; and 3.0 in how keys are written, and in
that whole numbers have 64 bits. Rates are those of dynsampler-go 0.6.3, and the events that Refinery sees those of
Honeycomb's translation of OTLP (husky). Every rule has a dynamic sampler of its own, as in 2.9; 3.0 shares those that
are alike.
"""

from __future__ import annotations
