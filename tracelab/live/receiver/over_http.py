"""OTLP over HTTP, by a server of tornado's in a thread and an event loop of its own.

Tornado is what Jupyter itself runs on. It bounds headers, bodies and the time that both may take, reads bodies that
come in chunks, and does not need a thread for each slow sender, as the server of the standard library does.
"""

from __future__ import annotations

import asyncio
import re
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import msgspec
import zstandard
from tornado import httpserver, web

from tracelab.live.receiver.intake import (
    BROKEN_OFF,
    CLOSED,
    FOREIGN,
    FULL,
    JSON,
    MALFORMED,
    PROTOBUF,
    SIGNALS,
    TOO_LARGE,
    UNKNOWN_ENCODING,
    UNKNOWN_PATH,
    UNKNOWN_TYPE,
    WRONG_METHOD,
    Refused,
    Taken,
    partial_success,
)
from tracelab.live.receiver.ports import bound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tornado.iostream import IOStream

    from tracelab.live.receiver.intake import Intake

MOST_BODY: Final = 64 << 20
_MOST_AT_ONCE: Final = 256 << 20
_MOST_CONNECTIONS: Final = 512
_IDLE_SECONDS: Final = 75.0
_BODY_SECONDS: Final = 60.0
_GRACE_SECONDS: Final = 2.0
_RETRY_SECONDS: Final = 1
_WORKERS: Final = 2
_BLOCK: Final = 1 << 20
_TYPES: Final = {
    "application/x-protobuf": PROTOBUF,
    "application/protobuf": PROTOBUF,
    "application/json": JSON,
}
_CONTENT_TYPES: Final = {PROTOBUF: "application/x-protobuf", JSON: "application/json"}
_ENCODINGS: Final = {"gzip": zlib.MAX_WBITS | 16, "x-gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}
_ZSTD: Final = "zstd"
_OWN_HOSTS: Final = frozenset(("localhost", "127.0.0.1", "::1"))
_HEADER_NAMES: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~, -]{1,2000}")
_UNAVAILABLE: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
)


class HttpServer:
    """Listens from when it is made until it is closed."""

    def __init__(self, intake: Intake, host: str, port: int) -> None:
        self._sockets = bound(host, port, "http_port")
        self.port = int(self._sockets[0].getsockname()[1])
        self._loop = asyncio.new_event_loop()
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="tracelab-receiver")
        self._load = _Load()
        self._server = _Server(
            web.Application(
                [(r".*", _Handler, {"intake": intake, "pool": self._pool, "load": self._load})],
                log_function=lambda _: None,
                serve_traceback=False,
            ),
            max_header_size=64 << 10,
            max_body_size=4 * MOST_BODY,
            max_buffer_size=4 * MOST_BODY,
            idle_connection_timeout=_IDLE_SECONDS,
            body_timeout=_BODY_SECONDS,
        )
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=[started], name="tracelab-receiver-http", daemon=True)
        self._thread.start()
        started.wait()

    def close(self) -> None:
        """Take no more requests, and answer those that are under way."""
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._end(), self._loop)
            # Whoever lets go of a receiver may be any thread, even this one.
            if threading.current_thread() is not self._thread:
                self._thread.join(3 * _GRACE_SECONDS)
        self._pool.shutdown(wait=False)

    def _run(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.call_soon(self._server.add_sockets, self._sockets)
        self._loop.call_soon(started.set)
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()

    async def _end(self) -> None:
        self._server.stop()
        self._load.ending = asyncio.Event()
        # Whoever does not read his answer, or the end of the connection, is left to himself.
        with suppress(TimeoutError):
            if self._load.answering:
                await asyncio.wait_for(self._load.ending.wait(), _GRACE_SECONDS)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._server.close_all_connections(), _GRACE_SECONDS)
        self._loop.stop()


@dataclass(slots=True)
class _Load:
    """What is under way: requests that are being answered, and the bytes of bodies that came so far."""

    answering: int = 0
    bytes: int = 0
    ending: asyncio.Event | None = None

    def answered(self) -> None:
        """Count an answer; the last one may end the server."""
        self.answering -= 1
        if self.ending is not None and not self.answering:
            self.ending.set()


class _Server(httpserver.HTTPServer):
    """An HTTP server that has so many connections and no more."""

    def handle_stream(self, stream: IOStream, address: Any) -> None:
        if len(self._connections) < _MOST_CONNECTIONS:
            super().handle_stream(stream, address)
            return
        stream.write(_UNAVAILABLE)
        stream.close()


