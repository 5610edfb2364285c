"""Fetching from Tempo: searches split until whole, then every trace, and an honest end."""

from __future__ import annotations

import socket
import traceback
from typing import TYPE_CHECKING, Any

import pytest

import tracelab as tl
from tests.live.servers.faults import Asked, Reply, serving
from tests.live.servers.jaegers import BEGIN, traces
from tests.live.servers.tempos import Tempo

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "hunter2secret"  # noqa: S105 - of nothing
TIME: dict[str, Any] = {"start": BEGIN, "end": BEGIN + 3600 * 1_000_000_000}


@pytest.mark.parametrize("version", [2, 1])
@pytest.mark.parametrize("protobuf", [True, False])
def test_every_trace_that_is_found_is_fetched(version: int, protobuf: bool) -> None:
    held = traces(20)
    with serving(Tempo(held, version=version, protobuf=protobuf)) as server:
        spans = tl.fetch_tempo(server.url, **TIME)
    assert set(spans["trace_id"]) == {trace.trace_id for trace in held}
    assert set(spans["service_name"]) == {"shop"}
    assert spans["duration"].dt.total_nanoseconds().unique().to_list() == [5_000_001]


def test_searches_are_split_until_each_is_whole() -> None:
    with serving(Tempo(traces(1_200))) as server:
        assert tl.fetch_tempo(server.url, **TIME).height == 1_200


def test_many_traces_in_one_second_are_asked_for_with_a_higher_limit() -> None:
    with serving(Tempo(traces(700, apart=1_000))) as server:
        assert tl.fetch_tempo(server.url, **TIME).height == 700


def test_a_window_that_is_longer_than_the_server_allows_is_split() -> None:
    with serving(Tempo(traces(20), longest=900)) as server:
        assert tl.fetch_tempo(server.url, **TIME).height == 20


@pytest.mark.parametrize("limit", [5, 600])
def test_a_limit_gives_the_latest_traces(limit: int) -> None:
    held = traces(1_000)
    with serving(Tempo(held)) as server:
        spans = tl.fetch_tempo(server.url, limit=limit, **TIME)
    assert set(spans["trace_id"]) == {trace.trace_id for trace in held[-limit:]}


@pytest.mark.parametrize("protobuf", [True, False])
def test_partial_traces_are_kept_and_said(protobuf: bool) -> None:
    held = traces(3)
    tempo = Tempo(held, protobuf=protobuf, partial={held[1].trace_id})
    with serving(tempo) as server, pytest.warns(tl.LoadWarning, match="gave a part"):
        assert tl.fetch_tempo(server.url, **TIME).height == 3
    row = tl.fetch_report().filter(problem="traces of which the server gave a part")
    assert row.select("count", "first_place", "example").row(0) == (1, f"trace {held[1].trace_id}", "too large")


def test_a_trace_that_cannot_be_had_is_a_row_of_the_report() -> None:
    held = traces(3)
    with (
        serving(Tempo(held, lost={held[0].trace_id})) as server,
        pytest.warns(tl.LoadWarning, match="traces that could not be had"),
    ):
        assert tl.fetch_tempo(server.url, **TIME).height == 2


def test_a_search_that_did_not_look_everywhere_is_said() -> None:
    with serving(Tempo(traces(3), searched=2)) as server, pytest.warns(tl.LoadWarning, match="a part of the data"):
        tl.fetch_tempo(server.url, **TIME)
    assert "2 of 4" in tl.fetch_report().filter(problem="answers from a part of the data")["example"].item()


def test_a_busy_server_is_asked_again() -> None:
    tempo = Tempo(traces(30))
    busy = Reply(429, b"too many requests", {"Retry-After": "0"})
    refused: set[str] = set()

    def answer(asked: Asked) -> Reply:
        first = asked.path not in refused
        refused.add(asked.path)
        return busy if first else tempo(asked)

    with serving(answer) as server:
        assert tl.fetch_tempo(server.url, **TIME).height == 30
    assert len(refused) > 30


