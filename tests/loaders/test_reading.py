from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import re
import sys
import warnings
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import zstandard
from polars.testing import assert_frame_equal

from tests.loaders.dumps import compact, protobuf, request, shop_jaeger, shop_otlp, shop_zipkin, span
from tracelab.conforming import conform
from tracelab.errors import LoadError, LoadWarning, SourceError, TracelabError
from tracelab.loaders import load_report, read, read_jaeger, read_otlp, read_tempo, read_zipkin
from tracelab.loaders.input.sources import Stream

SAMPLES = Path(__file__).parent / "samples"
ROW = re.compile(r"\| `(?P<path>[^`]+)` \|(?:[^|]*\|){3} (?P<traces>\d+) \| (?P<spans>\d+) \|")
REFUSED = ("tempo-api/kiali__kiali/tracing__tracingtest__response.json",)


def indexed(shared_data: Path) -> list[tuple[str, int]]:
    return [(found["path"], int(found["spans"])) for found in ROW.finditer((shared_data / "INDEX.md").read_text())]


@pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")
def test_read_loads_every_dump_of_others_with_the_counts_of_their_index(shared_data: Path) -> None:
    wrong = []
    for path, count in indexed(shared_data):
        if not count or path.startswith(REFUSED):
            continue
        spans, report = read(shared_data / path), load_report(shared_data / path)
        found = report.filter(pl.col("problem") == "spans")["count"].sum()
        if (spans.height + report["lost_spans"].sum(), found) != (count, count):
            wrong.append((path, spans.height, count))
    assert wrong == []


@pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")
def test_read_gives_conforming_frames_in_tree_order(shared_data: Path) -> None:
    for folder in ("jaeger-json", "otlp-jsonl", "zipkin-v2"):
        spans = read(shared_data / folder)
        assert_frame_equal(conform(spans), spans)
        assert spans["tree_left"].is_sorted()


@pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")
def test_read_refuses_what_is_no_trace_dump_by_what_it_looks_like(shared_data: Path) -> None:
    for path, count in indexed(shared_data):
        if count and not path.startswith(REFUSED):
            continue
        reason = refusal(shared_data / path)
        assert reason is None or "looks like" in reason or "JSON" in reason, path


def refusal(path: Path) -> str | None:
    try:
        read(path)
    except LoadError as error:
        return str(error)
    return None


def test_one_trace_gives_one_frame_in_every_format() -> None:
    document = shop_otlp()
    spans = read(compact(document))
    assert spans.select("name", "service_name", "kind", "status_code", "depth").rows() == [
        ("GET /pay", "shop", "server", "unset", 0),
        ("get price", "shop", "client", "error", 1),
        ("price", "prices", "server", "ok", 2),
    ]
    for other in (protobuf(document), compact(shop_jaeger()), compact(shop_zipkin())):
        assert_frame_equal(read(other), spans)


