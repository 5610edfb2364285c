from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import tracelab as tl
from tests.cli.running import ACTING, EVIL, SPANS, program, run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    return ruled(tmp_path, "'requests(\"GET /\") >= 1', 'p99(\"GET /\") < 1s'")


def ruled(folder: Path, listed: str) -> Path:
    path = folder / "tracelab.toml"
    path.write_text(f"rules = [{listed}]\n", encoding="utf-8")
    return path


def test_rules_that_hold_end_well_and_few_data_fail_only_when_asked(dump: str, rules: Path) -> None:
    said = " ".join(run("check", dump, "--rules", str(rules)).split())  # lines may end anywhere
    assert "1 rule cannot be judged, 1 holds." in said
    assert "cannot tell, n = 1: p99 5 ms (95 % interval 5 ms or more) of 1 request of web" in said
    assert "Failed: 1 rule cannot be judged." in run("check", dump, "--rules", str(rules), "--strict", code=3)


def test_a_rule_that_fails_ends_with_3_and_a_warning_does_not(dump: str, tmp_path: Path) -> None:
    assert "FAILS  no_errors" in run("check", dump, "--rules", str(ruled(tmp_path, "'no_errors'")), code=3)
    path = tmp_path / "warn.toml"
    path.write_text("[[rule]]\ncheck = 'no_errors'\nseverity = 'warning'\n", encoding="utf-8")
    assert "FAILS (warning)  no_errors" in run("check", dump, "--rules", str(path))
    path.write_text("[[rule]]\ncheck = 'p95(\"GET /old\") < 1s'\noptional = true\n", encoding="utf-8")
    assert "cannot tell, n = 0" in run("check", dump, "--rules", str(path), "--strict")


def test_a_rule_about_nothing_ends_with_2(dump: str, tmp_path: Path) -> None:
    said = run("check", dump, "--rules", str(ruled(tmp_path, "'p95(\"GET /x\") < 1s'")), code=2)
    assert "There is no operation 'GET /x'." in said
    assert "Not tested: 1 rule is not tested." in said
    said = run("check", dump, "--rules", str(ruled(tmp_path, "'p95(\"GET /x\") < 1s', 'no_errors'")), code=3)
    assert said.rstrip().endswith("Failed: 1 rule fails.")


def test_no_spans_end_with_1(tmp_path: Path, dump: str) -> None:
    empty = str(tl.write(SPANS.clear(), tmp_path / "empty.parquet"))
    path = str(ruled(tmp_path, "'no_new_edges'"))
    assert "one side has no spans" in run("check", empty, "--rules", path, "--baseline", dump, code=1)
    assert "one side has no spans" in run("check", dump, "--rules", path, "--baseline", empty, code=1)


def test_mistakes_end_with_2(dump: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "tracelab.toml: No such file" in run("check", dump, code=2)
    path = str(ruled(tmp_path, "'p95(\"GET /\") < 800'"))
    said = run("check", dump, code=2)
    assert "error: tracelab.toml, line 1: the limit is a duration" in said
    assert said.splitlines()[-2:] == ['  p95("GET /") < 800', "                 ^"]
    ruled(tmp_path, "'no_new_edges'")
    assert "compares with a baseline" in run("check", dump, "--rules", path, code=2)
    ruled(tmp_path, "'no_errors'")
    assert "address of a trace" in run("check", dump, "--trace-url", "jaeger", code=2)
    assert "confidence" in run("check", dump, "--confidence", "95", code=2)
    assert "go to the output" in run("check", dump, "--json", "--markdown", "-", code=2)
    assert "one file" in run("check", dump, "--junit", "a", "--markdown", "a", code=2)
    assert "there is no folder" in run("check", dump, "--junit", str(tmp_path / "x" / "y.xml"), code=2)
    run("check", str(tmp_path / "none.json"), code=1)


def test_files_that_are_there_are_replaced_only_when_asked(dump: str, rules: Path, tmp_path: Path) -> None:
    junit, markdown = tmp_path / "junit.xml", tmp_path / "check.md"
    words = ("check", dump, "--rules", str(rules), "--junit", str(junit), "--markdown", str(markdown))
    assert f"Wrote {junit}." in run(*words)
    assert junit.read_text(encoding="utf-8").count("<testcase") == 2
    assert markdown.read_text(encoding="utf-8").startswith("<!-- tracelab check -->")
    junit.unlink()
    markdown.write_text("# mine", encoding="utf-8")
    assert "is there" in run(*words, code=2)
    assert markdown.read_text(encoding="utf-8") == "# mine"
    run(*words, "--force")
    assert markdown.read_text(encoding="utf-8").startswith("<!-- tracelab check -->")
    assert "is what is read" in run("check", dump, "--rules", str(rules), "--junit", dump, "--force", code=2)
    assert "is what is read" in run("check", dump, "--rules", str(rules), "--markdown", str(rules), "--force", code=2)


def test_programs_get_json_or_markdown_alone(dump: str, rules: Path) -> None:
    done = program("check", dump, "--rules", str(rules), "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["verdict"] for row in rows] == ["holds", "cannot tell"]
    assert rows[1]["value"] == 0.005
    done = program("check", dump, "--rules", str(rules), "--markdown", "-")
    assert done.stdout.decode().startswith(
        "<!-- tracelab check -->\n### tracelab check: 1 rule cannot be judged, 1 holds"
    )


def test_no_name_acts_on_the_terminal(hostile: str, tmp_path: Path) -> None:
    path = ruled(tmp_path, "'no_errors', 'max() < 1ms', 'spans(\"GET\") > 3', 'no_audit_findings(severity=\"info\")'")
    target = tmp_path / "junit.xml"
    words = ("--rules", str(path), "--junit", str(target), "--trace-url", "http://jaeger/trace/{trace_id}")
    done = program("check", hostile, *words)
    assert done.returncode == 3, done.stderr.decode()
    assert not ACTING - {"\n"} & set(done.stdout.decode())
    assert not ACTING & set(target.read_text(encoding="utf-8"))
    told = [line for line in done.stdout.decode().splitlines()[3:] if not line.startswith("Wrote ")]
    assert max(map(len, told)) <= 80
    assert EVIL[:4] in done.stdout.decode()
