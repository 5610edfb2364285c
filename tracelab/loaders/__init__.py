"""Trace dumps in, span frames out: the only room that knows a wire format."""

from __future__ import annotations

from tracelab.loaders.reading import load_report, read, read_jaeger, read_otlp, read_tempo, read_zipkin
from tracelab.loaders.scanning import scan
from tracelab.loaders.writing import write

__all__ = ["load_report", "read", "read_jaeger", "read_otlp", "read_tempo", "read_zipkin", "scan", "write"]
