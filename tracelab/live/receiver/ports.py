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
_NOT_HERE: Final = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
_BACKLOG: Final = 128
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
    if isinstance(error, socket.gaierror) or error.errno in _NOT_HERE:
        return SourceError(f"{host!r:.200} is no address of this machine. Leave `host` out for 127.0.0.1.")
    return SourceError(f"Nothing can listen on port {port} of {host!s:.200}: {error.strerror or error}.")


def _by(port: int) -> str:
    receivers: Iterable[Any] = list(_open)
    if any(port in each.ports for each in receivers):
        return ": a receiver of this session listens there. Close it (`live.close()`)"
    return ", by another receiver, a Collector or Jaeger, say. Stop it"


def bound(host: str, port: int, option: str) -> list[socket.socket]:
    """Give sockets that listen on a port of all addresses that a host has here.

    Raises
    ------
    SourceError
        The port is taken or may not be listened on, or the host is none of this machine.
    """
    sockets: list[socket.socket] = []
    failure: OSError = OSError(errno.EADDRNOTAVAIL, "no address")
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            if sockets and not port:
                address = (address[0], sockets[0].getsockname()[1], *address[2:])  # noqa: PLW2901 - one port for all
            try:
                sockets.append(_listening(family, kind, protocol, address))
            except OSError as error:
                # A name may stand for addresses that this machine has not, as that of IPv6.
                if error.errno not in _NOT_HERE:
                    raise
                failure = error
        if not sockets:
            raise failure
    except (OSError, UnicodeError) as error:
        for each in sockets:
            each.close()
        known = error if isinstance(error, OSError) else failure
        raise cannot_listen(host, port, known, option) from error
    return sockets


def _listening(family: int, kind: int, protocol: int, address: Any) -> socket.socket:
    made = socket.socket(family, kind, protocol)
    try:
        if os.name != "nt":  # there it would let two programs listen on one port
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.setblocking(False)
        made.bind(address)
        made.listen(_BACKLOG)
    except BaseException:
        made.close()
        raise
    return made
