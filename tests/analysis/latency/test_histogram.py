from __future__ import annotations

import polars as pl
import pytest

from tracelab.analysis import latency_histogram
from tracelab.errors import TracelabError
from tracelab.synthetic import draw

MS = pl.col("lower", "upper").dt.total_milliseconds()


def test_latency_histogram_grows_bins_by_a_factor() -> None:
    spans = draw("\n\n".join(f"a {'=' * length}" for length in (1, 3, 4, 7, 16)))
    answer = latency_histogram(spans, bins=4, every=None)
    assert answer.select(MS, "count").rows() == [(1, 2, 1), (2, 4, 1), (4, 8, 2), (8, 16, 1)]
    assert answer["exemplar_trace_id"].to_list() == [f"{n:032x}" for n in (1, 2, 3, 5)]


def test_latency_histogram_has_the_same_bins_in_all_windows_and_groups() -> None:
    spans = draw("a =\n\na ====\n\nb ==")
    answer = latency_histogram(spans, by="name", every="1s", bins=2)
    assert answer.columns == ["name", "window", "lower", "upper", "count", "exemplar_trace_id"]
    assert answer.select("name", MS).rows() == [("a", 1, 2), ("a", 2, 4), ("b", 2, 4)]


def test_latency_histogram_begins_at_0_where_a_span_takes_no_time() -> None:
    assert latency_histogram(draw("a |\n\na ==\n\na ===="), bins=1, every=None).select(MS, "count").rows() == [
        (0, 4, 3)
    ]
    assert latency_histogram(draw("a |"), every=None)["count"].to_list() == [1]


def test_latency_histogram_of_one_duration_is_one_bin() -> None:
    assert latency_histogram(draw("a ==\n\na =="), every=None)["count"].to_list() == [2]


def test_latency_histogram_says_what_is_wrong() -> None:
    with pytest.raises(TracelabError, match="`bins`"):
        latency_histogram(draw("a ="), bins=0)