def test_parts_of_one_trace_come_together_from_several_sources(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(compact(request(span("aa" * 8, parentSpanId="bb" * 8, name="child"))))
    (tmp_path / "b.json.gz").write_bytes(gzip.compress(compact(request(span("bb" * 8, name="root")))))
    assert read(tmp_path).select("name", "depth").rows() == [("root", 0), ("child", 1)]


def test_every_kind_of_source_and_compression_gives_the_same_frame(tmp_path: Path) -> None:
    content = compact(shop_otlp())
    spans = read(content)
    file = tmp_path / "dump.json"
    file.write_bytes(content)
    with file.open("rb") as opened:
        assert_frame_equal(read(opened), spans)
        assert not opened.closed
    packed = [gzip.compress(content), zstandard.compress(content), bz2.compress(content)]
    packed += [gzip.compress(content[:50]) + gzip.compress(content[50:]), zstandard.compress(gzip.compress(content))]
    for source in (
        str(file),
        file,
        [file],
        tmp_path,
        str(tmp_path / "*.json"),
        io.BytesIO(content),
        bytearray(content),
        *packed,
    ):
        assert_frame_equal(read(source), spans)


class FewAtATime:
    """A file object that gives a few bytes at a time, as a socket does."""

    def __init__(self, content: bytes, size: int) -> None:
        self._file = io.BytesIO(content)
        self._size = size

    def read(self, size: int) -> bytes:
        return self._file.read(min(size, self._size))


@pytest.mark.parametrize("size", [1, 2, 5, 37])
def test_compression_is_seen_however_few_bytes_come_at_a_time(size: int) -> None:
    content = compact(shop_otlp())
    spans = read(content)
    # The first part holds less than what tells the next compression.
    in_parts = gzip.compress(content)
    in_parts = lzma.compress(in_parts[:1]) + lzma.compress(in_parts[1:])
    for packed in (content, *(pack(content) for pack in (gzip.compress, zstandard.compress, bz2.compress)), in_parts):
        assert_frame_equal(read(FewAtATime(packed, size)), spans)
        assert_frame_equal(read(packed), spans)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (None, "does not wait"),
        ("text", "binary mode"),
        (5, "gives int instead of bytes"),
        (bytes(2 << 20), "2,097,152"),
        (TimeoutError("it took too long"), "it took too long. Check the connection"),
    ],
)
@pytest.mark.parametrize("content", [b"", compact(shop_otlp())])
def test_a_file_object_that_does_not_give_bytes_is_told_what_it_gave(answer: object, told: str, content: bytes) -> None:
    class Odd:
        def __init__(self) -> None:
            self.given = iter([content] if content else [])

        def read(self, _: int) -> object:
            block = next(self.given, answer)
            if isinstance(block, Exception):
                raise block
            return block

    with pytest.raises(SourceError, match=re.escape(told)):
        read(Odd())


def test_a_pipe_that_does_not_wait_is_never_taken_for_one_that_ended() -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.write(writing, compact(shop_otlp()))
    with os.fdopen(reading, "rb") as file, os.fdopen(writing, "wb"), pytest.raises(SourceError, match="does not wait"):
        read(file)


def test_a_dump_that_is_decoded_already_is_no_list_of_files() -> None:
    for decoded in (shop_otlp(), [shop_otlp(), shop_otlp()]):
        with pytest.raises(SourceError, match=r"decoded already.*json\.dumps"):
            read(decoded)


@pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")
@pytest.mark.parametrize("sample", ["otlp-json.jsonl", "clickhouse.jsonl", "rows.jsonl", "haystack.spans.jsonl"])
def test_a_first_line_that_breaks_off_costs_no_other_line(sample: str) -> None:
    """A Collector that was killed while it wrote, and goes on in the same file."""
    content = 2 * ((SAMPLES / sample).read_bytes().rstrip() + b"\n")
    spans = read(content)
    first = content.split(b"\n")[0]
    for end in {*range(2, len(first), 41), len(first) - 1}:
        for cut in (first[:end] + b"\n", first[:end] + first + b"\n"):
            dump = cut + content
            assert set(read(dump)["span_id"]) == set(spans["span_id"]), cut
            report = load_report(dump)
            assert report.filter(problem="JSON that cannot be read")["count"].to_list() == [1], cut


def test_a_folder_with_one_broken_file_loads_the_others(tmp_path: Path) -> None:
    (tmp_path / "good.json").write_bytes(compact(request(span())))
    (tmp_path / "broken.json").write_bytes(b"\x1f\x8bgarbage")
    with pytest.warns(LoadWarning, match=r"broken\.json"):
        assert read(tmp_path).height == 1
    report = load_report(tmp_path)
    assert report.filter(pl.col("action") == "skipped")["source"].to_list() == [str(tmp_path / "broken.json")]


def test_a_folder_is_read_without_what_is_no_dump_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "node_modules").mkdir()
    for name in ("package.json", "node_modules/a.json", "_old.json", ".hidden.json", "run.py"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "good.json").write_bytes(compact(request(span())))
    assert load_report(tmp_path)["source"].to_list() == [str(tmp_path / "good.json")]


