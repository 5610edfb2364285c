from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

import tracelab as tl

if TYPE_CHECKING:
    from pathlib import Path
from tests.cli.running import run


def test_summary_counts_spans_traces_and_services(dump: str) -> None:
    text = run("summary", dump)
    assert "2 spans in 1 trace of 2 services" in text
    assert "GET /" in text


def test_report_prints_tables_and_writes_the_file(dump: str, tmp_path: Path) -> None:
    page = tmp_path / "out.html"
    text = run("report", dump, "-o", str(page))
    assert text.startswith(f"Wrote {page}, ")
    assert re.search(r"^Findings\n1\. \S", text, re.MULTILINE)
    assert re.search(r"^Requests  the worst first\n.*p95", text, re.MULTILINE)
    assert page.stat().st_size > 1_000_000


def test_report_tells_of_a_baseline_and_of_keys_and_takes_a_title(dump: str, tmp_path: Path) -> None:
    page = tmp_path / "out.html"
    more = ("--baseline", dump, "--by", "service_name", "--title", "Mine", "--trace-url", "http://ui/{trace_id}")
    assert "name" not in run("report", dump, "-o", str(page), *more).partition("Requests")[2].replace(
        "service name", ""
    )
    text = page.read_text(encoding="utf-8")
    assert "<h1>Mine</h1>" in text
    assert "Beside a baseline of 2 spans" in text
    assert 'href="http://ui/' in text


@pytest.mark.parametrize(
    "words",
    [
        ("--trace-url", "http://ui/"),
        ("--by", "service_nam"),
        ("--by", "requests"),
        ("--baseline", "~nobody-here/x.json"),
    ],
)
def test_a_mistake_in_an_option_of_report_is_2_and_leaves_no_file(
    words: tuple[str, ...], dump: str, tmp_path: Path
) -> None:
    text = run("report", dump, "-o", str(tmp_path / "out.html"), *words, code=2)
    assert text.startswith("error: ")
    assert text.count("\n") == 1
    assert not (tmp_path / "out.html").exists()


@pytest.mark.usefixtures("dump")
def test_what_a_dump_had_to_be_repaired_for_is_told_in_the_report(tmp_path: Path) -> None:
    cut = tmp_path / "cut.jsonl"
    cut.write_text((tmp_path / "dump.jsonl").read_text() + '{"resourceSp')
    page = tmp_path / "out.html"
    told = run("report", str(cut), "-o", str(page)).splitlines()[0]
    assert told.startswith("warning: ")
    assert told.removeprefix("warning: ")[:40] in page.read_text(encoding="utf-8")


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
