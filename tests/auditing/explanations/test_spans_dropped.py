"""Spans that are dropped one by one, told from those of one service or one kind that are missing."""

from __future__ import annotations

import polars as pl
import pytest

import tracelab as tl
from tracelab.synthetic import generate, generate_system


def missing_parents(spans: pl.DataFrame) -> pl.DataFrame:
    return tl.audit(tl.with_tree(spans)).filter(pl.col("rule") == "missing-parent")


@pytest.mark.parametrize("kept", [0.9, 0.5, 0.2])
def test_spans_kept_by_chance_one_by_one_are_explained_by_sampling(kept: float) -> None:
    found = missing_parents(generate(20_000, seed=3).sample(fraction=kept, seed=1))
    assert found.height > 0
    assert set(found["explanation"]) == {"sampling"}
    assert set(found["severity"]) == {"info"}


def test_one_kind_of_span_that_is_dropped_by_chance_is_no_such_thing() -> None:
    spans, _ = generate_system(11)
    calls = pl.col("kind") == "client"
    by_chance = pl.Series([number % 2 == 0 for number in range(spans.height)])
    found = missing_parents(spans.filter(~(calls & by_chance)))
    assert (found["severity"] != "info").any()
