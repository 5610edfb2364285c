"""Ctrl-C in a program and in a notebook: a real signal to a real process, and what came is kept."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.live.servers.faults import Asked, Reply, serving
from tests.live.servers.jaegers import BEGIN, Jaeger, traces

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
import sys, warnings
import tracelab as tl
with warnings.catch_warnings(record=True) as told:
    spans = tl.fetch_jaeger(sys.argv[1], service="shop", start={begin}, end={begin} + 3600 * 10**9)
report = tl.fetch_report().filter(problem="questions that were not asked after an interruption")
print(spans.height, len(told), report["count"].item())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is no signal to one process there")
def test_a_program_goes_on_with_what_came() -> None:
    jaeger = Jaeger(traces(2_000), most=200)

    def answer(asked: Asked) -> Reply:
        if len(server.asked) > 12:
            time.sleep(20)
        return jaeger(asked)

    with serving(answer) as server:
        program = subprocess.Popen(
            [sys.executable, "-c", PROGRAM.format(begin=BEGIN), server.url], stdout=subprocess.PIPE, text=True
        )
        _wait(lambda: len(server.asked) > 14)
        begun = time.monotonic()
        program.send_signal(signal.SIGINT)
        said, _ = program.communicate(timeout=30)
    assert time.monotonic() - begun < 10
    assert program.returncode == 0
    height, told, missing = map(int, said.split())
    assert 0 < height < 2_000
    assert told == 1
    assert missing > 0


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is no signal to one process there")
def test_a_command_writes_what_came_and_says_that_it_was_interrupted(tmp_path: Path) -> None:
    jaeger, target = Jaeger(traces(2_000), most=200), tmp_path / "out.parquet"

    def answer(asked: Asked) -> Reply:
        if len(server.asked) > 14:
            time.sleep(20)
        return jaeger(asked)

    with serving(answer) as server:
        words = ["convert", server.url, str(target), "--start", str(BEGIN), "--service", "shop"]
        program = subprocess.Popen([sys.executable, "-m", "tracelab", *words], stderr=subprocess.PIPE, text=True)
        _wait(lambda: len(server.asked) > 16)
        program.send_signal(signal.SIGINT)
        _, told = program.communicate(timeout=30)
    assert program.returncode == 130
    assert "after an interruption" in told
    assert target.stat().st_size > 0


def _wait(happened: object) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if callable(happened) and happened():
            return
        time.sleep(0.02)
    raise AssertionError
