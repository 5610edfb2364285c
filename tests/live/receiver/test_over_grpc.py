from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import MetricsServiceStub
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

from tests.live.receiver.sending import body, trace, tracing
from tracelab.live.receiver.over_http import MOST_BODY

if TYPE_CHECKING:
    from tracelab.live import Receiver

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
LARGE = (("grpc.max_send_message_length", -1),)


@pytest.mark.parametrize("compression", [None, grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_the_sdk_exports_over_grpc(live: Receiver, compression: Any) -> None:
    exporter = OTLPSpanExporter(str(live.grpc_url), insecure=True, compression=compression)
    with tracing(exporter) as tracer:
        for number in range(700):
            with tracer.start_as_current_span("buy", attributes={"n": number}), tracer.start_as_current_span("pay"):
                pass
    spans = live.wait(spans=1400).spans()
    assert spans.height == 1400
    assert sorted(spans["span.n"].drop_nulls().to_list()) == list(range(700))


def test_a_stub_gets_an_answer_from_each_service(live: Receiver) -> None:
    with grpc.insecure_channel(str(live.grpc_url)) as channel:
        stubs: list[Any] = [stub(channel) for stub in (TraceServiceStub, MetricsServiceStub, LogsServiceStub)]
        traces = stubs[0].Export(ExportTraceServiceRequest.FromString(body(*trace(1, 3))))
        assert not traces.partial_success.rejected_spans
        stubs[1].Export(ExportMetricsServiceRequest())
        stubs[2].Export(ExportLogsServiceRequest())
    assert live.spans().height == 3
    counts = {(what, of): count for what, of, count in live.stats().rows()}
    assert [counts["requests", signal] for signal in ("logs", "metrics", "traces")] == [1, 1, 1]


def test_a_bad_message_is_an_invalid_argument_with_the_reason(live: Receiver) -> None:
    with grpc.insecure_channel(str(live.grpc_url)) as channel, pytest.raises(grpc.RpcError) as refused:
        channel.unary_unary(EXPORT)(b"\x0a\xff\xff\xff\xff\x0f", timeout=5)
    assert code(refused) is grpc.StatusCode.INVALID_ARGUMENT
    assert "no OTLP protobuf" in refused.value.details()
    assert ("requests refused", "malformed", 1) in live.stats().rows()


def test_a_message_that_is_too_large_exhausts_resources(live: Receiver) -> None:
    with grpc.insecure_channel(str(live.grpc_url), LARGE) as channel, pytest.raises(grpc.RpcError) as refused:
        channel.unary_unary(EXPORT)(bytes(MOST_BODY + 1), timeout=20)
    assert code(refused) is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_message_that_decompresses_to_too_much_is_refused(live: Receiver) -> None:
    with grpc.insecure_channel(str(live.grpc_url), LARGE) as channel, pytest.raises(grpc.RpcError) as refused:
        channel.unary_unary(EXPORT)(bytes(MOST_BODY + 1), timeout=20, compression=grpc.Compression.Gzip)
    assert code(refused) is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert len(gzip.compress(bytes(MOST_BODY), 1)) < MOST_BODY // 100


def test_an_unknown_method_is_unimplemented(live: Receiver) -> None:
    with grpc.insecure_channel(str(live.grpc_url)) as channel, pytest.raises(grpc.RpcError) as refused:
        channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Import")(b"", timeout=5)
    assert code(refused) is grpc.StatusCode.UNIMPLEMENTED


def code(refused: Any) -> grpc.StatusCode:
    found: grpc.StatusCode = refused.value.code()
    return found
