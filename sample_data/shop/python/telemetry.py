"""Start the OpenTelemetry SDK for one of the shop's Python programs.

The service's name, version and host come from OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES, its sampler from
OTEL_TRACES_SAMPLER: all of them standard variables that the SDK reads by itself.
"""

from __future__ import annotations

import os
import time

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk import trace as sdk_trace
from opentelemetry.sdk.trace.export import BatchSpanProcessor


def start() -> sdk_trace.TracerProvider:
    set_clock(float(os.environ.get("CLOCK_OFFSET_MS", "0")))
    provider = sdk_trace.TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return provider


def set_clock(offset_ms: float) -> None:
    """Let the SDK's clock go wrong, as the clock of a host without time synchronisation does."""
    if offset_ms:
        offset = round(offset_ms * 1_000_000)
        sdk_trace.time_ns = lambda: time.time_ns() + offset
