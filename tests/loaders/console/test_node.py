"""Spans of the Node SDK: as its console exporter prints them, and as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.effort import ends
from tests.loaders.dumps import compact
from tracelab.loaders import load_report, read
from tracelab.loaders.console.object_text import ObjectText

pytestmark = pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")

SAMPLES = Path(__file__).parents[1] / "samples"
PRINTED = (SAMPLES / "node-console.txt").read_text()
ROOT, CALL, TRACE_ID = "051581bf3cb55c13", "5fb397be34d26b51", "5b8aa5a2d2c872e8321cf37308d69df2"
OLD = """\
{
  traceId: '5b8aa5a2d2c872e8321cf37308d69df2',
  parentId: '051581bf3cb55c13',
  name: 'select',
  id: '5fb397be34d26b51',
  kind: 2,
  timestamp: 1767225600100000,
  duration: 20250,
  attributes: { 'db.rows': 3 },
  status: { code: 14, message: 'unavailable' },
  events: [ { name: 'lost', attributes: [Object], time: [Array] } ]
}
{
  traceId: '5b8aa5a2d2c872e8321cf37308d69df2',
  parentId: undefined,
  name: 'GET /basket',
  id: '051581bf3cb55c13',
  kind: 1,
  timestamp: 1767225600000000,
  duration: 150000,
  attributes: {},
  status: { code: 0 },
  events: []
}
"""
START = 1_767_225_600_000_000_000


def row(spans: pl.DataFrame, span_id: str) -> dict[str, Any]:
    with_times = spans.with_columns(start=pl.col("start_time").cast(pl.Int64), length=pl.col("duration").cast(pl.Int64))
    return with_times.filter(pl.col("span_id") == span_id).row(0, named=True)


def counts(content: bytes) -> dict[str, int]:
    return dict(load_report(content).select("problem", "count").rows())


def test_printed_spans_are_read_whole() -> None:
    spans = read(PRINTED.encode())
    call, root = row(spans, CALL), row(spans, ROOT)
    assert (root["trace_id"], root["parent_span_id"], root["kind"], root["name"]) == (
        TRACE_ID,
        None,
        "server",
        "GET /basket",
    )
    assert (call["parent_span_id"], call["kind"], call["name"], call["trace_state"]) == (
        ROOT,
        "client",
        "select 'basket'",
        "vendor=shop",
    )
    assert (call["start"], call["length"]) == (START + 100_000_250, 20_250_125)
    assert (root["start"], root["length"], root["status_code"]) == (START, 150_000_000, "unset")
    assert (call["status_code"], call["status_message"]) == ("error", "connection lost")
    assert (call["service_name"], call["scope_name"], call["scope_version"]) == ("shop", "shop/db", "0.3.1")
    assert call["resource.process.command_args"] == ["/usr/bin/node", "/srv/shop.js"]
    assert call["span.db.query.text"] == "select *\n  from basket\n  where owner = 'ann'"
    assert (call["span.db.rows"], call["span.db.cached"], call["span.db.costs"]) == (3, False, [0.5, 1.25])
    assert call["span.sizes"] == [1, 2, 3]
    assert call["links"] == [
        {
            "trace_id": "71699b6fe85982c7c8995ea3d9c95df2",
            "span_id": "3c191d03fa8be065",
            "trace_state": None,
            "attributes": {"reason": "retry"},
        }
    ]
    event = spans.filter(span_id=CALL)["events"].explode()
    assert event.struct.field("time").cast(pl.Int64).to_list() == [START + 120_000_007]
    assert event.struct.field("attributes").to_list() == [{"exception.message": "reset by peer", "tags": "[Array]"}]


def test_what_printing_cut_is_told() -> None:
    found = load_report(PRINTED.encode()).filter(pl.col("problem") == "values cut short by printing")
    assert found.select("action", "count", "first_place", "example").row(0) == (
        "kept",
        1,
        "line 2",
        "... 40 more items",
    )


def test_old_versions_name_the_parent_and_print_less_of_events() -> None:
    content = OLD.encode()
    call = row(read(content), CALL)
    assert (call["parent_span_id"], call["service_name"], call["length"]) == (ROOT, "unknown_service", 20_250_000)
    assert (call["status_code"], call["events"][0]["name"]) == ("error", "lost")
    assert call["events"][0]["time"] == call["start_time"]
    assert counts(content)["events without a time"] == 1
    assert counts(content)["statuses guessed from status codes of gRPC"] == 1


def test_colours_are_taken_away() -> None:
    coloured = PRINTED.replace("'", "\x1b[32m'", 1).replace("undefined", "\x1b[90mundefined\x1b[39m")
    coloured = coloured.replace("1767225600000000", "\x1b[33m1767225600000000\x1b[39m")
    assert_frame_equal(read(coloured.encode()), read(PRINTED.encode()))
    assert counts(coloured.encode())["colour codes of a terminal"] == sum(
        "\x1b" in line for line in coloured.split("\n")
    )


def test_a_span_that_breaks_off_is_kept_as_far_as_it_goes() -> None:
    for end in ("kind: 2", "'db.rows'", "status: {", "\n  links"):
        content = PRINTED[: PRINTED.index(end)].encode()
        call = row(read(content), CALL)
        assert (call["name"], call["start"]) == ("select 'basket'", START + 100_000_250 if end != "kind: 2" else 0)
        assert counts(content)["printed spans that break off"] == 1
    middle = PRINTED.index("  status: { code: 2")
    assert read((PRINTED[:middle] + PRINTED[PRINTED.index("GET /basket 502") :]).encode()).height == 2


def test_a_list_of_spans_and_the_sdks_own_objects_are_read() -> None:
    inner = PRINTED[PRINTED.index("{\n") : PRINTED.index("GET /basket 502")].rstrip()
    listed = "[\n" + "\n".join("  " + line for line in inner.split("\n")) + "\n]\n"
    assert read(listed.encode())["span_id"].to_list() == [CALL]
    own = """spans: [
  SpanImpl {
    _spanContext: { traceId: '5b8aa5a2d2c872e8321cf37308d69df2', spanId: '051581bf3cb55c13', traceFlags: 1 },
    kind: 1,
    name: 'GET /',
    startTime: [ 1767225600, 1 ],
    endTime: [ 1767225600, 11 ],
    attributes: [Object: null prototype] { ok: true },
    resource: Resource { _rawAttributes: [ [ 'service.name', 'shop' ] ] },
    _duration: [ 0, 10 ]
  }
]
"""
    root = row(read(own.encode()), ROOT)
    assert (root["kind"], root["start"], root["length"], root["service_name"]) == ("server", START + 1, 10, "shop")
    assert (root["flags"], root["span.ok"]) == (1, True)


def test_other_objects_in_the_log_are_no_spans() -> None:
    log = PRINTED + "{\n  port: 3000,\n  hosts: [ 'a' ]\n}\nconfig { debug: true }\n"
    assert_frame_equal(read(log.encode()), read(PRINTED.encode()))
    assert counts(log.encode())["log lines without spans"] == 2 + 4 + 1


def test_json_of_the_sdks_objects_is_read() -> None:
    content = (SAMPLES / "node-sdk-json.json").read_bytes()
    spans = read(content)
    root, call = row(spans, ROOT), row(spans, CALL)
    assert (root["start"], root["length"], root["kind"], root["flags"]) == (START + 1, 150_000_001, "server", 1)
    assert (root["service_name"], root["resource.process.pid"], root["status_code"]) == ("shop", 41, "ok")
    assert (call["parent_span_id"], call["kind"], call["service_name"]) == (ROOT, "consumer", "orders")
    assert (call["scope_name"], call["scope_version"]) == ("shop/queue", None)
    assert (call["status_code"], call["status_message"], call["span.orders"]) == ("error", "sold out", 2)
    assert counts(content)["dropped by the producer"] == 4
    assert_frame_equal(read(compact(*json.loads(content))), spans)


def test_json_of_what_the_console_shows_is_not_taken_for_zipkin() -> None:
    shown = {
        "traceId": TRACE_ID, "parentId": ROOT, "name": "load", "id": CALL, "kind": 0, "timestamp": 1767225600000000.5,
        "duration": 1500.25, "attributes": {"a": 1}, "status": {"code": 0}, "events": [], "links": [],
    }  # fmt: skip
    call = row(read(compact(shown)), CALL)
    assert load_report(compact(shown))["format"][0] == "node-sdk-json"
    assert (call["kind"], call["start"], call["length"], call["span.a"]) == ("internal", START + 500, 1_500_250, 1)


@pytest.mark.parametrize(
    "wrong", [None, [], {}, "x", 5, True, [None], [1, 2, 3], {"a": {"b": 1}}, -1, 1e300, "[Array]"]
)
def test_fields_of_any_type_lose_no_span(wrong: Any) -> None:
    spans = json.loads((SAMPLES / "node-sdk-json.json").read_bytes())
    for key in spans[1].keys() - {"_spanContext"}:
        assert read(compact(spans[0], {**spans[1], key: wrong})).height == 2, key
    for key in ("spanId", "traceFlags", "traceState"):
        changed = {**spans[1], "_spanContext": {**spans[1]["_spanContext"], key: wrong}}
        assert read(compact(spans[0], changed)).height == 2, key


def test_a_span_that_has_not_ended_has_no_end() -> None:
    spans = json.loads((SAMPLES / "node-sdk-json.json").read_bytes())
    content = compact(spans[0], {**spans[1], "endTime": [0, 0], "_duration": [-1, 0], "_ended": False})
    assert row(read(content), CALL)["length"] == 0
    assert counts(content)["spans without an end"] == 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{ a: 1, 'b c': -1.5e-7, \"d\": 10n }", {"a": 1, "b c": -1.5e-7, "d": 10}),
        ("{ a: undefined, b: null, c: true, d: Infinity }", {"a": None, "b": None, "c": True, "d": float("inf")}),
        ("[ 1, <2 empty items>, 'x' ]", [1, None, "x"]),
        (r"'it\'s \x1B \u00e9 \\ \n'", "it's \x1b é \\ \n"),
        (r"'\uD83C\uDF89 \uD83C'", "🎉 \ufffd"),
        ("`both ' and \"`", "both ' and \""),
        ("'one\\n' +\n  'two'", "one\ntwo"),
        ("'abc'... 9 more characters", "abc"),
        ("Foo { x: [ [Object], [Array] ] }", {"x": ["[Object]", "[Array]"]}),
        ("<ref *1> Foo { me: [Circular *1] }", {"me": "[Circular *1]"}),
        ("[Object: null prototype] { a: {} }", {"a": {}}),
        ("Map(1) { 'a' => { b: 1 } }", {"a": {"b": 1}}),
        ("Set(2) { 1, 'x' }", [1, "x"]),
        ("Uint8Array(2) [ 1, 2 ]", [1, 2]),
        (
            "{ f: [Function: run], s: Symbol(x), [Symbol(y)]: 1 }",
            {"f": "[Function: run]", "s": "Symbol(x)", "[Symbol(y)]": 1},
        ),
        ("{ at: 2026-01-01T00:00:00.000Z, then: 1 }", {"at": "2026-01-01T00:00:00.000Z", "then": 1}),
    ],
)
def test_object_text_is_read_as_node_prints_it(text: str, value: Any) -> None:
    printed = ObjectText(text)
    assert (printed.value, printed.broken) == (value, "")


@pytest.mark.parametrize(
    "text",
    [
        "{ a: " * 20_000, "[ " * 20_000, "[" * 20_000, "'" * 20_001, "{ a: '" + "\\" * 20_001,
        "{ a: " + " " * 20_000 + "x", "{ a: " + "a" * 20_000, "{ a: " + "... 1 more x" * 9_000, "{ a: " + "[a" * 20_000,
        "{ " + "Symbol(" * 9_000, "[ " + "<ref *1> " * 9_000, "{\n" * 20_000, "{ a: " + "'x' + " * 9_000, "}" * 20_000,
        "{ a }" * 9_000, "",
    ],
)  # fmt: skip
def test_hostile_object_text_ends_in_time_and_is_called_broken(text: str) -> None:
    def broken() -> None:
        assert ObjectText(text).broken or not text or text.startswith(("'", "[", "}"))

    assert ends(broken)
