"""Activities that .NET's console exporter prints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tracelab.loaders import load_report, read

pytestmark = pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")

SAMPLES = Path(__file__).parents[1] / "samples"
PRINTED = (SAMPLES / "dotnet-console.txt").read_text()
OLD = (SAMPLES / "dotnet-console.old.txt").read_text()
ROOT, CALL, TRACE_ID = "051581bf3cb55c13", "5fb397be34d26b51", "5b8aa5a2d2c872e8321cf37308d69df2"
START = 1_767_225_600_000_000_000


def row(spans: pl.DataFrame, span_id: str) -> dict[str, Any]:
    with_times = spans.with_columns(start=pl.col("start_time").cast(pl.Int64), length=pl.col("duration").cast(pl.Int64))
    return with_times.filter(pl.col("span_id") == span_id).row(0, named=True)


def counts(content: str) -> dict[str, int]:
    return dict(load_report(content.encode()).select("problem", "count").rows())


def test_activities_are_read_whole() -> None:
    spans = read(PRINTED.encode())
    root, call = row(spans, ROOT), row(spans, CALL)
    assert (call["trace_id"], call["parent_span_id"], call["name"], call["kind"]) == (
        TRACE_ID,
        ROOT,
        "load basket",
        "client",
    )
    assert (call["start"], call["length"], call["flags"]) == (START + 100_000_100, 20_250_100, 1)
    assert (call["status_code"], call["status_message"]) == ("error", "connection lost")
    assert (call["scope_name"], call["scope_version"], call["instrumentation.team"]) == ("Shop.Basket", "1.2.3", "web")
    assert (call["service_name"], call["resource.service.instance.id"]) == ("shop", "7f5a")
    assert (call["span.db.rows"], call["span.db.tables"]) == ("3", '["basket","owner"]')
    assert call["span.db.query.text"] == "select * from basket where url = 'http://x: y'"
    assert (root["parent_span_id"], root["kind"], root["trace_state"]) == (None, "server", "vendor=shop")
    assert (root["scope_name"], root["status_code"]) == ("Microsoft.AspNetCore", "unset")
    assert root["span.http.response.status_code"] == "502"


def test_events_and_links_are_read_with_stack_traces_of_several_lines() -> None:
    call = row(read(PRINTED.encode()), CALL)
    assert [event["name"] for event in call["events"]] == ["exception", "retried"]
    assert call["events"][0]["attributes"] == {
        "exception.type": "System.IO.IOException",
        "exception.stacktrace": "System.IO.IOException: connection lost\n"
        "   at Basket.Load(String owner)\n   at Shop.Get()",
        "exception.message": "connection lost",
    }
    assert (call["links"][0]["span_id"], call["links"][0]["attributes"]) == ("3c191d03fa8be065", {"reason": "retry"})
    assert counts(PRINTED)["lines without a key in printed spans"] == 2


def test_old_versions_print_ids_as_one_and_the_status_as_tags() -> None:
    spans = read(OLD.encode())
    root, call = row(spans, ROOT), row(spans, CALL)
    assert (call["trace_id"], call["parent_span_id"], call["flags"]) == (TRACE_ID, ROOT, 1)
    assert (call["status_code"], call["status_message"], call["span.db.rows"]) == ("error", "connection lost", "3")
    assert (root["status_code"], root["status_message"]) == ("error", "no answer")
    assert call["length"] == (((24 + 2) * 60 + 3) * 60 + 4) * 1_000_000_000 + 500_000_000
    assert (call["scope_name"], "span.otel.status_code" in call) == ("Shop.Basket", False)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2/1/2026 12:00:00 AM +00:00", "2026-02-01T00:00:00"),
        ("2/1/2026 12:00:05\u202fPM +00:00", "2026-02-01T12:00:05"),
        ("01/02/2026 00:00:05 +00:00", "2026-02-01T00:00:05"),
        ("01.02.2026 01:00:05 +01:00", "2026-02-01T00:00:05"),
        ("2026-02-01 00:00:05 +00:00", "2026-02-01T00:00:05"),
        ("2026/02/01 0:00:05 +00:00", "2026-02-01T00:00:05"),
        ("1. 2. 2026 0.00.05 +00:00", "2026-02-01T00:00:05"),
        ("2026-02-01T00:00:05.5000000+00:00", "2026-02-01T00:00:05.500000"),
    ],
)
def test_times_of_events_are_read_in_the_language_of_the_machine(written: str, expected: str) -> None:
    spans = read(OLD.replace("2/1/2026 12:00:00 AM +00:00", written).encode())
    assert row(spans, CALL)["events"][0]["time"].replace(tzinfo=None).isoformat() == expected


def test_a_time_of_an_event_that_is_none_is_that_of_the_span() -> None:
    changed = OLD.replace("2/1/2026 12:00:00 AM +00:00", "noon")
    call = row(read(changed.encode()), CALL)
    assert call["events"][0]["time"] == call["start_time"]
    assert counts(changed)["events without a time"] == 1


def test_the_versions_between_name_the_source_beside_the_rest() -> None:
    newer = PRINTED[PRINTED.index("Instrumentation scope") : PRINTED.index("Resource associated")]
    older = "Activity.ActivitySource.Name: Shop.Basket\nActivity.ActivitySource.Version: 1.2.3\n"
    name = "Activity.DisplayName:        load"
    changed = PRINTED.replace(newer, "").replace(name, older + name)
    call = row(read(changed.encode()), CALL)
    assert (call["scope_name"], call["scope_version"], call["name"]) == ("Shop.Basket", "1.2.3", "load basket")


def test_log_lines_among_an_activity_are_left_out() -> None:
    for other in ("info: Shop[0]\n", "2026-01-01 00:00:00 INFO x\n", "[00:00:01 INF] hello\n", '{"msg": "x"}\n'):
        for before in ("Activity.Kind:               Client\n", "Instrumentation scope", "    service.instance.id"):
            changed = PRINTED.replace(before, other + before, 1)
            assert_frame_equal(read(changed.encode()), read(PRINTED.encode()))


def test_an_activity_that_breaks_off_is_kept_as_far_as_it_goes() -> None:
    broken = PRINTED[: PRINTED.rindex("Activity.StartTime")]
    root = row(read(broken.encode()), ROOT)
    assert (root["name"], root["kind"], root["length"]) == ("GET /basket", "server", 0)
    assert counts(broken)["printed spans that break off"] == 1


def test_times_with_points_and_fields_that_are_wrong_lose_no_activity() -> None:
    points = PRINTED.replace("T00:00:00.1000001Z", "T00.00.00.1000001Z")
    assert row(read(points.encode()), CALL)["start"] == START + 100_000_100
    for old, new in (
        ("00:00:00.0202501", "long"),
        ("2026-01-01T00:00:00.1000001Z", "now"),
        ("Activity.Kind:               Client", "Activity.Kind:               Robot"),
        (f"Activity.SpanId:             {CALL}", "Activity.SpanId:             "),
    ):
        assert read(PRINTED.replace(old, new).encode()).height == 2
