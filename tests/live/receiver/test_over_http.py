from __future__ import annotations

import gzip
import json
import socket
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import requests
import zstandard
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tests.live.receiver.sending import JSON, PROTOBUF, answer, body, connected, head, post, trace, tracing
from tests.loaders.dumps import attribute, request, span
from tracelab.live import receive
from tracelab.live.receiver.over_http import MOST_BODY

if TYPE_CHECKING:
    from tracelab.live import Receiver


def count(live: Receiver, what: str, of: str | None = None) -> int:
    return sum(number for name, which, number in live.stats().rows() if name == what and of in (None, which))


@pytest.mark.parametrize("compression", list(Compression))
def test_the_sdk_exports_over_http(live: Receiver, compression: Compression) -> None:
    with tracing(OTLPSpanExporter(f"{live.http_url}/v1/traces", compression=compression)) as tracer:
        for number in range(700):
            with (
                tracer.start_as_current_span("buy", attributes={"n": number, "price": 1.5, "tags": ["a", "b"]}),
                tracer.start_as_current_span("pay") as paying,
            ):
                paying.add_event("paid", {"by": "card"})
    spans = live.wait(spans=1400).spans()
    assert spans.height == 1400
    assert spans["trace_id"].n_unique() == 700
    assert sorted(spans["span.n"].drop_nulls().to_list()) == list(range(700))
    assert spans.filter(name="pay")["depth"].unique().to_list() == [1]


def test_json_is_taken_and_answered_in_json(live: Receiver) -> None:
    got = post(live, json.dumps(request(*trace(1, 3))).encode(), JSON + "; charset=utf-8")
    assert (got.status_code, got.json()) == (200, {})
    assert got.headers["Content-Type"] == JSON
    assert live.spans()["name"].to_list() == ["span 0", "span 1", "span 2"]


def test_protobuf_is_answered_in_protobuf(live: Receiver) -> None:
    got = post(live, body(*trace(1)))
    assert (got.status_code, got.content, got.headers["Content-Type"]) == (200, b"", PROTOBUF)
    assert ExportTraceServiceResponse.FromString(got.content) == ExportTraceServiceResponse()


@pytest.mark.parametrize("content", [b"{}", b'{"resourceSpans": []}', b' {"resourceSpans":[ ]}\n'])
def test_an_empty_request_is_a_success(live: Receiver, content: bytes) -> None:
    assert post(live, content, JSON).status_code == 200
    assert post(live, b"").status_code == 200
    assert live.spans().is_empty()


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        ("gzip", gzip.compress),
        ("x-gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("zstd", zstandard.ZstdCompressor().compress),
        ("GZIP", lambda content: gzip.compress(content[:20]) + gzip.compress(content[20:])),
        ("identity", bytes),
    ],
    ids=["gzip", "x-gzip", "deflate", "zstd", "members", "identity"],
)
def test_bodies_may_be_compressed(live: Receiver, encoding: str, compress: Any) -> None:
    assert post(live, compress(body(*trace(1, 5))), Content_Encoding=encoding).status_code == 200
    assert live.spans().height == 5


@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (b"\x0a\xff\xff\xff\xff\x0f", "identity"),
        (b"{", "identity"),
        (b"not this", "identity"),
        (b"\xff\xfe\x00", "identity"),
        (b'{"data": [{"traceID": "1", "spans": [{"traceID": "1", "spanID": "2"}]}]}', "identity"),
        (b"[" * 100_000, "identity"),
        (b'{"a":' * 100_000, "identity"),
        (b"\x1f\x8b damaged", "gzip"),
        (gzip.compress(b"x" * 1000, mtime=0)[:-9], "gzip"),
        (b"plain", "zstd"),
        (b"", "gzip"),
    ],
    ids=[
        "length",
        "brace",
        "words",
        "bytes",
        "jaeger",
        "lists",
        "maps",
        "no gzip",
        "half a gzip",
        "no zstd",
        "nothing",
    ],
)
def test_what_is_malformed_is_refused_with_the_reason_in_the_encoding_of_the_request(
    live: Receiver, kind: str, content: bytes, encoding: str
) -> None:
    got = post(live, content, kind, Content_Encoding=encoding)
    if not content:
        assert got.status_code == (400 if kind == JSON else 200)
        return
    assert got.status_code == 400
    assert got.headers["Content-Type"] == kind
    if kind == JSON:
        said = got.json()
        assert said["code"] == 3
        message = said["message"]
    else:
        status = Status.FromString(got.content)
        assert status.code == 3
        message = status.message
    assert message.startswith("The body is no ")
    assert len(message) < 1000
    assert count(live, "requests refused", "malformed") == 1
    assert post(live, body(*trace(1))).status_code == 200


