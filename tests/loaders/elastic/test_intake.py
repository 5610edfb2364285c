from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.loaders.dumps import CALL, ROOT, TRACE_ID, WRONG, compact, damaged
from tracelab.errors import LoadWarning
from tracelab.loaders import load_report, read

SAMPLES = Path(__file__).parents[1] / "samples"
INTAKE, SEARCH = SAMPLES / "elastic-apm.intake.ndjson", SAMPLES / "elastic-apm.search.json"


def metadata(service: str = "shop") -> dict[str, Any]:
    return {"metadata": {"service": {"name": service, "agent": {"name": "python", "version": "6"}}}}


def transaction(**fields: Any) -> dict[str, Any]:
    content = {"id": ROOT, "trace_id": TRACE_ID, "name": "GET /", "type": "request", "duration": 1.5}
    return {"transaction": {**content, "timestamp": 1772355600000000, "span_count": {"started": 1}, **fields}}


def span(**fields: Any) -> dict[str, Any]:
    content = {"id": CALL, "trace_id": TRACE_ID, "parent_id": ROOT, "transaction_id": ROOT, "name": "call"}
    return {"span": {**content, "type": "external.http", "duration": 0.25, **fields}}


def row(*lines: dict[str, Any]) -> dict[str, Any]:
    return read(compact(metadata(), *lines)).row(-1, named=True)


def test_the_sample_gives_what_the_server_made_of_it() -> None:
    sent, stored = read(INTAKE, strict=True), read(SEARCH)
    same = [
        *("trace_id", "span_id", "parent_span_id", "name", "kind", "service_name", "start_time", "duration"),
        *("status_code", "links", "span.http.request.method", "span.http.response.status_code", "span.url.full"),
        *("span.url.path", "span.tier", "span.items", "span.db.query.text", "span.db.namespace", "span.span.subtype"),
        *("span.db.system.name", "span.server.address", "span.server.port", "span.span.db.rows_affected"),
        *("resource.service.instance.id", "resource.deployment.environment.name", "resource.host.name"),
        *("resource.agent.name", "resource.service.framework.name", "resource.telemetry.sdk.language"),
    ]
    assert sent.select(same).equals(stored.select(same), null_equal=True)
    events = [[(event["time"], event["attributes"]["exception.type"]) for event in each] for each in sent["events"]]
    assert events == [[(stored["events"][0][0]["time"], "TimeoutError")], []]
    assert sent["span.url.scheme"].to_list() == ["https", None]
    assert sent["resource.process.pid"].to_list() == [7, 7]


def test_metadata_holds_until_there_are_others() -> None:
    lines = [metadata("a"), transaction(), metadata("b"), span(timestamp=1772355600000100)]
    assert read(compact(*lines)).select("name", "service_name").rows() == [("GET /", "a"), ("call", "b")]


def test_an_event_may_name_another_service() -> None:
    found = row(transaction(context={"service": {"name": "other"}}))
    assert (found["service_name"], found["resource.agent.name"]) == ("other", "python")


def test_a_span_without_an_instant_starts_after_its_transaction() -> None:
    content = compact(metadata(), span(start=0.5), transaction())
    spans = read(content, strict=True)
    assert spans["start_time"].dt.epoch("us").to_list() == [1772355600000000, 1772355600000500]
    instants = compact(metadata(), span(start=0.5), transaction(timestamp="2026-03-01T09:00:00.002Z"))
    assert read(instants)["start_time"].dt.epoch("us").to_list() == [1772355600002000, 1772355600002500]


def test_a_span_without_an_instant_and_without_its_transaction_is_counted() -> None:
    with pytest.warns(LoadWarning, match="without a start"):
        assert row(span(start=0.5))["span.span.start"] == 0.5


def test_types_in_one_text_are_split_as_the_server_does_it() -> None:
    found = row(transaction(), span(type="db.mysql.query", start=0.1))
    assert (found["span.span.type"], found["span.span.subtype"], found["span.span.action"]) == ("db", "mysql", "query")
    assert (found["kind"], found["span.db.system.name"]) == ("client", "mysql")


def test_attributes_of_the_bridge_to_opentelemetry_keep_their_names() -> None:
    held = {"span_kind": "CONSUMER", "attributes": {"messaging.destination": "q", "n": [1, 2]}}
    found = row(transaction(otel=held))
    assert (found["kind"], found["span.messaging.destination"], found["span.n"]) == ("consumer", "q", [1, 2])


def test_messages_of_events_are_about_the_event() -> None:
    held = {"message": {"queue": {"name": "q"}, "age": {"ms": 5}}}
    found = row(transaction(type="messaging", context=held))
    assert (found["span.messaging.destination.name"], found["span.transaction.message.age.ms"]) == ("q", 5)


def test_metrics_and_logs_are_counted() -> None:
    lines = [
        metadata(),
        {"metricset": {"samples": {"x": {"value": 1}}}},
        {"log": {"message": "m", "@timestamp": 1}},
        transaction(),
    ]
    report = load_report(compact(*lines))
    assert report.filter(pl.col("problem") == "logs, metrics or profiles").select("count", "lost_spans").rows() == [
        (2, 0)
    ]
    assert report.filter(pl.col("problem") == "spans")["count"].item() == 1


@pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")
@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_types_are_survived_everywhere(wrong: Any) -> None:
    lines = [json.loads(line) for line in INTAKE.read_text().splitlines()]
    changed = [each for line in lines for each in damaged(line, wrong)]
    content = compact(*changed)
    spans, report = read(content), load_report(content)
    assert report.filter(pl.col("problem") == "spans")["count"].item() == spans.height + report["lost_spans"].sum()
    assert spans.height >= len(changed) // 4