@web.stream_request_body
class _Handler(web.RequestHandler):
    """Answers one request."""

    def initialize(self, intake: Intake, pool: ThreadPoolExecutor, load: _Load) -> None:
        self._intake = intake
        self._pool = pool
        self._load = load
        self._load.answering += 1
        self._body = bytearray()
        self._counted = 0
        self._encoding = PROTOBUF
        self._refused: Refused | None = None

    def prepare(self) -> None:
        """Look at what the headers say, before the body is there."""
        try:
            self._check_headers()
        except Refused as refused:
            self._refuse(refused)

    def data_received(self, chunk: bytes) -> None:
        """Keep what came of the body; what is too much is read to its end, so that the sender reads the answer."""
        if self._refused is not None:
            return
        if len(self._body) + len(chunk) > MOST_BODY:
            self._refused = _too_large()
        elif self._load.bytes + len(chunk) > _MOST_AT_ONCE:
            self._refused = Refused(FULL, "So much is being sent at once that there is no room for it. Send it again.")
        else:
            self._body += chunk
            self._counted += len(chunk)
            self._load.bytes += len(chunk)
            return
        self._release()

    async def post(self) -> None:
        """Take what was sent."""
        if self._refused is not None:
            self._refuse(self._refused)
            return
        loop, compression = asyncio.get_running_loop(), self._named("Content-Encoding")
        work = partial(_taken, self._intake, self._signal(), self._body, compression, self._encoding)
        try:
            working = loop.run_in_executor(self._pool, work)
        except RuntimeError as error:  # the process ends
            self._refuse(Refused(CLOSED, f"The receiver ends: {error}."))
            return
        try:
            taken = await working
        except Refused as refused:
            self._refuse(refused)
        else:
            self._answer(200, _response(taken, self._encoding))

    async def options(self) -> None:
        """Let pages of this machine send."""
        asked = self.request.headers.get("Access-Control-Request-Headers", "")
        self.set_header("Access-Control-Allow-Methods", "POST, OPTIONS")
        if _HEADER_NAMES.fullmatch(asked):
            self.set_header("Access-Control-Allow-Headers", asked)
        if self.request.headers.get("Access-Control-Request-Private-Network") == "true":
            self.set_header("Access-Control-Allow-Private-Network", "true")
        self.set_header("Access-Control-Max-Age", "7200")
        self.set_header("Allow", "POST, OPTIONS")
        self.set_status(204)
        await self.finish()

    def on_finish(self) -> None:
        """Forget the body."""
        self._release()
        self._load.answered()

    def on_connection_close(self) -> None:
        """Count a request that broke off before it was whole."""
        if not self._finished:
            self._release()
            self._load.answered()
            self._refused = self._refused or Refused(BROKEN_OFF, "The connection ended before the request did.")
            self._intake.refuse(self._refused)

    def write_error(self, status_code: int, **_kwargs: Any) -> None:
        """Say in the encoding of the request what went wrong here."""
        if status_code == 405:
            self._refuse(_wrong_method(self.request.method))
            return
        self._answer(status_code, _status(13, "The receiver failed. It says why where it runs.", self._encoding))

    def set_default_headers(self) -> None:
        self.set_header("Server", "tracelab")

    def _check_headers(self) -> None:
        request = self.request
        named = self._named("Content-Type")
        self._encoding = _TYPES.get(named, PROTOBUF)
        self._allow_origin()
        if self._signal() not in SIGNALS:
            raise Refused(UNKNOWN_PATH, f"There is nothing at {_shown(request.path)}. Send traces to /v1/traces.")
        if request.method == "OPTIONS":
            return
        if request.method != "POST":
            raise _wrong_method(request.method)
        if named not in _TYPES:
            raise Refused(
                UNKNOWN_TYPE,
                f"The content type {_shown(named)} is none of OTLP's. Send application/x-protobuf or application/json.",
            )
        if self._named("Content-Encoding") not in ("", "identity", _ZSTD, *_ENCODINGS):
            raise Refused(
                UNKNOWN_ENCODING,
                f"The content encoding {_shown(self._named('Content-Encoding'))} is not known. Send gzip, or none.",
            )
        length = request.headers.get("Content-Length", "")
        if length.isascii() and length.isdigit() and int(length[:20]) > MOST_BODY:
            raise _too_large()

    def _allow_origin(self) -> None:
        """Let pages of this machine read the answer, and take nothing from other pages.

        A browser says whose page sends, also where a name of somebody else was made to lead to this machine.
        """
        origin = self.request.headers.get("Origin")
        if origin is None:
            return
        self.set_header("Vary", "Origin")
        try:
            host = urlsplit(origin).hostname
        except ValueError:
            host = None
        if host not in _OWN_HOSTS:
            raise Refused(FOREIGN, f"Pages of {_shown(origin)} may not send here, only those of this machine.")
        self.set_header("Access-Control-Allow-Origin", origin)
        self.set_header("Access-Control-Allow-Credentials", "true")

    def _signal(self) -> str:
        return self.request.path.removeprefix("/v1/") if self.request.path.startswith("/v1/") else ""

    def _named(self, header: str) -> str:
        """Give what a header names, without parameters."""
        return self.request.headers.get(header, "").partition(";")[0].strip().lower()

    def _refuse(self, refused: Refused) -> None:
        self._refused = refused
        self._release()
        self._intake.refuse(refused)
        if refused.reason.status == 503:
            self.set_header("Retry-After", str(_RETRY_SECONDS))
        if refused.reason.status == 405:
            self.set_header("Allow", "POST, OPTIONS")
        if refused.reason is UNKNOWN_ENCODING:
            self.set_header("Accept-Encoding", f"gzip, {_ZSTD}, deflate")
        if refused.reason is TOO_LARGE:
            self.set_header("Connection", "close")
        self._answer(refused.reason.status, _status(refused.reason.code, refused.message, self._encoding))

    def _answer(self, status: int, content: bytes) -> None:
        self.set_status(status)
        self.set_header("Content-Type", _CONTENT_TYPES[self._encoding])
        self.finish(content)

    def _release(self) -> None:
        self._load.bytes -= self._counted
        self._counted = 0
        self._body = bytearray()


