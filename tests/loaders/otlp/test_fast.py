"""OTLP JSON the fast way: what it must not take for what it is not, and what it must read without the tolerant way."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from polars.testing import assert_frame_equal

from tests.loaders.dumps import CALL, CHILD, ROOT, START, attribute, compact, request, span
from tracelab.errors import LoadError
from tracelab.loaders import json_reader, load_report, read
from tracelab.loaders.columns.key_values import DoesNotFit
from tracelab.loaders.input.cutting import Piece
from tracelab.loaders.otlp import fast as otlp_fast
from tracelab.loaders.otlp.lifting import lift
from tracelab.loaders.otlp.spans import lift_spans

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

    Only = Callable[[bytes], pl.DataFrame]


pytestmark = pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")


@pytest.fixture
def only_fast(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], pl.DataFrame]:
    """Read a dump without the help of the tolerant way."""

    def fail(*_: Any) -> None:
        raise AssertionError("the fast way gave up")

    def read_fast(dump: bytes) -> pl.DataFrame:
        with monkeypatch.context() as patched:
            patched.setattr(json_reader, "_decode_tolerantly", fail)
            return read(dump)

    return read_fast


@pytest.fixture
def only_tolerant(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], tuple[pl.DataFrame, pl.DataFrame]]:
    """Read a dump and its report without the fast way."""

    def refuse(*_: Any, **__: Any) -> None:
        raise DoesNotFit("not now")

    def read_tolerantly(dump: bytes) -> tuple[pl.DataFrame, pl.DataFrame]:
        with monkeypatch.context() as patched:
            patched.setattr(otlp_fast, "chunk_of", refuse)
            return read(dump), load_report(dump)

    return read_tolerantly


EVENT = {"timeUnixNano": str(START), "name": "e"}


def spaced(document: Any) -> bytes:
    return json.dumps(document).encode() + b"\n"


def test_every_kind_keeps_its_name(only_fast: Only) -> None:
    spans = [span(f"{number:016x}", kind=number) for number in range(1, 6)]
    kinds = ["internal", "server", "client", "producer", "consumer"]
    for dump in (compact(request(*spans)), spaced(request(*spans))):
        assert only_fast(dump).sort("span_id")["kind"].to_list() == kinds
    with_events = [{**each, "events": [EVENT]} for each in spans]
    assert only_fast(compact(request(*with_events))).sort("span_id")["kind"].to_list() == kinds


@pytest.mark.parametrize("number", [6, 7, 255, 256, 259, 4_000_000_000])
@pytest.mark.parametrize("field", ["kind", "status"])
def test_a_number_that_no_kind_or_status_has_is_counted(only_fast: Only, field: str, number: int) -> None:
    fields: dict[str, Any] = {"kind": number} if field == "kind" else {"status": {"code": number}}
    dump = compact(request(span(ROOT, **fields), span(CALL, events=[EVENT], **fields), span(CHILD)))
    spans = only_fast(dump)
    column, first = ("kind", "unspecified") if field == "kind" else ("status_code", "unset")
    assert (spans[column] == first).sum() == (2 if field == "kind" else 3)
    assert load_report(dump).filter(problem="unknown kinds or statuses")["count"].to_list() == [2]


TWO_TYPES = '{"key":"a","value":{"stringValue":"x","intValue":"1"}}'


@pytest.mark.parametrize("where", ["attributes", "event", "resource"])
def test_a_value_with_two_types_at_once_is_left_to_the_tolerant_way(where: str, only_tolerant: Any) -> None:
    pairs = [json.loads(TWO_TYPES)]
    document = request(span(attributes=pairs) if where == "attributes" else span())
    if where == "event":
        document = request(span(events=[{**EVENT, "attributes": pairs}]))
    if where == "resource":
        document["resourceSpans"][0]["resource"]["attributes"] = pairs
    dump = compact(document)
    with pytest.raises(DoesNotFit, match="two types"):
        otlp_fast.chunk_of(Piece(dump), bare=False)
    spans, report = only_tolerant(dump)
    assert_frame_equal(read(dump), spans)
    assert_frame_equal(load_report(dump), report)


VALUES = {
    "a list that closes in a text": "}}]",
    "an object in a text": '{"a":[{"b":{"c":"d"}}],"key":"x"}',
    "the start of a pair in a text": '{"key":"a","value":{"stringValue":"b"}},{"key":"c"',
    "a backslash at the end": "a\\",
    "quotes": '"}}]"',
    "letters of other alphabets": "söme→\u2028 \U0001f600",
    "a number like that of a run": "[10000000]",
    "an array": ["a", '"}}]', "b"],
    "an array of objects": [{"a": "x"}, {"b": [1, {"c": True}]}],
    "an object": {"a": "}}]", "b": {"c": [1.5, {}]}, "d": "e"},
    "nothing in an object": {},
    "bytes": b"ab\xff",
    "a truth": True,
    "a double": -1.5e-300,
    "an integer": -(2**63),
}


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("spelled", [compact, spaced])
def test_values_of_every_kind_are_read_wherever_they_stand(
    only_fast: Only, only_tolerant: Any, name: str, spelled: Any
) -> None:
    one, plain = attribute("held", VALUES[name]), attribute("plain", "p")
    for pairs in (
        [one],
        [one, plain],
        [plain, one],
        [plain, one, attribute("more", 1)],
        [one, attribute("o", {"x": 1})],
    ):
        document = request(span(ROOT, attributes=pairs), span(CALL, attributes=[plain]), span(CHILD, attributes=pairs))
        document["resourceSpans"][0]["resource"]["attributes"] += pairs
        spans, report = only_tolerant(spelled(document))
        assert_frame_equal(only_fast(spelled(document)), spans)
        assert_frame_equal(load_report(spelled(document)), report)
        held = request(span(ROOT, events=[{**EVENT, "attributes": pairs}, EVENT]), span(CALL))
        assert_frame_equal(only_fast(spelled(held)), only_tolerant(spelled(held))[0])


SPELLINGS: dict[str, dict[str, Any]] = {
    "kinds by name": {"kind": "SPAN_KIND_CLIENT"},
    "kinds as text": {"kind": "3"},
    "a status by name": {"status": {"code": "STATUS_CODE_ERROR", "message": "x"}},
    "a status": {"status": {"code": 2}},
    "a status with a message": {"status": {"message": "m", "code": 2}},
    "no status": {"status": {}},
    "times as numbers": {"startTimeUnixNano": START, "endTimeUnixNano": START + 5},
    "a time of zero": {"startTimeUnixNano": "0"},
    "a short time": {"startTimeUnixNano": "12345"},
    "an empty parent": {"parentSpanId": ""},
    "a parent": {"parentSpanId": CHILD},
    "capital letters in ids": {"spanId": "00F067AA0BA902B7"},
    "ids in base64": {"spanId": "APBnqgupArc="},
    "no name": {"name": None},
    "a name with escapes": {"name": 'a "b" \\ \n c'},
    "a long name": {"name": "ü" * 700},
    "an empty name": {"name": ""},
    "flags": {"flags": 257},
    "the largest flags": {"flags": 2**32 - 1},
    "things dropped": {"droppedAttributesCount": 3, "droppedLinksCount": 1},
    "a state": {"traceState": "a=b"},
    "empty lists": {"attributes": [], "events": [], "links": []},
    "nulls": {"attributes": None, "status": None},
    "a link": {"links": [{"traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": ROOT, "attributes": []}]},
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_spans_that_are_spelled_in_another_way_are_read_among_others(
    only_fast: Only, only_tolerant: Any, name: str
) -> None:
    odd = span(CALL, **SPELLINGS[name])
    for spans in ([odd], [span(ROOT), odd, span(CHILD)], [odd, span(ROOT), span(CHILD)]):
        dump = compact(request(*spans, service="a"), request(*spans[::-1], service="b"))
        found, report = only_tolerant(dump)
        assert_frame_equal(only_fast(dump), found)
        told = report.select("problem", "count").rows()
        assert load_report(dump).select("problem", "count").rows() == told


def test_fields_may_stand_in_any_order(only_fast: Only) -> None:
    one = span(ROOT, flags=1, attributes=[attribute("a", "x")], status={"code": 1}, parentSpanId=CHILD)
    mixed = dict(sorted(one.items()))
    mixed = {"traceId": mixed.pop("traceId"), **mixed}
    assert_frame_equal(only_fast(compact(request(mixed))), only_fast(compact(request(one))))
    turned = dict(reversed(one.items()))
    assert_frame_equal(only_fast(compact(request(turned))), only_fast(compact(request(one))))


def test_nearly_all_spans_are_lifted_out_of_the_text() -> None:
    spans = [
        span(f"{number:016x}", attributes=[attribute("a", str(number % 3))], status={}) for number in range(1, 100)
    ]
    dump = compact(request(*spans), request(span(ROOT, events=[EVENT]), *spans))
    lifted = lift(dump)
    assert [text.decode() for text in lifted.texts.to_pylist()] == [
        '{"key":"service.name","value":{"stringValue":"shop"}}',
        *(f'{{"key":"a","value":{{"stringValue":"{number}"}}}}' for number in (1, 2, 0)),
    ]
    found = lift_spans(lifted.rest.text)
    assert found is not None
    assert found.columns.height == 198
    assert len(found.rest.text) < 700


HOSTILE = {
    "a pair in a name": '"name":"a{"key":"b","value":{"stringValue":"x"}}"',
    "a pair in a name, after a comma": '"name":"a,{"key":"b","value":{"stringValue":"x"}}]"',
    "a number where attributes should be": '"attributes":[10000000]',
    "a number among attributes": '"attributes":[{"key":"b","value":{"stringValue":"x"}},10000001]',
    "a key twice": '"name":"a","name":"b"',
    "attributes twice": '"attributes":[{"key":"b","value":{"intValue":"1"}}],"attributes":[]',
    "a kind with a leading zero": '"kind":02',
    "a comma too many": '"kind":2,',
    "a bracket too few": '"attributes":[{"key":"b","value":{"stringValue":"x"}}',
    "a brace too many": '"attributes":[{"key":"b","value":{"stringValue":"x"}}}]',
    "a control character": '"name":"a\x01b"',
    "two pairs that are none alone": '"attributes":[{"key":"a","v":[{"b":{"e":1}},{"key":"b"}]},{"c":{"d":1}}]',
    "a list in a list": '"attributes":[[{"key":"b","value":{"stringValue":"x"}}]]',
    "a span in an attribute": '"attributes":[{"key":"b","value":{"traceId":"' + "a" * 32 + '"}}]',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_text_that_only_looks_like_spans_is_judged_as_the_tolerant_way_judges_it(only_tolerant: Any, name: str) -> None:
    good = compact(request(span(ROOT, attributes=[attribute("a", "x")])))
    ids = '"traceId":"' + "b" * 32 + f'","spanId":"{CALL}","startTimeUnixNano":"{START}","endTimeUnixNano":"{START}"'
    group = f'{{"resource":{{}},"scopeSpans":[{{"scope":{{}},"spans":[{{{ids},{HOSTILE[name]}}}]}}]}}'
    bad = f'{{"resourceSpans":[{group}]}}\n'.encode()
    for dump in (good + bad, bad + good):
        assert outcome(lambda dump: (read(dump), load_report(dump)), dump) == outcome(only_tolerant, dump)


@pytest.mark.parametrize(
    "where", ['"scopeSpans":[', '"spans":[', '"attributes":[', '{"resourceSpans":[', '"scope":{', "}]}]}"]
)
def test_a_document_in_two_lines_is_none(only_tolerant: Any, where: str) -> None:
    good = compact(request(span(ROOT, attributes=[attribute("a", "x")])))
    broken = compact(request(span(CALL))).replace(where.encode(), where.encode() + b"\n")
    for dump in (good + broken, good + broken + good, good + b"\n \n" + good):
        assert outcome(lambda dump: (read(dump), load_report(dump)), dump) == outcome(only_tolerant, dump)


def test_places_name_the_line_and_the_path_of_a_span() -> None:
    bad = span(CHILD, endTimeUnixNano=str(START - 1))
    group = request(span(ROOT), span(CALL))["resourceSpans"]
    last = {"resource": {}, "scopeSpans": [group[0]["scopeSpans"][0], {"scope": {}, "spans": [span(CALL), bad]}]}
    dump = compact(request(span(ROOT))) + b"\n" + compact({"resourceSpans": [*group, *group, last]})
    place = load_report(dump).filter(problem="spans that end before they start")["first_place"].item()
    assert place == "line 3, resourceSpans[2].scopeSpans[1].spans[1]"


def outcome(read_both: Callable[[bytes], tuple[pl.DataFrame, pl.DataFrame]], dump: bytes) -> Any:
    """Give the spans and what was counted, or why there are none."""
    try:
        spans, report = read_both(dump)
    except LoadError as error:
        return str(error)
    return spans.rows(named=True), report.select("problem", "count").rows()


def test_bytes_that_are_no_utf_8_are_not_let_through(only_tolerant: Any) -> None:
    for place in ("name", "key", "value", "service"):
        document = request(span(name="NAME", attributes=[attribute("KEY", "VALUE")]), service="SERVICE")
        dump = compact(document).replace(place.upper().encode(), b"a\xffb")
        with pytest.raises(DoesNotFit):
            otlp_fast.chunk_of(Piece(dump), bare=False)
        assert_frame_equal(read(dump), only_tolerant(dump)[0])


def test_deep_nesting_is_refused_and_not_followed() -> None:
    deep = '{"arrayValue":{"values":[' * 3000 + "]}}" * 3000
    text = compact(request(span(attributes=[attribute("a", "MARK")]))).decode()
    dump = text.replace('{"stringValue":"MARK"}', deep).encode()
    try:
        spans = read(dump)
    except LoadError:
        return
    assert spans.height <= 1


@pytest.mark.parametrize("where", ["span", "attribute"])
def test_a_huge_number_among_spans_or_attributes_is_one_bad_item(where: str) -> None:
    sent = request(span())
    group = sent["resourceSpans"][0]
    (group["scopeSpans"][0]["spans"] if where == "span" else group["resource"]["attributes"]).append(2**64)
    assert read(compact(sent))["name"].to_list() == ["GET /pay"]
