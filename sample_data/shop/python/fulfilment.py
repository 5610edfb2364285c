"""The fulfilment: takes placed orders from RabbitMQ, packs them, and leaves a mail to be sent in Redis.

Its SDK decides by itself which traces it records (OTEL_TRACES_SAMPLER=traceidratio), whatever the caller decided.
"""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
import zlib
from http.server import BaseHTTPRequestHandler, HTTPServer

import pika
import redis
import telemetry
from opentelemetry import propagate, trace
from opentelemetry.instrumentation.pika import PikaInstrumentor
from opentelemetry.instrumentation.redis import RedisInstrumentor

provider = telemetry.start()
PikaInstrumentor().instrument()
RedisInstrumentor().instrument()

QUEUE = "orders.placed"
MAILS = "mails"
tracer = trace.get_tracer("shop.fulfilment", "2.0.3")
store = redis.Redis(port=int(os.environ["REDIS_PORT"]), db=1)


class PackingMachineJammedError(Exception):
    """It works again at the second try."""


def pack(order: dict, *, second_try: bool) -> None:
    with tracer.start_as_current_span("pack_order", attributes={"order.id": order["order_id"]}):
        rng = random.Random(zlib.crc32(order["order_id"].encode()))
        time.sleep(rng.lognormvariate(-4.6, 0.3))
        if order["order_id"].startswith("jam-") and not second_try:
            raise PackingMachineJammedError(order["order_id"])


def leave_mail(order: dict) -> None:
    """Redis lists carry no headers: the context travels inside the job, injected by hand."""
    attributes = {"messaging.system": "redis", "messaging.destination.name": MAILS, "order.id": order["order_id"]}
    with tracer.start_as_current_span("mails send", kind=trace.SpanKind.PRODUCER, attributes=attributes):
        job = {"order_id": order["order_id"], "user_id": order["user_id"], "context": {}}
        propagate.inject(job["context"])
        store.rpush(MAILS, json.dumps(job))


def on_order(channel, method, _properties, body: bytes) -> None:
    order = json.loads(body)
    try:
        pack(order, second_try=method.redelivered)
    except PackingMachineJammedError:
        # Back into the queue: the error is swallowed, the order only comes a little later.
        channel.basic_nack(method.delivery_tag, requeue=True)
        return
    store.set(f"order:{order['order_id']}", "packed")
    leave_mail(order)
    channel.basic_ack(method.delivery_tag)


def main() -> None:
    connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
    channel = connection.channel()
    channel.queue_declare(QUEUE)
    channel.basic_qos(prefetch_count=4)
    channel.basic_consume(QUEUE, on_order)
    signal.signal(signal.SIGTERM, lambda *_: connection.add_callback_threadsafe(channel.stop_consuming))
    # A health port: the run script waits for it.
    health = HTTPServer(("127.0.0.1", int(os.environ["PORT"])), BaseHTTPRequestHandler)
    threading.Thread(target=health.serve_forever, daemon=True).start()
    channel.start_consuming()
    provider.shutdown()


if __name__ == "__main__":
    main()
