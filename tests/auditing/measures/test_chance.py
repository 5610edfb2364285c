"""Coincidence: what matches no more often than shifted times do is never believed, what does is."""

from __future__ import annotations

import numpy as np
import pytest

from tracelab.auditing.measures.chance import NO_MATCH, compared, sampled, shifted, trials

ONE = np.zeros(100, dtype=np.int64)


def test_matches_as_close_as_those_of_shifted_times_are_never_believed() -> None:
    rng = np.random.default_rng(0)
    slack = rng.exponential(5e6, (17, 200 * 100)).astype(np.int64)
    slack[rng.random(slack.shape) < 0.3] = NO_MATCH
    assert compared(np.repeat(np.arange(200), 100), slack[0], slack[1:]).doubt.min() > np.log(1e-3)


def test_matches_that_are_as_many_but_closer_are_believed() -> None:
    rng = np.random.default_rng(1)
    around = rng.exponential(5e7, (16, 100)).astype(np.int64)
    chance = compared(ONE, rng.exponential(5e6, 100).astype(np.int64), around)
    assert chance.doubt[0] < np.log(1e-6)
    assert chance.expected[0] < 0.5 * chance.matched[0]


def test_one_match_is_never_enough() -> None:
    none = np.full((64, 1), NO_MATCH)
    assert compared(ONE[:1], np.array([0]), none).doubt[0] == 0


def test_shifts_are_longer_than_spans_last_and_keep_within_the_window() -> None:
    by = trials(100, np.full(10, 10**9), 10**12)
    assert np.abs(by).min() >= 2 * 10**9
    assert np.abs(by).max() <= 10**12 / 2
    assert np.unique(by).size == by.size
    moved = shifted(np.arange(0, 10**12, 10**10), by, 0, 10**12)
    assert moved.min() >= 0
    assert moved.max() < 10**12


@pytest.mark.parametrize("most", [1, 7, 100])
def test_samples_have_no_more_than_so_many_of_each_group(most: int) -> None:
    group = np.random.default_rng(2).integers(0, 4, 1000) ** 2
    counts = np.bincount(group[sampled(group, most)], minlength=10)
    sizes = np.bincount(group, minlength=10)
    assert np.array_equal(counts, np.minimum(sizes, most))


def test_nothing_compares_with_nothing() -> None:
    empty = np.empty(0, dtype=np.int64)
    assert compared(empty, empty, np.empty((8, 0), dtype=np.int64)).doubt.size == 0


def test_all_are_matched_where_one_call_follows_the_other_though_chance_would_match_many() -> None:
    rng = np.random.default_rng(5)
    slack = np.linspace(100_000, 6_000_000, 60).astype(np.int64)
    by_chance = rng.integers(100_000, 6_000_000, (40, 60))
    shifted_slack = np.where(rng.random((40, 60)) < 0.4, by_chance, NO_MATCH)
    one, closed = np.zeros(60, dtype=np.int64), np.array([True])
    assert compared(one, slack, shifted_slack, closed=closed).limit[0] >= slack[-1]


def test_half_are_not_taken_as_far_as_chance_matches_the_others() -> None:
    rng = np.random.default_rng(6)
    near, far = (np.linspace(*ends).astype(np.int64) for ends in ((10_000, 50_000, 30), (2_000_000, 9_000_000, 15)))
    slack = np.concatenate((near, far, np.full(15, NO_MATCH)))
    by_chance = rng.integers(1_000_000, 9_000_000, (40, 60))
    shifted_slack = np.where(rng.random((40, 60)) < 0.5, by_chance, NO_MATCH)
    one, closed = np.zeros(60, dtype=np.int64), np.array([True])
    assert compared(one, slack, shifted_slack, closed=closed).limit[0] < 3_000_000
