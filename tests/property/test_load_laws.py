"""Laws of the loaders: what they must do whatever the dump."""

from __future__ import annotations

import copy
import json
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tests.loaders.dumps import compact, protobuf, request, shop_jaeger, shop_otlp, shop_zipkin, span
from tests.loaders.otlp.test_otlp import full_span
from tests.property.load_strategies import requests
from tracelab.errors import TracelabError
from tracelab.loaders import load_report, read, write

if TYPE_CHECKING:
    from collections.abc import Callable

SEEDS: dict[str, bytes] = {
    "otlp": compact(request(full_span(), span("11" * 8, parentSpanId="22" * 8)), shop_otlp()),
    "pretty": json.dumps(shop_otlp(), indent=1).encode(),
    "jaeger": compact(shop_jaeger()),
    "zipkin": compact(shop_zipkin()),
    "protobuf": protobuf(request(full_span(), span("11" * 8))),
    "framed": len(protobuf(shop_otlp())).to_bytes(4, "big") + protobuf(shop_otlp()),
}
SAMPLES = sorted((Path(__file__).parents[1] / "loaders" / "samples").iterdir())
FILES = [sample for sample in SAMPLES if sample.is_file()]
_JUNK: tuple[Any, ...] = (None, True, -1, 2**70, 1.5, "", "x", "0", [], {}, [None], {"values": 5}, "\ud800")
JUNK = st.sampled_from(_JUNK).map(copy.deepcopy)  # it is put into documents, and then into itself


@pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")
@given(st.data())
@settings(max_examples=60)
def test_damaged_bytes_give_a_frame_or_a_clear_error(data: st.DataObject) -> None:
    content = damaged(SEEDS[data.draw(st.sampled_from(sorted(SEEDS)))], data.draw)
    if content:
        assert_nothing_is_lost(content)


@pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")
@pytest.mark.parametrize("sample", FILES, ids=lambda sample: sample.name)
@given(st.data())
@settings(max_examples=15)
def test_damaged_samples_of_any_format_give_a_frame_or_a_clear_error(sample: Path, data: st.DataObject) -> None:
    content = damaged(sample.read_bytes(), data.draw)
    if content:
        assert_nothing_is_lost(content)


@pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")
@pytest.mark.parametrize(
    "sample", [sample for sample in FILES if sample.suffix in (".json", ".jsonl")], ids=lambda sample: sample.name
)
@given(st.data())
@settings(max_examples=25)
def test_wrong_values_in_samples_of_any_format_give_a_frame_or_a_clear_error(sample: Path, data: st.DataObject) -> None:
    documents = documents_of(sample)
    for _ in range(data.draw(st.integers(1, 3))):
        holder, key = data.draw(st.sampled_from(places(documents)))
        holder[key] = data.draw(JUNK)
    assert_nothing_is_lost(b"".join(compact_with_surrogates(each) for each in documents))


@pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")
@given(st.data())
@settings(max_examples=60)
def test_wrong_values_anywhere_give_a_frame_or_a_clear_error(data: st.DataObject) -> None:
    seeds: list[Any] = [request(full_span()), shop_jaeger(), shop_zipkin()]
    document = copy.deepcopy(data.draw(st.sampled_from(seeds)))
    for _ in range(data.draw(st.integers(1, 3))):
        holder, key = data.draw(st.sampled_from(places(document)))
        holder[key] = data.draw(JUNK)
    assert_nothing_is_lost(compact_with_surrogates(document))


@given(requests())
@settings(max_examples=25)
def test_what_is_written_is_read_again(document: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        spans = read(compact(document))
        with TemporaryDirectory() as folder:
            for suffix in (".parquet", "", ".jsonl"):
                if suffix == ".jsonl" and has_twins(spans):
                    continue
                path = write(spans, Path(folder) / f"kept{suffix}")
                assert_frame_equal(read(path), spans)


@given(requests())
@settings(max_examples=25)
def test_protobuf_and_json_of_one_request_give_one_frame(document: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert_frame_equal(read(protobuf(document)), read(compact(document)))


@given(requests(), st.integers(1, 5))
@settings(max_examples=25)
def test_how_a_request_is_cut_into_lines_changes_nothing(document: dict[str, Any], parts: int) -> None:
    groups = document["resourceSpans"]
    pieces = [compact({"resourceSpans": groups[number::parts]}) for number in range(parts)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        order = [*range(parts)]
        whole = read(compact({"resourceSpans": [group for number in order for group in groups[number::parts]]}))
        assert_frame_equal(read(b"".join(pieces)), whole)
        assert_frame_equal(read(pieces), whole)


def has_twins(spans: pl.DataFrame) -> bool:
    """Say whether spans share ids and start: they stand as the source has them, and lines are grouped by scope."""
    return bool(spans.select(pl.struct("trace_id", "span_id", "start_time").is_duplicated().any()).item())


def assert_nothing_is_lost(content: bytes) -> None:
    """Read, and compare what was read with what is reported."""
    try:
        spans = read(content)
    except TracelabError:
        return
    report = load_report(content)
    found = report.filter(pl.col("problem") == "spans")["count"].sum()
    assert found == spans.height + report["lost_spans"].sum()


def damaged(seed: bytes, draw: Callable[..., Any]) -> bytes:
    """Change, cut, insert and repeat bytes at some places."""
    content = bytearray(seed)
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.integers(0, max(len(content) - 1, 0)))
        match draw(st.sampled_from(["change", "cut", "insert", "repeat"])):
            case "change":
                content[place : place + 1] = bytes([draw(st.integers(0, 255))])
            case "cut":
                del content[place : place + draw(st.integers(1, 30))]
            case "insert":
                content[place:place] = draw(st.binary(max_size=8))
            case _:
                content[place:place] = content[place : place + draw(st.integers(1, 200))]
    return bytes(content)


def documents_of(sample: Path) -> list[Any]:
    """Decode all JSON documents of a file, however they stand in it."""
    text, decoder, found, position = sample.read_text(), json.JSONDecoder(), [], 0
    while (position := position + len(text[position:]) - len(text[position:].lstrip())) < len(text):
        document, position = decoder.raw_decode(text, position)
        found.append(document)
    return found


def places(content: Any) -> list[tuple[Any, Any]]:
    """List every place in a document that holds something."""
    keys = content.keys() if isinstance(content, dict) else range(len(content)) if isinstance(content, list) else ()
    return [place for key in keys for place in ((content, key), *places(content[key]))]


def compact_with_surrogates(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"
