from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tracelab.analysis.arrays import running_max


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-9, 9)), max_size=40))
def test_running_max_starts_anew_with_every_group(pairs: list[tuple[int, int]]) -> None:
    pairs.sort(key=lambda pair: pair[0])
    group, values = (np.array([pair[part] for pair in pairs], dtype=np.int64) for part in (0, 1))
    expected = [max(value for other, value in pairs[: at + 1] if other == pairs[at][0]) for at in range(len(pairs))]
    assert running_max(values, group).tolist() == expected