def test_a_query_that_tempo_refuses_is_an_error_with_its_words() -> None:
    refusal = Reply(400, b"invalid TraceQL query: parse error at line 1, col 3")
    with serving(lambda _: refusal) as server, pytest.raises(tl.SourceError, match="parse error at line 1"):
        tl.fetch_tempo(server.url, query="{ x", **TIME)


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Reply(401, b"go away " + SECRET.encode()), r"answered 401 \(go away …\)\. It wants credentials"),
        (Reply(401, b"no org id"), "several tenants.*tenant="),
        (Reply(403, b"no"), "answered 403.*may not"),
        (Reply(404, b"404 page not found"), "answered 404.*prefix"),
        (Reply(429, b"slow", {"Retry-After": "9999"}), "wants 9,999 s to pass"),
        (Reply(500, b"out of memory"), r"answered 500 \(out of memory\)"),
        (Reply(200, b"<!DOCTYPE html><title>Grafana</title>"), "a web page came back"),
        (Reply(200, b'{"traces": [{"traceID"'), "half an answer"),
        (Reply(200, b'{"traces": []}', length=9_999), "broke off"),
        (Reply(200, b"[]"), "no JSON object"),
        (Reply(dies=True), "broke"),
    ],
)
def test_faults_are_one_clear_error_without_secrets(reply: Reply, message: str) -> None:
    with serving(lambda _: reply) as server, pytest.raises(tl.SourceError, match=message) as caught:
        tl.fetch_tempo(server.url.replace("//", f"//joe:{SECRET}@"), headers={"X-Key": SECRET}, **TIME)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_a_tempo_that_hangs_or_is_not_there_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(tl.SourceError, match=r"within 0\.5 s"):
            tl.fetch_tempo(url, timeout="500ms", **TIME)
    with pytest.raises(tl.SourceError, match="nothing listens there"):
        tl.fetch_tempo(url, **TIME)


def test_a_tempo_that_is_killed_in_the_middle_keeps_what_came() -> None:
    tempo = Tempo(traces(300))

    def answer(asked: Asked) -> Reply:
        return Reply(dies=True) if len(server.asked) > 100 else tempo(asked)

    with serving(answer) as server, pytest.warns(tl.LoadWarning, match="traces that could not be had"):
        spans = tl.fetch_tempo(server.url, **TIME)
    assert 50 < spans.height < 300
    row = tl.fetch_report().filter(problem="traces that could not be had")
    assert row["count"].item() == 300 - spans.height


def test_the_tenant_is_sent_with_every_question() -> None:
    with serving(Tempo(traces(2))) as server:
        tl.fetch_tempo(server.url, tenant="blue", query="{ .a = 1 }", **TIME)
    assert {asked.headers["X-Scope-OrgID"] for asked in server.asked} == {"blue"}
    assert server.asked[0].one("q") == "{ .a = 1 }"


@pytest.mark.parametrize(
    ("version", "rows"),
    [(2, [("resource", "service.name"), ("span", "a"), ("span", "b")]), (1, [(None, "a"), (None, "b")])],
)
def test_tags_are_listed_by_scope(version: int, rows: list[tuple[str | None, str]]) -> None:
    with serving(Tempo([], version=version)) as server:
        assert tl.tempo_tags(server.url).rows() == rows


def test_answers_that_were_recorded_are_read(shared_data: Path) -> None:
    folder = shared_data / "tempo-api" / "kiali__kiali"
    search = (folder / "tracing__tracingtest__response.json").read_bytes()
    trace = (folder / "tracing__tracingtest__responseTrace.json").read_bytes()

    def answer(asked: Asked) -> Reply:
        if asked.path == "/api/search":
            return Reply(200, search)
        return Reply(200, trace) if asked.path.startswith("/api/traces/") else Reply(404, b"404 page not found")

    with serving(answer) as server:
        spans = tl.fetch_tempo(server.url, start="2023-12-05T12:00:00", end="2023-12-05T13:00:00")
    assert spans.height == 8
