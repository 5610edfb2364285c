"""Windows of time: parts tile the whole, whatever they are cut by."""

from __future__ import annotations

from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracelab.errors import TracelabError
from tracelab.live.servers.windows import Window, iso, window_of


@given(
    st.integers(0, 10**6), st.integers(1, 10**6), st.lists(st.integers(0, 2 * 10**6)), st.sampled_from([1, 10, 1000])
)
def test_parts_tile_the_window_from_the_latest_to_the_first(
    start: int, steps: int, starts: list[int], step: int
) -> None:
    window = Window(start * step, (start + steps) * step)
    parts = window.cut_by(pl.Series(starts, dtype=pl.Int64()) * step, step)
    assert parts[0].end == window.end
    assert parts[-1].start == window.start
    assert all(later.start == earlier.end for later, earlier in pairwise(parts))
    assert all(part.start < part.end for part in parts)
    assert len(parts) > 1 or steps == 1


def test_a_short_burst_in_a_long_window_is_found_at_once() -> None:
    window, burst = Window(0, 10**12), pl.Series([5 * 10**11, 5 * 10**11 + 10**6])
    assert sum(part.end - part.start <= 10**6 for part in window.cut_by(burst, 1000)) == 2


def test_instants_are_written_to_the_nanosecond() -> None:
    assert iso(1_780_000_000_000_000_001) == "2026-05-28T20:26:40.000000001Z"
    assert iso(0) == "1970-01-01T00:00:00Z"


def test_lookback_counts_from_the_end() -> None:
    day = 1_780_000_000 * 10**9
    assert window_of(None, day + 10 * 10**9, "4s", step=1) == Window(day + 6 * 10**9, day + 10 * 10**9)
    with pytest.raises(TracelabError, match="must lie before"):
        window_of(day + 5, day + 4, "1h", step=1)
