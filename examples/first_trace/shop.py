"""A shop that buys from the warehouse: python shop.py, while node warehouse.js runs."""

import asyncio
import sys

import httpx
from opentelemetry import propagate, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider(resource=Resource.create({"service.name": "shop"}))
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))  # to OTEL_EXPORTER_OTLP_ENDPOINT, else port 4318
trace.set_tracer_provider(provider)
HTTPXClientInstrumentor().instrument()  # every request is a span, and carries its context in its headers
tracer = trace.get_tracer("shop")
address = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8080"


async def buy(*items):
    async with httpx.AsyncClient(base_url=address) as warehouse:
        with tracer.start_as_current_span("buy"):
            with tracer.start_as_current_span("log in"):
                await asyncio.sleep(0.02)
            with tracer.start_as_current_span("load basket"):
                await asyncio.sleep(0.01)
            await asyncio.gather(*(warehouse.get(f"/stock/{item}") for item in items))
            with tracer.start_as_current_span("send order", kind=trace.SpanKind.PRODUCER):
                order = {"item": items[0], "context": {}}
                propagate.inject(order["context"])  # by hand: the order outlives the request that brings it
                await warehouse.post("/orders", json=order)
            parcel = (await warehouse.get("/parcels")).json()
        with tracer.start_as_current_span(
            "open parcel", context=propagate.extract(parcel["context"]), kind=trace.SpanKind.CONSUMER
        ):
            await asyncio.sleep(0.01)


asyncio.run(buy("lamp", "chair", "table"))
provider.shutdown()  # sends what the batch still holds
