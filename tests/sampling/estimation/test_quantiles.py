from __future__ import annotations

import numpy as np
import pytest

from tests.sampling.estimation.samples import sample_of
from tracelab.sampling.estimation.quantiles import quantiles


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_whole_weights_are_as_good_as_copies(p: float) -> None:
    values, copies = np.array([5.0, 1.0, 9.0, 2.0]), [3, 1, 2, 4]
    sample = sample_of(*((0, trace, float(copy)) for trace, copy in enumerate(copies)))
    found = quantiles(sample, values, np.array([p]), confidence=0.95)
    assert found.value[0, 0] == pytest.approx(np.quantile(np.repeat(values, copies), p))


def test_where_all_is_kept_quantiles_are_those_of_numpy_and_exact() -> None:
    values = np.random.default_rng(0).lognormal(size=101)
    sample = sample_of(*((0, trace, 1.0) for trace in range(101)))
    found = quantiles(sample, values, np.array([0.25, 0.5, 0.99]), confidence=0.95)
    wanted = np.quantile(values, [0.25, 0.5, 0.99])
    assert found.value[0] == pytest.approx(wanted)
    assert found.lower[0] == pytest.approx(wanted)
    assert found.upper[0] == pytest.approx(wanted)


def test_a_small_sample_bounds_no_high_quantile_from_above() -> None:
    sample = sample_of(*((0, trace, 50.0) for trace in range(60)))
    found = quantiles(sample, np.arange(60.0), np.array([0.5, 0.99]), confidence=0.95)
    assert found.lower[0, 0] < 29.5 < found.upper[0, 0]
    assert np.isnan(found.upper[0, 1])
    assert found.lower[0, 1] < 59


def test_the_bounds_of_a_median_are_the_order_statistics_that_the_binomial_distribution_gives() -> None:
    sample = sample_of(*((0, trace, 1e9) for trace in range(1_001)))
    found = quantiles(sample, np.arange(1_001.0), np.array([0.5]), confidence=0.95)
    # 500.5 -+ 1.96 sqrt(1001) / 2 = 469.5 and 531.5 of the sorted values, counted from 1.
    assert found.lower[0, 0] == pytest.approx(469, abs=1)
    assert found.upper[0, 0] == pytest.approx(531, abs=1)


def test_groups_do_not_touch_each_other_and_one_may_be_unknown() -> None:
    sample = sample_of((0, 1, 2.0), (0, 2, 2.0), (1, 1, None), (1, 2, 2.0), (2, 5, 1.0))
    found = quantiles(sample, np.array([1.0, 3.0, 7.0, 8.0, 9.0]), np.array([0.5]), confidence=0.95)
    assert found.value[0, 0] == 2
    assert np.isnan(found.value[1, 0])
    assert found.nearest[1, 0] == -1
    assert found.value[2, 0] == 9


def test_no_items_have_no_quantiles() -> None:
    found = quantiles(sample_of(), np.zeros(0), np.array([0.5]), confidence=0.95)
    assert found.value.shape == (0, 1)


def test_what_stands_for_many_and_lies_on_one_side_does_not_say_that_all_of_it_does() -> None:
    # 15 of about 1,500 were seen, and all that were slow of a rule's kind: more slow ones may have been dropped.
    sample = sample_of(*((0, trace, 100.0) for trace in range(15)), *((0, trace, 1.0) for trace in range(15, 95)))
    values = np.concatenate([np.linspace(8, 20, 15), np.linspace(40, 90, 80)])
    found = quantiles(sample, values, np.array([0.5, 0.95, 0.99]), confidence=0.95)
    assert np.isfinite(found.upper[0, 0])
    assert np.isnan(found.upper[0, 1:]).all()
    assert (found.lower[0] < found.value[0]).all()


def test_with_many_seen_on_both_sides_a_high_quantile_has_both_bounds() -> None:
    values = np.random.default_rng(1).lognormal(size=2_000)
    found = quantiles(
        sample_of(*((0, trace, 20.0) for trace in range(2_000))), values, np.array([0.95]), confidence=0.95
    )
    below = [float((values <= bound[0, 0]).mean()) for bound in (found.lower, found.upper)]
    # 1.96 sqrt(0.95 * 0.05 / 2000) is 0.0096.
    assert below == pytest.approx([0.9404, 0.9596], abs=0.002)


def test_a_group_of_which_only_what_is_sure_was_seen_may_have_lost_others() -> None:
    sure = [(0, trace, 1.0) for trace in range(30)]
    alone = quantiles(sample_of(*sure), np.arange(30.0), np.array([0.9]), confidence=0.95)
    assert alone.lower[0, 0] == alone.upper[0, 0] == alone.value[0, 0]
    others = [(1, trace, 50.0) for trace in range(30, 60)]
    beside = quantiles(sample_of(*sure, *others), np.arange(60.0), np.array([0.9]), confidence=0.95)
    assert beside.value[0, 0] == alone.value[0, 0]
    assert np.isnan(beside.upper[0, 0])


def test_spans_of_one_trace_with_several_weights_are_no_surer_than_with_one() -> None:
    random = np.random.default_rng(2)
    values = random.lognormal(size=400)
    several = sample_of(*((0, item // 2, 4.0 + 4 * (item % 2)) for item in range(400)))
    found = quantiles(several, values, np.array([0.5]), confidence=0.95)
    alone = sample_of(*((0, item, 4.0 + 4 * (item % 2)) for item in range(400)))
    lone = quantiles(alone, values, np.array([0.5]), confidence=0.95)
    assert found.value[0, 0] == pytest.approx(lone.value[0, 0])
    assert found.lower[0, 0] <= lone.lower[0, 0] < lone.upper[0, 0] <= found.upper[0, 0]


def test_whole_numbers_are_rounded_as_where_nothing_is_weighed() -> None:
    sample = sample_of((0, 1, 1.0), (0, 2, 1.0))
    for low in (1, 2):
        found = quantiles(sample, np.array([low, low + 1]), np.array([0.5]), confidence=0.95)
        assert found.value[0, 0] == low + np.rint(0.5)
        assert found.nearest[0, 0] == 0
