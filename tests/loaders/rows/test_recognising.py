from __future__ import annotations

import json

import polars as pl
import pytest

from tests.loaders.rows.made import CHILD, ROOT, START, TRACE, found, lines, parquet, quietly, row, table
from tracelab.errors import LoadError
from tracelab.loaders import load_report, read
from tracelab.loaders.rows.names import Asked, roles_of


@pytest.mark.parametrize(
    ("name", "field"),
    [
        *((each, "trace_id") for each in ("trace_id", "traceId", "trace.id", "TraceID", "TRACE_ID", "trace")),
        *((each, "span_id") for each in ("span_id", "spanId", "span.id", "SpanID", "id")),
        *((each, "parent_span_id") for each in ("parent_span_id", "parentId", "parent_id", "parent.id")),
        *((each, "start_time") for each in ("start_ns", "startTime", "start", "@timestamp", "start_time_unix_nano")),
        *((each, "end_time") for each in ("end_time", "endNs", "end_time_unix_nano", "finishTime")),
        *((each, "duration") for each in ("duration", "durationMs", "duration_us", "elapsed_ms")),
        *((each, "service_name") for each in ("service", "service_name", "service.name", "cloud_RoleName")),
        *((each, "name") for each in ("name", "span_name", "operation", "operationName", "operation_name")),
        *((each, "status_code") for each in ("status", "status_code", "otel.status_code", "status.code")),
    ],
)
def test_a_field_is_known_by_its_spellings(name: str, field: str) -> None:
    assert roles_of([name]).fields == {field: [name]}


def test_the_better_spelling_wins_and_the_other_one_stays_an_attribute() -> None:
    roles = roles_of(["id", "span_id", "timestamp", "start_time", "duration", "duration.ms", "operation", "name"])
    assert {key: names[0] for key, names in roles.fields.items()} == {
        "span_id": "span_id", "start_time": "start_time", "duration": "duration.ms", "name": "name",
    }  # fmt: skip
    assert set(roles.attributes) == {"id", "timestamp", "duration", "operation"}


def test_prefixes_say_whose_an_attribute_is() -> None:
    roles = roles_of(
        [
            "attributes.http.method",
            "span.x",
            "attr_y",
            "resource.host",
            "resource.attributes.os",
            "instrumentation.z",
            "plain",
        ]
    )
    assert list(roles.attributes.values()) == [
        ("attributes", "http.method"), ("attributes", "x"), ("attributes", "y"), ("resource_attributes", "host"),
        ("resource_attributes", "os"), ("scope_attributes", "z"), ("attributes", "plain"),
    ]  # fmt: skip


def test_what_all_names_begin_with_is_passed_over() -> None:
    names = ["spans.trace_id", "spans.span_id", "spans.name", "spans.start", "spans.duration_ms"]
    assert set(roles_of(names).fields) == {"trace_id", "span_id", "name", "start_time", "duration"}
    assert roles_of(names, Asked({"name": "spans.span_id"})).fields["name"] == ["spans.span_id"]


LOGS: list[dict[str, object]] = [
    {"timestamp": START, "level": "info", "message": "hi", "trace_id": TRACE},
    {"timestamp": START, "level": "info", "message": "hi", "trace_id": TRACE, "span_id": ROOT},
    {"time": START, "level": 30, "name": "app", "msg": "done", "trace_id": TRACE, "span_id": ROOT, "duration": 5},
    {"@timestamp": START, "severity": "INFO", "logger": "x", "name": "y", "trace_id": TRACE, "span_id": ROOT},
]


@pytest.mark.parametrize("log", LOGS)
def test_logs_that_name_their_spans_are_no_spans(log: dict[str, object]) -> None:
    for content in (lines(log, log), table(log, log), parquet(pl.DataFrame([log]))):
        with pytest.raises(LoadError, match=r"looks like logs.*columns="):
            read(content)


@pytest.mark.parametrize(
    "table_of_others",
    [
        {"id": 1, "name": "a", "start": START, "duration": 5},
        {"trace_id": TRACE, "name": "a"},
        {"trace_id": TRACE, "timestamp": START},
        {"city": "Rome", "name": "a", "population": 5},
    ],
)
def test_other_tables_are_refused_with_what_is_missing(table_of_others: dict[str, object]) -> None:
    for content in (lines(table_of_others), table(table_of_others), parquet(pl.DataFrame([table_of_others]))):
        with pytest.raises(LoadError, match="no trace dump"):
            read(content)


def test_a_span_needs_no_more_than_a_name_and_a_time_where_nothing_says_log() -> None:
    bare = {"trace_id": TRACE, "span_id": ROOT, "name": "a", "timestamp": START}
    assert quietly(lines(bare)).select("name", "span_id").row(0) == ("a", ROOT)
    assert quietly(lines({"trace_id": TRACE, "name": "a", "start": START, "duration_ms": 5})).height == 1


def test_rows_that_are_no_spans_are_counted_and_the_others_read() -> None:
    content = table(row(), {"name": "a log", "start_time": START})
    assert quietly(content)["name"].to_list() == ["work"]
    assert found(content)["rows that are no spans"] == 1
    mixed = lines(row(), {"a": 1}, row(span_id=CHILD), LOGS[1])
    assert quietly(mixed).height == 2
    counted = found(mixed)
    assert counted.get("objects beside the spans", 0) + counted.get("log lines without spans", 0) == 2


