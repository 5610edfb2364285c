"""What the status codes of HTTP and gRPC say and which of them stand for a failure, for loaders and answers alike.

The rules are those of OpenTelemetry's semantic conventions: a server failed where the fault is its own, a client where
its call did not succeed. For spans of the kinds that these leave out, a code of HTTP is read as a server's, which most
of them pass on, and a code of gRPC as a client's.
"""

from __future__ import annotations

import re
from typing import Any, Final

HTTP_STATUS: Final = ("http.response.status_code", "http.status_code")
"""The attributes that hold the status code of HTTP, the newer one first."""

GRPC_STATUS: Final = ("rpc.grpc.status_code", "rpc.response.status_code", "rpc.status_code")
"""The attributes that hold the status code of gRPC, the oldest first; the others may hold that of another system."""

SHARED_KEYS: Final = frozenset(GRPC_STATUS[1:])
"""Those that other RPC systems use too, with numbers that mean something else there."""

RPC_SYSTEM: Final = ("rpc.system.name", "rpc.system")
"""The attributes that name the RPC system, the newer one first; one that is blank says nothing."""

CALLERS: Final = ("client", "producer")
"""The kinds of spans for which an answer of 4xx is a failure: those that asked."""

HTTP_REFUSAL: Final = 400
"""The first status code of HTTP with which a caller does not get what it asked for."""

HTTP_ERROR: Final = 500
"""The first status code of HTTP that is a server's own fault."""

GRPC_CODES: Final = {
    "OK": 0,
    "CANCELLED": 1,
    "UNKNOWN": 2,
    "INVALID_ARGUMENT": 3,
    "DEADLINE_EXCEEDED": 4,
    "NOT_FOUND": 5,
    "ALREADY_EXISTS": 6,
    "PERMISSION_DENIED": 7,
    "RESOURCE_EXHAUSTED": 8,
    "FAILED_PRECONDITION": 9,
    "ABORTED": 10,
    "OUT_OF_RANGE": 11,
    "UNIMPLEMENTED": 12,
    "INTERNAL": 13,
    "UNAVAILABLE": 14,
    "DATA_LOSS": 15,
    "UNAUTHENTICATED": 16,
}
"""The codes of gRPC by their names."""

GRPC_SERVER_ERRORS: Final = frozenset({2, 4, 12, 13, 14, 15})
"""The codes of gRPC that are a server's own fault; for a client, every code but 0 is a failure."""

# Go says Canceled where others say CANCELLED.
_CODES: Final = {name.replace("_", ""): code for name, code in GRPC_CODES.items()} | {"CANCELED": 1}
_KNOWN: Final = frozenset(GRPC_CODES.values())
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,18}(?:\.0*)?")
_REASONED: Final = re.compile(r"([0-9]{3})\s+[^\W\d].*", re.DOTALL)
_BETWEEN: Final = re.compile(r"""[()<>,;/'"]+|:\s+|(?<=[0-9])\s+|\s+(?=[0-9])""")
_JOINTS: Final = re.compile(r"[\s_-]+")
_LONGEST: Final = 100


def http_code(value: Any) -> int | None:
    """Read a status code of HTTP: a whole number, also as text, with its reason or without; None if it is none."""
    number = _whole(value)
    reasoned = _REASONED.fullmatch(value.strip()) if number is None and isinstance(value, str) else None
    return int(reasoned[1]) if reasoned else number


def grpc_code(value: Any) -> int | None:
    """Read a status code of gRPC: a number, a name, or both where they agree; None if it is none.

    A name is `DEADLINE_EXCEEDED`, `deadline exceeded`, `DeadlineExceeded` and the like, perhaps with the name of what
    holds it in front, as in `StatusCode.DEADLINE_EXCEEDED` or `codes::DeadlineExceeded`. Both are
    `4 DEADLINE_EXCEEDED`, `DEADLINE_EXCEEDED(4)` or `StatusCode.DEADLINE_EXCEEDED: 4`.
    """
    number = _whole(value)
    if number is not None:
        return number if number in _KNOWN else None
    return named_grpc_code(value)


def named_grpc_code(value: Any) -> int | None:
    """Read a status code of gRPC that is a name at least in part, and so one whatever system wrote it."""
    if not isinstance(value, str) or len(value) > _LONGEST or _whole(value) is not None:
        return None
    parts = [part for part in map(str.strip, _BETWEEN.split(value)) if part]
    codes = {_code_of(part) for part in parts}
    named = any(_whole(part) is None for part in parts)
    return codes.pop() if named and len(codes) == 1 else None


def is_grpc(value: Any) -> bool | None:
    """Tell whether the name of an RPC system is that of gRPC; None where it is blank."""
    system = str(value).strip().lower()
    return system == "grpc" if system else None


def http_failed(code: int | None, *, caller: bool) -> bool:
    """Tell whether a status code of HTTP is a failure: from 500 on, for callers from 400 on."""
    return code is not None and code >= (HTTP_REFUSAL if caller else HTTP_ERROR)


def grpc_failed(code: int | None, *, server: bool) -> bool:
    """Tell whether a status code of gRPC is a failure: all but 0, for servers those that are their own fault."""
    return code in GRPC_SERVER_ERRORS if server else bool(code)


def _code_of(part: str) -> int | None:
    number = _whole(part)
    if number is not None:
        return number if number in _KNOWN else None
    name = part.replace("::", ".").rpartition(".")[2]
    return _CODES.get(_JOINTS.sub("", name).upper())


def _whole(value: Any) -> int | None:
    """Read a whole number, also from text or from a double, which is what JavaScript sends."""
    if isinstance(value, str):
        text = value.strip()
        return int(text.partition(".")[0]) if _NUMBER.fullmatch(text) else None
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 2**63 else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None