def test_a_protobuf_body_that_breaks_off_is_refused_whole(live: Receiver) -> None:
    whole = body(*trace(1, 5)) + body(*trace(2, 5))
    assert post(live, whole[:-5]).status_code == 400
    assert live.spans().is_empty()


def test_text_that_is_no_utf_8_is_repaired_and_reported(live: Receiver) -> None:
    content = body(*trace(1)).replace(b"span 0", b"sp\xff\xfe 0")
    assert post(live, content).status_code == 200
    assert live.spans()["name"].item().startswith("sp")
    assert live.report().filter(problem="bytes that are not UTF-8")["count"].sum() == 1


def test_spans_that_cannot_be_read_are_rejected_and_the_others_taken(live: Receiver) -> None:
    sent: dict[str, Any] = request(*trace(1, 2))
    sent["resourceSpans"][0]["scopeSpans"][0]["spans"] += ["no span", 7]
    got = post(live, json.dumps(sent).encode(), JSON)
    partial = got.json()["partialSuccess"]
    assert got.status_code == 200
    assert partial["rejectedSpans"] == "2"
    assert "spans[2]" in partial["errorMessage"]
    assert live.spans().height == 2
    assert count(live, "spans dropped", "rejected") == 2


@pytest.mark.parametrize("signal", ["metrics", "logs"])
@pytest.mark.parametrize(("kind", "said"), [(PROTOBUF, b""), (JSON, b"{}")])
def test_other_signals_are_thanked_for_and_counted(live: Receiver, signal: str, kind: str, said: bytes) -> None:
    got = post(live, b"\x0a\x00", kind, path=f"/v1/{signal}")
    assert (got.status_code, got.content) == (200, said)
    assert count(live, "requests", signal) == 1
    with pytest.raises(TimeoutError, match=f"requests with {signal}"):
        live.wait(spans=1, timeout="50ms")


def test_a_wrong_path_says_which_is_right(live: Receiver) -> None:
    got = post(live, b"{}", JSON, path="/v1/trace")
    assert got.status_code == 404
    assert "/v1/traces" in got.json()["message"]
    assert post(live, b"{}", JSON, path="/v1/traces/../../etc/passwd").status_code == 404


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD"])
def test_other_methods_are_not_allowed(live: Receiver, method: str) -> None:
    got = requests.request(method, f"{live.http_url}/v1/traces", timeout=5)
    assert got.status_code == 405
    assert got.headers["Allow"] == "POST, OPTIONS"


def test_an_unheard_of_method_is_not_allowed(live: Receiver) -> None:
    got = requests.request("BREW", f"{live.http_url}/v1/traces", timeout=5)
    assert (got.status_code, got.headers["Allow"]) == (405, "POST, OPTIONS")
    assert post(live, body(*trace(1))).status_code == 200


