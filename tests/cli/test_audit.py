from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import tracelab as tl
from tracelab.synthetic import draw

if TYPE_CHECKING:
    import polars as pl
from tests.cli.running import SHOP, program, run


def test_audit_tells_totals_where_it_is_and_what_to_do(dump: str, found: pl.DataFrame) -> None:
    text = run("audit", dump)
    assert "2 spans in 1 trace of 2 services" in text
    assert "Found: 1 error, 1 warning, 1 for information. Explained: 1 by sampling." in text
    table, told = text.split("split-trace: ", 1)
    assert re.search(r"error +split-trace +web -> shop +1 +33.3 %", table)
    assert found["finding"][0] in told
    assert f"trace {found['exemplar_trace_ids'][0][0]}, span {found['exemplar_span_ids'][0][0]}" in told
    assert "What to do: Inject the context." in told
    assert told.rstrip().endswith("no service that sends no spans.")


def test_audit_reads_what_is_really_there(tmp_path: Path) -> None:
    text = draw("""
        web::GET /  =========== kind=server
          gone
            bank::pay ..======  kind=server
    """)
    path = tl.write(text, tmp_path / "gone.jsonl")
    said = " ".join(run("audit", str(path), "--rule", "missing-parent").split())
    assert "name a parent that is not in their trace" in said


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), 0),
        (("--fail-on", "none"), 0),
        (("--fail-on", "info"), 3),
        (("--fail-on", "error"), 3),
        (("--fail-on", "error", "--rule", "missing-parent"), 0),
        (("--fail-on", "warning", "--rule", "missing-parent"), 3),
        (("--fail-on", "warning", "--severity", "error", "--rule", "missing-parent"), 3),
        (("--fail-on", "warning", "--json"), 3),
    ],
)
@pytest.mark.usefixtures("found")
def test_audit_ends_with_3_where_it_found_what_it_was_told_to_fail_on(
    dump: str, words: tuple[str, ...], code: int
) -> None:
    text = run("audit", dump, *words, code=code)
    assert ("Failed: " in text) == (code == 3)


@pytest.mark.usefixtures("found")
def test_audit_shows_from_a_severity_on_and_says_what_it_does_not_show(dump: str) -> None:
    text = run("audit", dump, "--severity", "error")
    assert "missing-parent" not in text
    assert "Found: 1 error, 1 warning, 1 for information." in text
    assert "Not shown: 2 findings of lower severity." in text
    assert "1 of 3 rows" in run("audit", dump, "--limit", "1")


@pytest.mark.usefixtures("found")
def test_audit_keeps_findings_about_a_service(dump: str) -> None:
    assert "split-trace" in run("audit", dump, "--service", "web")
    assert run("audit", dump, "--service", "db").splitlines()[1] == "Nothing was found."
    text = run("audit", dump, "--service", "wbe", code=2)
    assert text == "error: There is no service 'wbe'. Did you mean web?\n"


def test_audit_prints_json_lines_with_whole_numbers_and_nothing_else(dump: str, found: pl.DataFrame) -> None:
    lines = [json.loads(line) for line in run("audit", dump, "--json").splitlines()]
    assert [line["rule"] for line in lines] == found["rule"].to_list()
    assert lines[0]["share"] == 1 / 3
    assert lines[0]["exemplar_trace_ids"] == found["exemplar_trace_ids"][0].to_list()
    assert lines[0].keys() == set(found.columns)


@pytest.mark.usefixtures("found")
def test_audit_writes_sarif_into_a_file_or_the_output(
    dump: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "out.sarif"
    assert f"Wrote 3 findings to {out}" in run("audit", "dump.jsonl", "--sarif", str(out))
    written = json.loads(out.read_text())
    (result, *_) = written["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "dump.jsonl"
    assert json.loads(run("audit", dump, "--sarif", "-")) == written
    run("audit", "dump.jsonl", "--sarif", str(out), "--severity", "error", "--force")
    assert len(json.loads(out.read_text())["runs"][0]["results"]) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--rule", "split-traces"), "error: There is no rule 'split-traces'. Did you mean split-trace"),
        (("--rule", "xyz"), "error: There is no rule 'xyz'. There are "),
        (("--json", "--sarif", "-"), "error: --json and --sarif - both go to the output"),
        (("--lookback", "5m"), "error: --lookback: this is for a Jaeger or Tempo"),
    ],
)
def test_audit_refuses_what_makes_no_sense(dump: str, words: tuple[str, ...], said: str) -> None:
    text = run("audit", dump, *words, code=2)
    assert text.startswith(said)
    assert text.count("\n") == 1
    run("audit", dump, "--fail-on", "nothing", code=2)


def test_audit_of_no_spans_says_that_nothing_could_be_judged(tmp_path: Path) -> None:
    (tmp_path / "none.json").write_text('{"resourceSpans": []}')
    text = run("audit", str(tmp_path / "none.json"), "--fail-on", "info")
    assert text.splitlines() == ["no spans in no traces of no services", "Nothing could be judged."]
    assert run("audit", str(tmp_path / "none.json"), "--json") == ""


def test_audit_lists_its_rules_without_a_dump() -> None:
    text = run("audit", "--list-rules")
    assert "split-trace" in text
    assert "secret-in-attributes" in text


def test_audit_reads_what_is_piped_into_it(dump: str) -> None:
    if not os.path.exists("/dev/stdin"):  # noqa: PTH110 - a link to a device
        pytest.skip("this system has no /dev/stdin")
    done = subprocess.run(
        [sys.executable, "-m", "tracelab", "audit", "/dev/stdin", "--json"],
        input=Path(dump).read_bytes(),
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout.decode()) == (0, run("audit", dump, "--json"))


def test_the_readme_shows_what_an_audit_begins_with() -> None:
    if not SHOP.exists():
        pytest.skip("the sample dumps are not here")
    readme = (SHOP.parents[1] / "README.md").read_text(encoding="utf-8")
    words, shown = re.findall(
        r"`tracelab audit (sample_data/[^`]*)` begins with:\n\n```text\n(.*?)```", readme, re.DOTALL
    )[0]
    real = [str(SHOP) if word.startswith("sample_data/") else word for word in words.split()]
    assert program("audit", *real, PYTHONIOENCODING="utf-8").stdout.decode().startswith(shown)
