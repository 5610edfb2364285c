from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.loaders.dumps import compact
from tracelab.errors import LoadWarning
from tracelab.loaders import load_report, read

SAMPLES = Path(__file__).parents[1] / "samples"


def event(**fields: Any) -> dict[str, Any]:
    return {
        "event_id": "7",
        "record": {"name": "answer", "kind": 1, "status": "STATUS_CODE_UNSET"},
        "record_attributes": {"a": 1},
        "record_type": "SPAN",
        "resource_attributes": {"service.name": "assistant"},
        "start_timestamp": "2026-01-01 00:00:00.125000",
        "timestamp": "2026-01-01 00:00:00.250000",
        "trace": {"trace_id": str(2**127 + 1), "span_id": str(2**63 + 1), "parent_id": ""},
        **fields,
    }


def test_rows_of_trulens_are_read() -> None:
    spans = read(SAMPLES / "trulens.jsonl")
    assert spans.select("name", "service_name", "kind", "status_code", "depth").rows() == [
        ("answer", "assistant", "internal", "unset", 0),
        ("generate", "assistant", "internal", "error", 1),
    ]
    assert spans.select("trace_id", "span_id").row(0) == ("0a73bdf7d9088e9cdeec6b342f98517b", "a95d08bd9215b831")
    row = spans.row(1, named=True)
    assert (row["span.tokens"], row["span.cost"], row["span.contexts"], row["span.streamed"]) == (
        429,
        0.00010619999999999999,
        ["a", "b"],
        True,
    )
    assert row["duration"].total_seconds() == 1.5
    assert set(load_report(SAMPLES / "trulens.jsonl")["problem"]) == {
        "spans",
        "ids as decimal numbers",
        "times without a zone",
    }


def test_rows_of_snowflakes_event_tables_are_read_with_their_events() -> None:
    spans = read(SAMPLES / "trulens.snowflake.jsonl")
    assert spans.select("name", "kind", "status_code", "status_message", "scope_name", "depth").rows() == [
        ("answer", "server", "unset", None, "trulens", 0),
        ("generate", "client", "error", "too long", "trulens", 1),
    ]
    assert [event["name"] for event in spans["events"][1]] == ["exception"]
    assert set(load_report(SAMPLES / "trulens.snowflake.jsonl")["problem"]) == {"spans"}


def test_ids_are_decimal_unless_they_can_be_hex_only() -> None:
    assert read(compact(event())).select("trace_id", "span_id", "parent_span_id").row(0) == (
        f"{2**127 + 1:032x}",
        f"{2**63 + 1:016x}",
        None,
    )
    ambiguous = "12" * 16, "1234567890123456"
    for trace_id, span_id in (("ab" * 16, ambiguous[1]), (ambiguous[0], "cd" * 8), ambiguous):
        row = read(compact(event(trace={"trace_id": trace_id, "span_id": span_id}))).row(0, named=True)
        assert (row["trace_id"], row["span_id"]) == (trace_id, span_id)


def test_columns_may_hold_objects_or_their_text() -> None:
    texts = {key: json.dumps(held) if isinstance(held, dict) else held for key, held in event().items()}
    assert read(compact(texts)).equals(read(compact(event())))


def test_logs_and_metrics_between_the_spans_are_counted() -> None:
    dump = compact(event(), event(record_type="LOG"), event(record_type="SPAN_EVENT", trace={"span_id": "5"}))
    with pytest.warns(LoadWarning, match="events of spans that are not there"):
        assert read(dump).height == 1
    found = dict(load_report(dump).select("problem", "count").rows())
    assert (found["logs, metrics or profiles"], found["events of spans that are not there"]) == (1, 1)


def test_a_bad_row_loses_no_other() -> None:
    bad = event(trace="{", record=5, record_attributes=[1], resource_attributes="x", timestamp=[], start_timestamp={})
    with pytest.warns(LoadWarning, match="fields of the wrong type"):
        assert read(compact(event(), bad)).height == 2


def test_fixtures_of_trulens_itself_are_read(shared_data: Path) -> None:
    folder = shared_data / "otel-sdk-json/truera__trulens"
    spans = read(
        [folder / f"tests__unit__data__test_otel_spans__{name}_span.json" for name in ("record_root", "generation")]
    )
    assert spans.select("name", "depth").rows() == [("__main__.RAG.query", 0), ("__main__.RAG.generate_completion", 1)]
