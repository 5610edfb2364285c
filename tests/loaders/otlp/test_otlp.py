from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest
import zstandard
from polars.testing import assert_frame_equal

from tests.loaders.dumps import CALL, ROOT, START, attribute, compact, protobuf, request, shop_otlp, span
from tracelab.errors import LoadWarning
from tracelab.loaders import load_report, read
from tracelab.loaders.columns.key_values import DoesNotFit
from tracelab.loaders.otlp import fast as otlp_fast

VALUES = {
    "text": 'a "quoted" \\ ü 🙂 \n',
    "yes": True,
    "large": 2**63 - 1,
    "low": -(2**63),
    "real": 0.1,
    "bytes": b"\x00\xff",
    "strings": ["a", "b"],
    "integers": [1, 2**62],
    "reals": [0.5, 1.0],
    "flags": [True, False],
    "nothing": [],
    "mixed": ["a", 1, None, [2.5]],
    "map": {"a": 1, "b": {"c": [True]}},
}


def full_span(**fields: Any) -> dict[str, Any]:
    link = {"traceId": "ab" * 16, "spanId": "cd" * 8, "traceState": "x=y", "attributes": [attribute("why", "retry")]}
    event = {
        "timeUnixNano": str(START + 5),
        "name": "exception",
        "attributes": [attribute("n", 5), attribute("ok", True)],
    }
    more = {
        "attributes": [attribute(key, value) for key, value in VALUES.items()],
        "events": [event],
        "links": [link],
        "status": {"code": 2, "message": "no"},
        "traceState": "a=b",
        "flags": 257,
    }
    return span(**{**more, **fields})


def ways(document: dict[str, Any]) -> dict[str, bytes]:
    return {
        "lines": compact(document),
        "pretty": json.dumps(document, indent=2).encode(),
        "twice": (json.dumps(document, indent=1) + json.dumps({"resourceSpans": []}, indent=1)).encode(),
        "list": compact([document]),
        "wrapped": compact({"result": document}),
        "data": compact({"data": document}),
        "batches": compact({"batches": document["resourceSpans"]}),
        "bare": compact(*document["resourceSpans"]),
        "bare list": json.dumps(document["resourceSpans"]).encode(),
        "logs between": compact({"resourceLogs": []}, document, {"resourceMetrics": []}),
        "blank lines": b"\n\n" + compact(document) + b"\r\n",
        "bom": b"\xef\xbb\xbf" + compact(document),
    }


def test_every_container_of_otlp_json_gives_the_same_frame() -> None:
    document = request(full_span(), span(CALL, parentSpanId=ROOT))
    spans = read(compact(document))
    for name, content in ways(document).items():
        assert read(content).equals(spans), name


def test_values_keep_their_types() -> None:
    row = read(compact(request(full_span()))).row(0, named=True)
    assert row["span.text"] == VALUES["text"]
    assert (row["span.yes"], row["span.large"], row["span.low"]) == (True, 2**63 - 1, -(2**63))
    assert (row["span.real"], row["span.reals"], row["span.flags"]) == (0.1, [0.5, 1.0], [True, False])
    assert (row["span.strings"], row["span.integers"], row["span.nothing"]) == (["a", "b"], [1, 2**62], [])
    assert (row["span.bytes"], row["span.bytes:type"]) == ("AP8=", "bytes")
    assert (row["span.mixed"], row["span.mixed:type"]) == ('["a", 1, null, [2.5]]', "array")
    assert (row["span.map"], row["span.map:type"]) == ('{"a": 1, "b": {"c": [true]}}', "kvlist")
    assert row["events"][0]["attributes"] == {"n": "5", "ok": "true"}
    assert row["links"][0]["trace_state"] == "x=y"
    assert (row["flags"], row["trace_state"], row["status_code"], row["status_message"]) == (257, "a=b", "error", "no")


def snake(content: Any) -> Any:
    if isinstance(content, list):
        return [snake(item) for item in content]
    if not isinstance(content, dict):
        return content
    return {"".join(f"_{c.lower()}" if c.isupper() else c for c in key): snake(value) for key, value in content.items()}


