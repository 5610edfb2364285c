from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
import requests

import tracelab as tl
from tracelab.analysis.latest_traces import ENOUGH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BEGIN = 1_780_000_000_000_000_000
MILLISECOND = 1_000_000


@pytest.fixture
def live() -> Iterator[tl.live.Receiver]:
    with tl.receive(http_port=0, grpc_port=None) as receiver:
        yield receiver


@pytest.fixture
def widget(live: tl.live.Receiver) -> Iterator[tl.widgets.Live]:
    made = tl.widgets.Live(live, rows=30)
    yield made
    made.close()


def span(trace: int, number: int = 1, *, milliseconds: int = 10, **more: Any) -> dict[str, Any]:
    start = BEGIN + trace * 1_000 * MILLISECOND + number * MILLISECOND
    own = {
        "traceId": f"{trace:032x}",
        "spanId": f"{trace:08x}{number:08x}",
        "name": "GET /",
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + milliseconds * MILLISECOND),
    }
    return own | more


def send(live: tl.live.Receiver, *spans: dict[str, Any], service: str = "web") -> None:
    name = {"key": "service.name", "value": {"stringValue": service}}
    body = {"resourceSpans": [{"resource": {"attributes": [name]}, "scopeSpans": [{"spans": list(spans)}]}]}
    assert requests.post(f"{live.http_url}/v1/traces", json=body, timeout=10).ok


def until(true: Callable[[], bool]) -> None:
    """Wait for what a thread does by itself."""
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def listed(widget: tl.widgets.Live) -> list[dict[str, Any]]:
    return list(widget._list.rows)


def click(widget: tl.widgets.Live, trace: int) -> None:
    """Say what the browser says."""
    widget._list._told(None, {"kind": "open", "trace_id": f"{trace:032x}"}, None)


def test_it_says_where_to_send_while_nothing_has_come(live: tl.live.Receiver, widget: tl.widgets.Live) -> None:
    assert f"Send OTLP to {live.http_url} (HTTP)." in widget._list.note
    assert f"OTEL_EXPORTER_OTLP_ENDPOINT={live.http_url}" in widget._list.note
    assert "0 spans in 0 traces · 0 spans/s" in widget._status.value


def test_who_only_receives_grpc_is_told_so() -> None:
    with tl.receive(http_port=None, grpc_port=0) as live:
        widget = tl.widgets.Live(live)
        assert f"OTEL_EXPORTER_OTLP_ENDPOINT=http://{live.grpc_url} and OTEL_EXPORTER_OTLP_PROTOCOL=grpc" in (
            widget._list.note
        )
        widget.close()


def test_traces_come_by_themselves_the_latest_first(live: tl.live.Receiver, widget: tl.widgets.Live) -> None:
    send(live, span(1), span(2, milliseconds=25))
    until(lambda: "2 spans" in widget._status.value)
    assert [row["duration"] for row in listed(widget)] == ["25 ms", "10 ms"]
    assert widget.traces["trace_id"].to_list() == [f"{2:032x}", f"{1:032x}"]
    assert widget._list.note == ""
    send(live, span(3))
    until(lambda: "3 spans in 3 traces" in widget._status.value)
    assert len(listed(widget)) == 3


def test_durations_have_their_nanoseconds(live: tl.live.Receiver, widget: tl.widgets.Live) -> None:
    send(live, span(1, endTimeUnixNano=str(BEGIN + 1_001 * MILLISECOND + 2_345)))
    widget.refresh()
    assert listed(widget)[0]["duration"] == "2.35 µs"


def test_errors_and_spans_of_a_trace_are_counted(live: tl.live.Receiver, widget: tl.widgets.Live) -> None:
    child = span(1, 2, parentSpanId=span(1)["spanId"], status={"code": 2})
    send(live, span(1, milliseconds=50), child, span(2))
    widget.refresh()
    assert [(row["spans"], row["errors"]) for row in listed(widget)] == [("1", ""), ("2", "1 error")]


def test_slow_is_what_took_longer_than_most_that_began_alike(live: tl.live.Receiver, widget: tl.widgets.Live) -> None:
    send(live, *(span(number) for number in range(1, ENOUGH)))
    widget.refresh()
    send(live, span(ENOUGH, milliseconds=900), span(ENOUGH + 1, milliseconds=900, name="POST /"))
    widget.refresh()
    slow = {row["name"]: row["slow"] for row in listed(widget) if row["slow"]}
    assert list(slow) == ["GET /"]
    assert slow["GET /"].startswith("longer than the p95 of 20 traces that began alike: ")


def test_a_trace_whose_parent_has_not_come_says_so_until_it_has(
    live: tl.live.Receiver, widget: tl.widgets.Live
) -> None:
    send(live, span(1, 2, parentSpanId=span(1)["spanId"], name="SELECT"))
    widget.refresh()
    assert [(row["name"], row["incomplete"]) for row in listed(widget)] == [
        ("SELECT", "1 of its spans name a parent that has not come")
    ]
    send(live, span(1))
    widget.refresh()
    assert [(row["name"], row["incomplete"]) for row in listed(widget)] == [("GET /", "")]


