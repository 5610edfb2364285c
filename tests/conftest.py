"""Where the data is, and how hypothesis and Ctrl-C behave; nothing clever."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from xdist.scheduler import LoadFileScheduling

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"

hypothesis.settings.register_profile("calm", deadline=None, derandomize=True, max_examples=40)
hypothesis.settings.load_profile("calm")

# Shells let what they start in the background ignore Ctrl-C, and programs that tests start would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


class _ByFile(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """Keep the tests of a file in one process; and all that start a browser, of which one is enough for a machine."""

    def _split_scope(self, nodeid: str) -> str:
        return "browsers" if nodeid.startswith(("tests/browser/", "tests/lab/")) else str(super()._split_scope(nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _ByFile:
    """Say how `pytest -n 2` shares the tests between its processes."""
    return _ByFile(config, log)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real dumps that others made; they are no part of the project."""
    return _present(SHARED / "data")


@pytest.fixture(scope="session")
def shared_cases() -> Path:
    """Worked cases that others made; they are no part of the project."""
    return _present(SHARED / "cases")


@pytest.fixture(scope="session")
def sample_data() -> Path:
    """The dumps that come with the project."""
    return ROOT / "sample_data"


def _present(folder: Path) -> Path:
    if not folder.is_dir():
        pytest.skip(f"no {folder.name} folder of other people's files beside the repository")
    return folder
