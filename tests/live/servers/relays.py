"""A relay before a server: it makes every question travel for a while, and notes what is asked."""

from __future__ import annotations

import re
import socket
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ASKED: Final = re.compile(rb"(?:^|\r\n)GET (\S+) HTTP/1\.1\r\n")
_BLOCK: Final = 1 << 18


@dataclass
class Relay:
    """Where it listens, and the paths that were asked for."""

    url: str
    asked: list[str] = field(default_factory=list)


@contextmanager
def relaying(server: str, *, latency: float = 0, when_asked: Callable[[int], None] = lambda _: None) -> Iterator[Relay]:
    """Pass everything on to a server, questions so many seconds late; `when_asked` is called with their number."""
    parts = urlsplit(server)
    listening = socket.create_server(("127.0.0.1", 0))
    relay = Relay(f"http://127.0.0.1:{listening.getsockname()[1]}")
    opened: list[socket.socket] = [listening]

    def accept() -> None:
        with suppress(OSError):
            while True:
                client, _ = listening.accept()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                try:
                    behind = socket.create_connection((parts.hostname or "", parts.port or 80))
                except OSError:
                    client.close()
                    continue
                behind.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                opened.extend((client, behind))
                late: SimpleQueue[tuple[float, bytes]] = SimpleQueue()
                for target, arguments in (
                    (_ask, (client, late, relay, latency, when_asked)),
                    (_pass_late, (late, behind)),
                    (_answer, (behind, client)),
                ):
                    threading.Thread(target=target, args=arguments, daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield relay
    finally:
        for each in opened:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        thread.join(5)


def _ask(
    client: socket.socket,
    late: SimpleQueue[tuple[float, bytes]],
    relay: Relay,
    latency: float,
    when_asked: Callable[[int], None],
) -> None:
    while block := _received(client):
        for found in _ASKED.finditer(block):
            relay.asked.append(found[1].decode())
            when_asked(len(relay.asked))
        late.put((time.monotonic() + latency, block))
    late.put((0, b""))


def _pass_late(late: SimpleQueue[tuple[float, bytes]], behind: socket.socket) -> None:
    with suppress(OSError):
        while (item := late.get())[1]:
            time.sleep(max(0, item[0] - time.monotonic()))
            behind.sendall(item[1])
        behind.shutdown(socket.SHUT_WR)


def _answer(behind: socket.socket, client: socket.socket) -> None:
    with suppress(OSError):
        while block := _received(behind):
            client.sendall(block)
        client.shutdown(socket.SHUT_RDWR)


def _received(one: socket.socket) -> bytes:
    try:
        return one.recv(_BLOCK)
    except OSError:
        return b""
