from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import tracelab as tl
from tracelab.synthetic import draw

if TYPE_CHECKING:
    from pathlib import Path
from tests.cli.running import program, run

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
