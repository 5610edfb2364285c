from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import struct
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest
from typer.testing import CliRunner

import tracelab as tl
from tests.auditing.made import ALL as FINDINGS
from tracelab.cli import app
from tracelab.synthetic import draw

if TYPE_CHECKING:
    from collections.abc import Iterator

SHOP = Path(__file__).parents[1] / "sample_data" / "shop.otlp.jsonl.gz"
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


def test_sample_tells_what_is_kept_what_is_lost_and_what_it_is_worth(dump: str) -> None:
    text = run("sample", dump, "--policy", "production:0")
    assert "Traces kept: 1 of 1 (100 %).\nSpans kept: 2 of 2 (100 %).\n" in text
    assert "Never matched: share-of-the-rest." in text
    assert "Lost altogether: nothing." in text
    for heading in ("Error rates", "95th percentiles", "Policies"):
        assert heading in text
    assert "GET /" in run("sample", dump, "--policy", "always_off", "--by", "name", "--by", "name")


def test_sample_writes_the_spans_that_are_kept(dump: str, tmp_path: Path) -> None:
    out = tmp_path / "kept.parquet"
    assert f"Wrote 2 of 2 spans to {out}" in run("sample", dump, "--policy", "production", "-o", str(out))
    assert tl.read(out)["sampling_weight"].to_list() == [1.0, 1.0]
    assert "is there. Choose another name" in run("sample", dump, "--policy", "production", "-o", str(out), code=2)
    run("sample", dump, "--policy", "always_off", "-o", str(out), "--force")
    assert tl.read(out).is_empty()
    for name in ("kept.jsonl", "kept.jsonl.gz", "kept.jsonl.zst"):
        lines = tmp_path / name
        assert "OTLP has no place for weights" in run("sample", dump, "--policy", "ratio:1", "-o", str(lines))
        assert tl.read(lines).height == 2
    assert "OTLP" not in run("sample", dump, "--policy", "ratio:1", "-o", str(tmp_path / "folder"))
    assert "it would be written over" in run("sample", dump, "--policy", "ratio:1", "-o", dump, "--force", code=2)


def test_sample_gives_json_with_exact_numbers(dump: str, tmp_path: Path) -> None:
    done = program("sample", dump, "--policy", "production", "--json", "-o", str(tmp_path / "kept.parquet"))
    told = json.loads(done.stdout)
    assert (told["total"]["spans_kept"], told["total"]["p95"]) == (2, 0.00485)
    assert [policy["policy"] for policy in told["policies"]] == ["errors", "share-of-the-rest"]
    assert b"Wrote 2 of 2 spans" in done.stderr


def test_sample_takes_a_word_for_what_became_of_parents_that_are_missing(tmp_path: Path) -> None:
    orphan, out = tmp_path / "orphan.jsonl", tmp_path / "kept.jsonl"
    tl.write(draw("web =====\n  db .===").filter(name="db"), orphan)
    assert "Traces kept: 1 of 1" in run("sample", str(orphan), "--policy", "ratio:1")
    words = ("sample", str(orphan), "--policy", "ratio:1", "--missing-parents", "not_sampled")
    text = run(*words)
    assert "Traces kept: 0 of 1" in text
    assert "Lost altogether: 1 route, 1 service." in text
    assert "Wrote 0 of 1 span " in run(*words, "-o", str(out))
    assert "a --budget plans" in run("sample", str(orphan), "--budget", "1 GB/day", "--missing-parents", "root", code=2)


def test_sample_plans_a_policy_within_a_budget_and_replays_it(dump: str) -> None:
    text = run("sample", dump, "--budget", "5 GB/day")
    assert text.startswith("# Budget: 5 GB/day.\n")
    assert "\nprocessors:\n  tail_sampling:\n" in text
    assert "Traces kept: 1 of 1" in text
    told = json.loads(run("sample", dump, "--budget", "300/month", "--cost-per-million", "0.5", "--json"))
    assert told["yaml"].startswith("# Budget: 300/month, at 0.5 for a million spans.\n")


BAD_POLICY = """
processors:
  tail_sampling:
    policies:
      - {name: slow, type: latncy}
"""
BAD_CONDITION = """
tail_sampling:
  policies:
    - {name: a, type: ottl_condition, ottl_condition: {span: ['attributes["a"] ==']}}
"""


