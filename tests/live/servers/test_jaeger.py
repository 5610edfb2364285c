"""Fetching from Jaeger: whole windows, one frame, and an honest end where the server fails."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

import tracelab as tl
from tests.live.servers.faults import Asked, Reply, serving
from tests.live.servers.jaegers import BEGIN, Jaeger, nanoseconds, traces

if TYPE_CHECKING:
    from collections.abc import Iterator

HOUR = 3600 * 1_000_000_000
TIME: dict[str, Any] = {"start": BEGIN, "end": BEGIN + HOUR}


@contextmanager
def interrupted_when(happened: threading.Event) -> Iterator[None]:
    """Press Ctrl-C when something happened."""

    def press() -> None:
        if happened.wait(20):
            os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=press, daemon=True)
    thread.start()
    yield
    thread.join(1)


@pytest.mark.parametrize("old", [False, True])
def test_windows_are_split_until_every_answer_is_whole(old: bool) -> None:
    with serving(Jaeger(traces(1_500), old=old)) as server:
        spans = tl.fetch_jaeger(server.url, service="shop", **TIME)
    assert spans["trace_id"].n_unique() == spans.height == 1_500
    assert len(server.asked) < 60


def test_version_3_keeps_nanoseconds() -> None:
    with serving(Jaeger(traces(1))) as server:
        spans = tl.fetch_jaeger(server.url, service="shop", **TIME)
    assert spans["duration"].dt.total_nanoseconds().item() == 5_000_001


def test_many_traces_in_one_microsecond_are_asked_for_in_depth() -> None:
    with serving(Jaeger(traces(1_000, apart=0))) as server:
        assert tl.fetch_jaeger(server.url, service="shop", **TIME).height == 1_000


def test_what_stays_cut_is_said() -> None:
    with (
        serving(Jaeger(traces(1_000, apart=0), most=200)) as server,
        pytest.warns(tl.LoadWarning, match="answers that stay cut"),
    ):
        assert tl.fetch_jaeger(server.url, service="shop", **TIME).height == 200


def test_a_server_that_keeps_few_traces_is_asked_for_fewer() -> None:
    with serving(Jaeger(traces(90), most=50)) as server:
        assert tl.fetch_jaeger(server.url, service="shop", **TIME).height == 90


def test_all_services_or_several_are_fetched() -> None:
    held = traces(5, service="shop") + traces(5, service="bank", first=10) + traces(5, service="mail", first=20)
    with serving(Jaeger(held)) as server:
        everything = tl.fetch_jaeger(server.url, service=None, **TIME)
        some = tl.fetch_jaeger(server.url, service=["shop", "mail"], **TIME)
    assert sorted(everything["service_name"].unique()) == ["bank", "mail", "shop"]
    assert sorted(some["service_name"].unique()) == ["mail", "shop"]


@pytest.mark.parametrize("limit", [7, 500])
def test_a_limit_gives_the_latest_traces(limit: int) -> None:
    held = traces(2_000)
    with serving(Jaeger(held)) as server:
        spans = tl.fetch_jaeger(server.url, service="shop", limit=limit, **TIME)
    assert set(spans["trace_id"]) == {trace.trace_id for trace in held[-limit:]}


def test_tags_that_version_3_ignores_are_asked_for_in_version_1() -> None:
    with serving(Jaeger(traces(3), heeds_tags=False)) as server:
        tl.fetch_jaeger(server.url, service="shop", tags={"error": True}, **TIME)
    assert server.asked[-1].path == "/api/traces"
    assert server.asked[-1].one("tags") == '{"error": "true"}'


def test_tags_are_asked_for_in_version_3_where_it_heeds_them() -> None:
    with serving(Jaeger(traces(3))) as server:
        tl.fetch_jaeger(server.url, service="shop", tags={"error": True}, **TIME)
    assert server.asked[-1].path == "/api/v3/traces"
    assert server.asked[-1].one("query.attributes") == '{"error": "true"}'


def test_a_service_that_is_not_there_is_an_error_with_near_names() -> None:
    with serving(Jaeger(traces(3))) as server, pytest.raises(tl.SourceError, match="Did you mean 'shop'"):
        tl.fetch_jaeger(server.url, service="shopp", **TIME)


def test_a_known_service_without_traces_gives_an_empty_frame() -> None:
    with serving(Jaeger(traces(3))) as server:
        assert tl.fetch_jaeger(server.url, service="shop", start=BEGIN - HOUR, end=BEGIN - 1000).is_empty()


def test_a_prefix_and_the_address_of_a_page_are_understood() -> None:
    with serving(Jaeger(traces(3))) as server:
        url = f"{server.url}/jaeger/search?service=shop&lookback=1h"
        assert tl.fetch_jaeger(url, service="shop", **TIME).height == 3
    assert {asked.path for asked in server.asked} == {"/jaeger/api/v3/services", "/jaeger/api/v3/traces"}


def test_a_server_that_is_killed_in_the_middle_keeps_what_came_and_says_what_is_missing() -> None:
    jaeger, gone = Jaeger(traces(3_000)), threading.Event()

    def answer(asked: Asked) -> Reply:
        if len(server.asked) > 4:
            gone.set()
        return Reply(dies=True) if gone.is_set() else jaeger(asked)

    with serving(answer) as server, pytest.warns(tl.LoadWarning, match="windows of time that could not be had"):
        spans = tl.fetch_jaeger(server.url, service="shop", **TIME)
    assert 0 < spans.height < 3_000
    report = tl.fetch_report()
    assert report.filter(problem="windows of time that could not be had")["count"].item() > 0
    assert report.filter(problem="spans")["count"].item() == spans.height


def dense(count: int) -> Jaeger:
    """Give a Jaeger whose traces come in many answers."""
    return Jaeger(traces(count), most=200)


def test_a_server_that_stops_listening_is_given_up_soon() -> None:
    jaeger = dense(4_000)

    def answer(asked: Asked) -> Reply:
        if len(server.asked) > 12:
            threading.Thread(target=server.stop, daemon=True).start()
            return Reply(dies=True)
        return jaeger(asked)

    begun = time.monotonic()
    with serving(answer) as server, pytest.warns(tl.LoadWarning, match="could not be had") as warned:
        spans = tl.fetch_jaeger(server.url, service="shop", **TIME)
    assert time.monotonic() - begun < 15
    assert len(warned) == 1
    assert 0 < spans.height < 4_000
    row = tl.fetch_report().filter(problem="windows of time that could not be had")
    assert row["count"].item() > 3
    assert "shop, 20" in row["first_place"].item()
    assert server.url in row["example"].item()


def test_a_server_that_begins_to_hang_is_given_up_after_one_wait() -> None:
    jaeger, hanging = dense(4_000), threading.Event()

    def answer(asked: Asked) -> Reply:
        if len(server.asked) > 12:
            hanging.wait(30)
        return jaeger(asked)

    with serving(answer) as server:
        begun = time.monotonic()
        with pytest.warns(tl.LoadWarning, match="could not be had"):
            spans = tl.fetch_jaeger(server.url, service="shop", timeout="1s", **TIME)
        assert time.monotonic() - begun < 12
        hanging.set()
    assert 0 < spans.height < 4_000


def test_a_server_that_is_back_after_a_moment_is_asked_again() -> None:
    jaeger, away = dense(2_000), threading.Event()

    def answer(asked: Asked) -> Reply:
        if len(server.asked) > 12 and not away.is_set():
            away.set()
            threading.Timer(1.5, back.set).start()
        return Reply(dies=True) if away.is_set() and not back.is_set() else jaeger(asked)

    back = threading.Event()
    with serving(answer) as server:
        assert tl.fetch_jaeger(server.url, service="shop", **TIME).height == 2_000


def test_one_window_that_fails_loses_no_other() -> None:
    jaeger = Jaeger(traces(1_000))

    def answer(asked: Asked) -> Reply:
        if asked.path == "/api/v3/traces":
            start, end = (nanoseconds(asked.one(f"query.startTime{which}")) for which in ("Min", "Max"))
            if end - start < HOUR and start <= BEGIN + HOUR // 10 <= end:
                return Reply(400, b'{"error":{"message":"broken index"}}')
        return jaeger(asked)

    with serving(answer) as server, pytest.warns(tl.LoadWarning, match="could not be had"):
        spans = tl.fetch_jaeger(server.url, service="shop", **TIME)
    assert 0 < spans.height < 1_000
    assert "broken index" in tl.fetch_report().filter(problem="windows of time that could not be had")["example"].item()


def test_ctrl_c_keeps_what_was_fetched_and_waits_for_nobody() -> None:
    jaeger, slow = Jaeger(traces(3_000)), threading.Event()

    def answer(asked: Asked) -> Reply:
        if len(server.asked) > 4:
            slow.set()
            time.sleep(20)
        return jaeger(asked)

    begun = time.monotonic()
    with (
        serving(answer) as server,
        interrupted_when(slow),
        pytest.warns(tl.LoadWarning, match="after an interruption"),
    ):
        spans = tl.fetch_jaeger(server.url, service="shop", **TIME)
    assert 0 < spans.height < 3_000
    assert time.monotonic() - begun < 10


def test_an_address_of_something_else_is_an_error() -> None:
    with serving(lambda _: Reply(404, b"nothing")) as server, pytest.raises(tl.SourceError, match="no Jaeger answers"):
        tl.jaeger_services(server.url)


def test_a_fetch_that_fails_leaves_no_report_of_an_earlier_one() -> None:
    with serving(Jaeger(traces(1))) as server:
        tl.fetch_jaeger(server.url, service="shop", **TIME)
    assert tl.fetch_report().height
    with pytest.raises(tl.SourceError):
        tl.fetch_jaeger(server.url, service="shop", **TIME)
    with pytest.raises(tl.TracelabError, match="no fetch to report of"):
        tl.fetch_report()


def test_services_come_in_order() -> None:
    held = traces(1, service="shop") + traces(1, service="bank", first=5)
    with serving(Jaeger(held)) as server:
        assert tl.jaeger_services(server.url)["service_name"].to_list() == ["bank", "shop"]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"service": 5}, "`service` must be"),
        ({"service": []}, "`service` must be"),
        ({"limit": 0}, "`limit` must be"),
        ({"tags": ["error"]}, "`tags` must be"),
        ({"start": "yesterday"}, "`start` must be a time"),
        ({"start": BEGIN, "end": BEGIN}, "must lie before"),
        ({"start": 1_790_000_000}, "Are these seconds"),
        ({"end": 1_790_000_000_000}, "Are these seconds"),
        ({"min_duration": 5}, "`min_duration` must be"),
        ({"min_duration": "2s", "max_duration": "1s"}, "must not be above `max_duration`"),
        ({"timeout": -1}, "`timeout` must be"),
        ({"headers": {"a": 5}}, "`headers` must be"),
        ({"auth": "token"}, "`auth` must be"),
        ({"verify": 5}, "`verify` must be"),
    ],
)
def test_wrong_options_are_refused_before_anybody_is_asked(option: dict[str, Any], message: str) -> None:
    with pytest.raises(tl.TracelabError, match=message):
        tl.fetch_jaeger("http://127.0.0.1:1", **({"service": "shop"} | option))