@pytest.mark.parametrize("kind", ["text/plain", "", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_other_content_types_are_refused(live: Receiver, kind: str) -> None:
    got = post(live, b"{}", kind)
    assert got.status_code == 415
    assert b"application/json" in got.content


def test_other_content_encodings_are_refused_with_those_that_are_known(live: Receiver) -> None:
    got = post(live, b"{}", JSON, Content_Encoding="br")
    assert got.status_code == 415
    assert got.headers["Accept-Encoding"] == "gzip, zstd, deflate"


def test_a_body_that_says_it_is_too_large_is_refused_before_it_comes(live: Receiver) -> None:
    with connected(live) as raw:
        raw.sendall(head(MOST_BODY + 1))
        status, said = answer(raw)
    assert status == 413
    assert f"{MOST_BODY:,}" in Status.FromString(said).message


def test_a_chunked_body_that_grows_too_large_is_refused(live: Receiver) -> None:
    block = bytes(1 << 20)
    blocks = (block for _ in range((MOST_BODY >> 20) + 2))
    got = requests.post(f"{live.http_url}/v1/traces", data=blocks, headers={"Content-Type": PROTOBUF}, timeout=30)
    assert got.status_code == 413
    assert count(live, "requests refused", "too large") == 1


@pytest.mark.parametrize(
    ("encoding", "bomb"),
    [
        ("gzip", lambda: gzip.compress(bytes(MOST_BODY + 1), 1)),
        ("gzip", lambda: gzip.compress(bytes(1 << 20)) * 80),
        ("deflate", lambda: zlib.compress(bytes(MOST_BODY + 1))),
        ("zstd", lambda: zstandard.ZstdCompressor().compress(bytes(MOST_BODY + 1))),
    ],
    ids=["gzip", "many members", "deflate", "zstd"],
)
def test_what_decompresses_to_too_much_is_refused(live: Receiver, encoding: str, bomb: Any) -> None:
    got = post(live, bomb(), Content_Encoding=encoding)
    assert got.status_code == 413
    assert count(live, "requests refused", "too large") == 1


def test_chunked_bodies_are_read(live: Receiver) -> None:
    content = body(*trace(1, 50))
    parts = (content[start : start + 7] for start in range(0, len(content), 7))
    got = requests.post(f"{live.http_url}/v1/traces", data=parts, headers={"Content-Type": PROTOBUF}, timeout=10)
    assert got.status_code == 200
    assert live.spans().height == 50


def test_a_slow_sender_holds_nobody_up(live: Receiver) -> None:
    content = body(*trace(1, 3))
    with connected(live) as raw:
        raw.sendall(head(len(content)))
        for number in range(10):
            raw.sendall(content[number : number + 1])
            assert post(live, body(*trace(number + 2))).status_code == 200
        raw.sendall(content[10:])
        assert answer(raw)[0] == 200
    assert live.spans().height == 13


def test_half_a_body_is_counted_and_nothing_of_it_held(live: Receiver) -> None:
    content = body(*trace(1, 3))
    with connected(live) as raw:
        raw.sendall(head(len(content)) + content[:-1])
    until(lambda: count(live, "requests refused", "broken off") == 1)
    assert live.spans().is_empty()


def test_half_a_chunked_body_is_counted_and_nothing_of_it_held(live: Receiver) -> None:
    content = body(*trace(1, 3))
    with connected(live) as raw:
        raw.sendall(head(None, "Transfer-Encoding: chunked") + b"%x\r\n" % len(content) + content + b"\r\n")
    until(lambda: count(live, "requests refused", "broken off") == 1)
    assert live.spans().is_empty()


@pytest.mark.parametrize(
    "sent",
    [
        head(None, "Content-Length: many"),
        head(None, "Content-Length: -5"),
        head(5, "Content-Length: 6") + b"123456",
        head(None, "Transfer-Encoding: chunked") + b"no number\r\n",
        head(None, "X: " + "a" * 100_000),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\r\n\r\n\r\n",
    ],
    ids=["word", "negative", "two lengths", "chunk", "long header", "TLS", "version", "empty lines"],
)
def test_what_is_no_http_ends_the_connection_and_nothing_else(live: Receiver, sent: bytes) -> None:
    with connected(live) as raw:
        raw.sendall(sent)
        raw.shutdown(socket.SHUT_WR)
        assert answer(raw)[0] in (0, 400, 404)
    assert post(live, body(*trace(1))).status_code == 200


def test_a_length_that_is_too_short_takes_what_it_says_and_refuses_it(live: Receiver) -> None:
    content = body(*trace(1, 3))
    with connected(live) as raw:
        raw.sendall(head(len(content) - 3) + content)
        assert answer(raw)[0] == 400
    assert live.spans().is_empty()
    assert post(live, content).status_code == 200


def test_a_connection_serves_one_request_after_another(live: Receiver) -> None:
    with connected(live) as raw:
        for number in range(20):
            content = body(*trace(number))
            raw.sendall(head(len(content)) + content)
            assert answer(raw)[0] == 200
        two = [body(*trace(number)) for number in (100, 101)]
        raw.sendall(b"".join(head(len(content)) + content for content in two))
        time.sleep(0.2)
        assert raw.recv(65536).count(b"HTTP/1.1 200 OK") == 2
    assert live.spans().height == 22


def test_a_sender_may_ask_before_it_sends(live: Receiver) -> None:
    content = body(*trace(1))
    with connected(live) as raw:
        raw.sendall(head(len(content), "Expect: 100-continue"))
        assert raw.recv(100).startswith(b"HTTP/1.1 100")
        raw.sendall(content)
        assert answer(raw)[0] == 200


def test_many_senders_at_once_lose_nothing(live: Receiver) -> None:
    def send(number: int) -> int:
        return post(live, body(*trace(number, 20))).status_code

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(send, range(200))) == {200}
    spans = live.spans()
    assert spans.height == 4000
    assert spans.select("trace_id", "span_id").n_unique() == 4000


def test_too_many_connections_are_turned_away(live: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracelab.live.receiver.over_http._MOST_CONNECTIONS", 3)
    with connected(live) as one, connected(live) as two, connected(live) as three:
        for raw in (one, two, three):
            raw.sendall(head(3))
        time.sleep(0.2)
        with connected(live) as fourth:
            assert fourth.recv(100).startswith(b"HTTP/1.1 503")
        three.close()
        time.sleep(0.2)
        assert post(live, body(*trace(1))).status_code == 200


def test_a_sender_that_is_too_slow_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracelab.live.receiver.over_http._BODY_SECONDS", 0.3)
    monkeypatch.setattr("tracelab.live.receiver.over_http._IDLE_SECONDS", 0.3)
    with receive(http_port=0, grpc_port=None) as live:
        with connected(live) as body_is_slow, connected(live) as head_is_slow, connected(live) as nothing_comes:
            body_is_slow.sendall(head(1000) + b"x")
            head_is_slow.sendall(head(1000)[:30])
            for raw in (body_is_slow, head_is_slow, nothing_comes):
                assert raw.recv(100) == b""
        until(lambda: count(live, "requests refused", "broken off") == 1)
        assert post(live, body(*trace(1))).status_code == 200


def test_too_much_at_once_is_to_be_sent_again_later(live: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    content = body(*trace(1, 50))
    monkeypatch.setattr("tracelab.live.receiver.over_http._MOST_AT_ONCE", 2 * len(content))
    with connected(live) as one, connected(live) as two:
        for raw in (one, two):
            raw.sendall(head(len(content)) + content[:-1])
        time.sleep(0.2)
        got = post(live, body(*trace(2)))
        assert (got.status_code, got.headers["Retry-After"]) == (503, "1")
        for raw in (one, two):
            raw.sendall(content[-1:])
            assert answer(raw)[0] == 200
    assert post(live, body(*trace(2))).status_code == 200
    assert count(live, "requests refused", "too many at once") == 1


def test_where_decoding_cannot_keep_up_senders_are_to_send_again_later(
    live: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracelab.live.receiver.intake._PATIENCE", 0.1)
    monkeypatch.setattr("tracelab.live.receiver.store._WAITING_BYTES", 10)
    assert post(live, body(*trace(1))).status_code == 200
    got = post(live, body(*trace(2)))
    assert (got.status_code, got.headers["Retry-After"]) == (503, "1")
    assert live.spans().height == 1
    assert post(live, body(*trace(2))).status_code == 200
    assert live.spans().height == 2


@pytest.mark.parametrize(
    "origin", ["http://localhost:3000", "http://127.0.0.1", "https://localhost", "http://[::1]:8080"]
)
def test_pages_of_this_machine_may_send(live: Receiver, origin: str) -> None:
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    asked |= {"Access-Control-Request-Headers": "content-type,x-own", "Access-Control-Request-Private-Network": "true"}
    allowed = requests.options(f"{live.http_url}/v1/traces", headers=asked, timeout=5)
    assert allowed.status_code == 204
    assert allowed.headers["Access-Control-Allow-Origin"] == origin
    assert allowed.headers["Access-Control-Allow-Headers"] == "content-type,x-own"
    assert "POST" in allowed.headers["Access-Control-Allow-Methods"]
    assert allowed.headers["Access-Control-Allow-Private-Network"] == "true"
    sent = post(live, b"{}", JSON, Origin=origin)
    assert (sent.status_code, sent.headers["Access-Control-Allow-Origin"]) == (200, origin)
    assert sent.headers["Vary"] == "Origin"


@pytest.mark.parametrize(
    "origin",
    [
        "http://shop.example",
        "http://localhost.evil.example",
        "null",
        "http://[::1",
        "http://127.0.0.1.evil.example:4318",
    ],
)
def test_pages_of_other_hosts_may_not_even_where_their_name_leads_here(live: Receiver, origin: str) -> None:
    for got in (
        requests.options(f"{live.http_url}/v1/traces", headers={"Origin": origin}, timeout=5),
        post(live, body(*trace(1)), Origin=origin),
    ):
        assert got.status_code == 403
        assert "Access-Control-Allow-Origin" not in got.headers
    assert live.spans().is_empty()


def test_headers_cannot_be_smuggled_into_a_preflight(live: Receiver) -> None:
    asked = {"Origin": "http://localhost", "Access-Control-Request-Headers": "a\tb: (c)"}
    allowed = requests.options(f"{live.http_url}/v1/traces", headers=asked, timeout=5)
    assert "Access-Control-Allow-Headers" not in allowed.headers


@pytest.mark.parametrize(
    "name",
    [
        "",
        "\x00",
        "\x1b[31mred",
        "<script>alert(1)</script>",
        "name\nof two lines",
        "\u202eright to left",
        "x" * 100_000,
    ],
)
def test_hostile_names_come_through_and_act_on_nothing(live: Receiver, name: str) -> None:
    sent = request(span(name=name, attributes=[attribute(name, name)]), service=name or "shop")
    assert post(live, json.dumps(sent).encode(), JSON).status_code == 200
    assert live.spans()["name"].item() == name
    assert "<script>" not in live._repr_html_()
    live.stats()


def until(holds: Any, seconds: float = 5) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)