def test_sample_says_where_a_configuration_is_wrong(dump: str, tmp_path: Path) -> None:
    path = tmp_path / "collector.yaml"
    path.write_text(BAD_POLICY)
    expected = (
        "error: collector.yaml, line 5, processors.tail_sampling.policies[0].type: there is no policy type 'latncy'. "
        "Did you mean 'latency'?\n"
    )
    assert run("sample", dump, "--policy", str(path), code=2) == expected
    path.write_text(BAD_CONDITION)
    lines = run("sample", dump, "--policy", str(path), code=2).splitlines()
    assert lines[0].startswith("error: collector.yaml, line 4, ")
    assert lines[1].strip() == 'attributes["a"] =='
    assert lines[2].index("^") == len(lines[1])


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, "error: Say which policy: "),
        (("--policy", ""), 2, "error: Say which policy: "),
        (("--policy", "prodction"), 2, "error: There is no file and no policy 'prodction'. Did you mean production?"),
        (("--policy", "nope.yaml"), 1, "error: There is no file nope.yaml."),
        (("--policy", "ratio:7"), 2, "error: `ratio` must lie between 0 and 1"),
        (("--policy", "production", "--environment", "x"), 2, "error: --environment is for rules of Refinery"),
        (("--policy", "production", "--budget", "5 GB/day"), 2, "error: --policy: a --budget plans the policy itself."),
        (("--policy", "production", "--cost-per-million", "3"), 2, "error: --cost-per-million is the price of"),
        (("--policy", "production", "--by", "nme"), 2, "error: "),
        (("--policy", "production", "--every", "soon"), 2, "error: "),
        (("--budget", "5 parsecs"), 2, "error: `budget` must be an amount and a time"),
        (("--budget", "300/month"), 2, "error: `budget`"),
        (("--policy", "production", "-o", "-"), 2, "error: -: the output holds"),
    ],
)
def test_sample_refuses_what_makes_no_sense(dump: str, words: tuple[str, ...], code: int, said: str) -> None:
    text = run("sample", dump, *words, code=code)
    assert text.startswith(said)
    assert text.count("\n") == 1


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> pl.DataFrame:
    """Let every audit find the same: an error, a warning, and one for information."""
    monkeypatch.setattr(tl, "audit", lambda _: FINDINGS)
    return FINDINGS


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
    run("audit", "dump.jsonl", "--sarif", str(out), "--severity", "error")  # written anew without a word
    assert len(json.loads(out.read_text())["runs"][0]["results"]) == 1


def test_audit_replaces_no_file_that_is_no_sarif(dump: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("mine")
    with monkeypatch.context() as patched:
        patched.setattr(tl, "read", lambda _: pytest.fail("it was read"))
        for target in (tmp_path / "no" / "o.sarif", tmp_path, Path(dump), notes):
            text = run("audit", dump, "--sarif", str(target), code=2)
            assert text.startswith("error: ")
            assert text.count("\n") == 1
    assert notes.read_text() == "mine"
    if os.path.exists("/dev/stdout"):  # noqa: PTH110 - a link to a device
        refused = program("audit", dump, "--sarif", "/dev/stdout")
        assert (refused.returncode, refused.stdout) == (2, b"")
    run("audit", dump, "--sarif", str(notes), "--force")
    assert notes.read_text().startswith("{")


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


@pytest.mark.parametrize("columns", [40, 80])
def test_what_an_audit_says_fits_the_terminal(columns: int) -> None:
    if not SHOP.exists():
        pytest.skip("the sample dumps are not here")
    lines = re.sub(r"\x1b\[[0-9;]*m", "", on_a_terminal(columns, "audit", str(SHOP))).replace("\r", "").split("\n")
    assert max(len(line) for line in lines[1:]) <= max(columns, 80)
    assert max(len(line) for line in lines[lines.index("") :]) <= columns
    assert any(re.search(r"\btrace [0-9a-f]{32},|^ +[0-9a-f]{32},", line) for line in lines)


def test_the_readme_shows_what_an_audit_begins_with() -> None:
    if not SHOP.exists():
        pytest.skip("the sample dumps are not here")
    readme = (SHOP.parents[1] / "README.md").read_text(encoding="utf-8")
    words, shown = re.findall(
        r"`tracelab audit (sample_data/[^`]*)` begins with:\n\n```text\n(.*?)```", readme, re.DOTALL
    )[0]
    real = [str(SHOP) if word.startswith("sample_data/") else word for word in words.split()]
    assert program("audit", *real, PYTHONIOENCODING="utf-8").stdout.decode().startswith(shown)


def test_a_missing_file_is_a_sentence_and_no_traceback(tmp_path: Path) -> None:
    text = run("summary", str(tmp_path / "nothing.json"), code=1)
    assert "There is no file" in text
    assert "Traceback" not in text


@pytest.mark.parametrize(
    "words",
    [
        ("summary", "~nobody-here/x.json"),
        ("report", "~nobody-here/x.json"),
        ("report", "DUMP", "-o", "~nobody-here/x.html"),
        ("query", "~nobody-here/*.json", "{ }"),
        ("convert", "~nobody-here/x.json", "x.parquet"),
        ("convert", "DUMP", "~nobody-here/x.parquet"),
        ("sample", "~nobody-here/x.json", "--policy", "always_on"),
        ("sample", "DUMP", "--policy", "always_on", "-o", "~nobody-here/x.parquet"),
        ("sample", "DUMP", "--policy", "~nobody-here/x.yaml"),
        ("audit", "~nobody-here/x.json"),
        ("audit", "DUMP", "--sarif", "~nobody-here/x.sarif"),
        ("lab", "DUMP", "--notebook-dir", "~nobody-here/x"),
        ("lab", "--notebook-dir", "~nobody-here/x"),
    ],
)
def test_the_home_of_nobody_is_a_mistake_in_the_command(words: tuple[str, ...], dump: str) -> None:
    text = run(*(word.replace("DUMP", dump) for word in words), code=2)
    assert text.startswith("error: ~nobody-here/")
    assert text.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        ("summary", ""),
        ("report", ""),
        ("query", "", "{ }"),
        ("convert", "", "x.parquet"),
        ("sample", "", "--policy", "always_on"),
        ("audit", ""),
        ("lab", ""),
    ],
)
def test_no_name_is_not_the_current_folder(words: tuple[str, ...]) -> None:
    assert run(*words, code=2).startswith("error: An empty name was given. Name a dump")
    with pytest.raises(tl.SourceError, match="must be the path of a file or folder"):
        tl.read("")


