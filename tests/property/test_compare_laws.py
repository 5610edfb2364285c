from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from tests.differences.attributes.planted import SLOW, traces
from tracelab import compare
from tracelab.synthetic import generate

RUNS = 60


@pytest.mark.parametrize("unit", ["trace", "span"])
def test_of_shuffled_labels_no_more_runs_than_q_report_anything(unit: str) -> None:
    spans = generate(2_500, seed=11, spans_per_trace=10)
    ids = spans["trace_id"].unique().sort()
    reported = 0
    for run in range(RUNS):
        chosen = ids.filter(pl.Series(np.random.default_rng([run, 5]).random(ids.len()) < (0.1, 0.3, 0.5)[run % 3]))
        if unit == "trace":
            reported += not compare(spans, where=pl.col("trace_id").is_in(chosen.implode())).is_empty()
        else:  # labels of spans of one trace would not be independent
            picked = pl.Series(np.random.default_rng([run, 6]).random(spans.height) < 0.2)
            reported += not compare(spans, where=pl.lit(picked), unit="span").is_empty()
    # At a rate of 0.05 more than 6 of 60 runs would do so in 3 of 100 such tests; it is far lower.
    assert reported <= 6


@pytest.mark.parametrize(("difference", "least"), [(0.10, 0.25), (0.20, 0.95), (0.40, 1.0)])
def test_planted_differences_are_found_with_the_power_that_they_should_have(difference: float, least: float) -> None:
    found = 0
    for run in range(20):
        spans = traces(1_000 + run, 800, slow=lambda of: of["version"] == "nothing", share=0.25)
        slow = spans.filter(SLOW)["trace_id"].unique()
        rng = np.random.default_rng(run)
        marked = spans.with_columns(
            pl.when(
                pl.Series(rng.random(spans.height))
                < 0.2 + difference * pl.col("trace_id").is_in(slow.implode()).cast(pl.Float64)
            )
            .then(pl.lit("on"))
            .otherwise(pl.lit("off"))
            .alias("span.flag")
        ).with_columns(pl.when(pl.col("service_name") == "front").then("span.flag").alias("span.flag"))
        answer = compare(marked, where="traceDuration > 500ms")
        found += answer.filter(pl.col("attribute") == "span.flag").height > 0
    assert found / 20 >= least


def test_the_order_of_rows_and_laziness_change_no_answer() -> None:
    spans = traces(77, 300, slow=lambda of: of["zone"] == "c", share=0.1)
    answer = compare(spans, where=SLOW, q=1)
    assert compare(spans.sample(fraction=1, shuffle=True, seed=3), where=SLOW, q=1).equals(answer)
    assert compare(spans.lazy(), where=SLOW, q=1).equals(answer)
