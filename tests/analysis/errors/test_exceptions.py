from __future__ import annotations

import polars as pl
import pytest

from tracelab.analysis.errors.exceptions import folded


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("user 17 not found", "user <n> not found"),
        ("took 13.5ms, allowed 10ms", "took <n>ms, allowed <n>ms"),
        ("at 10.0.0.7:8080", "at <n>:<n>"),
        ("order 1234567890 is gone", "order <n> is gone"),
        ("span 00f067aa0ba902b7", "span <id>"),
        ("DEADBEEF01", "<id>"),
        ("id 123E4567-e89b-12d3-a456-426614174000", "id <id>"),
        ("at 0x7f3a", "at <id>"),
        ("user42", "user<n>"),
        ("bad face", "bad face"),
        ("503 for https://a.example/x/7?y=1 today", "<n> for https://a.example/<path> today"),
        ("first line\nTraceback", "first line"),
        ("  ", None),
        ("", None),
        (None, None),
    ],
)
def test_folded_takes_out_what_differs_each_time(text: str | None, expected: str | None) -> None:
    assert folded(pl.Series("message", [text], dtype=pl.String)).to_list() == [expected]


def test_folded_keeps_rows_and_name() -> None:
    texts = pl.Series("message", ["b 1", None, "a 2", "b 3"])
    assert folded(texts).to_list() == ["b <n>", None, "a <n>", "b <n>"]
    assert folded(texts).name == "message"
