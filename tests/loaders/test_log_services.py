"""Answers of log services: spans in their entries, as text or as objects."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from polars.testing import assert_frame_equal

from tests.loaders.dumps import compact, request, shop_otlp, span
from tests.loaders.test_logs import DUMPS
from tracelab.errors import LoadError, TracelabError
from tracelab.loaders import load_report, read

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")

NOISE = ["starting", '{"level":"info","msg":"answered","trace_id":"ab"}', "done {", ""]


def seconds(number: int) -> str:
    return f"2026-01-01T00:{number // 60:02}:{number % 60:02}.5Z"


def cloud_watch(lines: list[str]) -> Any:
    events = [
        {"logStreamName": "shop/1", "timestamp": 1767225600000 + number, "message": line, "eventId": str(number)}
        for number, line in enumerate(lines)
    ]
    return {"events": events, "searchedLogStreams": []}


def log_events(lines: list[str]) -> Any:
    events = [{"timestamp": number, "message": line, "ingestionTime": 5} for number, line in enumerate(lines)]
    return {"events": events, "nextForwardToken": "f/1", "nextBackwardToken": "b/1"}


def subscription(lines: list[str]) -> Any:
    events = [{"id": str(number), "timestamp": number, "message": line} for number, line in enumerate(lines)]
    return {"messageType": "DATA_MESSAGE", "logGroup": "g", "logStream": "s", "logEvents": events}


def insights(lines: list[str]) -> Any:
    rows = [
        [{"field": "@timestamp", "value": seconds(number)}, {"field": "@message", "value": line}, {"field": "@ptr"}]
        for number, line in enumerate(lines)
    ]
    return {"results": rows, "statistics": {"recordsMatched": 5.0}, "status": "Complete"}


def loki(lines: list[str]) -> Any:
    values = [[str(1767225600000000000 + number), line] for number, line in enumerate(lines)]
    result = [{"stream": {"app": "shop", "pod": "shop-1"}, "values": values[::-1]}]
    return {"status": "success", "data": {"resultType": "streams", "result": result, "stats": {"summary": {}}}}


def google(lines: list[str]) -> Any:
    return [
        {
            "insertId": str(number),
            "logName": "projects/p/logs/stdout",
            "resource": {"type": "k8s_container", "labels": {"pod_name": "shop"}},
            "timestamp": seconds(number),
            **({"textPayload": line} if number % 2 else {"jsonPayload": {"message": line, "thread": "main"}}),
        }
        for number, line in enumerate(lines)
    ][::-1]


SERVICES: dict[str, Callable[[list[str]], Any]] = {
    "cloud watch": cloud_watch,
    "cloud watch stream": log_events,
    "subscription": subscription,
    "insights": insights,
    "loki": loki,
    "google": google,
}
BY_LINES: dict[str, Callable[[list[str]], list[Any]]] = {
    "logcli": lambda lines: [
        {"labels": {"app": "shop"}, "line": line, "timestamp": seconds(number)} for number, line in enumerate(lines)
    ],
    "google lines": lambda lines: google(lines)[::-1],
    "fluentd": lambda lines: [{"log": line} for line in lines],
    "fluent-bit": lambda lines: [{"log": line, "kubernetes": {"pod_name": "shop"}} for line in lines],
    "docker to fluentd": lambda lines: [
        {"container_id": "c", "container_name": "/shop", "source": "stdout", "log": line} for line in lines
    ],
    "message alone": lambda lines: [{"message": line} for line in lines],
    "pages": lambda lines: [cloud_watch(lines[start : start + 7]) for start in range(0, len(lines), 7)],
}


@pytest.mark.parametrize("dump", DUMPS)
@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("indent", [None, 4])
def test_every_dump_is_read_out_of_the_answer_of_every_service(service: str, dump: str, indent: int | None) -> None:
    lines = [*NOISE, *DUMPS[dump].decode().rstrip("\n").split("\n"), *NOISE]
    answer = json.dumps(SERVICES[service](lines), indent=indent).encode()
    assert_frame_equal(read(answer), read(DUMPS[dump]))
    report = dict(load_report(answer).select("problem", "count").rows())
    assert report["lines wrapped by a log"] == len(lines)
    assert report["log lines without spans"] >= 2


@pytest.mark.parametrize("dump", DUMPS)
@pytest.mark.parametrize("service", BY_LINES)
def test_every_dump_is_read_out_of_entries_one_a_line(service: str, dump: str) -> None:
    lines = [*NOISE, *DUMPS[dump].decode().rstrip("\n").split("\n"), *NOISE]
    answer = compact(*BY_LINES[service](lines))
    assert_frame_equal(read(answer), read(DUMPS[dump]))
    assert dict(load_report(answer).select("problem", "count").rows())["lines wrapped by a log"] == len(lines)


def test_spans_that_stand_in_an_entry_as_objects_are_read() -> None:
    entries = [{"timestamp": seconds(1), "severity": "INFO", "jsonPayload": shop_otlp()}, {"textPayload": "hello"}]
    for answer in (json.dumps(entries, indent=1).encode(), compact(*entries), json.dumps(entries[:1]).encode()):
        assert_frame_equal(read(answer), read(compact(shop_otlp())))


def test_streams_that_print_at_once_are_told_apart() -> None:
    one, two = (json.dumps(request(span(traceId=each * 32)), indent=2).split("\n") for each in "ab")
    answer = loki(one)
    answer["data"]["result"].append({"stream": {"app": "pay"}, "values": loki(two)["data"]["result"][0]["values"]})
    assert read(json.dumps(answer).encode())["trace_id"].sort().to_list() == ["a" * 32, "b" * 32]
    events = [
        {"timestamp": number, "message": line, "logStreamName": name}
        for number, pair in enumerate(zip(one, two, strict=True))
        for name, line in zip("ab", pair, strict=True)
    ]
    assert read(json.dumps({"events": events}).encode()).height == 2


def test_what_docker_cut_for_fluentd_is_joined() -> None:
    text = compact(request(span())).decode().rstrip("\n")
    parts = [
        {"log": part, "container_id": "c", "partial_message": "true", "partial_id": "1", "partial_last": last}
        for part, last in ((text[:100], "false"), (text[100:200], "false"), (text[200:], "true"))
    ]
    assert read(compact({"log": "start", "container_id": "c"}, *parts)).height == 1


def test_an_answer_that_breaks_off_is_kept_as_far_as_it_goes() -> None:
    lines = [compact(request(span(f"{number:016x}"))).decode().rstrip("\n") for number in range(1, 9)]
    answer = json.dumps(cloud_watch(lines), indent=1).encode()
    cut = answer[: answer.rindex(b'"message"') + 40]
    assert read(cut).height == 7
    assert "the input ends in the middle" in load_report(cut)["problem"]


WRONG: list[Any] = [
    {"events": [{"message": {"a": 1}, "timestamp": 1}]},
    {"events": [{"message": "hello", "timestamp": None}, None, 5, [], {"message": None}]},
    {"events": {"message": "hello", "timestamp": 1}},
    {"results": [[{"field": {}, "value": 1}], None, [[]], [{"field": "@message", "value": ["x"]}]]},
    {"data": {"resultType": "streams", "result": [{"stream": None, "values": [["1", "x"]]}]}},
    {"data": {"resultType": "streams", "result": [{"stream": {"a": []}, "values": [None, [], ["1"], [1, 2]]}]}},
    {"data": {"resultType": "streams", "result": {"stream": {}}}},
    {"streams": [{"stream": {}, "values": [[{}, "x"], [[], "y"], ["9" * 5000, "z"], ["1", "\ud800"]]}]},
    [{"textPayload": 5, "timestamp": {}}, {"jsonPayload": []}, {"jsonPayload": {"message": {"message": "x"}}}],
    [{"textPayload": "x", "timestamp": {}, "resource": [], "logName": {}}, {"textPayload": "y", "timestamp": 5}],
    {"entries": [{"textPayload": "x", "timestamp": "y"}]},
]


@pytest.mark.parametrize("answer", WRONG)
def test_answers_without_spans_or_with_wrong_types_are_refused_in_words(answer: Any) -> None:
    with pytest.raises(LoadError, match="no trace dump"):
        read(json.dumps(answer).encode())
    with pytest.raises(LoadError, match="no trace dump"):
        read("\n".join([json.dumps(answer)] * 2).encode())


@pytest.mark.parametrize("answer", WRONG)
def test_wrong_entries_hide_no_spans(answer: Any) -> None:
    lines = [compact(request(span())).decode()]
    for good in (cloud_watch(lines), loki(lines), insights(lines), google(lines)):
        assert read(f"{json.dumps(good)}\n{json.dumps(answer)}".encode()).height == 1
        if isinstance(answer, dict) and isinstance(good, dict):
            for key, held in good.items():
                other = answer.get(key)
                if isinstance(held, list) and isinstance(other, list):
                    assert read(json.dumps({**good, key: [*other, *held]}).encode()).height == 1


def test_an_answer_that_is_nested_without_end_is_refused() -> None:
    deep = b'{"events":[{"timestamp":1,"message":"x","more":' + b"[" * 100_000
    with pytest.raises(TracelabError):
        read(deep)
    with pytest.raises(TracelabError):
        read(deep + b"]" * 100_000 + b"}]}")


def test_documents_that_only_look_like_answers_are_read_as_what_they_are() -> None:
    document = {**shop_otlp(), "events": [{"message": "x", "timestamp": 1}]}
    assert read(json.dumps(document).encode()).height == read(compact(shop_otlp())).height
    assert "lines wrapped by a log" not in load_report(json.dumps(document).encode())["problem"]
