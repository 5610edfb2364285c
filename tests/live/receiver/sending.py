"""Means to send to a receiver, by the book and otherwise."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import requests
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from tests.loaders.dumps import protobuf, request, span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Tracer

    from tracelab.live import Receiver

PROTOBUF = "application/x-protobuf"
JSON = "application/json"


def trace_id(number: int) -> str:
    return f"{number + 1:032x}"


def span_id(number: int) -> str:
    return f"{number + 1:016x}"


def trace(number: int, spans: int = 1, **fields: Any) -> list[dict[str, Any]]:
    """Write a trace whose first span is the parent of the others."""
    root = span_id(number * 1000)
    return [
        span(
            span_id(number * 1000 + place),
            traceId=trace_id(number),
            parentSpanId=None if place == 0 else root,
            name=f"span {place}",
            **fields,
        )
        for place in range(spans)
    ]


def body(*spans: dict[str, Any], service: str = "shop") -> bytes:
    return protobuf(request(*spans, service=service))


def post(
    live: Receiver, content: bytes, kind: str = PROTOBUF, *, path: str = "/v1/traces", **headers: str
) -> requests.Response:
    named = {"Content-Type": kind, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return requests.post(f"{live.http_url}{path}", data=content, headers=named, timeout=10)


@contextmanager
def tracing(exporter: SpanExporter) -> Iterator[Tracer]:
    """Trace with the SDK; all is exported at the end."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=100_000))
    yield provider.get_tracer("tests")
    provider.shutdown()


@contextmanager
def connected(live: Receiver) -> Iterator[socket.socket]:
    """Speak to the receiver byte by byte."""
    with socket.create_connection(("127.0.0.1", int(str(live.http_url).rpartition(":")[2])), timeout=10) as raw:
        yield raw


def answer(raw: socket.socket) -> tuple[int, bytes]:
    """Read an answer with a length; gives its status and body."""
    received = b""
    while b"\r\n\r\n" not in received:
        block = raw.recv(65536)
        if not block:
            break
        received += block
    head, _, content = received.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    while len(content) < length:
        content += raw.recv(65536)
    return int(head.split()[1]) if head else 0, content


def head(length: int | None, *lines: str, kind: str = PROTOBUF) -> bytes:
    """Write the head of a POST."""
    some = ["POST /v1/traces HTTP/1.1", "Host: localhost", f"Content-Type: {kind}", *lines]
    if length is not None:
        some.append(f"Content-Length: {length}")
    return ("\r\n".join(some) + "\r\n\r\n").encode()
