"""Cutting text by lines: nothing is lost at the seams, and memory that is used again is never still in use."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.loaders.dumps import compact, request, span
from tracelab.loaders.input import cutting
from tracelab.loaders.input.sources import Stream, sources_of
from tracelab.loaders.report import problems
from tracelab.loaders.report.findings import Findings

if TYPE_CHECKING:
    from pathlib import Path


def stream_of(content: bytes) -> Stream:
    return Stream(sources_of(io.BytesIO(content))[0], lambda _: None)


LINES = st.lists(st.text("ab", max_size=40).map(str.encode), max_size=60).map(b"\n".join)


@given(LINES, st.integers(8, 64))
def test_pieces_hold_all_lines_with_their_numbers(content: bytes, size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cutting, "PIECE", size)
        numbered = [
            (piece.first + number, line)
            for piece in cutting.lines(stream_of(content), Findings())
            for number, line in enumerate(piece.content.split(b"\n"))
        ]
    told = [(number, line) for number, line in enumerate(content.split(b"\n"), 1) if line]
    assert [(number, line) for number, line in numbered if line] == told


def test_a_line_that_is_too_long_is_counted_and_the_others_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutting, "PIECE", 16)
    monkeypatch.setattr(cutting, "LONGEST", 100)
    findings = Findings()
    content = b"\n".join([b"first", b"x" * 1000, b"second", b"y" * 90, b"third"])
    pieces = [(piece.first, piece.content) for piece in cutting.lines(stream_of(content), findings)]
    assert pieces == [(1, b"first"), (3, b"second"), (4, b"y" * 90), (5, b"third")]
    assert {noticed.problem: noticed.count for noticed in findings.found.values()} == {problems.TOO_LONG: 1}


def test_memory_is_used_again_unless_something_refers_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutting, "PIECE", 64)
    held, places = None, []
    for number, piece in enumerate(cutting.lines(stream_of(b"line of text\n" * 40), Findings())):
        text = np.frombuffer(piece.text, dtype=np.uint8)
        places.append(text.ctypes.data)
        if number == 2:
            held = text
        del text, piece
    assert held is not None
    assert bytes(held[:12]) == b"line of text"
    assert len(places) > 6
    assert places[2] not in places[3:]
    assert len(set(places)) < len(places) // 2


def test_reading_imports_neither_pandas_nor_a_plotting_library(tmp_path: Path) -> None:
    path = tmp_path / "dump.jsonl"
    path.write_bytes(b"\n".join(compact(request(span(f"{number:016x}"))) for number in range(1, 200)))
    code = (
        "import sys; from tracelab.loaders import read; "
        f"assert read({str(path)!r}).height == 199; "
        "print([name for name in ('pandas', 'plotly', 'IPython') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


JSON_VALUES = st.recursive(
    st.none() | st.integers() | st.text('ab{}[]"\\', max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('a}"\\', max_size=4), inner, max_size=4),
    max_leaves=25,
)


@given(JSON_VALUES, st.integers(0, 400))
def test_what_breaks_off_is_closed_behind_its_last_whole_object(value: object, size: int) -> None:
    content = json.dumps(value).encode()[:size]
    mended = cutting.closed(content)
    if mended:
        json.loads(mended)
        assert content.startswith(mended.rstrip(b"}]"))


@pytest.mark.parametrize(
    ("content", "mended"),
    [
        (b'{"a": [{"b": 1}, {"c": "}}', b'{"a": [{"b": 1}]}'),
        (b'{"a": [{"b": {"d": []}}', b'{"a": [{"b": {"d": []}}]}'),
        (b'{"a": {"b": {}}, "c": [[{', b'{"a": {"b": {}}}'),
        (b'{"a": [1, 2', b""),
        (b"", b""),
        (b"}]", b""),
    ],
)
def test_objects_are_closed_as_they_were_opened(content: bytes, mended: bytes) -> None:
    assert cutting.closed(content) == mended
