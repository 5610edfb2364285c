"""Trace events: valid as the format has it, exact, and read back as what they were."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from polars.testing import assert_frame_equal

import tracelab as tl
from tests.exporting.perfetto.checking import checked
from tests.strategies import span_frames
from tracelab.schema import EVENTS, LINKS
from tracelab.synthetic import draw, generate, generate_system

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.filterwarnings("ignore::tracelab.SkewWarning"),
    pytest.mark.filterwarnings("ignore::tracelab.LoadWarning"),
]

SPANS = draw("""
web::GET /pay     ====================      kind=server http.route=/pay n=1 ratio=0.5 ok=true
  web::POST       .========                 kind=client n=2
    bank::charge  ..======!                 kind=server n=3 note=x
  web::POST       ...======                 kind=client
  web::render     ...........======

web::GET /cart    =======!                  kind=server
  gone::lost
    db::SELECT    .====                     kind=client
""")
HOSTILE = "</script><img src=x onerror=alert(1)>\x1b[31m\u202e\"'\\`=1+1\n@all \ud7ff🎉"


def written(spans: pl.DataFrame, folder: Path, name: str = "x.perfetto.json") -> Path:
    return tl.write(spans, folder / name)


def events(spans: pl.DataFrame, folder: Path) -> list[dict[str, object]]:
    return checked(written(spans, folder).read_text(encoding="utf-8"))


def test_a_document_of_drawn_spans_is_valid(tmp_path: Path) -> None:
    found = events(SPANS, tmp_path)
    processes = [event["args"] for event in found if event["name"] == "process_name"]
    assert processes == [{"name": name} for name in ("critical path", "web", "bank", "db")]
    assert sum(event["cat"] == "tracelab.span" for event in found) == SPANS.height


@given(spans=span_frames())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
def test_any_spans_are_valid_and_read_back(spans: pl.DataFrame, tmp_path: Path) -> None:
    path = written(spans, tmp_path)
    checked(path.read_text(encoding="utf-8"))
    found = tl.read(path)
    again = tl.read(tl.write(spans.sort("tree_left"), tmp_path / "x.jsonl"))
    assert_frame_equal(found, again)


def test_a_system_with_links_and_events_is_valid_and_read_back(tmp_path: Path) -> None:
    spans, _ = generate_system(3, traces=60)
    assert spans["links"].list.len().sum()
    found = events(spans, tmp_path)
    assert any(event["cat"] == "tracelab.link" for event in found)
    assert_frame_equal(tl.read(tmp_path / "x.perfetto.json"), tl.read(tl.write(spans, tmp_path / "x.jsonl")))


def test_a_loaded_shop_is_read_back(tmp_path: Path) -> None:
    spans = generate(5_000, seed=2)
    checked(written(spans, tmp_path).read_text(encoding="utf-8"))
    assert_frame_equal(tl.read(tmp_path / "x.perfetto.json"), tl.read(tl.write(spans, tmp_path / "x.jsonl")))


def test_the_sample_is_valid_and_read_back_as_it_was(tmp_path: Path) -> None:
    spans = tl.read("sample_data/shop.otlp.jsonl.gz")
    path = written(spans, tmp_path, "shop.perfetto.json.gz")
    checked(gzip.decompress(path.read_bytes()).decode("utf-8"))
    assert_frame_equal(tl.read(path), spans.sort("tree_left"))


def test_values_that_json_has_no_place_for_are_read_back(tmp_path: Path) -> None:
    values = {
        "span.odd": pl.Series([float("nan"), float("inf"), float("-inf"), 1.0, 1e300, None, -0.5, 2.0]),
        "span.big": pl.Series([2**63 - 1, -(2**62), 0, None, 1, 2, 3, 4]),
        "span.lists": pl.Series([["a", HOSTILE], [], None, ["b"], ["c"], ["d"], ["e"], ["f"]]),
        "span.numbers": pl.Series([[1.0, float("nan")], [2.5], None, [3.0], [4.0], [5.0], [6.0], [7.0]]),
        "span.flags": pl.Series([[True, False], [True], None, [True], [True], [True], [True], [True]]),
        "span.mixed": pl.Series(["1", "true", "x", "1.5", "eA==", '["a", 1]', '{"a": 1}', None]),
        "span.mixed:type": pl.Series(["int", "bool", "string", "double", "bytes", "array", "kvlist", None]),
    }
    spans = tl.conform(pl.concat([SPANS, SPANS.head(1).with_columns(span_id=pl.lit("f" * 16))]).with_columns(**values))
    path = written(tl.with_tree(spans), tmp_path)
    checked(path.read_text(encoding="utf-8"))
    assert_frame_equal(tl.read(path), tl.read(tl.write(tl.with_tree(spans).sort("tree_left"), tmp_path / "x.jsonl")))


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    happened = [{"time": datetime(2026, 5, 1, 12, tzinfo=UTC), "name": HOSTILE, "attributes": {HOSTILE: HOSTILE}}]
    linked = [{"trace_id": HOSTILE, "span_id": HOSTILE, "trace_state": HOSTILE, "attributes": {HOSTILE: HOSTILE}}]
    spans = SPANS.with_columns(
        pl.lit(HOSTILE).alias(name) for name in ("name", "service_name", "status_message", "trace_state", "scope_name")
    ).with_columns(
        pl.Series("events", [happened] * SPANS.height, dtype=EVENTS),
        pl.Series("links", [linked] * SPANS.height, dtype=LINKS),
        pl.lit(HOSTILE).alias(f"span.{HOSTILE}"),
    )
    path = written(spans, tmp_path)
    found = checked(path.read_text(encoding="utf-8"))
    assert {event["name"] for event in found if event["cat"] in {"tracelab.span", "tracelab.event"}} == {HOSTILE}
    assert_frame_equal(tl.read(path), tl.read(tl.write(spans, tmp_path / "x.jsonl")))


@pytest.mark.parametrize("year", [1970, 1999, 2026, 2101, 2200])
def test_nanoseconds_are_exact_in_any_year(year: int, tmp_path: Path) -> None:
    start = pl.lit(datetime(year, 1, 1, tzinfo=UTC)).cast(pl.Datetime("ns", "UTC")) + pl.duration(nanoseconds=1)
    spans = SPANS.with_columns(start_time=start, duration=pl.duration(nanoseconds=1_234_567_891))
    found = tl.read(written(tl.with_tree(spans), tmp_path)).join(spans, on=["trace_id", "span_id"], suffix="_given")
    assert found["start_time"].equals(found["start_time_given"])
    assert found["duration"].equals(found["duration_given"])


def test_times_are_microseconds_since_the_first_span_with_all_digits(tmp_path: Path) -> None:
    spans = SPANS.with_columns(pl.col("start_time") + pl.duration(nanoseconds=7 * pl.int_range(pl.len())))
    text = written(spans, tmp_path).read_text(encoding="utf-8")
    assert '"ts":1000.007,' in text
    assert json.loads(text)["baseTimeNanoseconds"] == 1_777_636_800_000_000_000


def test_the_critical_path_is_a_process_with_a_slice_for_each_section(tmp_path: Path) -> None:
    sections = tl.critical_path(SPANS)
    found = [event for event in events(SPANS, tmp_path) if event["cat"] == "tracelab.critical_path"]
    roots = sections.select("trace_id", "root_span_id").unique().height
    assert {event["pid"] for event in found} == {1}
    assert len(found) == sections.height + roots


def test_calls_into_other_lanes_are_flows(tmp_path: Path) -> None:
    found = [event for event in events(SPANS, tmp_path) if event["cat"] == "tracelab.call"]
    assert [event["ph"] for event in found] == ["s", "f", "s", "f"] or len(found) == 4


def test_no_spans_are_a_document_without_slices(tmp_path: Path) -> None:
    assert {event["ph"] for event in events(SPANS.clear(), tmp_path)} == {"M"}


def test_a_document_that_was_meddled_with_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    document = json.loads(written(SPANS, tmp_path).read_text(encoding="utf-8"))
    for number, event in enumerate(document["traceEvents"]):
        if event["cat"] == "tracelab.span":
            event["args"] |= {"kind": 7, "flags": "x", "links": [3, {}], "span.a:type": "double", "status_code": []}
            event["ts"] = "soon" if number % 2 else event["ts"]
    path = tmp_path / "meddled.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.warns(tl.LoadWarning):
        assert tl.read(path).height == SPANS.height
