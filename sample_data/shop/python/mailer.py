"""The mailer: takes mails from Redis in batches; extracts each one's context by hand, links the batch to all."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
import zlib
from http.server import BaseHTTPRequestHandler, HTTPServer

import redis
import telemetry
from opentelemetry import propagate, trace

provider = telemetry.start()

MAILS = "mails"
BATCH = 5
MESSAGING = {"messaging.system": "redis", "messaging.destination.name": MAILS}
tracer = trace.get_tracer("shop.mailer", "1.1.0")
# Not instrumented: a span for every look into an empty list would bury the rest.
store = redis.Redis(port=int(os.environ["REDIS_PORT"]), db=1)
stopping = threading.Event()


def take_batch() -> list[dict]:
    """Wait for a first mail, then take what came in the quarter of a second after it."""
    first = store.blpop([MAILS], timeout=1)
    if first is None:
        return []
    time.sleep(0.25)
    return [json.loads(job) for job in (first[1], *(store.lpop(MAILS, BATCH - 1) or []))]


def process(jobs: list[dict]) -> None:
    contexts = [propagate.extract(job["context"]) for job in jobs]
    links = [trace.Link(trace.get_current_span(context).get_span_context()) for context in contexts]
    attributes = MESSAGING | {"messaging.batch.message_count": len(jobs)}
    with tracer.start_as_current_span(
        "mails process", kind=trace.SpanKind.CONSUMER, links=links, attributes=attributes
    ) as batch:
        for job, context in zip(jobs, contexts, strict=True):
            send(job, context, trace.Link(batch.get_span_context()))


def send(job: dict, context, batch: trace.Link) -> None:
    """Belongs to the order's trace, not to the batch's: the batch is only linked."""
    attributes = MESSAGING | {"order.id": job["order_id"], "user.id": job["user_id"]}
    with tracer.start_as_current_span(
        "send_mail", context, kind=trace.SpanKind.CONSUMER, links=[batch], attributes=attributes
    ):
        time.sleep(random.Random(zlib.crc32(job["order_id"].encode())).lognormvariate(-4.9, 0.3))


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    health = HTTPServer(("127.0.0.1", int(os.environ["PORT"])), BaseHTTPRequestHandler)
    threading.Thread(target=health.serve_forever, daemon=True).start()
    while not stopping.is_set():
        jobs = take_batch()
        if jobs:
            process(jobs)
    provider.shutdown()


if __name__ == "__main__":
    main()
