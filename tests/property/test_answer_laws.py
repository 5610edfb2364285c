"""What holds for every answer."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tracelab as tl
from tests.strategies import span_frames
from tracelab import analysis, auditing
from tracelab.conforming import with_tree
from tracelab.synthetic import draw

if TYPE_CHECKING:
    import random
    from collections.abc import Callable


pytestmark = pytest.mark.filterwarnings("ignore::tracelab.SkewWarning")
"""Times are drawn at random, so that clocks may seem to be wrong."""


def compared(spans: pl.DataFrame | pl.LazyFrame) -> pl.DataFrame:
    """Compare the longer spans with the others, if there are both."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tl.QueryWarning)
        return tl.compare(spans, where="duration > 3ns", unit="span", q=1)


def changed(spans: pl.DataFrame | pl.LazyFrame) -> pl.DataFrame:
    """Look for changes, of which so few traces have none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tl.QueryWarning)
        return tl.change_points(spans, min_traces=16)


def caused(spans: pl.DataFrame | pl.LazyFrame) -> pl.DataFrame:
    """Look for the causes of the traces that take longer, if there are both."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tl.QueryWarning)
        return tl.root_causes(spans, where="traceDuration > 3ns", q=1)


SPANS_BEFORE = draw("""
a::x  =====  kind=server
  b::y .==!  kind=client
""")
ANSWERS: dict[str, Callable[[pl.DataFrame | pl.LazyFrame], pl.DataFrame]] = {
    "attribute_coverage": auditing.attribute_coverage,
    "change_points": changed,
    "clock_skew": tl.clock_skew,
    "compare": lambda spans: compared(spans).drop("exemplars"),
    "critical_path": analysis.critical_path,
    "critical_path_jaeger": lambda spans: analysis.critical_path(spans, method="jaeger"),
    "critical_path_profile": analysis.critical_path_profile,
    "critical_path_profile_by_path": lambda spans: analysis.critical_path_profile(
        spans, by=["call_path", "kind"], slowest=0.2, within="name"
    ),
    "critical_services": analysis.critical_services,
    "error_origins": analysis.error_origins,
    "error_rates": lambda spans: analysis.error_rates(spans, every="5ns", entry_only=False),
    "findings": tl.findings,
    "findings_against_a_baseline": lambda spans: tl.findings(spans, baseline=SPANS_BEFORE),
    "gaps": lambda spans: analysis.gaps(spans, min_duration="1ns"),
    "latency_histogram": lambda spans: analysis.latency_histogram(spans, by="kind", every="5ns"),
    "latency_percentiles": lambda spans: analysis.latency_percentiles(
        spans, by=["kind", pl.col("name").str.len_chars()]
    ),
    "optimise": lambda spans: tl.optimise(spans, by=["kind", "name"], resamples=20),
    "outliers": lambda spans: analysis.outliers(spans, by=None, threshold=0.5, min_count=2),
    "latency_percentiles_wide": lambda spans: analysis.latency_percentiles(spans, by=["kind", "name"], wide=True),
    "outcomes": analysis.outcomes,
    "repeated_calls": lambda spans: analysis.repeated_calls(spans, min_count=2),
    "request_kinds": tl.request_kinds,
    "retime": lambda spans: tl.retime(spans, "{ duration > 3ns }", factor=0.5),
    "root_causes": lambda spans: caused(spans).drop("exemplars"),
    "service_graph": analysis.service_graph,
    "trace_latency_percentiles": lambda spans: analysis.trace_latency_percentiles(spans, every="5ns"),
    "trace_diff": lambda spans: tl.trace_diff(spans, spans, resamples=20),
    "trace_summary": analysis.trace_summary,
    "what_if": lambda spans: tl.what_if(spans, pl.col("duration") > pl.duration(nanoseconds=3), remove=True),
}
EVERY_ANSWER = pytest.mark.parametrize("name", sorted(ANSWERS))


def renamed_column(name: str) -> pl.Expr:
    """Give every id in a column another name, in the old order."""
    return pl.concat_str(pl.lit("x"), name).alias(name)


@EVERY_ANSWER
@settings(max_examples=8)
@given(spans=span_frames(), chance=st.randoms(use_true_random=False))
def test_shuffling_rows_changes_no_answer(name: str, spans: pl.DataFrame, chance: random.Random) -> None:
    shuffled = spans[chance.sample(range(spans.height), spans.height)]
    assert ANSWERS[name](shuffled).equals(ANSWERS[name](spans))


@EVERY_ANSWER
@settings(max_examples=8)
@given(spans=span_frames())
def test_lazy_frames_get_the_answer_of_eager_ones(name: str, spans: pl.DataFrame) -> None:
    assert ANSWERS[name](spans.lazy()).equals(ANSWERS[name](spans))


@EVERY_ANSWER
@settings(max_examples=8)
@given(spans=span_frames())
def test_nothing_has_the_columns_of_something(name: str, spans: pl.DataFrame) -> None:
    empty = ANSWERS[name](spans.clear())
    assert empty.schema == ANSWERS[name](spans).schema
    assert empty.is_empty()


@EVERY_ANSWER
@settings(max_examples=6)
@given(spans=span_frames(max_traces=4))
def test_splitting_into_files_changes_no_answer(name: str, spans: pl.DataFrame) -> None:
    parts = [with_tree(part) for part in spans.partition_by("trace_id")]
    assert ANSWERS[name](pl.concat(parts)).equals(ANSWERS[name](spans))
    assert ANSWERS[name](with_tree(pl.concat(parts))).equals(ANSWERS[name](spans))


@EVERY_ANSWER
@settings(max_examples=6)
@given(spans=span_frames(cycles=False))
def test_renaming_ids_changes_no_answer_but_the_ids(name: str, spans: pl.DataFrame) -> None:
    new = [renamed_column(name) for name in ("trace_id", "span_id", "parent_span_id")]
    old = ANSWERS[name](spans)
    ids = [column for column in old.columns if column.endswith("_id")]
    assert ANSWERS[name](with_tree(spans.with_columns(new))).equals(old.with_columns(map(renamed_column, ids)))


@EVERY_ANSWER
@settings(max_examples=6)
@given(spans=span_frames())
def test_frames_without_tree_columns_get_the_same_answer(name: str, spans: pl.DataFrame) -> None:
    bare = spans.drop("depth", "tree_left", "tree_right")
    assert ANSWERS[name](bare).equals(ANSWERS[name](spans))


@settings(max_examples=25)
@given(span_frames())
def test_self_time_is_what_children_leave(spans: pl.DataFrame) -> None:
    rows = spans.select(pl.col("start_time", "duration").to_physical()).rows()
    parents: dict[int, list[tuple[int, int]]] = {left: [] for left in spans["tree_left"]}
    nested = spans.select("tree_left", "tree_right", "depth").rows()
    for (left, right, depth), (start, length) in zip(nested, rows, strict=True):
        for other_left, other_right, other_depth in nested:
            if other_left < left and right < other_right and other_depth == depth - 1:
                parents[other_left].append((start, start + length))
    expected = []
    for left, (start, length) in zip(spans["tree_left"], rows, strict=True):
        moments = set(range(start, start + length))
        for begin, end in parents[left]:
            moments -= set(range(begin, end))
        expected.append(len(moments))
    found = analysis.with_self_time(spans)
    assert found["self_time"].to_physical().to_list() == expected
    assert found.drop("self_time").equals(spans)
    assert analysis.with_self_time(spans.lazy()).collect().equals(found)
