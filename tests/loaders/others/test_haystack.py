from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.loaders.dumps import compact
from tracelab.errors import LoadWarning
from tracelab.loaders import load_report, read

SAMPLES = Path(__file__).parents[1] / "samples"
pytestmark = pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")


def stack(**fields: Any) -> dict[str, Any]:
    return {
        "traceId": "ab" * 16,
        "spanId": "cd" * 8,
        "serviceName": "shop",
        "operationName": "pay",
        "startTime": 1_767_225_600_000_125,
        "duration": 500,
        **fields,
    }


@pytest.mark.parametrize("name", ["haystack.json", "haystack.spans.jsonl"])
def test_a_trace_is_read_with_the_halves_of_its_calls_apart(name: str) -> None:
    spans = read(SAMPLES / name)
    assert spans.select("name", "service_name", "kind", "status_code", "depth").rows() == [
        ("pay", "shop", "server", "unset", 0),
        ("charge", "shop", "client", "error", 1),
        ("charge", "bank", "server", "unset", 2),
        ("ledger", "bank", "client", "error", 3),
    ]
    assert spans["trace_id"].unique().to_list() == ["c4fffc7d7c0d407398ea34362506d300"]
    assert spans["span_id"][0] == "2fe438d397424973a5b6e0e7870c6000"
    assert spans["start_time"].dt.timestamp("us")[0] == 1_767_225_600_000_125


def test_tags_have_the_types_that_their_fields_say() -> None:
    row = read(SAMPLES / "haystack.json").row(0, named=True)
    assert (row["span.items"], row["span.price"], row["span.vip"], row["span.raw"]) == (3, 9.5, True, "AAH9")
    assert row["span.raw:type"] == "bytes"
    assert (row["events"][0]["name"], row["events"][0]["attributes"]) == ("retried", {"attempt": "2"})


def test_what_is_guessed_or_repaired_is_counted() -> None:
    found = dict(load_report(SAMPLES / "haystack.json").select("problem", "count").rows())
    assert found["ids as UUIDs"] == 11
    assert found["spans that client and server share"] == 1
    assert found["statuses guessed from status codes of HTTP"] == 1


def test_one_bad_span_loses_no_other() -> None:
    tags = [5, {"key": 1}, {"key": "a", "vLong": "x"}, {"key": "b", "vBool": "yes"}, {"key": "c"}]
    bad = stack(spanId=7, logs=[3, {"timestamp": "x", "fields": 5}], tags=tags, startTime={}, duration=-1)
    dump = compact({"traceId": "ab" * 16, "childSpans": [stack(), bad, 5, {}, {"x": 1}]})
    with pytest.warns(LoadWarning):
        spans = read(dump)
    assert spans.height == 2
    assert set(spans["span.a"].drop_nulls()) == {"x"}
    report = load_report(dump)
    assert report.filter(pl.col("problem") == "spans that are none")["count"].item() == 3
    assert report.filter(pl.col("problem") == "attributes that are none")["count"].item() == 2


def test_a_dump_of_haystacks_own_tests_is_read(shared_data: Path) -> None:
    [path] = (shared_data / "other-spanlike/ExpediaDotCom__haystack-traces").iterdir()
    spans = read(path)
    assert (spans.height, spans["depth"].max(), spans["trace_id"].n_unique()) == (22, 8, 1)
