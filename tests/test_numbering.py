from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from tracelab.numbering import coded


@pytest.mark.parametrize("rows", [0, 1, 100, 20_000])
@pytest.mark.parametrize("distinct", [1, 2, 50, 4_000, 15_000])
@pytest.mark.parametrize("missing", [0.0, 0.1, 0.999, 1.0])
def test_texts_are_numbered_in_the_order_in_which_they_come(rows: int, distinct: int, missing: float) -> None:
    rng = np.random.default_rng([rows, distinct])
    known: list[str | None] = [f"name {number}" for number in rng.integers(0, distinct, rows)]
    texts = [None if lost else text for text, lost in zip(known, rng.random(rows) < missing, strict=True)]
    numbers, names = coded(pl.Series("name", texts, dtype=pl.String))
    order = {text: number for number, text in enumerate(dict.fromkeys(text for text in texts if text is not None))}
    assert names.to_list() == [*order]
    assert numbers.tolist() == [-1 if text is None else order[text] for text in texts]


def test_a_text_that_comes_late_has_the_last_number() -> None:
    numbers, names = coded(pl.Series(["a", "b"] * 20_000 + ["c"]))
    assert names.to_list() == ["a", "b", "c"]
    assert numbers[[0, 1, -2, -1]].tolist() == [0, 1, 1, 2]


@pytest.mark.parametrize(
    "values",
    [
        pl.Series([3, None, 3, -1, 2**62] * 3_000),
        pl.Series([0.5, None, float("nan"), 0.5, -0.0] * 3_000),
        pl.Series([True, None, False] * 3_000),
        pl.Series(range(20_000)),
        pl.Series([1.5, 1.5]),
        pl.Series([], dtype=pl.Float64),
    ],
)
def test_numbers_are_numbered_too(values: pl.Series) -> None:
    numbers, distinct = coded(values)
    assert distinct.n_unique() == distinct.len()
    assert distinct.gather(pl.Series(numbers).set(pl.Series(numbers < 0), None)).equals(values, null_equal=True)