def test_a_folder_without_dumps_is_said_once(tmp_path: Path) -> None:
    expected = f"error: The folder {tmp_path} holds no dumps. Name the folder that they are in, or a file.\n"
    assert run("summary", str(tmp_path), code=1) == expected


EVIL = "=cmd\x1b[31m\u202e\x9b2J\u200b\r\x00"
ACTING = set("\x1b\u202e\x9b\u200b\x00\r")


@pytest.fixture
def hostile(tmp_path: Path) -> str:
    evil = pl.col("name", "status_message").fill_null("") + EVIL
    return str(
        tl.write(
            SPANS.with_columns(evil, *(pl.lit(EVIL).alias(name) for name in ("service_name", f"span.{EVIL[1:]}"))),
            tmp_path / f"{EVIL[1:-1]}.jsonl",
        )
    )


def program(*words: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run the real program, its streams no terminal."""
    return subprocess.run(
        [sys.executable, "-m", "tracelab", *words],
        capture_output=True,
        check=False,
        env={**os.environ, "COLUMNS": "80", **environment},
    )


def on_a_terminal(columns: int, *words: str, **environment: str) -> str:
    """Run the real program on a terminal of so many columns, and give what it showed there."""
    pty = pytest.importorskip("pty")
    fcntl, termios = pytest.importorskip("fcntl"), pytest.importorskip("termios")
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    known = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "NO_COLOR"}}
    process = subprocess.Popen(
        [sys.executable, "-m", "tracelab", *words],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**known, "TERM": "xterm-256color", **environment},
    )
    os.close(slave)
    shown = b""
    with suppress(OSError):  # what Linux says at the end
        while part := os.read(master, 65536):
            shown += part
    os.close(master)
    assert process.wait() == 0, shown
    return shown.decode()


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
    assert done.returncode == 1
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


def test_an_interrupted_conversion_leaves_what_was_there(
    dump: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: object) -> Iterator[bytes]:
        yield b"half"
        raise KeyboardInterrupt

    target = tmp_path / "kept.jsonl"
    target.write_text("old")
    monkeypatch.setattr("tracelab.loaders.writing.lines", interrupted)
    run("convert", dump, str(target), "--force", code=130)
    assert target.read_text() == "old"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["dump.jsonl", "kept.jsonl"]


def test_a_report_checks_its_target_before_it_reads(dump: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("mine")
    with monkeypatch.context() as patched:
        patched.setattr(tl, "read", lambda _: pytest.fail("it was read"))
        for target in (tmp_path / "no" / "r.html", tmp_path, Path(dump), notes):
            text = run("report", dump, "-o", str(target), code=2)
            assert text.startswith("error: ")
            assert text.count("\n") == 1
    assert notes.read_text() == "mine"
    run("report", dump, "-o", str(notes), "--force")
    run("report", dump, "-o", str(notes))  # a page is written anew without a word
    assert notes.read_bytes().startswith(b"<!DOCTYPE html>")


@pytest.mark.parametrize("words", [("report", "DUMP", "-o", "TARGET"), ("convert", "DUMP", "TARGET")])
def test_no_file_is_written_into_the_output(words: tuple[str, ...], dump: str, tmp_path: Path) -> None:
    shown = tmp_path / "shown.jsonl"
    for target in ("-", str(shown)):
        with shown.open("wb") as out:
            done = subprocess.run(
                [sys.executable, "-m", "tracelab", *(w.replace("DUMP", dump).replace("TARGET", target) for w in words)],
                stdout=out,
                stderr=subprocess.PIPE,
                check=False,
                cwd=tmp_path,
            )
        assert done.returncode == 2
        assert (
            done.stderr == f"error: {target}: the output holds what is said here, and no file. Name a file.\n".encode()
        )
    assert sorted(tmp_path.iterdir()) == [Path(dump), shown]


def test_a_report_goes_through_no_pipe_of_its_own_tables_but_through_any_other(dump: str, tmp_path: Path) -> None:
    if not os.path.exists("/dev/stdout"):  # noqa: PTH110 - a link to a device
        pytest.skip("this system has no /dev/stdout")
    refused = program("report", dump, "-o", "/dev/stdout")
    assert (refused.returncode, refused.stdout) == (2, b"")
    assert program("report", dump, "-o", os.devnull).returncode == 0
    through = tmp_path / "page.html"
    done = subprocess.run(
        [
            "/bin/sh",
            "-c",
            f"'{sys.executable}' -m tracelab report '{dump}' -o /dev/fd/3 3>&1 >/dev/null | cat > '{through}'",
        ],
        check=True,
        capture_output=True,
    )
    assert done.stderr == b""
    assert through.read_bytes().startswith(b"<!DOCTYPE html>")


def test_convert_replaces_only_by_force_and_never_its_source(dump: str, tmp_path: Path) -> None:
    target = str(tmp_path / "kept.parquet")
    run("convert", dump, target)
    assert "--force" in run("convert", dump, target, code=2)
    run("convert", dump, target, "--force")
    assert "written over" in run("convert", dump, dump, "--force", code=2)
    assert "written over" in run("convert", str(tmp_path), dump, "--force", code=2)
    assert "already holds files" in run("convert", dump, str(tmp_path), code=2)
    forced = run("convert", dump, str(tmp_path), "--force", code=2)
    assert forced.startswith(f"error: --force replaces files only, and {tmp_path} is a folder that holds some.")
    assert "says nothing" in run("convert", dump, str(tmp_path / "x.csv"), code=2)
    assert tl.read(dump).equals(tl.read(target))


def test_warnings_are_ours_and_say_nothing_of_files_of_python(dump: str) -> None:
    done = program("query", dump, "{ span.nope = 1 }")
    assert done.stderr == b"warning: No span has `span.nope`.\n"
    assert b"no rows" in done.stdout


def test_metrics_take_a_step_and_a_range(dump: str) -> None:
    start = "2026-05-01T12:00:00"
    for begin in (start, "1777636800000000000"):
        text = run(
            "query", dump, "{ } | rate()", "--step", "10s", "--start", begin, "--end", "2026-05-01T12:01:00", "--json"
        )
        times = [json.loads(line)["time"][:19] for line in text.splitlines()]
        assert times[:2] == ["2026-05-01T12:00:00", "2026-05-01T12:00:10"]
        assert times[-1] == "2026-05-01T12:01:00"
    assert "no step" in run("query", dump, "{ } | rate()", "--step", "x", code=2)
    assert "metrics" in run("query", dump, "{ }", "--step", "10s", code=2)


def test_what_cannot_be_read_is_1_and_what_was_asked_wrongly_is_2(dump: str, tmp_path: Path) -> None:
    (tmp_path / "empty.json").touch()
    (tmp_path / "folder").mkdir()
    for bad in ("empty.json", "folder", "nothing"):
        for words in (["summary"], ["report", "-o", str(tmp_path / "r.html")], ["convert"], ["query"]):
            rest = {"convert": [str(tmp_path / "x.parquet")], "query": ["{ }"]}.get(words[0], [])
            text = run(words[0], str(tmp_path / bad), *rest, *words[1:], code=1)
            assert text.count("\n") == 1
    for wrong in (["--json", "--csv"], ["--limit", "0"], ["--what"]):
        run("query", dump, "{ }", *wrong, code=2)


def test_a_dump_without_spans_is_said_to_be_empty(tmp_path: Path) -> None:
    (tmp_path / "none.json").write_text('{"resourceSpans": []}')
    assert run("summary", str(tmp_path / "none.json")).strip() == "no spans in no traces of no services"


def test_the_module_runs_as_a_program() -> None:
    done = subprocess.run([sys.executable, "-m", "tracelab", "--help"], capture_output=True, text=True, check=True)
    assert "summary" in done.stdout
