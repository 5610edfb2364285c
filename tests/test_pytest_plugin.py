"""The fixture `captured_spans`, in runs of pytest of their own."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SERVICE = """
from opentelemetry import trace
tracer = trace.get_tracer("shop")
def buy(stock):
    with tracer.start_as_current_span("buy"):
        with tracer.start_as_current_span("pay"):
            if not stock:
                raise KeyError("stock")
"""
TESTS = """
import pytest
import tracelab as tl
from shop import buy

@pytest.fixture
def warm():
    buy(1)

def test_buying_pays(captured_spans):
    buy(1)
    assert captured_spans.frame()["name"].to_list() == ["buy", "pay"]
    assert tl.trace_summary(captured_spans)["spans"].to_list() == [2]

def test_every_test_has_spans_of_its_own(captured_spans):
    assert len(captured_spans) == 0
    with pytest.raises(KeyError):
        buy(0)
    assert captured_spans.frame()["status_code"].to_list() == ["error", "error"]

def test_what_is_set_up_before_is_not_in_it(warm, captured_spans):
    assert len(captured_spans) == 0

async def in_a_task():
    buy(1)

def test_of_coroutines(captured_spans):
    import asyncio
    asyncio.run(in_a_task())
    assert len(captured_spans) == 2

def test_that_asks_for_none():
    buy(1)
"""


def in_pytest(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def plugin() -> list[str]:
    """Say how pytest is told of the plugin: by what is installed, or else as the project's metadata has it."""
    if entry_points(group="pytest11", name="tracelab"):
        return []
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return ["-p", project["entry-points"]["pytest11"]["tracelab"]]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(SERVICE)
    (tmp_path / "test_shop.py").write_text(TESTS)
    return tmp_path


def test_tests_of_a_service_get_the_spans_that_it_makes(shop: Path) -> None:
    done = in_pytest(shop, *plugin(), "-W", "error")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed" in done.stdout


def test_pytest_tells_what_the_fixture_is_for(shop: Path) -> None:
    done = in_pytest(shop, *plugin(), "--fixtures")
    assert "captured_spans" in done.stdout
    assert "the spans that a test makes" in done.stdout


def test_the_plugin_imports_nothing_heavy_until_it_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "test_light.py").write_text(
        "import sys\ndef test_light():\n"
        "    assert not {'polars', 'pyarrow', 'numpy', 'opentelemetry', 'plotly'} & set(sys.modules)\n"
        "    assert 'tracelab.pytest_plugin' in sys.modules\n"
    )
    done = in_pytest(tmp_path, *plugin())
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_span_that_stays_open_is_warned_of(shop: Path) -> None:
    (shop / "test_shop.py").write_text(
        "from shop import tracer\ndef test_open(captured_spans):\n    tracer.start_span('never ends')\n"
    )
    done = in_pytest(shop, *plugin())
    assert done.returncode == 0, done.stdout + done.stderr
    assert "spans still open at the end (never ends): 1" in done.stdout
