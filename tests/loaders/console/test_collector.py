"""Spans that the Collector's debug exporter prints, and its elder, the logging exporter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tracelab.loaders import load_report, read

pytestmark = pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")

SAMPLES = Path(__file__).parents[1] / "samples"
PRINTED = (SAMPLES / "collector-debug.txt").read_text()
ROOT, CALL, TRACE_ID = "051581bf3cb55c13", "5fb397be34d26b51", "5b8aa5a2d2c872e8321cf37308d69df2"
START = 1_767_225_600_000_000_000


def row(spans: pl.DataFrame, span_id: str) -> dict[str, Any]:
    with_times = spans.with_columns(start=pl.col("start_time").cast(pl.Int64), length=pl.col("duration").cast(pl.Int64))
    return with_times.filter(pl.col("span_id") == span_id).row(0, named=True)


def counts(content: str) -> dict[str, int]:
    return dict(load_report(content.encode()).select("problem", "count").rows())


def test_spans_are_read_whole() -> None:
    spans = read(PRINTED.encode())
    root, call = row(spans, ROOT), row(spans, CALL)
    assert (root["trace_id"], root["parent_span_id"], root["kind"]) == (TRACE_ID, None, "server")
    assert (root["start"], root["length"], root["status_code"]) == (START + 1, 149_999_999, "unset")
    assert (root["service_name"], root["resource.process.pid"], root["trace_state"]) == ("shop", 41, "vendor=shop")
    assert (root["scope_name"], root["scope_version"], root["instrumentation.team"]) == ("shop http", "1.0.0", "web")
    assert (call["parent_span_id"], call["kind"], call["service_name"]) == (ROOT, "client", "basket")
    assert (call["status_code"], call["status_message"]) == ("error", "connection lost")
    assert (call["scope_name"], call["scope_version"], call["resource.process.pid"]) == (None, None, None)


def test_attributes_have_the_types_that_are_printed() -> None:
    root = row(read(PRINTED.encode()), ROOT)
    assert (root["span.http.response.status_code"], root["span.share"], root["span.cached"]) == (502, 2.0, False)
    assert isinstance(root["span.share"], float)
    assert (root["span.seal"], root["span.seal:type"], root["span.sizes"]) == ("AQL6", "bytes", [1, 2])
    assert (root["span.owner"], root["span.owner:type"]) == ('{"name": "ann"}', "kvlist")
    assert "span.nothing" not in root
    assert root["span.note"] == "two (2)\nlines: Str(really)"
    assert counts(PRINTED)["lines without a key in printed spans"] == 1


def test_events_and_links_are_read() -> None:
    spans = read(PRINTED.encode()).filter(span_id=CALL)
    events = spans["events"].explode()
    assert events.struct.field("time").cast(pl.Int64).to_list() == [START + 119_999_999, START + 120_000_000]
    assert events.struct.field("attributes").to_list() == [{"exception.stacktrace": "Error\n  at load\n"}, {}]
    assert spans["links"].item().to_list() == [
        {
            "trace_id": "71699b6fe85982c7c8995ea3d9c95df2",
            "span_id": "3c191d03fa8be065",
            "trace_state": "other=1",
            "attributes": {"attempt": "2"},
        }
    ]


def test_the_text_in_a_json_log_gives_the_same_spans() -> None:
    assert_frame_equal(read(SAMPLES / "collector-debug.zap.jsonl"), read(PRINTED.encode()))


def test_the_logging_exporter_had_other_words() -> None:
    spans = read(SAMPLES / "collector-debug.logging.txt")
    root, call = row(spans, ROOT), row(spans, CALL)
    assert (root["kind"], root["status_code"], root["status_message"]) == ("server", "error", "connection lost")
    assert (root["span.http.status_code"], root["span.cached"], root["resource.process.pid"]) == (502, True, 41)
    assert (call["kind"], call["parent_span_id"], call["scope_name"], call["scope_version"]) == (
        "internal",
        ROOT,
        "shop",
        "0.9",
    )
    assert root["events"][0]["attributes"] == {"attempt": "2"}


def test_names_and_messages_may_have_several_lines() -> None:
    changed = PRINTED.replace("GET /basket", "GET\n/basket").replace("message : connection lost", "message : a\nb")
    spans = read(changed.encode())
    assert (row(spans, ROOT)["name"], row(spans, CALL)["status_message"]) == ("GET\n/basket", "a\nb")


def test_a_value_that_is_never_closed_ends_with_the_span() -> None:
    broken = PRINTED.replace("lines: Str(really))\n", "")
    spans = read(broken.encode())
    assert row(spans, ROOT)["span.note"] == "two (2"
    open_one = PRINTED.replace("Str(two (2)\nlines: Str(really))\n", "Str(two\n")
    assert row(read(open_one.encode()), ROOT)["span.note"] == "two"
    assert row(read(open_one.encode()), CALL)["service_name"] == "basket"
    assert counts(open_one)["printed spans that break off"] == 1


def test_a_span_that_breaks_off_is_kept_as_far_as_it_goes() -> None:
    broken = PRINTED[: PRINTED.rindex("    Start time")]
    call = row(read(broken.encode()), CALL)
    assert (call["name"], call["kind"], call["length"]) == ("load", "client", 0)
    assert counts(broken)["printed spans that break off"] == 1
    assert counts(broken)["spans without a start"] == 1


def test_log_lines_and_other_signals_between_the_spans_are_left_out() -> None:
    other = '2026-01-01T00:00:02.500Z\twarn\tbatch is late\t{"otelcol.component.id": "batch"}\n'
    logs = (
        "2026-01-01T00:00:02.600Z\tinfo\tResourceLog #0\nResource SchemaURL: \nResource attributes:\n"
        "     -> service.name: Str(other)\nScopeLogs #0\nLogRecord #0\nTimestamp: 2026-01-01 00:00:00 +0000 UTC\n"
        "Trace ID: 5b8aa5a2d2c872e8321cf37308d69df2\n"
    )
    changed = PRINTED.replace("Attributes:\n", f"{other}Attributes:\n").replace(
        "ResourceSpans #1", f"{logs}ResourceSpans #1"
    )
    assert_frame_equal(read(changed.encode()), read(PRINTED.encode()))
    assert counts(changed)["log lines without spans"] > counts(PRINTED)["log lines without spans"]


@pytest.mark.parametrize(
    "value", ["Int(x)", "Double()", "Bool(2)", "Bytes(!)", "Slice([1)", "Map(5)", "Int(99999999999999999999)"]
)
def test_a_value_that_does_not_fit_its_type_is_text(value: str) -> None:
    changed = PRINTED.replace("cached: Bool(false)", f"cached: {value}")
    assert row(read(changed.encode()), ROOT)["span.cached"] == value.partition("(")[2].removesuffix(")")
    assert counts(changed)["attribute values that do not fit their type"] == 1


def test_fields_that_are_wrong_lose_no_span() -> None:
    for old, new in (
        ("2026-01-01 00:00:00.15 +0000 UTC", "yesterday"),
        (f"    ID             : {ROOT}", "    ID             : {}"),
        ("Kind           : Server", "Kind           : 7"),
        ("Timestamp: 2026-01-01", "Timestamp: 2026-99-01"),
        ("DroppedAttributesCount: 2", "DroppedAttributesCount: many"),
    ):
        changed = PRINTED.replace(old, new)
        assert changed != PRINTED
        assert read(changed.encode()).height == 2