def test_a_source_that_is_not_there_is_a_source_error(tmp_path: Path) -> None:
    (tmp_path / "here.json").touch()
    with pytest.raises(SourceError, match=r"there are: here\.json"):
        read(tmp_path / "their.json")
    with pytest.raises(SourceError, match="No file matches"):
        read(tmp_path / "*.pb")
    with pytest.raises(SourceError, match="is a frame, and no source"):
        read(pl.DataFrame({"trace_id": ["1"]}))
    with pytest.raises(SourceError, match="is no source"):
        read(5)
    with pytest.raises(SourceError, match="binary"):
        read(io.StringIO("text"))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"\x00" * 99, "it is empty"),
        (b"plain text", "no JSON"),
        (b"{}", "without spans"),
        (b"[]", "no trace dump"),
        (b'{"resourceLogs":[]}', "logs, metrics or profiles"),
        (b'{"traces":[{"traceID":"1"}],"metrics":{}}', "search"),
        (b"[" * 100_000, "no JSON"),
        (b'{"a":' * 100_000, "in the middle"),
        (b"\x1f\x8b\x08" + b"x" * 50, "damaged"),
        (b"\x28\xb5\x2f\xfd" + b"x" * 50, "damaged"),
        (b"PAR1" + b"x" * 50 + b"PAR1", "parquet"),
    ],
)
def test_a_single_source_that_is_no_dump_is_a_load_error(content: bytes, reason: str) -> None:
    with pytest.raises(LoadError, match=reason):
        read(content)


def test_the_warning_sums_up_and_the_report_lists() -> None:
    dump = compact(request(span(endTimeUnixNano=str(1)), span("cc" * 8, endTimeUnixNano=None)))
    with pytest.warns(LoadWarning, match="spans that end before they start") as caught:
        spans = read(dump)
    assert len(caught) == 1
    assert spans["duration"].dt.total_nanoseconds().to_list() == [0, 0]
    report = load_report(dump).filter(pl.col("problem") != "spans").select("problem", "action", "count", "first_place")
    assert report.rows() == [
        ("spans that end before they start", "repaired", 1, "line 1, resourceSpans[0].scopeSpans[0].spans[0]"),
        ("spans without an end", "guessed", 1, "line 1, resourceSpans[0].scopeSpans[0].spans[1]"),
    ]


