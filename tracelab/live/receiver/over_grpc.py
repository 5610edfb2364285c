"""OTLP over gRPC, by grpcio's server; bodies go on as the bytes that they are."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import grpc

from tracelab.errors import SourceError
from tracelab.live.receiver.intake import PROTOBUF, SIGNALS, Refused, partial_success
from tracelab.live.receiver.over_http import MOST_BODY
from tracelab.live.receiver.ports import bound

if TYPE_CHECKING:
    from tracelab.live.receiver.intake import Intake

_WORKERS: Final = 4
_AT_ONCE: Final = 64
_GRACE_SECONDS: Final = 2.0
_SERVICES: Final = {
    "traces": "trace.v1.TraceService",
    "metrics": "metrics.v1.MetricsService",
    "logs": "logs.v1.LogsService",
}
_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}
_OPTIONS: Final = (
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", MOST_BODY),
    ("grpc.max_concurrent_streams", _AT_ONCE),
    ("grpc.max_metadata_size", 64 << 10),
)


class GrpcServer:
    """Listens from when it is made until it is closed."""

    def __init__(self, intake: Intake, host: str, port: int) -> None:
        # grpcio does not say why it cannot listen somewhere.
        for each in bound(host, port, "grpc_port"):
            each.close()
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="tracelab-receiver-grpc")
        self._server = grpc.server(self._pool, options=_OPTIONS, maximum_concurrent_rpcs=_AT_ONCE)
        self._server.add_generic_rpc_handlers([_handlers(intake, signal) for signal in SIGNALS])
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            self.port = int(self._server.add_insecure_port(address))
        except RuntimeError as error:
            raise SourceError(
                f"gRPC cannot listen on {address}: {error}. Pass grpc_port=None to do without."
            ) from error
        self._server.start()

    def close(self) -> None:
        """Take no more requests, and answer those that are under way."""
        self._server.stop(_GRACE_SECONDS).wait(2 * _GRACE_SECONDS)
        self._pool.shutdown(wait=False)


def _handlers(intake: Intake, signal: str) -> Any:
    def export(body: bytes, context: Any) -> bytes:
        try:
            taken = intake.take(signal, body, PROTOBUF)
        except Refused as refused:
            intake.refuse(refused)
            context.abort(_CODES[refused.reason.code], refused.message)
        return partial_success(taken) if taken.rejected else b""

    method = grpc.unary_unary_rpc_method_handler(export)
    return grpc.method_handlers_generic_handler(
        f"opentelemetry.proto.collector.{_SERVICES[signal]}", {"Export": method}
    )
