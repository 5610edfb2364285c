from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

import tracelab as tl
from tracelab.cli import app
from tracelab.synthetic import draw

if TYPE_CHECKING:
    from pathlib import Path

SPANS = draw("""
web::GET /   =====  kind=server
  db::SELECT .==!   kind=client
""")


@pytest.fixture
def dump(tmp_path: Path) -> str:
    path = tmp_path / "dump.jsonl"
    tl.write(SPANS, path)
    return str(path)


def run(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
    assert done.exit_code == code, done.output
    return done.output


def test_summary_counts_spans_traces_and_services(dump: str) -> None:
    text = run("summary", dump)
    assert "2 spans in 1 trace of 2 services" in text
    assert "GET /" in text


def test_report_prints_tables_and_writes_the_file(dump: str, tmp_path: Path) -> None:
    page = tmp_path / "out.html"
    text = run("report", dump, "-o", str(page))
    for heading in ("Latency percentiles", "Error rates", "critical path"):
        assert heading in text
    assert page.stat().st_size > 1_000_000


def test_query_prints_a_table_json_or_csv(dump: str) -> None:
    assert "GET /" in run("query", dump, "status = error")
    row = json.loads(run("query", dump, "{ status = error }", "--json"))
    assert row["matched"] == 1
    assert run("query", dump, "{ status = error }", "--csv").splitlines()[0].startswith("trace_id,root_service_name")
    assert "value" in run("query", dump, "{ } | count_over_time()")


def test_query_points_at_a_mistake(dump: str) -> None:
    text = run("query", dump, "{ naem = 1 }", code=2)
    assert re.search(r"\{ naem = 1 \}\n\s+\^", text)


def test_convert_writes_what_read_reads(dump: str, tmp_path: Path) -> None:
    run("convert", dump, str(tmp_path / "dump.parquet"))
    assert tl.read(tmp_path / "dump.parquet").equals(tl.read(dump))


def test_a_missing_file_is_a_sentence_and_no_traceback(tmp_path: Path) -> None:
    text = run("summary", str(tmp_path / "nothing.json"), code=1)
    assert "There is no file" in text
    assert "Traceback" not in text


def test_the_module_runs_as_a_program() -> None:
    done = subprocess.run([sys.executable, "-m", "tracelab", "--help"], capture_output=True, text=True, check=True)
    assert "summary" in done.stdout
