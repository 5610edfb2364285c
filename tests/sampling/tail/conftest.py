"""At the end of a test run: on how many traces the real Collector and the replay agreed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.sampling.tail.test_collector import AGREEMENTS

if TYPE_CHECKING:
    import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show a table: type, settings, traces, agreements."""
    if AGREEMENTS:
        terminalreporter.write_line(f"{'tail policies':<20}{'settings':>9}{'traces':>9}{'agree':>9}")
    for kind, settings, traces, agreed in AGREEMENTS:
        terminalreporter.write_line(f"{kind:<20}{settings:>9}{traces:>9,}{agreed:>9,}")
