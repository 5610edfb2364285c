from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

import tracelab as tl
from tests.differences.paths.test_diffing import AFTER, BEFORE
from tracelab.cli import app
from tracelab.diff_overview import parse_share, verdict_of
from tracelab.synthetic import draw

if TYPE_CHECKING:
    from pathlib import Path


def many(picture: str, count: int) -> str:
    """Draw a trace several times, each a little longer than the last, so that there is something to be unsure of."""
    return "\n\n".join(picture.replace("=\n", "=" * (1 + number % 3) + "\n", 1) for number in range(count))


def run(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
    assert done.exit_code == code, done.output
    return " ".join(done.output.split())


@pytest.fixture
def dumps(tmp_path: Path) -> tuple[str, str]:
    tl.write(draw(many(BEFORE, 20)), tmp_path / "before.jsonl")
    tl.write(draw(many(AFTER, 20)), tmp_path / "after.jsonl")
    return str(tmp_path / "before.jsonl"), str(tmp_path / "after.jsonl")


def test_a_diff_says_how_much_longer_traces_take_and_where(dumps: tuple[str, str]) -> None:
    said = run("diff", *dumps)
    assert said.startswith(
        "20 traces before, 20 traces after. Mean: 10.9 ms before, 16.9 ms after: 6 ms (54.8 %) longer"
    )
    assert said.count("95 % interval of the difference +") == 1  # of so few traces the p95 has none
    assert "db query both 4 ms 9 ms 5 ms" in said
    assert "chance" not in said


def test_a_diff_fails_where_traces_are_surely_slower_by_more_than_is_allowed(dumps: tuple[str, str]) -> None:
    before, after = dumps
    assert "Failed: traces take longer by more than 10%." in run("diff", *dumps, "--fail-if-slower", "10%", code=3)
    run("diff", *dumps, "--fail-if-slower", "90 %")
    run("diff", after, before, "--fail-if-slower", "0%")
    run("diff", before, before, "--fail-if-slower", "0")


def test_a_gate_does_not_pass_where_there_is_nothing_to_judge_by(dumps: tuple[str, str]) -> None:
    said = run("diff", *dumps, "--query", '{ name = "nobody" }', "--fail-if-slower", "10%", code=1)
    assert "one side has no traces" in said
    run("diff", *dumps, "--query", '{ name = "nobody" }')


def test_a_diff_of_some_traces_is_asked_in_traceql(dumps: tuple[str, str]) -> None:
    assert run("diff", *dumps, "--query", '{ name = "query" }') == run("diff", *dumps)
    run("diff", *dumps, "--query", "{ name = ", code=2)
    run("diff", *dumps, "--fail-if-slower", "much", code=2)


def test_the_rows_of_a_diff_go_to_programs(dumps: tuple[str, str]) -> None:
    done = CliRunner().invoke(app, ["diff", *dumps, "--json"])
    rows = [json.loads(line) for line in done.output.splitlines()]
    assert {row["name"] for row in rows} == {"GET /", "check", "get", "query"}
    assert sum(row["critical_difference"] for row in rows) == pytest.approx(0.006, abs=1e-6)


@pytest.mark.parametrize(("text", "share"), [("10%", 0.1), ("10 %", 0.1), ("2.5", 0.025), (" 0% ", 0.0)])
def test_shares_are_read(text: str, share: float) -> None:
    assert parse_share(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["", "-5%", "ten", "10%%", "1e9", "10 ms", "0.1", "\u0663%"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(tl.TracelabError, match="must be a share such as 10%"):
        parse_share(text)


def test_of_single_traces_and_of_none_it_is_said_what_cannot_be_told() -> None:
    one = verdict_of(draw(BEFORE), draw(AFTER))
    assert not one.is_slower_by(0.0)
    assert one.sentences()[-1].startswith("With fewer than two traces on a side")
    assert "nothing to compare" in verdict_of(draw(BEFORE).clear(), draw(AFTER)).sentences()[-1]
    alike = verdict_of(draw(many(BEFORE, 9)), draw(many(BEFORE, 9))).sentences()
    assert "no difference" in alike[1]
