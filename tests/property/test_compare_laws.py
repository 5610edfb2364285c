from __future__ import annotations

from typing import Any

import pytest

from tests.differences.attributes.planted import SLOW, traces
from tests.differences.attributes.power import found, reported
from tracelab import compare

RUNS = 60


@pytest.mark.parametrize("unit", ["trace", "span"])
def test_of_shuffled_labels_no_more_runs_than_q_report_anything(unit: Any) -> None:
    # At a rate of 0.05 more than 6 of 60 runs would do so in 3 of 100 such tests; it is far lower.
    assert sum(reported(run, unit) for run in range(RUNS)) <= 6


@pytest.mark.parametrize(
    ("kind", "size", "least"),
    [("share", 0.10, 0.25), ("share", 0.20, 0.95), ("share", 0.40, 1.0), ("number", 0.30, 0.95), ("pair", 0.60, 0.95)],
)
def test_planted_differences_are_found_with_the_power_that_they_should_have(
    kind: Any, size: float, least: float
) -> None:
    assert sum(found(run, kind, size, 800) for run in range(20)) / 20 >= least


def test_the_order_of_rows_and_laziness_change_no_answer() -> None:
    spans = traces(77, 300, slow=lambda of: of["zone"] == "c", share=0.1)
    answer = compare(spans, where=SLOW, q=1)
    assert compare(spans.sample(fraction=1, shuffle=True, seed=3), where=SLOW, q=1).equals(answer)
    assert compare(spans.lazy(), where=SLOW, q=1).equals(answer)
