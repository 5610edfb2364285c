"""At the end of a test run: which real servers answered."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tests.live.programs import ANSWERED

if TYPE_CHECKING:
    import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if ANSWERED:
        runs = ", ".join(f"{name} ({count} x)" for name, count in sorted(Counter(ANSWERED).items()))
        terminalreporter.write_line(f"Real servers that answered: {runs}")
