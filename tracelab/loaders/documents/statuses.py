"""The status of a span that says none of its own, guessed from its status codes of HTTP and gRPC."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracelab import status_codes as failing
from tracelab.loaders.columns.text import scalar_text
from tracelab.schema import KINDS
from tracelab.status_codes import CALLERS, GRPC_STATUS, HTTP_STATUS, RPC_SYSTEM, SHARED_KEYS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracelab.loaders.columns.builder import Value

SERVER: Final = KINDS.index("server")
CALLING: Final = tuple(KINDS.index(kind) for kind in CALLERS)


def http_failed(value: Value | None, *, caller: bool) -> bool:
    """Tell whether a status code of HTTP is a failure, for a caller or for others."""
    return value is not None and failing.http_failed(failing.http_code(value[1]), caller=caller)


def is_http_code(value: Value | None) -> bool:
    """Tell whether a value can be read as a status code of HTTP."""
    return value is not None and failing.http_code(value[1]) is not None


def grpc_failed(value: Value | None, *, server: bool) -> bool:
    """Tell whether a status code of gRPC is a failure, for a server or for others."""
    return value is not None and failing.grpc_failed(failing.grpc_code(value[1]), server=server)


def is_named(value: Value | None) -> bool:
    """Tell whether a status code of gRPC is a name, which is one whatever system wrote it."""
    return value is not None and failing.named_grpc_code(value[1]) is not None


def says_system(value: Value | None) -> bool:
    """Tell whether the name of an RPC system says anything."""
    return value is not None and failing.is_grpc(scalar_text(value[1])) is not None


def is_grpc(value: Value | None) -> bool:
    """Tell whether an RPC system is gRPC; one that is not said may be."""
    return value is None or failing.is_grpc(scalar_text(value[1])) is not False


def failed_code(tags: Mapping[str, Value], kind: int) -> tuple[str, Value] | None:
    """Give the first of a span's status codes that stands for a failure, with its key.

    Of two codes of HTTP the newer key decides, as in the answers.
    """
    newest = next((key for key in HTTP_STATUS if is_http_code(tags.get(key))), None)
    if newest is not None and http_failed(tags[newest], caller=kind in CALLING):
        return newest, tags[newest]
    system = next((tags[key] for key in RPC_SYSTEM if says_system(tags.get(key))), None)
    for key in GRPC_STATUS:
        value = tags.get(key)
        if (key not in SHARED_KEYS or is_named(value) or is_grpc(system)) and grpc_failed(value, server=kind == SERVER):
            return key, tags[key]
    return None
