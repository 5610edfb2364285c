"""The status of a span that says none of its own, guessed from its status codes of HTTP and gRPC."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracelab.failing import GRPC_CODES, GRPC_SERVER_ERRORS, GRPC_STATUS, HTTP_STATUS
from tracelab.loaders.text import scalar_text
from tracelab.loaders.values import whole_number
from tracelab.schema import KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracelab.loaders.builder import Value

SERVER: Final = KINDS.index("server")
SYSTEM_KEYS: Final = ("rpc.system.name", "rpc.system")
SHARED_KEY: Final = "rpc.response.status_code"
"""The key that other RPC systems use too, with numbers that mean something else there."""

# Names are written DEADLINE_EXCEEDED, deadline_exceeded, DeadlineExceeded or StatusCode.DEADLINE_EXCEEDED; Go says
# Canceled where others say CANCELLED.
_CODES: Final = {name.replace("_", ""): code for name, code in GRPC_CODES.items()} | {"CANCELED": 1}
_KNOWN: Final = frozenset(GRPC_CODES.values())


def http_failed(value: Value | None, *, server: bool) -> bool:
    """Tell whether a status code of HTTP is a failure: from 400 on, for servers from 500 on."""
    code = _number(value)
    return code is not None and code >= (500 if server else 400)


def grpc_code(value: Value | None) -> int | None:
    """Read a status code of gRPC, written as a number or as a name; None if it is none."""
    code = _number(value)
    if value is None or code is not None:
        return code if code in _KNOWN else None
    name = scalar_text(value[1]).rpartition(".")[2]
    return _CODES.get("".join(filter(str.isalpha, name)).upper())


def grpc_failed(value: Value | None, *, server: bool) -> bool:
    """Tell whether a status code of gRPC is a failure: all but 0, for servers those that are their own fault."""
    code = grpc_code(value)
    return code in GRPC_SERVER_ERRORS if server else bool(code)


def is_named(value: Value | None) -> bool:
    """Tell whether a status code of gRPC is a name, which is one whatever system wrote it."""
    return grpc_code(value) is not None and _number(value) is None


def is_grpc(value: Value | None) -> bool:
    """Tell whether an RPC system is gRPC; one that is not said may be."""
    return value is None or scalar_text(value[1]).strip().lower() in ("", "grpc")


def failed_code(tags: Mapping[str, Value], *, server: bool) -> tuple[str, Value] | None:
    """Give the first of a span's status codes that stands for a failure, with its key."""
    for key in HTTP_STATUS:
        if http_failed(tags.get(key), server=server):
            return key, tags[key]
    system = next((tags[key] for key in SYSTEM_KEYS if key in tags), None)
    for key in GRPC_STATUS:
        value = tags.get(key)
        if (key != SHARED_KEY or is_named(value) or is_grpc(system)) and grpc_failed(value, server=server):
            return key, tags[key]
    return None


def _number(value: Value | None) -> int | None:
    """Read a whole number, also from a double, which is what JavaScript sends."""
    if value is None:
        return None
    content = value[1]
    return int(content) if isinstance(content, float) and content.is_integer() else whole_number(content)
