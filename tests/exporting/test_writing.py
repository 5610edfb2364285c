"""One function writes all: the suffix says what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import tracelab as tl
from tracelab.synthetic import draw

if TYPE_CHECKING:
    from pathlib import Path

SPANS = draw("web::GET /  =====\n  db::SELECT .==")


@pytest.mark.parametrize(
    "name", ["x.parquet", "x.jsonl", "x.jsonl.gz", "x.jsonl.zst", "x.perfetto.json", "x.perfetto.json.gz", "x"]
)
def test_every_suffix_is_written_and_read_back(name: str, tmp_path: Path) -> None:
    path = tl.write(SPANS.lazy(), tmp_path / name)
    assert tl.read(path).equals(SPANS)


@pytest.mark.parametrize("name", ["x.json", "x.csv", "x.perfetto"])
def test_an_unknown_suffix_lists_those_that_there_are(name: str, tmp_path: Path) -> None:
    with pytest.raises(tl.SourceError, match=r"says nothing.*\.perfetto\.json"):
        tl.write(SPANS, tmp_path / name)


def test_a_file_is_whole_or_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tl.write(SPANS, tmp_path / "x.perfetto.json")
    before = path.read_bytes()

    def interrupted(_: object) -> object:
        yield b"{"
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tracelab.exporting.writing.lines", interrupted)
    with pytest.raises(tl.SourceError, match="No space left on device"):
        tl.write(SPANS, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_missing_is_told_before_anything_is_done(tmp_path: Path) -> None:
    with pytest.raises(tl.SourceError, match="there is no folder"):
        tl.write(SPANS, tmp_path / "missing" / "x.perfetto.json")
