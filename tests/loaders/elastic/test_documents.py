from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.loaders.dumps import CALL, ROOT, TRACE_ID, WRONG, compact, damaged
from tracelab.errors import LoadError, LoadWarning
from tracelab.loaders import load_report, read

SAMPLES = Path(__file__).parents[1] / "samples"
SEARCH, DOTTED, FIELDS = (SAMPLES / f"elastic-apm.{name}" for name in ("search.json", "dotted.jsonl", "fields.json"))


def transaction(**fields: Any) -> dict[str, Any]:
    content = {
        "@timestamp": "2026-03-01T09:00:00.123Z",
        "timestamp.us": 1772355600123456,
        "processor.event": "transaction",
        "trace.id": TRACE_ID,
        "transaction.id": ROOT,
        "transaction.name": "GET /",
        "transaction.type": "request",
        "transaction.duration.us": 500,
        "service.name": "shop",
    }
    return {key: value for key, value in {**content, **fields}.items() if value is not None}


def span(**fields: Any) -> dict[str, Any]:
    content = {
        "timestamp.us": 1772355600123460,
        "processor.event": "span",
        "trace.id": TRACE_ID,
        "transaction.id": ROOT,
        "parent.id": ROOT,
        "span.id": CALL,
        "span.name": "call",
        "span.type": "external",
        "span.duration.us": 20,
        "service.name": "shop",
    }
    return {key: value for key, value in {**content, **fields}.items() if value is not None}


def error(**fields: Any) -> dict[str, Any]:
    content = {
        "timestamp.us": 1772355600123470,
        "processor.event": "error",
        "trace.id": TRACE_ID,
        "parent.id": CALL,
        "error.id": "e",
        "error.exception": [{"type": "E", "message": "no"}],
    }
    return {key: value for key, value in {**content, **fields}.items() if value is not None}


def row(document: dict[str, Any]) -> dict[str, Any]:
    return read(compact(document)).row(0, named=True)


@pytest.mark.parametrize("sample", [SEARCH, DOTTED, FIELDS], ids=lambda sample: sample.name)
def test_the_samples_are_read_field_by_field(sample: Path) -> None:
    spans = read(sample, strict=True)
    request, query = spans.rows(named=True)
    assert (request["name"], request["kind"], request["service_name"], request["status_code"]) == (
        "POST /pay",
        "server",
        "shop",
        "error",
    )
    assert (request["span.http.request.method"], request["span.http.response.status_code"]) == ("POST", 503)
    assert (request["span.url.full"], request["span.network.protocol.version"]) == ("https://shop.example/pay", "1.1")
    assert (request["span.tier"], request["span.items"], request["span.transaction.type"]) == ("gold", 3, "request")
    assert (request["resource.service.instance.id"], request["resource.host.name"]) == ("n1", "h1")
    assert request["resource.deployment.environment.name"] == "production"
    assert (request["resource.telemetry.sdk.language"], request["resource.host.arch"]) == ("javascript", "x64")
    assert [(link["trace_id"], link["span_id"]) for link in request["links"]] == [("ab" * 16, "cd" * 8)]
    (event,) = request["events"]
    assert event["name"] == "exception"
    assert {
        "exception.type": "TimeoutError",
        "exception.message": "no answer",
        "exception.escaped": "true",
    }.items() <= (event["attributes"].items())
    assert event["attributes"]["error.culprit"] == "pay.js in charge"
    assert spans["start_time"].dt.epoch("us").to_list() == [1772355600000125, 1772355600010000]
    assert spans["duration"].dt.total_microseconds().to_list() == [250_000, 3_500]
    assert (query["parent_span_id"], query["kind"], query["status_code"]) == (request["span_id"], "client", "ok")
    assert (query["span.db.query.text"], query["span.db.namespace"]) == ("SELECT 1", "orders")
    assert (query["span.db.system.name"], query["span.span.subtype"]) == ("postgresql", "postgresql")
    assert (query["span.server.address"], query["span.server.port"]) == ("db1", 5432)
    assert query["span.service.target.name"] == "orders"