def test_harmless_spellings_are_reported_but_not_warned_of() -> None:
    dump = compact(request(span("AB" * 8)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read(dump)["span_id"].item() == "ab" * 8
    assert "ids in upper case" in load_report(dump)["problem"].to_list()


def test_strict_raises_at_the_first_problem_that_would_be_warned_of() -> None:
    assert read(compact(request(span("AB" * 8))), strict=True).height == 1
    with pytest.raises(LoadError, match=r"line 1.*end before they start.*strict=False"):
        read(compact(request(span(endTimeUnixNano="5"))), strict=True)


def test_duplicated_spans_are_dropped_and_counted() -> None:
    dump = compact(request(span(attributes=[{"key": "a", "value": {"stringValue": "1"}}])))
    other = compact(request(span(attributes=[{"key": "a", "value": {"stringValue": "2"}}])))
    with pytest.warns(LoadWarning, match="duplicated"):
        assert read(dump * 3)["span.a"].to_list() == ["1"]
    report = load_report(dump * 3)
    assert report.filter(pl.col("problem") == "duplicated spans").select("count", "lost_spans").row(0) == (2, 2)
    with pytest.warns(LoadWarning, match="share their ids"):
        assert sorted(read(dump + other)["span.a"].to_list()) == ["1", "2"]


def test_a_format_that_was_asked_for_must_be_there() -> None:
    assert read_otlp(protobuf(shop_otlp())).height == 3
    assert read_jaeger(compact(shop_jaeger())).height == 3
    assert read_zipkin(compact(shop_zipkin())).height == 3
    assert read_tempo(compact({"trace": shop_otlp(), "metrics": {}})).height == 3
    with pytest.raises(LoadError, match="it is otlp-json, not jaeger"):
        read_jaeger(compact(shop_otlp()))
    with pytest.raises(LoadError, match="Did you mean 'zipkin'"):
        read(b"", format="zipkins")


def test_a_partial_trace_of_tempo_is_told() -> None:
    dump = compact({"trace": shop_otlp(), "metrics": {}, "status": "PARTIAL", "message": "too large"})
    with pytest.warns(LoadWarning, match="partial"):
        assert read(dump).height == 3


def test_progress_counts_bytes(capsys: pytest.CaptureFixture[str]) -> None:
    read(compact(shop_otlp()), progress=True)
    assert "100%" in capsys.readouterr().err
    read(compact(shop_otlp()), progress=False)
    assert capsys.readouterr().err == ""


def test_read_counts_cycles_and_cuts_them_where_they_start_first() -> None:
    spans = [
        {"traceId": "a" * 32, "spanId": own * 16, "parentSpanId": parent * 16, "name": own,
         "startTimeUnixNano": str(start), "endTimeUnixNano": "9"}
        for own, parent, start in (("b", "c", 2), ("c", "b", 1))
    ]  # fmt: skip
    dump = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).encode()
    with pytest.warns(LoadWarning, match="cycles of parents"):
        assert read(dump).select("name", "depth").rows() == [("c", 0), ("b", 1)]
    report = load_report(dump).filter(pl.col("problem") == "cycles of parents")
    assert report.select("action", "count").row(0) == ("repaired", 1)


def test_read_takes_a_search_that_found_nothing_as_no_spans() -> None:
    assert read(b'{"data": [], "total": 0, "errors": null}').is_empty()


def test_a_load_warning_points_at_the_line_that_read() -> None:
    dump = compact(request(span(endTimeUnixNano="1")))
    for reader in (read, read_otlp):
        with pytest.warns(LoadWarning) as caught:
            reader(dump)
        assert [warning.filename for warning in caught] == [__file__]


@pytest.mark.parametrize("source", [None, 5, 2.5, [], [None], (), "", True])
def test_what_has_no_bytes_is_no_source(source: Any) -> None:
    for reader in (read, load_report):
        with pytest.raises(SourceError):
            reader(source)


@pytest.mark.parametrize("word", [None, 5, [], "otpl"])
def test_a_format_is_one_of_some_words(word: Any) -> None:
    for reader in (read, load_report):
        with pytest.raises(LoadError, match=r"There is no format .* Known: auto, otlp"):
            reader(b"{}", format=word)


@pytest.mark.parametrize("value", ["no", 5, [], float("nan")])
def test_strict_and_progress_are_a_yes_or_a_no(value: Any) -> None:
    with pytest.raises(TracelabError, match="`strict` must be True or False"):
        read(b'{"resourceSpans": []}', strict=value)
    with pytest.raises(TracelabError, match="`progress` must be True or False"):
        read(b'{"resourceSpans": []}', progress=value)


def test_ctrl_c_while_files_are_closed_is_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Polars raises it where it computes, and Python once more at the next line of its own."""
    lost: list[object] = []
    path = tmp_path / "dump.json"
    path.write_bytes(compact(shop_otlp()))

    close = Stream.close

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    def closed_and_interrupted(stream: Stream) -> None:
        close(stream)
        raise KeyboardInterrupt

    monkeypatch.setattr(sys, "unraisablehook", lost.append)
    monkeypatch.setattr("tracelab.loaders.reading.chunks_in", interrupted)
    monkeypatch.setattr("tracelab.loaders.input.sources.Stream.close", closed_and_interrupted)
    with pytest.raises(KeyboardInterrupt):
        read(path)
    assert lost == []
