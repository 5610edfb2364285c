"""A first trace: two steps one after the other, then three at once."""

import asyncio

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider(resource=Resource.create({"service.name": "kitchen"}))
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))  # to OTEL_EXPORTER_OTLP_ENDPOINT, else port 4318
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("breakfast")


async def step(name, seconds):
    with tracer.start_as_current_span(name):
        await asyncio.sleep(seconds)


async def breakfast():
    with tracer.start_as_current_span("breakfast"):
        await step("boil water", 0.05)
        await step("grind coffee", 0.03)
        await asyncio.gather(step("brew coffee", 0.08), step("fry eggs", 0.06), step("toast bread", 0.04))


asyncio.run(breakfast())
provider.shutdown()  # sends what the batch still holds