def test_nested_and_dotted_documents_give_the_same_frame() -> None:
    assert_frame_equal(read(SEARCH), read(DOTTED))


def test_metrics_and_logs_are_counted_and_no_loss() -> None:
    log = {"processor": {"event": "log"}, "trace": {"id": TRACE_ID}, "message": "m", "span": {"id": CALL}}
    content = compact(*[{"processor.event": "metric", "metricset.name": "app"}] * 200, log, transaction())
    assert read(content, strict=True).height == 1
    report = load_report(content).filter(pl.col("problem") == "logs, metrics or profiles")
    assert report.select("count", "lost_spans").rows() == [(201, 0)]


def test_the_document_that_kibana_shows_of_one_hit_is_read() -> None:
    lists = {name: [value] for name, value in transaction().items()}
    shown = {**lists, "transaction.name.text": ["GET /"], "_id": "x", "_index": "apm", "_score": None}
    found = row(shown)
    assert (found["name"], found["span_id"], found["kind"]) == ("GET /", ROOT, "server")
    assert not [name for name in found if "_id" in name.removeprefix("span.")[:3] or name.endswith(".text")]


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        (transaction(), "server"),
        (transaction(**{"transaction.type": "messaging"}), "consumer"),
        (transaction(**{"transaction.type": "scheduled"}), "internal"),
        (transaction(**{"span.kind": "CLIENT"}), "client"),
        (span(), "client"),
        (span(**{"span.type": "db"}), "client"),
        (span(**{"span.type": "app"}), "internal"),
        (span(**{"span.type": "messaging", "span.action": "send"}), "producer"),
        (span(**{"span.type": "messaging", "span.action": "poll"}), "consumer"),
        (span(**{"span.kind": "SERVER"}), "server"),
        (span(**{"labels.span_kind": "producer"}), "producer"),
    ],
    ids=[str(number) for number in range(11)],
)
def test_kinds_are_said_or_told_from_types(document: dict[str, Any], kind: str) -> None:
    assert row(document)["kind"] == kind


def test_kinds_told_from_types_are_counted() -> None:
    content = compact(transaction(), span(**{"span.kind": "CLIENT"}))
    assert load_report(content).filter(pl.col("problem") == "kinds told from types")["count"].item() == 1


@pytest.mark.parametrize(("outcome", "status"), [("success", "ok"), ("failure", "error"), ("unknown", "unset")])
def test_outcomes_are_statuses(outcome: str, status: str) -> None:
    assert row(transaction(**{"event.outcome": outcome}))["status_code"] == status


def test_without_an_outcome_a_status_code_may_tell_it() -> None:
    with pytest.warns(LoadWarning, match="guessed from status codes of HTTP"):
        assert row(transaction(**{"http.response.status_code": 500}))["status_code"] == "error"
    assert row(transaction(**{"http.response.status_code": 404}))["status_code"] == "unset"


def test_an_unknown_outcome_is_counted() -> None:
    with pytest.warns(LoadWarning, match="unknown kinds or statuses"):
        assert row(transaction(**{"event.outcome": "so-so"}))["status_code"] == "unset"


def test_documents_that_do_not_say_what_they_are_are_told_by_their_fields() -> None:
    content = compact(*({**each, "processor.event": None} for each in (transaction(), span(), error())))
    spans = read(content, strict=True)
    assert spans.select("name", "depth").rows() == [("GET /", 0), ("call", 1)]
    assert spans["events"].list.len().to_list() == [0, 1]


def test_durations_are_taken_from_the_event_where_it_has_them() -> None:
    assert row(transaction(**{"event.duration": 1234}))["duration"].microseconds == 1
    document = transaction(**{"event.duration": 500_250, "transaction.duration.us": None})
    assert read(compact(document))["duration"].dt.total_nanoseconds().item() == 500_250


