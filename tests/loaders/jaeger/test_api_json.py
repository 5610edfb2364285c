from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.loaders.dumps import CALL, CHILD, ROOT, TRACE_ID, compact, shop_jaeger
from tracelab.errors import LoadWarning
from tracelab.loaders import load_report, read
from tracelab.loaders.columns.key_values import DoesNotFit
from tracelab.loaders.formats import BY_NAME


def trace(*spans: dict[str, Any], **more: Any) -> dict[str, Any]:
    processes = {"p1": {"serviceName": "shop", "tags": [{"key": "host", "type": "string", "value": "h1"}]}}
    return {"data": [{"traceID": TRACE_ID, "spans": list(spans), "processes": processes, **more}]}


def row(span_id: str = ROOT, **fields: Any) -> dict[str, Any]:
    content = {
        "traceID": TRACE_ID,
        "spanID": span_id,
        "operationName": "op",
        "startTime": 100,
        "duration": 7,
        "processID": "p1",
    }
    return {**content, **fields}


def tag(key: str, value: Any, kind: str | None = "string") -> dict[str, Any]:
    return {"key": key, "type": kind, "value": value} if kind else {"key": key, "value": value}


def test_every_container_of_jaeger_json_gives_the_same_frame() -> None:
    document = shop_jaeger()
    spans = read(compact(document))
    only = document["data"][0]
    for content in (
        json.dumps(document, indent=2).encode(),
        compact(only),
        compact([only]),
        compact({"data": only}),
        compact(document, {"data": []}),
        compact({**document, "total": 0, "limit": 0, "offset": 0, "errors": [{"code": 5, "msg": "x"}]}),
    ):
        assert_frame_equal(read(content), spans)


@pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")
def test_the_fast_way_reads_what_the_tolerant_way_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    many = row(
        CHILD,
        references=[
            {"refType": "FOLLOWS_FROM", "traceID": TRACE_ID, "spanID": CALL},
            {"refType": "CHILD_OF", "traceID": "ff", "spanID": "ee"},
            {"refType": "CHILD_OF", "traceID": TRACE_ID, "spanID": ROOT},
        ],
        tags=[
            tag("a", 1, "int64"),
            tag("a", "x"),
            tag("http.status_code", 500, "int64"),
            tag("blob", "AP8=", "binary"),
        ],
        logs=[
            {"timestamp": 5, "fields": [tag("event", "e"), tag("n", 1.5, "float64")]},
            {"timestamp": 6, "fields": []},
        ],
        warnings=["skewed"],
    )
    documents = [shop_jaeger(), trace(row(), many, row(CALL, processID="gone", parentSpanID=ROOT), warnings=["w"])]
    fast = [(read(compact(each)), load_report(compact(each))) for each in documents]
    monkeypatch.setitem(BY_NAME, "jaeger-json", replace(BY_NAME["jaeger-json"], fast=refuse))
    for each, (spans, report) in zip(documents, fast, strict=True):
        assert_frame_equal(read(compact(each)), spans)
        assert load_report(compact(each)).select("problem", "count").rows() == report.select("problem", "count").rows()


def test_the_parent_is_the_first_child_of_in_the_trace_and_the_rest_are_links() -> None:
    references = [
        {"refType": "CHILD_OF", "traceID": "ff" * 16, "spanID": "ee" * 8},
        {"refType": "FOLLOWS_FROM", "traceID": TRACE_ID, "spanID": CALL},
        {"refType": "CHILD_OF", "traceID": TRACE_ID.upper(), "spanID": ROOT},
        {"refType": "CHILD_OF", "traceID": "0", "spanID": "0000000000000000"},
    ]
    spans = read(compact(trace(row(), row(CHILD, references=references))))
    child = spans.filter(pl.col("span_id") == CHILD).row(0, named=True)
    assert child["parent_span_id"] == ROOT
    assert [(link["span_id"], link["attributes"]) for link in child["links"]] == [
        ("ee" * 8, {"opentracing.ref_type": "child_of"}),
        (CALL, {}),
    ]


def test_without_child_of_the_first_follows_from_is_the_parent() -> None:
    references = [{"refType": "FOLLOWS_FROM", "traceID": TRACE_ID, "spanID": ROOT, "span": {"references": [{}]}}]
    spans = read(compact(trace(row(), row(CHILD, references=references), row(CALL, parentSpanID=ROOT))))
    assert sorted(spans["depth"].to_list()) == [0, 1, 1]