def _taken(intake: Intake, signal: str, body: bytearray, compression: str, encoding: str) -> Taken:
    plain = signal != "traces" or compression in ("", "identity")
    content = bytes(body) if plain else _decompressed(body, compression)
    return intake.take(signal, content, encoding)


def _decompressed(body: bytearray, compression: str) -> bytes:
    """Decompress a body, but no more of it than a body may have.

    Raises
    ------
    Refused
        It is damaged, or too large.
    """
    try:
        parts = _zstd_parts(body) if compression == _ZSTD else _zlib_parts(body, _ENCODINGS[compression])
        content = bytearray()
        for part in parts:
            content += part
            if len(content) > MOST_BODY:
                raise _too_large()
    except (zlib.error, zstandard.ZstdError, EOFError) as error:
        raise Refused(MALFORMED, f"The body is no {compression}, or a damaged one: {error}.") from error
    return bytes(content)


def _zlib_parts(body: bytearray, window: int) -> Iterator[bytes]:
    """Decompress one stream after another."""
    rest: bytes | bytearray = body
    while rest:
        stream = zlib.decompressobj(window)
        while not stream.eof:
            part = stream.decompress(rest, _BLOCK)
            rest = stream.unconsumed_tail
            if not part and not rest and not stream.eof:
                raise EOFError("it ends in the middle")
            yield part
        rest = stream.unused_data


def _zstd_parts(body: bytearray) -> Iterator[bytes]:
    decompressor = zstandard.ZstdDecompressor(max_window_size=1 << 27)
    with decompressor.stream_reader(bytes(body), read_across_frames=True) as reader:
        while part := reader.read(_BLOCK):
            yield part


def _wrong_method(method: str | None) -> Refused:
    return Refused(WRONG_METHOD, f"{_shown(str(method))} does nothing here. Send with POST.")


def _too_large() -> Refused:
    return Refused(TOO_LARGE, f"The body has more than {MOST_BODY:,} bytes. Send smaller batches.")


def _response(taken: Taken, encoding: str) -> bytes:
    """Write the response of a service: nothing, or how many spans were not taken."""
    if not taken.rejected:
        return b"{}" if encoding == JSON else b""
    partial = {"rejectedSpans": str(taken.rejected), "errorMessage": taken.message}
    if encoding == JSON:
        return msgspec.json.encode({"partialSuccess": partial})
    return partial_success(taken)


def _status(code: int, message: str, encoding: str) -> bytes:
    """Write a google.rpc.Status."""
    if encoding == JSON:
        return msgspec.json.encode({"code": code, "message": message})
    text = message.encode("utf-8", "replace")
    # In protobuf: field 1 is the code, field 2 the message, whose length goes in front of it seven bits at a time.
    length, rest = bytearray(), len(text)
    while rest > 0x7F:
        length.append(rest & 0x7F | 0x80)
        rest >>= 7
    length.append(rest)
    return b"\x08" + bytes([code]) + b"\x12" + length + text


def _shown(text: str) -> str:
    return repr(text) if len(text) <= 100 else repr(text[:97] + "...")