def test_without_microseconds_the_instant_of_the_document_counts() -> None:
    spans = read(compact(transaction(**{"timestamp.us": None})))
    assert spans["start_time"].dt.epoch("ms").item() == 1772355600123


def test_a_span_without_a_parent_is_below_its_transaction() -> None:
    assert row(span(**{"parent.id": None}))["parent_span_id"] == ROOT


def test_frameworks_are_scopes_where_opentelemetry_wrote_the_span() -> None:
    framework = {"service.framework.name": "lib", "service.framework.version": "1"}
    found = row(transaction(**{"agent.name": "opentelemetry/java"}, **framework))
    assert (found["scope_name"], found["scope_version"]) == ("lib", "1")
    found = row(transaction(**{"agent.name": "java"}, **framework))
    assert (found["scope_name"], found["resource.service.framework.name"]) == (None, "lib")


def test_labels_do_not_hide_one_another_nor_other_attributes() -> None:
    found = row(transaction(**{"labels.a": "x", "numeric_labels.a": 1, "labels.url.full": "l", "url.full": "u"}))
    assert (found["span.a"], found["span.numeric_labels.a"]) == ("x", 1)
    assert (found["span.url.full"], found["span.labels.url.full"]) == ("u", "l")


def test_an_error_finds_its_span_wherever_it_stands() -> None:
    for documents in ([error(), span()], [span(), error()], [error(**{"trace.id": None}), span()]):
        spans = read(compact(*documents), strict=True)
        assert [event["name"] for event in spans["events"].item()] == ["exception"]
    by_transaction = error(**{"parent.id": None, "transaction.id": ROOT})
    assert read(compact(transaction(), by_transaction))["events"].list.len().item() == 1


def test_errors_without_their_span_are_counted() -> None:
    other = error(**{"trace.id": "ff" * 16})
    with pytest.warns(LoadWarning, match="errors without their span"):
        assert read(compact(span(), other, error()))["events"].list.len().item() == 1
    report = load_report(compact(span(), other)).filter(pl.col("problem") == "errors without their span")
    assert report.select("count", "lost_spans", "first_place").rows() == [(1, 0, "line 2")]


def test_logged_errors_and_causes_are_kept() -> None:
    logged = error(**{"error.exception": None, "error.log.message": "failed", "error.log.level": "error"})
    (event,) = read(compact(span(), logged))["events"].item()
    assert event["attributes"] == {
        "error.id": "e",
        "error.log.message": "failed",
        "error.log.level": "error",
        "exception.message": "failed",
    }
    caused = error(**{"error.exception": [{"type": "A"}, {"type": "B"}], "error.stack_trace": "at a"})
    (event,) = read(compact(span(), caused))["events"].item()
    assert (event["attributes"]["exception.type"], event["attributes"]["exception.stacktrace"]) == ("A", "at a")
    assert json.loads(event["attributes"]["error.exception.causes"]) == [{"type": "B"}]


def test_a_log_that_names_a_span_is_no_span() -> None:
    log = {"@timestamp": "2026-03-01T09:00:00Z", "trace": {"id": TRACE_ID}, "span": {"id": CALL}, "message": "m"}
    with pytest.raises(LoadError):
        read(compact(log))


@pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")
@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_types_are_survived_everywhere(wrong: Any) -> None:
    documents = [json.loads(line) for line in DOTTED.read_text().splitlines()]
    documents += [hit["_source"] for hit in json.loads(SEARCH.read_text())["hits"]["hits"]]
    changed = [each for document in documents for each in damaged(document, wrong)]
    content = compact(*changed)
    spans, report = read(content), load_report(content)
    assert report.filter(pl.col("problem") == "spans")["count"].item() == spans.height + report["lost_spans"].sum()
    assert spans.height >= len(changed) // 4


@pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")
def test_deep_nesting_is_survived() -> None:
    deep = json.loads('{"a":' * 400 + "1" + "}" * 400)
    assert read(compact(transaction(labels=deep, http=deep), error(error={"exception": [deep]}))).height == 1