def test_tags_become_fields_and_leave_the_attributes() -> None:
    tags = [
        tag("span.kind", "client"), tag("error", True, "bool"), tag("otel.status_description", "no"),
        tag("otel.library.name", "lib"), tag("otel.scope.version", "1"), tag("w3c.tracestate", "a=b"),
        tag("kept", 5, "int64"),
    ]  # fmt: skip
    spans = read(compact(trace(row(tags=tags))))
    shown = spans.select("kind", "status_code", "status_message", "scope_name", "scope_version", "trace_state").row(0)
    assert shown == ("client", "error", "no", "lib", "1", "a=b")
    assert [name for name in spans.columns if name.startswith("span.")] == ["span.kept"]
    assert spans["resource.host"].to_list() == ["h1"]


@pytest.mark.parametrize(
    ("tags", "status"),
    [
        ([tag("error", "true")], "error"),
        ([tag("error", False, "bool")], "unset"),
        ([tag("error", True, "bool"), tag("otel.status_code", "OK")], "error"),
        ([tag("otel.status_code", "OK"), tag("http.status_code", 500, "int64")], "ok"),
        ([tag("http.status_code", 404, "int64")], "unset"),
        ([tag("http.status_code", 404, "int64"), tag("span.kind", "client")], "error"),
        ([tag("http.status_code", 404, "int64"), tag("span.kind", "internal")], "unset"),
        ([tag("http.status_code", "404"), tag("span.kind", "server")], "unset"),
        ([tag("http.status_code", 503, "int64"), tag("otel.scope.name", "x")], "unset"),
        ([tag("http.response.status_code", 503, "int64")], "error"),
    ],
)
@pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")
def test_the_status_comes_from_the_tags(tags: list[dict[str, Any]], status: str) -> None:
    assert read(compact(trace(row(tags=tags))))["status_code"].item() == status


OLD, NEW = "rpc.grpc.status_code", "rpc.response.status_code"


def call(kind: str | None, value: Any, key: str = OLD, *more: dict[str, Any]) -> list[dict[str, Any]]:
    types = {int: "int64", float: "float64", str: "string"}
    return [tag(key, value, types[type(value)]), *more, *([tag("span.kind", kind)] if kind else [])]


GRPC: list[tuple[list[dict[str, Any]], str]] = [
    *((call("server", code), "error" if code in (2, 4, 12, 13, 14, 15) else "unset") for code in range(17)),
    *((call("client", code), "error" if code else "unset") for code in range(17)),
    (call(None, 5), "error"),
    (call(None, 0), "unset"),
    (call("server", "14"), "error"),
    (call("client", " 5 "), "error"),
    (call("client", 5.0), "error"),
    (call("server", "UNAVAILABLE"), "error"),
    (call("server", "deadline_exceeded"), "error"),
    (call("server", "DeadlineExceeded"), "error"),
    (call("server", "StatusCode.DATA_LOSS"), "error"),
    (call("server", "NOT_FOUND"), "unset"),
    (call("client", "Canceled"), "error"),
    (call("client", "OK"), "unset"),
    (call("client", "no code"), "unset"),
    (call("client", ""), "unset"),
    (call("client", 17), "unset"),
    (call("client", -1), "unset"),
    (call("server", 14, NEW), "error"),
    (call("server", "INTERNAL", NEW), "error"),
    (call("server", 14, NEW, tag("rpc.system.name", "grpc")), "error"),
    (call("server", "14", NEW, tag("rpc.system", "gRPC")), "error"),
    (call("client", 5, NEW, tag("rpc.system", "dubbo")), "unset"),
    (call("client", "5", NEW, tag("rpc.system.name", "jsonrpc"), tag("rpc.system", "grpc")), "unset"),
    (call("client", "unavailable", NEW, tag("rpc.system", "connect_rpc")), "error"),
    (call("server", "INTERNAL", "rpc.status_code"), "error"),
    (call("client", 5, "rpc.status_code", tag("rpc.system.name", "dubbo")), "unset"),
    (call("client", -32601, NEW), "unset"),
    (call("client", 200, NEW), "unset"),
    (call("server", 14, OLD, tag("rpc.system", "apache_dubbo")), "error"),
    (call("server", 0, OLD, tag(NEW, "UNAVAILABLE")), "error"),
    (call("server", 14, OLD, tag("otel.status_code", "OK")), "ok"),
    (call("server", 14, OLD, tag("otel.scope.name", "x")), "unset"),
    (call("server", 14, OLD, tag("http.status_code", 200, "int64")), "error"),
]


@pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")
@pytest.mark.parametrize("way", ["fast", "tolerant"])
def test_a_status_that_nobody_said_is_guessed_from_the_code_of_grpc(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if way == "tolerant":
        monkeypatch.setitem(BY_NAME, "jaeger-json", replace(BY_NAME["jaeger-json"], fast=refuse))
    dump = compact(trace(*(row(f"{number:016x}", tags=tags) for number, (tags, _) in enumerate(GRPC, start=1))))
    found = read(dump).sort("span_id")["status_code"].to_list()
    assert list(zip([tags for tags, _ in GRPC], found, strict=True)) == GRPC
    report = load_report(dump).filter(pl.col("problem").str.contains("guessed"))
    assert report.select("problem", "action", "count", "example").rows() == [
        ("statuses guessed from status codes of gRPC", "guessed", found.count("error"), "2")
    ]
    assert report["first_place"].item().endswith("spans[2]")


@pytest.mark.parametrize("way", ["fast", "tolerant"])
def test_guesses_from_http_and_grpc_are_counted_apart_and_once(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if way == "tolerant":
        monkeypatch.setitem(BY_NAME, "jaeger-json", replace(BY_NAME["jaeger-json"], fast=refuse))
    http, grpc = tag("http.status_code", 503, "int64"), tag("rpc.grpc.status_code", 14, "int64")
    dump = compact(trace(row("11", tags=[http, grpc]), row("22", tags=[grpc]), row("33", tags=[http])))
    with pytest.warns(LoadWarning, match="guessed from status codes of HTTP"):
        assert read(dump)["status_code"].to_list() == ["error"] * 3
    report = load_report(dump).filter(pl.col("action") == "guessed").select("problem", "count", "example")
    assert report.rows() == [
        ("statuses guessed from status codes of HTTP", 2, "503"),
        ("statuses guessed from status codes of gRPC", 1, "14"),
    ]


def refuse(_: Any) -> Any:
    raise DoesNotFit("not now")


def test_values_that_disagree_with_their_type_are_read_as_they_look() -> None:
    tags = [
        tag("a", "true", "bool"),
        tag("b", str(2**60), "int64"),
        tag("c", "1.5", "float64"),
        tag("d", 5),
        tag("e", 1.5, None),
    ]
    tags.append(tag("f", "many", "int64"))
    with pytest.warns(LoadWarning, match="do not fit"):
        values = read(compact(trace(row(tags=tags)))).select(*(f"span.{key}" for key in "abcdef")).row(0)
    assert values == (True, 2**60, 1.5, 5, 1.5, "many")


def test_short_and_odd_ids_are_joined() -> None:
    reference = {"refType": "CHILD_OF", "traceID": "a1", "spanID": "B2"}
    document = trace(row("b2", traceID="A1"), row("S 1", traceID="a1", references=[reference]))
    with pytest.warns(LoadWarning, match="not hex"):
        spans = read(compact(document))
    assert spans.select("trace_id", "span_id", "depth").rows() == [
        ("a1".zfill(32), "b2".zfill(16), 0),
        ("a1".zfill(32), "S 1", 1),
    ]


def test_warnings_logs_and_embedded_processes_are_kept() -> None:
    process = {"serviceName": "inner", "tags": []}
    log = {"timestamp": 5, "fields": [tag("message", "hello")]}
    spans = read(compact(trace(row(processID=None, process=process, warnings=["skewed"], logs=[log]))))
    assert spans["service_name"].item() == "inner"
    assert spans["span.jaeger.warnings"].to_list() == [["skewed"]]
    assert [(event["name"], event["attributes"]) for event in spans["events"].item()] == [("log", {"message": "hello"})]


def test_a_span_without_a_process_is_told() -> None:
    with pytest.warns(LoadWarning, match="without a process"):
        assert read(compact(trace(row(processID="p9"))))["service_name"].item() == "unknown_service"
