"""Which codes of HTTP and gRPC stand for a failure, for loaders and answers alike.

The rules are those of OpenTelemetry's semantic conventions: a server failed where the fault is its own, a client where
its call did not succeed.
"""

from __future__ import annotations

from typing import Final

HTTP_STATUS: Final = ("http.response.status_code", "http.status_code")
"""The attributes that hold the status code of HTTP, the newer one first."""

GRPC_STATUS: Final = ("rpc.grpc.status_code", "rpc.response.status_code")
"""The attributes that hold the status code of gRPC; the second one may hold that of another RPC system."""

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