def respelled(document: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    text = json.dumps(document)
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    result: dict[str, Any] = json.loads(text)
    return result


SPELLINGS: dict[str, dict[str, Any]] = {
    "kinds by name": {'"kind": 2': '"kind": "SPAN_KIND_SERVER"'},
    "kinds by bare name": {'"kind": 2': '"kind": "server"'},
    "kinds as text": {'"kind": 2': '"kind": "2"'},
    "statuses by name": {'"code": 2': '"code": "STATUS_CODE_ERROR"'},
    "times as numbers": {f'"{START}"': str(START), f'"{START + 5_000_000}"': str(START + 5_000_000)},
    "one time as a number": {f'"{START}"': str(START)},
    "integers as numbers": {f'"{2**63 - 1}"': str(2**63 - 1)},
    "ids in capitals": {ROOT: ROOT.upper()},
    "a zero parent": {'"name": "GET /pay"': '"name": "GET /pay", "parentSpanId": "0000000000000000"'},
    "an empty parent": {'"name": "GET /pay"': '"name": "GET /pay", "parentSpanId": ""'},
    "unknown fields": {'"name": "GET /pay"': '"name": "GET /pay", "new": {"a": [1]}'},
    "deprecated names": {'"scopeSpans"': '"instrumentationLibrarySpans"', '"scope":': '"instrumentationLibrary":'},
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_gives_the_same_frame(spelling: str) -> None:
    document = request(full_span())
    assert_frame_equal(read(compact(respelled(document, SPELLINGS[spelling]))), read(compact(document)))


def test_snake_case_and_base64_ids_give_the_same_frame() -> None:
    document = request(full_span())
    assert_frame_equal(read(compact(snake(document))), read(compact(document)))
    base64 = respelled(document, {ROOT: "t61rcWkgMzE=", "0af7651916cd43dd8448eb211c80319c": "CvdlGRbNQ92ESOshHIAxnA=="})
    assert_frame_equal(read(compact(base64)), read(compact(document)))


def test_attributes_as_a_map_are_read() -> None:
    spans = read(compact(request(span(attributes={"a": 1, "b": "x", "c": [1.5], "d": None, "e": {"f": True}}))))
    assert spans.select("span.a", "span.b", "span.c", "span.e").row(0) == (1, "x", [1.5], '{"f": true}')


def test_the_fast_way_reads_what_the_tolerant_way_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    documents = [
        shop_otlp(),
        request(full_span()),
        request(span(status={}, attributes=[]), span(CALL, events=[], links=[])),
    ]
    documents.append(request(span(attributes=[attribute("a", "1"), {"key": "b", "value": {}}], droppedEventsCount=3)))
    fast = [(read(compact(each)), load_report(compact(each))) for each in documents]

    def refuse(*_: Any, **__: Any) -> None:
        raise DoesNotFit("not now")

    monkeypatch.setattr(otlp_fast, "chunk_of", refuse)
    for each, (spans, report) in zip(documents, fast, strict=True):
        assert_frame_equal(read(compact(each)), spans)
        assert load_report(compact(each)).select("problem", "count").rows() == report.select("problem", "count").rows()


def test_protobuf_in_every_framing_gives_the_frame_of_json() -> None:
    document = request(full_span(), span(CALL, parentSpanId=ROOT))
    spans, message = read(compact(document)), protobuf(document)
    assert len(message) < 2**14
    length = len(message).to_bytes(4, "big")
    varint = bytes([len(message) & 0x7F | 0x80, len(message) >> 7])
    packed = zstandard.compress(message)
    json_message = zstandard.compress(compact(document).rstrip())
    framings = [
        message,
        length + message,
        varint + message,
        zstandard.compress(length + message),
        len(packed).to_bytes(4, "big") + packed,
        len(json_message).to_bytes(4, "big") + json_message,
    ]
    for content in framings:
        assert_frame_equal(read(content), spans)


@pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")
def test_a_damaged_message_of_many_loses_only_itself() -> None:
    messages = [protobuf(request(span(f"{number:016x}"))) for number in range(1, 4)]
    messages[1] = messages[1][:40] + b"\xff" * 20 + messages[1][60:]
    content = b"".join(len(message).to_bytes(4, "big") + message for message in messages)
    assert read(content)["span_id"].to_list() == [f"{number:016x}" for number in (1, 3)]
    assert "messages that cannot be read" in load_report(content)["problem"].to_list()


@pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")
def test_a_dump_that_breaks_off_gives_what_was_whole() -> None:
    content = compact(request(*(span(f"{number:016x}") for number in range(1, 100))))
    assert 40 < read(content[: len(content) // 2]).height < 50
    two = compact(request(span())) + compact(request(span(CALL)))
    assert read(two[:-30]).height == 1
    assert "JSON that cannot be read" in load_report(two[:-30])["problem"].to_list()


HOSTILE = {
    "a surrogate": ('"GET /pay"', '"GET \\ud800"', "lone surrogates"),
    "nan": ('{"doubleValue": 0.1}', '{"doubleValue": NaN}', None),
    "nan as text": ('{"doubleValue": 0.1}', '{"doubleValue": "NaN"}', None),
    "a kind too large": ('"kind": 2', '"kind": 99999999999999999999', "unknown kinds or statuses"),
    "a time too large": (f'"{START}"', '"99999999999999999999"', "times that are no times"),
    "an integer too large": (f'"{2**63 - 1}"', f'"{2**70}"', "attribute values that do not fit their type"),
    "an id that is not hex": (ROOT, "no hex at all", "ids that are not hex"),
    "nested deep": ('"name": "GET /pay"', '"name": "x", "y": ' + "[" * 300 + "]" * 300, None),
    "a null": ('"kind": 2', '"kind": null', None),
    "an event that is none": ('"timeUnixNano"', '"time"', None),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_values_are_repaired_and_counted(name: str) -> None:
    old, new, problem = HOSTILE[name]
    content = json.dumps(request(full_span()), ensure_ascii=False).replace(old, new).encode() + b"\n"
    report = load_report(content)
    assert report.filter(pl.col("problem") == "spans")["count"].item() == 1
    if problem is not None:
        assert problem in report["problem"].to_list()
        with pytest.warns(LoadWarning):
            assert read(content).height == 1
    else:
        assert read(content).height == 1


def test_bytes_that_are_not_utf8_are_repaired() -> None:
    content = compact(request(span(name="QQ"))).replace(b"QQ", b"\xff\xfe")
    with pytest.warns(LoadWarning, match="UTF-8"):
        assert read(content)["name"].item() == "��"


def test_other_encodings_of_unicode_are_read() -> None:
    document = request(full_span())
    for encoding in ("utf-16", "utf-16-le", "utf-32"):
        content = json.dumps(document, ensure_ascii=False).encode(encoding)
        with pytest.warns(LoadWarning, match="UTF-16"):
            assert_frame_equal(read(content), read(compact(document)))


def test_a_trace_of_which_the_clock_starts_at_zero_keeps_its_start() -> None:
    spans = read(compact(request(span(startTimeUnixNano="0", endTimeUnixNano="9000"))))
    assert spans["duration"].dt.total_nanoseconds().to_list() == [9000]
