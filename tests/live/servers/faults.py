"""A small real HTTP server on loopback, whose answers, and faults, a test writes as a function."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator


@dataclass
class Asked:
    """One question as it arrived."""

    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]

    def one(self, name: str) -> str:
        return self.query[name][0]


@dataclass
class Reply:
    """What to answer; `length` lies about how much comes, `dies` ends the connection without an end."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None
    without_length: bool = False
    dies: bool = False


@dataclass
class Served:
    """A running server, and what it was asked."""

    url: str
    port: int
    asked: list[Asked]
    stop: Callable[[], None]


@contextmanager
def serving(answer: Callable[[Asked], Reply], *, tls: ssl.SSLContext | None = None) -> Iterator[Served]:
    asked: list[Asked] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            one = Asked(parts.path, parse_qs(parts.query, keep_blank_values=True), dict(self.headers))
            asked.append(one)
            reply = answer(one)
            if reply.dies:
                self.close_connection = True
                return
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if reply.without_length:
                self.close_connection = True
            else:
                self.send_header("Content-Length", str(len(reply.body) if reply.length is None else reply.length))
            self.end_headers()
            self.wfile.write(reply.body)
            if reply.length is not None:
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    stopped = threading.Event()

    def stop() -> None:
        if not stopped.is_set():
            stopped.set()
            server.shutdown()
            server.server_close()

    port = server.server_address[1]
    try:
        yield Served(f"{'https' if tls else 'http'}://127.0.0.1:{port}", port, asked, stop)
    finally:
        stop()
        thread.join(5)