def test_no_more_rows_are_listed_than_asked_for(live: tl.live.Receiver) -> None:
    send(live, *(span(number) for number in range(1, 200)))
    widget = tl.widgets.Live(live, rows=5)
    assert len(listed(widget)) == 5
    assert listed(widget)[0]["trace_id"] == f"{199:032x}"
    assert "199 spans in 199 traces" in widget._status.value
    widget.close()


def test_pause_leaves_the_list_and_not_the_receiver(live: tl.live.Receiver, widget: tl.widgets.Live) -> None:
    send(live, span(1))
    until(lambda: len(listed(widget)) == 1)
    widget._pause.value = True
    assert widget.paused
    send(live, span(2))
    until(lambda: "2 spans" in widget._status.value)
    assert "<b>paused</b>" in widget._status.value
    assert len(listed(widget)) == 1
    widget.paused = False
    assert len(listed(widget)) == 2
    assert not widget._pause.value


def test_a_click_opens_the_timeline_of_a_trace_and_another_replaces_it(
    live: tl.live.Receiver, widget: tl.widgets.Live
) -> None:
    send(live, span(1), span(2))
    widget.refresh()
    assert widget.selected.is_empty()
    for trace in (1, 2):
        click(widget, trace)
        (gantt,) = widget._timeline.children
        assert gantt.trace_id == widget.trace_id == widget._list.chosen == f"{trace:032x}"
        assert widget.selected["trace_id"].to_list() == [f"{trace:032x}"]
    widget.trace_id = None
    assert widget._timeline.children == ()


def test_a_second_click_shows_what_came_since(live: tl.live.Receiver, widget: tl.widgets.Live) -> None:
    send(live, span(1))
    click(widget, 1)
    send(live, span(1, 2, parentSpanId=span(1)["spanId"]))
    assert widget.selected.height == 1
    click(widget, 1)
    assert widget.selected.height == 2
    assert widget._timeline.children[0].visible.height == 2


def test_a_trace_that_is_held_no_more_is_a_word_and_no_failure() -> None:
    with tl.receive(http_port=0, grpc_port=None, max_spans=2) as live:
        send(live, span(1))
        widget = tl.widgets.Live(live)
        send(live, span(2), span(3))
        live.wait(spans=3)
        click(widget, 1)
        assert "The receiver holds no trace" in widget._notice.value
        assert widget.trace_id is None
        with pytest.raises(tl.TracelabError, match="holds no trace"):
            widget.trace_id = f"{1:032x}"
        widget.refresh()
        assert "1 span dropped" in widget._status.value
        click(widget, 3)
        assert widget._notice.value == ""
        widget.close()


def test_names_that_mean_harm_are_text(live: tl.live.Receiver, widget: tl.widgets.Live) -> None:
    evil = "<img src=x onerror=alert(1)>\u202e\x1b[31m" + "x" * 5_000
    send(live, span(1, name=evil), service=evil)
    widget.refresh()
    (row,) = listed(widget)
    assert row["name"].startswith(r"<img src=x onerror=alert(1)>\u202e\x1b[31m")
    assert len(row["name"]) < 200
    assert len(row["service"]) < 200
    assert evil[:10] not in widget._status.value
    send(live, span(2, name=" "))
    widget.refresh()
    assert listed(widget)[0]["name"] == "(no name)"


def test_what_a_page_says_that_is_no_message_of_ours_does_nothing(widget: tl.widgets.Live) -> None:
    messages: tuple[Any, ...] = (None, 3, [], {}, {"kind": "open"}, {"kind": "open", "trace_id": 7}, "open")
    for message in messages:
        widget._list._told(None, message, None)
    assert widget.trace_id is None


def test_it_stops_with_the_receiver_and_shows_the_last_that_came(
    live: tl.live.Receiver, widget: tl.widgets.Live
) -> None:
    send(live, span(1))
    live.close()
    widget._thread.join(20)
    assert not widget._thread.is_alive()
    assert len(listed(widget)) == 1
    assert "<b>closed</b> · 1 span in 1 trace" in widget._status.value
    click(widget, 1)
    assert widget.trace_id == f"{1:032x}"


def test_a_receiver_that_was_closed_before_anything_came_says_so(
    live: tl.live.Receiver, widget: tl.widgets.Live
) -> None:
    live.close()
    widget._thread.join(20)
    assert widget._list.note == "The receiver is closed, and nothing came."


def test_it_stops_when_it_is_closed_and_the_receiver_goes_on(live: tl.live.Receiver) -> None:
    widget = tl.widgets.Live(live)
    widget.close()
    widget._thread.join(20)
    assert not widget._thread.is_alive()
    assert not live.closed


def test_it_rests_while_nobody_shows_it(live: tl.live.Receiver, widget: tl.widgets.Live) -> None:
    tell = widget._list._told
    tell(None, {"kind": "here"}, None)
    tell(None, {"kind": "gone"}, None)
    send(live, span(1))
    time.sleep(1.2)
    assert listed(widget) == []
    tell(None, {"kind": "here"}, None)
    until(lambda: len(listed(widget)) == 1)


def test_only_a_receiver_is_shown_and_rows_are_a_number(live: tl.live.Receiver) -> None:
    spans: Any = pl.DataFrame()
    with pytest.raises(tl.TracelabError, match=r"must be a receiver, as `tracelab.receive\(\)` gives it"):
        tl.widgets.Live(spans)
    with pytest.raises(tl.TracelabError, match="rows"):
        tl.widgets.Live(live, rows=0)
