"""The recommender: ranks products in a thread pool, and LOSES THE TRACE CONTEXT on the way there.

`run_in_executor` starts the function without the caller's context variables, so the ranking and its call to the
catalogue begin traces of their own. `contextvars.copy_context().run` would keep them together.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import telemetry
from aiohttp import web

sys.path.insert(0, str(Path(__file__).parent.parent / "proto"))
provider = telemetry.start()

import grpc  # noqa: E402 - instrumented below, before anything is made with it
from opentelemetry import trace  # noqa: E402
from opentelemetry.instrumentation.aiohttp_server import AioHttpServerInstrumentor  # noqa: E402
from opentelemetry.instrumentation.grpc import GrpcInstrumentorClient  # noqa: E402

AioHttpServerInstrumentor().instrument()
GrpcInstrumentorClient().instrument()

CATEGORIES = ("books", "garden", "toys", "music", "kitchen", "bicycles")
STUCK_SECONDS = 1.0

tracer = trace.get_tracer("shop.recommender", "0.9.2")
messages, services = grpc.protos_and_services("catalogue.proto")
catalogue = services.CatalogueStub(grpc.insecure_channel(os.environ["CATALOGUE"]))
pool = ThreadPoolExecutor(max_workers=4)


class NoProfileError(Exception):
    """We know nothing about this visitor."""


def rank(session: str) -> list[int]:
    with tracer.start_as_current_span("rank_products", attributes={"session.id": session}):
        rng = random.Random(zlib.crc32(session.encode()))
        products = catalogue.ListProducts(messages.ListRequest(category=rng.choice(CATEGORIES))).products
        time.sleep(rng.lognormvariate(-4.2, 0.4))
        if session.startswith("stuck-"):
            time.sleep(STUCK_SECONDS)
        if session.startswith("broken-"):
            raise NoProfileError(f"no profile for session {session}")
        return [product.id for product in products[:3]]


async def recommend(request: web.Request) -> web.Response:
    loop = asyncio.get_running_loop()
    products = await loop.run_in_executor(pool, rank, request.query["session"])
    return web.json_response({"products": products})


async def flush(_app: web.Application) -> None:
    provider.shutdown()


if __name__ == "__main__":
    app = web.Application()
    app.add_routes([web.get("/recommendations", recommend)])
    app.on_cleanup.append(flush)
    web.run_app(app, host="127.0.0.1", port=int(os.environ["PORT"]), print=None)
