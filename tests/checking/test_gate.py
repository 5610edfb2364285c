"""The release of the sample shop: its rules hold before, and fail after."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

import tracelab as tl
from tests.cli.running import run

RULES = Path(__file__).parents[2] / "examples" / "gate" / "tracelab.toml"
RELEASED = timedelta(seconds=90.6)


@pytest.fixture(scope="module")
def halves(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    spans = tl.correct_skew(tl.read(sample_data / "shop.otlp.jsonl.gz"))
    began = pl.col("start_time").min().over("trace_id")
    folder = tmp_path_factory.mktemp("halves")
    early = began < pl.col("start_time").min() + RELEASED
    paths = folder / "before.parquet", folder / "after.parquet"
    for path, half in zip(paths, (early, ~early), strict=True):
        tl.write(spans.filter(half), path)
    return str(paths[0]), str(paths[1])


def test_before_the_release_no_rule_fails(halves: tuple[str, str]) -> None:
    said = run("check", halves[0], "--rules", str(RULES), "--baseline", halves[0])
    assert "FAILS  " not in said
    assert 'HOLDS  p90("POST /orders") < "180ms"' in said


def test_after_the_release_those_fail_that_it_breaks(halves: tuple[str, str]) -> None:
    before, after = halves
    said = run("check", after, "--rules", str(RULES), "--baseline", before, code=3)
    failing = [line for line in said.splitlines() if line.startswith("FAILS  ")]
    assert failing == [
        'FAILS  p90("POST /orders") < "180ms"',
        'FAILS  not_slower(than=baseline, by="10%")',
        "FAILS  Business customers do not wait for their prices",
    ]
    assert "p90 of orders::POST /orders went from 117 ms (n = 281) to 213 ms (n = 276)" in said
    assert said.rstrip().endswith("Failed: 3 rules fail.")
