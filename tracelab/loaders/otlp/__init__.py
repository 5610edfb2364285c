"""OTLP as JSON and as protobuf, in and out: the fast ways, the tolerant one, framing and the writer."""

from __future__ import annotations
