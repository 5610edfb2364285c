"""`%%trace` in IPython, and in a real kernel."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

import tracelab as tl

SET_UP = """
%load_ext tracelab
import asyncio
from opentelemetry import trace
tracer = trace.get_tracer("shop")
"""
BUY = """%%trace spans
with tracer.start_as_current_span("buy"):
    tracer.start_span("pay").end()
"bought"
"""
WAIT = """%%trace waited
async def call(number):
    with tracer.start_as_current_span(f"call {number}"):
        await asyncio.sleep(0.001)
    return number

with tracer.start_as_current_span("main"):
    found = await asyncio.gather(call(1), call(2))
found
"""
FAIL = """%%trace failed
with tracer.start_as_current_span("buy"):
    x = 1

    raise KeyError("stock")
"""


@pytest.fixture
def shell() -> Any:
    interactive = pytest.importorskip("IPython.core.interactiveshell")
    made = interactive.InteractiveShell()
    made.run_cell(SET_UP)
    return made


def executed(*cells: str, fails: bool = False) -> list[list[Any]]:
    """Run cells in a real kernel; gives the outputs of each."""
    new: Any = nbformat.v4
    book = new.new_notebook(cells=[new.new_code_cell(cell) for cell in (SET_UP, *cells)])
    client = NotebookClient(book, timeout=300, kernel_name="python3", resources={})
    environment = os.environ | {"PYTHONPATH": str(Path(tl.__file__).parents[1])}
    if fails:
        with pytest.raises(CellExecutionError):
            client.execute(env=environment)
    else:
        client.execute(env=environment)
    return [list(cell.get("outputs", [])) for cell in book.cells[1:]]


def kinds(outputs: list[Any]) -> list[str]:
    return [output["output_type"] for output in outputs]


def is_gantt(output: Any) -> bool:
    return (
        "Gantt(" in output["data"].get("text/plain", "")
        and "application/vnd.jupyter.widget-view+json" in output["data"]
    )


def test_a_cell_shows_the_gantt_and_its_value_in_a_real_kernel() -> None:
    buy, names = executed(BUY, 'print(spans.frame()["name"].to_list())')
    assert kinds(buy) == ["display_data", "execute_result"]
    assert is_gantt(buy[0])
    assert buy[1]["data"]["text/plain"] == "'bought'"
    assert names[0]["text"] == "['buy', 'pay']\n"


def test_a_cell_that_awaits_runs_in_the_notebook_s_own_loop() -> None:
    wait, checked = executed(WAIT, 'print(waited.frame().select("name", "depth").sort("name").rows())')
    assert kinds(wait) == ["display_data", "execute_result"]
    assert is_gantt(wait[0])
    assert wait[1]["data"]["text/plain"] == "[1, 2]"
    assert checked[0]["text"] == "[('call 1', 1), ('call 2', 1), ('main', 0)]\n"


@pytest.mark.parametrize("cell", [FAIL, FAIL + "    await asyncio.sleep(0)\n"], ids=["plain", "awaits"])
def test_a_cell_that_fails_shows_the_gantt_and_then_its_error_with_its_line(cell: str) -> None:
    (outputs,) = executed(cell, fails=True)
    assert kinds(outputs) == ["display_data", "error"]
    assert is_gantt(outputs[0])
    assert (outputs[1]["ename"], outputs[1]["evalue"]) == ("KeyError", "'stock'")
    text = "\n".join(outputs[1]["traceback"])
    assert "cell_magic.py" not in text
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert re.search(r'-+> 5 +raise KeyError\("stock"\)', plain), plain
    assert set(re.findall(r"Cell In\[(\d+)\]", plain)) == {"2"}


def test_a_cell_without_spans_says_so_and_how_they_are_made() -> None:
    (outputs,) = executed("%%trace\n1 + 1;")
    assert kinds(outputs) == ["display_data"]
    assert "No span was recorded" in outputs[0]["data"]["text/plain"]


def test_a_cell_whose_spans_stay_open_is_not_told_that_it_made_none_and_is_warned_at_its_own_line() -> None:
    (outputs,) = executed('%%trace\nopened = tracer.start_span("open")')
    texts = [output.get("text") or output["data"]["text/plain"] for output in outputs]
    assert texts[1:] == ["Capture(0 spans, 1 more not kept)"]
    assert re.match(r"\S*(ipykernel_|ipython-input)", texts[0]), texts[0]
    assert "still open at the end (open): 1" in texts[0]


def test_a_cell_that_awaits_is_an_error_where_the_notebook_awaits_nothing(shell: Any) -> None:
    shell.autoawait = False
    result = shell.run_cell("%%trace\nawait asyncio.sleep(0)")
    assert isinstance(result.error_in_exec, SyntaxError)


def test_a_syntax_error_is_shown_as_usual() -> None:
    (outputs,) = executed("%%trace\nx = (", fails=True)
    assert [output.get("ename") for output in outputs] == ["SyntaxError"]


def test_variables_magics_and_shell_lines_work_in_a_traced_cell() -> None:
    _, second = executed("%%trace\n%pwd\nx = 6 * 7\nfiles = !echo hello", "print(x, files)")
    assert second[0]["text"] == "42 ['hello']\n"


def test_a_terminal_shows_a_table(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    result = shell.run_cell(BUY)
    assert result.success
    assert result.result == "bought"
    shown = capsys.readouterr().out
    assert "duration" in shown
    assert "pay" in shown
    assert shell.user_ns["spans"].frame()["name"].to_list() == ["buy", "pay"]


def test_what_comes_after_the_magic_is_a_name_or_nothing(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    for text in ("not a name", "class"):
        assert not shell.run_cell(f"%%trace {text}\n1").success
        assert f"takes the name of a variable to keep the spans in, or nothing, got '{text}'" in capsys.readouterr().err


def test_unload_ext_takes_the_magic_back_and_somebody_else_s_is_left_alone(shell: Any) -> None:
    shell.run_line_magic("reload_ext", "tracelab")
    assert len([each for each in shell.input_transformers_cleanup if "_Cells" in repr(each)]) == 1
    shell.run_line_magic("unload_ext", "tracelab")
    assert "trace" not in shell.magics_manager.magics["cell"]
    assert not [each for each in shell.input_transformers_cleanup if "_Cells" in repr(each)]
    shell.run_line_magic("load_ext", "tracelab")
    shell.register_magic_function(lambda *_: "mine", "cell", "trace")
    shell.run_line_magic("unload_ext", "tracelab")
    assert shell.run_cell("%%trace\n1").result == "mine"
