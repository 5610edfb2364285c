"""Decisions beside those of the Node SDK, which is asked for all ids at once."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import asdict
from itertools import compress
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.sampling.head.fleets import frame_of, ours, random_calls, random_fleet
from tests.sampling.ids_by_the_thousand import RATIOS, one_span_each, random_ids
from tracelab.sampling import TraceIdRatioBased, sample_head

MODULES = ROOT / "examples" / "first_trace" / "node_modules"


def node(program: str, *words: str, given: str) -> list[str]:
    """Run a program of ours beside this file with the modules of the first trace, and give its lines."""
    found = shutil.which("node")
    if found is None or not (MODULES / "@opentelemetry").is_dir():
        pytest.skip("no node, or no modules (npm ci --prefix examples/first_trace)")
    done = subprocess.run(
        [found, str(Path(__file__).parent / program), *words],
        input=given,
        env={"NODE_PATH": str(MODULES)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_ratios_sample_the_ids_that_the_sdk_samples() -> None:
    ids = random_ids(100_000)
    frame = one_span_each(ids)
    lines = node("samplers.js", *map(str, RATIOS), given="\n".join(ids))
    assert len(lines) == len(RATIOS)
    for ratio, line in zip(RATIOS, lines, strict=True):
        found = sample_head(frame, TraceIdRatioBased(ratio, sdk="js"))
        assert found["trace_id"].to_list() == list(compress(ids, map(int, line))), ratio


@pytest.mark.parametrize("seed", range(6))
def test_fleets_keep_the_spans_that_the_sdk_records(seed: int) -> None:
    calls, fleet = random_calls(300, seed), random_fleet(seed)
    given = json.dumps({"calls": [asdict(call) for call in calls], "fleet": fleet})
    samplers = {service: ours(recipe, "js") for service, recipe in fleet.items()}
    assert sample_head(frame_of(calls), samplers)["span_id"].to_list() == node("fleet.js", given=given)
