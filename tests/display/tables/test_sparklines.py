from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tracelab as tl
from tracelab.display.tables import shown
from tracelab.display.tables.sparklines import blocks, drawing, trends

numbers = st.none() | st.floats(-1e300, 1e300)


def test_a_trend_begins_at_zero_and_keeps_its_gaps() -> None:
    assert blocks([7.0, None, 3.5, 0.0]) == "█ ▅▁"
    assert blocks([5.0, 5.0]) == "██"
    assert blocks([0.0, 0.0]) == "▁▁"
    assert blocks([-2.0, 2.0]) == "▁█"


def test_what_is_not_known_is_no_trend() -> None:
    assert blocks(None) is blocks([]) is blocks([None]) is None
    assert trends(pl.Series([[1.0, float("nan"), float("inf"), None], None])) == [[1.0, None, None, None], None]


def test_a_peak_stays_in_a_long_trend() -> None:
    long: list[float | None] = [1.0] * 5_000
    long[1_234] = 100.0
    text = blocks(long)
    assert text is not None
    assert len(text) == 24
    assert text.count("█") == 1


def test_numbers_beside_a_gap_are_not_joined() -> None:
    assert drawing([1.0, 2.0, None, 3.0, 4.0], "").count("<polyline") == 2
    (dot,) = re.findall(r'points="(.*?)"', drawing([None, 3.0, None], ""))
    assert len(set(dot.split())) == 1


@given(st.lists(numbers, max_size=400))
def test_every_point_lies_in_the_picture(trend: list[float | None]) -> None:
    for x, y in re.findall(r"([-\d.einfa]+),([-\d.einfa]+)", drawing(trend, "").split(">", 1)[1]):
        assert 0 <= float(x) <= 96
        assert 0 <= float(y) <= 20
    assert len(blocks(trend) or "") <= 24


@pytest.mark.parametrize("dtype", [pl.Float64, pl.UInt32, pl.Duration("ns"), pl.Decimal(10, 2)])
def test_lists_of_any_numbers_are_trends(dtype: Any) -> None:
    column = pl.Series("x", [[1, 2, None], [], None]).cast(pl.List(dtype))
    html = shown(column.to_frame(), rows=9, trends=["x"]).html(interactive=True)
    assert html.count("<svg") == 1
    assert html.count("–") == 2  # noqa: RUF001 - what stands for null


def test_a_trend_says_in_words_what_it_shows() -> None:
    frame = pl.DataFrame({"error_rate": [[0.0, 0.04]], "took": [[timedelta(seconds=1.02), timedelta(seconds=3)]]})
    html = shown(frame, rows=1, trends=["error_rate", "took"]).html()
    assert 'aria-label="0 % to 4.0 %"' in html
    assert 'aria-label="1.02 s to 3 s"' in html


def test_what_is_no_trend_is_refused() -> None:
    frame = pl.DataFrame({"name": ["x"], "names": [["x"]]})
    with pytest.raises(tl.SchemaError, match="no column 'nmae'"):
        shown(frame, rows=1, trends=["nmae"])
    for name in frame.columns:
        with pytest.raises(tl.SchemaError, match=f"The trend '{name}' holds .* list of numbers"):
            shown(frame, rows=1, trends=[name])
