from __future__ import annotations

import sys
from typing import Any

import polars as pl
import pytest

import tracelab as tl
from tests.test_house import run

FRAME = tl.latency_percentiles(tl.synthetic.draw("api ====="))


@pytest.fixture
def shell() -> Any:
    interactive = pytest.importorskip("IPython.core.interactiveshell")
    return interactive.InteractiveShell()


def shown(shell: Any, value: Any) -> dict[str, str]:
    data, _ = shell.display_formatter.format(value)
    return dict(data)


def test_load_ext_makes_frames_readable_and_unload_ext_takes_it_back(shell: Any) -> None:
    before = shown(shell, FRAME)
    shell.run_line_magic("load_ext", "tracelab")
    assert "5 ms" in shown(shell, FRAME)["text/html"]
    assert "5 ms" in shown(shell, FRAME)["text/plain"]
    assert "5 ms" in shown(shell, FRAME["duration"])["text/html"]
    assert "dataframe" not in shown(shell, FRAME)["text/html"]
    shell.run_line_magic("unload_ext", "tracelab")
    assert shown(shell, FRAME) == before


def test_somebody_else_s_way_of_showing_frames_is_left_alone(shell: Any) -> None:
    shell.run_line_magic("load_ext", "tracelab")
    formatter = shell.display_formatter.formatters["text/html"]
    formatter.for_type(pl.DataFrame, lambda _: "mine")
    shell.run_line_magic("unload_ext", "tracelab")
    assert shown(shell, FRAME)["text/html"] == "mine"


def test_showing_needs_no_ipython() -> None:
    run(
        sys.executable,
        "-c",
        "import sys, tracelab as tl; str(tl.show(tl.synthetic.draw('a =='))); "
        "assert not {'IPython', 'plotly', 'pandas'} & set(sys.modules)",
    )


def test_a_notebook_shows_a_frame_once(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    monkeypatch.setattr("IPython.display.display", lambda *args, **_: sent.append(args))
    shell.run_line_magic("load_ext", "tracelab")
    assert "5 ms" in shown(shell, FRAME)["text/plain"]
    assert "5 ms" in str(tl.show(FRAME))
    assert sent == []
