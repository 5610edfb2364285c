"""Documents that are cut block by block; here the blocks are small, so that small documents are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from polars.testing import assert_frame_equal

from tests.loaders.dumps import attribute, request, shop_jaeger, shop_zipkin, span
from tracelab.errors import LoadWarning
from tracelab.loaders import json_reader, load_report, read
from tracelab.loaders.input import cutting as json_cut

if TYPE_CHECKING:
    import polars as pl

HOSTILE = 'a "},{"resource":{" b \\" },{"traceID":"c","spans":[{'


def many(count: int = 40) -> dict[str, Any]:
    """Write a request of many resources, with text in it that looks like their borders."""
    spans = [span(f"{number:016x}", attributes=[attribute("text", HOSTILE * 5)]) for number in range(1, count + 1)]
    return {"resourceSpans": [group for each in spans for group in request(each)["resourceSpans"]]}


def traces(count: int = 20) -> dict[str, Any]:
    """Write an answer of Jaeger with many traces."""
    text = json.dumps(shop_jaeger()["data"][0])
    trace_id = shop_jaeger()["data"][0]["traceID"]
    return {"data": [json.loads(text.replace(trace_id, f"{number:032x}")) for number in range(1, count + 1)]}


def in_small_blocks(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(json_reader, "LARGEST", 0)
    monkeypatch.setattr(json_cut, "PIECE", size)


@pytest.mark.parametrize("size", [300, 2_000, 50_000])
@pytest.mark.parametrize(
    "style", [{"separators": (",", ":")}, {}, {"indent": 2}], ids=["compact", "spaced", "indented"]
)
@pytest.mark.parametrize(
    "document",
    [many(), traces(), shop_zipkin(), {"batches": many()["resourceSpans"]}],
    ids=["otlp", "jaeger", "zipkin", "tempo"],
)
def test_a_document_in_blocks_gives_the_same_frame(
    monkeypatch: pytest.MonkeyPatch, document: Any, style: dict[str, Any], size: int
) -> None:
    dump = json.dumps(document, **style).encode()
    whole = read(dump)
    in_small_blocks(monkeypatch, size)
    assert_frame_equal(read(dump), whole)


@pytest.mark.parametrize("size", [300, 2_000])
def test_objects_that_meet_in_other_ways_are_read_as_well(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    groups = many()["resourceSpans"]
    groups[0] = {"scopeSpans": groups[0]["scopeSpans"], "resource": groups[0]["resource"]}
    groups[20:20] = [{"resource": {}}, {}]
    dump = json.dumps({"resourceSpans": groups}).encode()
    whole = read(dump)
    in_small_blocks(monkeypatch, size)
    assert whole.height == 40
    assert_frame_equal(read(dump), whole)


@pytest.mark.parametrize("size", [300, 2_000])
def test_one_damaged_object_in_a_document_in_blocks_is_counted(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    in_small_blocks(monkeypatch, size)
    dump = json.dumps(many(), separators=(",", ":")).encode()
    place = dump.index(b'"spanId":"000000000000000f"')
    dump = dump.replace(b'"spanId":"000000000000000f"', b'"spanId":\x01000000000000000f')
    with pytest.warns(LoadWarning, match="JSON that cannot be read"):
        spans = read(dump)
    assert spans.height == 39
    assert missing(spans) == {15}
    row = load_report(dump).row(1, named=True)
    first = int(row["first_place"].removeprefix("byte "))
    assert (row["count"], dump[first : first + 12]) == (1, b'{"resource":')
    assert first < place < dump.index(b'{"resource":', first + 1)


def test_a_document_in_blocks_that_breaks_off_gives_what_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    in_small_blocks(monkeypatch, 2_000)
    dump = json.dumps(many(), separators=(",", ":")).encode()
    with pytest.warns(LoadWarning, match="ends in the middle"):
        spans = read(dump[: dump.index(b'"spanId":"000000000000001f"')])
    assert spans.height == 30


def missing(spans: pl.DataFrame) -> set[int]:
    return set(range(1, 41)) - {int(span_id, 16) for span_id in spans["span_id"].to_list()}


def rows(count: int = 30) -> list[dict[str, Any]]:
    """Write rows of spans in one trace."""
    return [
        {"trace_id": "5b" * 16, "span_id": f"{number:016x}", "name": HOSTILE, "start_ns": 10**18, "duration_ns": number}
        for number in range(1, count + 1)
    ]


@pytest.mark.parametrize("size", [300, 2_000])
@pytest.mark.parametrize("document", [rows(), {"meta": {"a": 1}, "data": {"rows": rows()}}], ids=["list", "wrapped"])
def test_rows_in_blocks_give_the_same_frame(monkeypatch: pytest.MonkeyPatch, document: Any, size: int) -> None:
    dump = json.dumps(document).encode()
    odd = dump.replace(b"trace_id", b"tid").replace(b"duration_ns", b"took")
    asked: dict[str, str | tuple[str, str]] = {"trace_id": "tid", "duration": ("took", "ns")}
    whole = read(dump)
    assert_frame_equal(read(odd, columns=asked), whole)
    in_small_blocks(monkeypatch, size)
    assert_frame_equal(read(dump), whole)
    assert_frame_equal(read(odd, columns=asked), whole)
    with pytest.warns(LoadWarning, match="in the middle"):
        assert read(dump[:-40]).height == whole.height - 1


def test_the_trace_around_rows_is_kept_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    bare = [{key: value for key, value in each.items() if key != "trace_id"} for each in rows()]
    dump = json.dumps({"traces": [{"traceId": f"{number}b" * 16, "spans": bare} for number in (1, 2, 3)]}).encode()
    whole = read(dump)
    assert whole["trace_id"].unique().sort().to_list() == ["1b" * 16, "2b" * 16, "3b" * 16]
    in_small_blocks(monkeypatch, 2_000)
    assert_frame_equal(read(dump), whole)