def test_rows_stand_in_lists_and_under_usual_keys() -> None:
    rows = [row(), row(span_id=CHILD, parent_span_id=ROOT)]
    for document in (
        rows,
        [rows],
        {"data": rows},
        {"data": {"rows": rows}},
        {"hits": {"hits": [{"_source": each} for each in rows]}},
    ):
        for content in (json.dumps(document).encode(), json.dumps(document, indent=2).encode()):
            assert read(content)["depth"].to_list() == [0, 1]
            assert load_report(content)["format"].unique().to_list() == ["rows"]


def test_spellings_and_types_may_differ_from_row_to_row() -> None:
    content = lines(
        row(n=1),
        {**row(trace_id=None, span_id=None, n="one"), "traceId": TRACE, "spanID": CHILD},
        row(span_id="5a", n=None),
    )
    spans = read(content).sort("span_id")
    assert spans["trace_id"].unique().to_list() == [TRACE]
    assert spans["span_id"].to_list() == ["000000000000005a", ROOT, CHILD]
    assert spans["span.n"].to_list() == [None, "1", "one"]


def test_rows_that_are_like_other_formats_are_read_with_all_they_say() -> None:
    ids = {"traceId": TRACE, "spanId": ROOT}
    times = {"startTime": START, "endTime": "2026-03-01T12:00:00.005Z"}
    for other in (
        {**ids, "name": "work", "service": "s", "status": "ERROR", **times},
        {**ids, "operationName": "work", "serviceName": "s", "error": True, "startTime": START, "durationMs": 5},
        {"traceID": TRACE, "spanID": ROOT, "operationName": "work", "serviceName": "s", "error": True, **times},
    ):
        span = read(lines(other)).row(0, named=True)
        assert (span["name"], span["service_name"], span["status_code"]) == ("work", "s", "error")
        assert span["duration"].microseconds == 5_000


def test_the_mapping_of_an_index_is_no_row() -> None:
    fields = {name: {"type": "keyword"} for name in ("traceId", "spanId", "name", "startTime", "duration")}
    with pytest.raises(LoadError):
        read(lines({"mappings": {"properties": fields}}, {"properties": fields}))


def test_zipkins_rows_stay_zipkins() -> None:
    zipkin = {"traceId": TRACE, "id": ROOT, "name": "x", "timestamp": 1_772_366_400_000_000, "duration": 5}
    assert load_report(lines(zipkin))["format"].unique().to_list() == ["zipkin"]
    text = lines({**zipkin, "timestamp": START})
    assert (load_report(text)["format"][0], quietly(text)["duration"].item().microseconds) == ("rows", 5000)
    other = {"traceId": TRACE, "id": ROOT, "name": "x", "startTime": START, "endTime": "2026-03-01T12:00:01Z"}
    assert read(lines(other))["duration"].dt.total_seconds().item() == 1


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"status": "ok"}, "ok"),
        ({"status": "STATUS_CODE_ERROR"}, "error"),
        ({"status": "StatusCode.OK"}, "ok"),
        ({"status_code": 2}, "error"),
        ({"status_code": "0"}, "unset"),
        ({"status": "failed"}, "error"),
        ({"status": 200}, "unset"),
        ({"status": 503}, "error"),
        ({"status": 404}, "unset"),
        ({"status": 404, "kind": "client"}, "error"),
        ({"error": True}, "error"),
        ({"error": "false"}, "unset"),
        ({"error": 1}, "error"),
        ({"error": "timed out"}, "error"),
        ({"error": {"type": "io"}}, "error"),
        ({"success": False}, "error"),
        ({"success": "True"}, "unset"),
        ({"status": "ok", "error": True}, "error"),
        ({"status": "blue"}, "unset"),
    ],
)
def test_statuses_are_read_in_many_words(fields: dict[str, object], status: str) -> None:
    assert quietly(lines(row(**fields)))["status_code"].item() == status


def test_what_is_no_status_or_kind_stays_an_attribute() -> None:
    spans = quietly(lines(row(status=503, kind="server"), row(span_id=CHILD, status="200 OK", kind="sideways"))).sort(
        "span_id"
    )
    assert spans["span.status"].to_list() == ["503", "200 OK"]
    assert spans["kind"].to_list() == ["server", "unspecified"]
    assert spans["span.kind"].to_list() == [None, "sideways"]
    counted = found(lines(row(status=503, kind="server"), row(span_id=CHILD, kind="sideways")))
    assert counted["statuses guessed from status codes of HTTP"] == 1
    assert counted["kinds or statuses in other words"] == 1


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        (["1", "-5"], [1, -5]),
        (["1.5", "2"], [1.5, 2.0]),
        (["12.50", "7.25"], [12.5, 7.25]),
        (["true", "False"], [True, False]),
        (["007", "8"], ["007", "8"]),
        (["1.10", "1.9"], ["1.10", "1.9"]),
        (["1", "x"], ["1", "x"]),
        (["99999999999999999999", "1"], ["99999999999999999999", "1"]),
        (["1", "null"], [1, None]),
    ],
)
def test_types_of_text_are_guessed_only_where_nothing_is_lost(texts: list[str], values: list[object]) -> None:
    content = table(*(row(span_id=f"{number:015x}a", x=text) for number, text in enumerate(texts)))
    assert quietly(content).sort("span_id")["span.x"].to_list() == values
    assert ("types guessed from text" in found(content)) == (not isinstance(values[0], str))
