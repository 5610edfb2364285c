from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import polars as pl
import pytest
from typer.testing import CliRunner

import tracelab as tl
from tracelab.cli import app

if TYPE_CHECKING:
    from pathlib import Path
from tests.cli.running import ACTING, EVIL, SHOP, SPANS, on_a_terminal, program, run


@pytest.mark.parametrize("columns", [40, 80])
def test_what_an_audit_says_fits_the_terminal(columns: int) -> None:
    if not SHOP.exists():
        pytest.skip("the sample dumps are not here")
    lines = re.sub(r"\x1b\[[0-9;]*m", "", on_a_terminal(columns, "audit", str(SHOP))).replace("\r", "").split("\n")
    assert max(len(line) for line in lines[1:]) <= max(columns, 80)
    assert max(len(line) for line in lines[lines.index("") :]) <= columns
    assert any(re.search(r"\btrace [0-9a-f]{32},|^ +[0-9a-f]{32},", line) for line in lines)


COMMANDS = (
    ("summary", "DUMP"),
    ("report", "DUMP", "-o", "OUT.html"),
    ("query", "DUMP", "{ } | select(name, statusMessage)"),
    ("query", "DUMP", "{ } | rate() by (name)"),
    ("query", "DUMP", "{ } | select(name)", "--json"),
    ("query", "DUMP", "{ } | rate() by (name)", "--csv"),
    ("query", "DUMP", '{ span."cmd[31m2J" = 1 }'),
    ("sample", "DUMP", "--policy", "always_off"),
    ("sample", "DUMP", "--policy", "production", "--json"),
    ("convert", "DUMP", "OUT.jsonl"),
    ("convert", "DUMP", "DUMP"),
    ("summary", "DUMP.not"),
)


@pytest.mark.parametrize("words", COMMANDS)
def test_no_hostile_name_acts_on_the_terminal(words: tuple[str, ...], hostile: str, tmp_path: Path) -> None:
    real = [word.replace("DUMP", hostile).replace("OUT", f"{tmp_path}/{EVIL[1:-1]}") for word in words]
    shown = CliRunner().invoke(app, real, env={"COLUMNS": "80"}).output
    assert "Traceback" not in shown
    assert not ACTING & set(shown)
    assert "x1b" in shown or "u001b" in shown


@pytest.mark.parametrize("words", [(), ("--json",), ("--sarif", "-")])
def test_no_hostile_name_in_a_finding_acts_on_the_terminal(words: tuple[str, ...], tmp_path: Path) -> None:
    orphan = SPANS.with_columns(service_name=pl.lit(EVIL), parent_span_id=pl.lit("ab" * 8))
    path = str(tl.write(orphan, tmp_path / "evil.jsonl"))
    shown = CliRunner().invoke(app, ["audit", path, *words], env={"COLUMNS": "80"}).output
    assert not ACTING & set(shown)
    assert "x1b" in shown or "u001b" in shown


def test_csv_runs_no_formula_and_json_is_exact(hostile: str) -> None:
    rows = list(csv.DictReader(io.StringIO(run("query", hostile, "{ } | rate() by (resource.service.name)", "--csv"))))
    texts = {row["resource.service.name"] for row in rows}
    assert texts == {"'=cmd\\x1b[31m\\u202e\\x9b2J\\u200b\\r\\x00"}
    assert all(float(row["value"]) >= 0 for row in rows)
    row = json.loads(run("query", hostile, "{ }", "--json"))
    assert row["root_name"] == f"GET /{EVIL}"


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_tables_fit_the_terminal_and_ids_are_whole(columns: int, dump: str) -> None:
    shown = re.sub(r"\x1b\[[0-9;]*m", "", on_a_terminal(columns, "summary", dump))
    lines = shown.replace("\r", "").split("\n")
    assert max(len(line) for line in lines[1:]) <= columns
    assert "5 ms" in shown
    assert "more" in shown or columns > 80
    if columns >= 80:
        assert SPANS["trace_id"][0] in shown
    assert "…" not in shown
    assert "..." not in shown.replace(", ...", "")


@pytest.mark.parametrize("columns", [40, 80])
def test_what_is_kept_fits_the_terminal(columns: int, dump: str) -> None:
    shown = re.sub(r"\x1b\[[0-9;]*m", "", on_a_terminal(columns, "sample", dump, "--policy", "always_off"))
    assert max(len(line) for line in shown.replace("\r", "").split("\n")) <= max(columns, 80)
    assert "true" in shown


@pytest.mark.parametrize("columns", ["0", "00", ""])
@pytest.mark.parametrize("words", [("summary", "DUMP"), ("--help",), ("summary", "--help")])
def test_a_terminal_without_a_width_is_one_of_80(columns: str, words: tuple[str, ...], dump: str) -> None:
    real = [word.replace("DUMP", dump) for word in words]
    assert program(*real, COLUMNS=columns).stdout == program(*real, COLUMNS="80").stdout


def test_colours_are_for_terminals_that_want_them(dump: str) -> None:
    assert "\x1b[1m" in on_a_terminal(80, "summary", dump)
    assert "\x1b[3" not in on_a_terminal(80, "summary", dump, NO_COLOR="1")
    assert b"\x1b" not in program("summary", dump).stdout


def test_a_terminal_that_lacks_characters_gets_others(dump: str) -> None:
    done = program("summary", dump, PYTHONIOENCODING="ascii", PYTHONUTF8="0", LC_ALL="C")
    assert done.returncode == 0
    assert done.stdout.isascii()
    assert b"5 ms" in done.stdout
    assert program("query", dump, "{ }", "--json", PYTHONIOENCODING="ascii").returncode == 0


@pytest.mark.parametrize("words", [("report", "DUMP", "-o", "OUT.html"), ("query", "DUMP", "{ }", "--json")])
def test_a_closed_pipe_is_no_failure(words: tuple[str, ...], dump: str, tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tracelab",
            *(word.replace("DUMP", dump).replace("OUT", f"{tmp_path}/r") for word in words),
        ],
        stdout=write,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "r.html").exists() == (words[0] == "report")


def test_an_output_that_is_full_is_one_line(dump: str) -> None:
    if not os.path.exists("/dev/full"):  # noqa: PTH110 - a device
        pytest.skip("this system has no /dev/full")
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        done = subprocess.run(
            [sys.executable, "-m", "tracelab", "summary", dump], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 2
    assert done.stderr.startswith(b"error: the output cannot be written: ")
    assert done.stderr.count(b"\n") == 1


def test_ctrl_c_ends_in_one_line_and_leaves_no_file(tmp_path: Path) -> None:
    pipe = tmp_path / "dump.json"
    os.mkfifo(pipe)
    target = tmp_path / "kept.parquet"
    process = subprocess.Popen(
        [sys.executable, "-m", "tracelab", "convert", str(pipe), str(target)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with pipe.open("wb"):  # opens when the program does; it waits for what never comes
        time.sleep(1)  # until it does
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert (out, error) == (b"", b"error: interrupted\n")
    assert list(tmp_path.iterdir()) == [pipe]


def test_warnings_are_ours_and_say_nothing_of_files_of_python(dump: str) -> None:
    done = program("query", dump, "{ span.nope = 1 }")
    assert done.stderr == b"warning: No span has `span.nope`.\n"
    assert b"no rows" in done.stdout


def test_the_module_runs_as_a_program() -> None:
    done = subprocess.run([sys.executable, "-m", "tracelab", "--help"], capture_output=True, text=True, check=True)
    assert "summary" in done.stdout
