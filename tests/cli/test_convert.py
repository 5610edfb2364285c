"""convert: to every format, and fit to leave the house."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tracelab as tl
from tests.cli.running import run

if TYPE_CHECKING:
    from pathlib import Path


def test_convert_writes_trace_events(dump: str, tmp_path: Path) -> None:
    path = tmp_path / "dump.perfetto.json"
    assert f"spans to {path}" in run("convert", dump, str(path))
    assert tl.read(path).equals(tl.read(dump).sort("tree_left"))


def test_convert_redacts_and_keeps_what_is_named(dump: str, tmp_path: Path) -> None:
    path = tmp_path / "hidden.jsonl"
    assert "redacted" in run("convert", dump, str(path), "--redact", "--keep", "service_name")
    spans, found = tl.read(dump), tl.read(path)
    assert found["service_name"].equals(spans["service_name"])
    assert not set(found["name"]) & set(spans["name"])
    assert not set(found["span_id"]) & set(spans["span_id"])


def test_what_keeps_nothing_is_told(dump: str, tmp_path: Path) -> None:
    told = run("convert", dump, str(tmp_path / "x.jsonl"), "--redact", "--keep", "service_nam")
    assert "Did you mean 'service_name'?" in told


def test_keep_without_redact_is_a_wrong_command(dump: str, tmp_path: Path) -> None:
    assert "--redact" in run("convert", dump, str(tmp_path / "x.jsonl"), "--keep", "name", code=2)
    assert list(tmp_path.glob("x.*")) == []


def test_an_unknown_suffix_lists_those_that_there_are(dump: str, tmp_path: Path) -> None:
    assert ".perfetto.json" in run("convert", dump, str(tmp_path / "x.json"), code=2)
