"""Lines of logs that are like others: what is passed over, and what never is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.loaders.dumps import compact, request, span
from tracelab.loaders import load_report, read
from tracelab.loaders.formats import JSON_FORMATS
from tracelab.loaders.input.log_templates import LogTemplates
from tracelab.loaders.input.logs import layers_of
from tracelab.loaders.sniff import format_of, is_told_by_values

pytestmark = pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")

ENTRY: dict[str, Any] = {"level": "info", "ts": 1.5, "msg": "answered", "trace_id": "ab", "http": {"status": 200}}
OTHER: dict[str, Any] = {"when": 1, "event": "answered", "traceId": "ab", "args": [1, {"a": None}], "ok": True}
PREFIX = "2026-01-01T00:00:00Z stdout F "


def docker(text: str) -> str:
    return json.dumps({"log": f"{text}\n", "stream": "stdout", "time": "2026-01-01T00:00:00Z"})


FORMS = {
    "entry": json.dumps(ENTRY),
    "compact entry": json.dumps(ENTRY, separators=(",", ":")),
    "no entry": json.dumps(OTHER),
    "docker, entry": docker(json.dumps(ENTRY)),
    "docker, no entry": docker(json.dumps(OTHER)),
    "cri, entry": PREFIX + json.dumps(ENTRY),
}


def learned(line: str) -> LogTemplates:
    layers = [] if line == FORMS["no entry"] else layers_of([line] * 10)
    found = LogTemplates(layers, is_told_by_values)
    for _ in range(3):
        found.learn(line)
    return found


def is_passed(templates: LogTemplates, line: str) -> bool:
    return templates.end_of_run(line + "\n", 0) > 0


@pytest.mark.parametrize("form", FORMS)
def test_lines_with_the_same_keys_and_types_are_passed_over_in_one_go(form: str) -> None:
    line = FORMS[form]
    other = line.replace("answered", "asked for more, né 中").replace("200", "-7").replace("ab", "cd ef")
    text = f"{line}\n{other}\n{line}\nsomething else\n{line}"
    templates = learned(line)
    assert text[templates.end_of_run(text, 0) :].startswith("something else")
    assert templates.end_of_run(text, text.rindex("\n") + 1) == len(text)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("answered", "resourceSpans"),
        ("answered", "{"),
        ("answered", "Activity.TraceId: x"),
        ("answered", "Span #0"),
        ("answered", "\x1b[0m"),
        ("trace", "trage"),
        ("null", "{}"),
        ("200", "200.5"),
        ("200", '{"resourceSpans": []}'),
        ("ab", "\\ud800"),
        ("}", ""),
        ("stdout F", "stdout P"),
        ("}\\n", "}"),
    ],
)
def test_lines_that_differ_are_not_passed_over(form: str, was: str, becomes: str) -> None:
    line = FORMS[form]
    changed = line.replace(was, becomes)
    if changed != line:
        assert not is_passed(learned(line), changed)


@pytest.mark.parametrize("text", ["", "  ", "[", "a {", "{a", "two\nlines", "\ufeff"])
def test_texts_that_are_counted_otherwise_are_not_passed_over(text: str) -> None:
    for form in ("entry", "docker, entry"):
        inner = json.dumps({**ENTRY, "msg": text}, ensure_ascii=False)
        assert not is_passed(learned(FORMS[form]), docker(inner) if form != "entry" else inner)


VALUES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "zipkin": (
        {"traceId": "job 1", "id": "2", "kind": "CLIENT"},
        {"traceId": "0000000000000001", "id": "2", "kind": "CLIENT"},
    ),
    "clickhouse-compact": (
        {"meta": [{"name": name} for name in ("OrderId", "TraceId", "SpanName")], "data": [["1", "2", 3]]},
        {"meta": [{"name": name} for name in ("SpanId", "TraceId", "SpanName")], "data": [["1", "2", 3]]},
    ),
    "aws-xray": ({"Id": "1", "Document": "{}"}, {"Id": "1", "Document": '{"trace_id":1}'}),
    "datadog": (
        {"spans": "x", "attributes": {"spans": {"a": {"trace_id": 1, "span_id": 2, "start": 3, "meta": {}}}}},
        {"spans": "", "attributes": {"spans": {"a": {"trace_id": 1, "span_id": 2, "start": 3, "meta": {}}}}},
    ),
    "chrome-trace": ({"ph": "?", "ts": 1}, {"ph": "X", "ts": 1}),
}


@pytest.mark.parametrize("name", [each.name for each in JSON_FORMATS if each.told_by])
def test_what_is_a_span_by_its_values_is_always_looked_at(name: str) -> None:
    none, some = VALUES[name]
    assert format_of(none) is None
    assert format_of(some) is not None
    assert is_told_by_values(none)
    assert is_told_by_values({"inner": [none]})
    templates = LogTemplates([], is_told_by_values)
    for _ in range(3):
        templates.learn(json.dumps(none))
    assert templates.pattern is None


@pytest.mark.parametrize("form", FORMS)
def test_reports_count_lines_that_are_passed_over_as_they_count_others(form: str) -> None:
    dump = compact(request(span())).decode().rstrip("\n")
    wrapped = docker(dump) if "docker" in form else PREFIX + dump if "cri" in form else dump
    for count in (2, 400):
        lines = ["start", *[FORMS[form]] * count, wrapped, *[FORMS[form]] * count]
        log = "\n".join(lines).encode()
        counts = dict(load_report(log).select("problem", "count").rows())
        assert counts["log lines without spans"] == 2 * count + 1
        inner_wrapped = 2 * count + (wrapped != dump)
        assert counts.get("lines wrapped by a log", 0) == (0 if form == "no entry" else inner_wrapped)
        assert read(log).height == 1
        bad = "\n".join([*lines, wrapped.replace("endTimeUnixNano", "endTimeUnixNan0")])
        places = load_report(bad.encode())["first_place"].to_list()
        assert any(place.startswith(f"line {2 * count + 3}") for place in places)


def test_spans_that_are_printed_among_such_lines_are_not_torn() -> None:
    dump = json.dumps(request(span()), indent=1).split("\n")
    line = FORMS["no entry"]
    middle = len(dump) // 2
    log = "\n".join(["start", *[line] * 9, *dump[:middle], line, *dump[middle:], *[line] * 9]).encode()
    assert read(log).height == 1
    assert dict(load_report(log).select("problem", "count").rows())["log lines without spans"] >= 19


def test_json_lines_without_spans_are_counted_each_and_hide_no_span() -> None:
    lines = [json.dumps({**OTHER, "when": number}) for number in range(50)]
    dump = compact(request(span())).decode().rstrip("\n")
    log = "\n".join([*lines, json.dumps({**OTHER, "resourceSpans": request(span())["resourceSpans"]}), *lines, dump])
    report = load_report(log.encode())
    counts = dict(report.select("problem", "count").rows())
    assert counts["JSON that holds no spans"] == 100
    assert counts["spans"] == 2
    places = dict(report.select("problem", "first_place").rows())
    assert places["JSON that holds no spans"] == "line 1"
