"""Ports that cannot be had, told so that one knows what to do."""

from __future__ import annotations

import errno
import os
import socket
import weakref
from typing import TYPE_CHECKING, Any, Final

from tracelab.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable

_TAKEN: Final = {errno.EADDRINUSE, getattr(errno, "WSAEADDRINUSE", errno.EADDRINUSE)}
_open: Final[weakref.WeakSet[Any]] = weakref.WeakSet()


def remember(receiver: Any) -> None:
    """Know a receiver that listens, as long as there is one."""
    _open.add(receiver)


def cannot_listen(host: str, port: int, error: OSError, option: str) -> SourceError:
    """Say why nothing can listen there, and what to do."""
    if error.errno in _TAKEN:
        return SourceError(f"Port {port} on {host} is taken{_by(port)}, or pass {option}=0 for a free one.")
    if error.errno == errno.EACCES:
        return SourceError(f"Port {port} on {host} may not be listened on. Pass {option}=0 for a free one.")
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return SourceError(f"{host!r:.200} is no address of this machine. Leave `host` out for 127.0.0.1.")
    return SourceError(f"Nothing can listen on port {port} of {host!s:.200}: {error.strerror or error}.")


def _by(port: int) -> str:
    receivers: Iterable[Any] = list(_open)
    if any(port in each.ports for each in receivers):
        return ": a receiver of this session listens there. Close it (`live.close()`)"
    return ", by another receiver, a Collector or Jaeger, say. Stop it"


def checked_port(host: str, port: int, option: str) -> int:
    """Give a port back on which one can listen, for a server that does not say why it cannot.

    Raises
    ------
    SourceError
        It is taken, or may not be listened on.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in found:
            with socket.socket(family, kind, protocol) as tried:
                if os.name != "nt":
                    tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                tried.bind(address)
                tried.listen()
    except OSError as error:
        raise cannot_listen(host, port, error, option) from error
    return port
