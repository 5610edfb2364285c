from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from google.protobuf import json_format  # type: ignore[import-untyped]
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from polars.testing import assert_frame_equal

from tests.loaders.dumps import compact, request, shop_otlp, span
from tests.loaders.otlp.test_otlp import full_span
from tracelab.conforming import conform
from tracelab.errors import SourceError
from tracelab.loaders import read, scan, write
from tracelab.loaders.writing import check_writing
from tracelab.synthetic import draw, generate

if TYPE_CHECKING:
    from pathlib import Path

SUFFIXES = (".parquet", "", ".jsonl", ".jsonl.gz", ".jsonl.zst")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_written_is_read_again(suffix: str, tmp_path: Path) -> None:
    frames = [
        read(compact(shop_otlp(), request(full_span(traceId="12" * 16), full_span(traceId="13" * 16, status=None)))),
        read(compact(request(span(), service=None))),
        generate(500, seed=1),
        draw("api ==="),
    ]
    for number, spans in enumerate(frames):
        assert_frame_equal(read(write(spans, tmp_path / f"{number}{suffix}")), spans)


@pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")
def test_dumps_of_others_survive_being_kept(shared_data: Path, tmp_path: Path) -> None:
    for number, folder in enumerate(("jaeger-json", "otlp-json", "zipkin-v2", "otlp-proto", "go-stdouttrace")):
        spans = read(shared_data / folder)
        for suffix in (".parquet", "", ".jsonl"):
            assert_frame_equal(read(write(spans, tmp_path / f"{number}{suffix}")), spans)


