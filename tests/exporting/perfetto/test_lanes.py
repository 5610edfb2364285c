"""Lanes: nothing overlaps in one, and there are no more than are needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tracelab.exporting.perfetto.lanes import free_lanes, lanes_of

if TYPE_CHECKING:
    from collections.abc import Sequence

INTERVALS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 12), st.integers(0, 6)), max_size=30)


def columns(rows: Sequence[tuple[int, int, int]]) -> list[np.ndarray[tuple[int], np.dtype[np.int64]]]:
    return list(np.array(rows, dtype=np.int64).reshape(-1, 3).T)


@given(INTERVALS)
def test_no_two_intervals_of_a_lane_overlap(rows: list[tuple[int, int, int]]) -> None:
    group, start, length = columns(rows)
    lane = free_lanes(group, start, start + length)
    for one in range(len(rows)):
        for other in range(one):
            if (group[one], lane[one]) == (group[other], lane[other]):
                overlap = min(start[one] + length[one], start[other] + length[other]) - max(start[one], start[other])
                assert overlap <= 0


@given(INTERVALS)
def test_a_group_has_as_few_lanes_as_run_at_once(rows: list[tuple[int, int, int]]) -> None:
    group, start, length = columns([row for row in rows if row[2]])
    lane = free_lanes(group, start, start + length)
    for each in set(group.tolist()):
        mine = group == each
        at_once = [int(((start <= time) & (time < start + length) & mine).sum()) for time in start[mine]]
        assert sorted(set(lane[mine].tolist())) == list(range(max(at_once)))


def test_no_intervals_have_no_lanes() -> None:
    nothing = np.zeros(0, dtype=np.int64)
    assert free_lanes(nothing, nothing, nothing).size == 0
    assert lanes_of(nothing, nothing, nothing, nothing).size == 0


def test_children_that_follow_one_another_stay_in_the_lane_of_their_parent() -> None:
    parent, start, end = columns([(-1, 0, 10), (0, 1, 3), (0, 3, 5), (2, 3, 4), (0, 6, 6)])
    assert lanes_of(parent, np.zeros(5, dtype=np.int64), start, end).tolist() == [0, 0, 0, 0, 0]


def test_children_that_run_at_once_or_leave_their_parent_have_lanes_of_their_own() -> None:
    parent, start, end = columns([(-1, 0, 10), (0, 1, 5), (0, 2, 4), (0, 8, 12)])
    assert lanes_of(parent, np.zeros(4, dtype=np.int64), start, end).tolist() == [0, 0, 1, 1]


def test_a_call_into_another_service_is_in_the_first_lane_there() -> None:
    parent, start, end = columns([(-1, 0, 10), (0, 1, 5), (1, 2, 4)])
    assert lanes_of(parent, np.array([0, 1, 0]), start, end).tolist() == [0, 0, 1]


def test_a_long_row_of_siblings_takes_few_rounds() -> None:
    count = 200_000
    parent = np.zeros(count, dtype=np.int64)
    parent[0] = -1
    start = np.arange(count, dtype=np.int64)
    end = start + 1
    start[0], end[0] = 0, count
    assert not lanes_of(parent, np.zeros(count, dtype=np.int64), start, end).any()