def test_attributes_beyond_the_columns_keep_their_types(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    spans = read(compact(request(full_span())))
    monkeypatch.setattr("tracelab.loaders.columns.attributes.MAX_COLUMNS", 3)
    narrow = read(compact(request(full_span())))
    assert len(narrow["more_attributes"].item()) > 10
    for suffix in SUFFIXES:
        assert_frame_equal(read(write(narrow, tmp_path / f"narrow{suffix}")), narrow)
    monkeypatch.undo()
    assert_frame_equal(read(tmp_path / "narrow.jsonl"), spans)


def test_other_tools_accept_the_lines(tmp_path: Path) -> None:
    write(read(compact(request(full_span(traceId="12" * 16)), shop_otlp())), tmp_path / "x.jsonl")
    for line in (tmp_path / "x.jsonl").read_text().splitlines():
        document = json.loads(line, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
        for group in document["resourceSpans"]:
            for scope in group["scopeSpans"]:
                for each in scope["spans"]:
                    assert isinstance(each["kind"], int)
                    _drop_hex(each)
        json_format.ParseDict(document, TracesData())


def _drop_hex(each: dict[str, Any]) -> None:
    for holder in (each, *each.get("links", [])):
        for key in ("traceId", "spanId", "parentSpanId"):
            holder.pop(key, None)


def test_kept_parquet_is_read_together_with_other_dumps(tmp_path: Path) -> None:
    both = read(compact(shop_otlp(), request(full_span(traceId="12" * 16))))
    write(read(compact(request(full_span(traceId="12" * 16)))), tmp_path / "a.parquet")
    (tmp_path / "b.json").write_bytes(compact(shop_otlp()))
    assert_frame_equal(read(tmp_path), both)


def test_a_folder_is_cut_by_hour_and_keeps_traces_whole(tmp_path: Path) -> None:
    spans = generate(2000, seed=3, span_of_time="3h")
    folder = write(spans, tmp_path / "kept")
    parts = sorted(folder.rglob("*.parquet"))
    assert len({part.parent.name for part in parts}) == 3
    counts = [pl.read_parquet(part, hive_partitioning=False)["trace_id"].n_unique() for part in parts]
    assert sum(counts) == spans["trace_id"].n_unique()
    assert_frame_equal(scan(folder).sort("tree_left").collect(), spans)
    assert_frame_equal(scan(folder / "**" / "*.parquet").collect().sort("tree_left"), spans)


def test_lazy_frames_are_written(tmp_path: Path) -> None:
    spans = draw("api ===")
    for suffix in SUFFIXES:
        assert_frame_equal(read(write(spans.lazy(), tmp_path / f"x{suffix}")), spans)


def test_what_cannot_be_kept_is_refused(tmp_path: Path) -> None:
    spans = draw("api ===")
    with pytest.raises(SourceError, match="says nothing"):
        write(spans, tmp_path / "x.csv")
    with pytest.raises(SourceError, match="folder"):
        write(spans, tmp_path / "missing" / "x.jsonl")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    with pytest.raises(SourceError, match="already holds files"):
        write(spans, tmp_path / "full")


def test_an_empty_frame_is_kept(tmp_path: Path) -> None:
    empty = conform(draw("api ===").clear())
    for suffix in (".parquet", ""):
        assert read(write(empty, tmp_path / f"x{suffix}")).height == 0


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_interrupted_leaves_what_was_there(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spans = draw("api ===")
    target = tmp_path / f"kept{suffix}"
    if suffix:
        write(spans, target)
    before = sorted(tmp_path.rglob("*")), target.read_bytes() if suffix else b""

    def interrupted(*_: object, **__: object) -> None:
        (part,) = tmp_path.iterdir() if not suffix else (each for each in tmp_path.iterdir() if each != target)
        assert part.name.startswith(".")
        raise KeyboardInterrupt

    monkeypatch.setattr(pl.LazyFrame, "sink_parquet", interrupted_sink)
    monkeypatch.setattr(pl.DataFrame, "write_parquet", interrupted)
    monkeypatch.setattr("tracelab.loaders.writing.lines", lambda _: interrupted())
    with pytest.raises(KeyboardInterrupt):
        write(draw("other ==="), target)
    assert (sorted(tmp_path.rglob("*")), target.read_bytes() if suffix else b"") == before


def interrupted_sink(_: pl.LazyFrame, part: Path, **__: object) -> None:
    part.write_bytes(b"half")
    raise KeyboardInterrupt


def test_a_place_is_refused_before_there_are_spans(tmp_path: Path) -> None:
    for name in ("x.csv", "missing/x.parquet"):
        with pytest.raises(SourceError):
            check_writing(tmp_path / name)
    (tmp_path / "file").touch()
    with pytest.raises(SourceError, match="no folder"):
        write(draw("api ==="), tmp_path / "file")


@pytest.mark.parametrize("path", [None, 5, [], b"x.parquet", ""])
def test_write_wants_a_path(path: Any) -> None:
    with pytest.raises(SourceError, match="`path` must be the path of a file or folder, got"):
        write(draw("api ==="), path)


@pytest.mark.parametrize("name", ["a[1].parquet", "a[.parquet", "a*.parquet", "a?.parquet", "[a].jsonl", "kept[1]"])
def test_a_name_may_look_like_a_pattern(name: str, tmp_path: Path) -> None:
    spans, other = draw("api ==="), draw("other ===")
    write(other, tmp_path / "a1.parquet")
    assert_frame_equal(read(write(spans, tmp_path / name)), spans)
    if not name.endswith(".jsonl"):
        assert_frame_equal(scan(tmp_path / name).collect(), spans)


@pytest.mark.parametrize(("told", "error"), [
    ("parquet: underlying IO error: No space left on device (os error 28)", SourceError),
    ("parquet: underlying IO error: No such file (os error 2)", pl.exceptions.ComputeError),
    ("parquet: out of specification", pl.exceptions.ComputeError),
])  # fmt: skip
def test_a_full_disk_is_one_also_in_the_words_of_polars(
    told: str, error: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise pl.exceptions.ComputeError(told)

    monkeypatch.setattr(pl.LazyFrame, "sink_parquet", full)
    with pytest.raises(error, match="No space left on device. Make room" if error is SourceError else "parquet: "):
        write(draw("api ="), tmp_path / "spans.parquet")
    assert not list(tmp_path.iterdir())
