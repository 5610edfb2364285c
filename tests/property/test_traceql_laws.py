from __future__ import annotations

import warnings
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tests.property import traceql_oracle as oracle
from tests.property.traceql_strategies import (
    STRUCTURAL,
    attributed_frames,
    filters,
    metric_queries,
    pipelines,
    queries,
)
from tracelab.errors import QueryError, QueryTypeError
from tracelab.traceql import parse, query, query_metrics, search, validate
from tracelab.traceql.syntax import nodes as n

if TYPE_CHECKING:
    import polars as pl

pytestmark = pytest.mark.filterwarnings("ignore::tracelab.traceql.QueryWarning")


def stages_of(text: str) -> tuple[n.Stage, ...]:
    parsed = parse(text)
    try:
        validate(parsed)
    except QueryTypeError:
        assume(False)
    assert isinstance(parsed.body, n.Pipeline)
    return parsed.body.stages


def ids(spans: pl.DataFrame) -> list[tuple[str, str]]:
    return sorted(spans.select("trace_id", "span_id").rows())


def spans_of(found: list[tuple[str, oracle.Spanset]]) -> list[tuple[str, str]]:
    return sorted((trace_id, span.row["span_id"]) for trace_id, spanset in found for span in spanset.spans)


@given(queries)
def test_the_canonical_text_of_a_query_parses_to_an_equal_query(text: str) -> None:
    parsed = parse(text)
    assert parse(str(parsed)) == parsed


@given(queries)
def test_the_canonical_text_is_its_own_canonical_text(text: str) -> None:
    canonical = str(parse(text))
    assert str(parse(canonical)) == canonical


@settings(max_examples=150, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(attributed_frames(), pipelines)
def test_query_and_search_agree_with_the_slow_evaluator(spans: pl.DataFrame, text: str) -> None:
    stages = stages_of(text)
    try:
        expected = oracle.matching(spans, stages)
    except oracle.DivisionByZeroError:
        with pytest.raises(QueryError, match="zero"):
            query(spans, text)
        return
    assert ids(query(spans, text)) == spans_of(expected)
    found = search(spans, text)
    assert Counter(zip(found["trace_id"], map(frozenset, found["span_ids"].to_list()), strict=True)) == Counter(
        (trace_id, frozenset(span.row["span_id"] for span in spanset.spans)) for trace_id, spanset in expected
    )


@settings(max_examples=60)
@given(attributed_frames(), filters, filters, st.sampled_from(STRUCTURAL))
def test_every_structural_operator_agrees_with_the_slow_evaluator(
    spans: pl.DataFrame, left: str, right: str, operator: str
) -> None:
    text = f"{left} {operator} {right}"
    stages = stages_of(text)
    try:
        expected = oracle.matching(spans, stages)
    except oracle.DivisionByZeroError:
        assume(False)
    assert ids(query(spans, text)) == spans_of(expected)


@given(attributed_frames(), pipelines, st.randoms(use_true_random=False))
def test_shuffling_rows_changes_no_answer(spans: pl.DataFrame, text: str, random: object) -> None:
    stages_of(text)
    shuffled = spans.sample(fraction=1, shuffle=True, seed=random.getrandbits(30))  # type: ignore[attr-defined]
    try:
        expected = search(spans, text)
    except QueryError:
        assume(False)
    assert ids(query(spans, text)) == ids(query(shuffled, text))
    assert_frame_equal(search(shuffled, text), expected)


@given(attributed_frames(), pipelines)
def test_an_eager_and_a_lazy_frame_give_the_same_answer(spans: pl.DataFrame, text: str) -> None:
    stages_of(text)
    try:
        expected = query(spans, text)
    except QueryError:
        assume(False)
    assert_frame_equal(query(spans.lazy(), text).collect(), expected)
    assert_frame_equal(search(spans.lazy(), text), search(spans, text))


@given(attributed_frames(), metric_queries)
def test_metrics_do_not_depend_on_the_order_of_rows_or_on_laziness(spans: pl.DataFrame, text: str) -> None:
    try:
        expected = query_metrics(spans, text, step="1us", start=0, end=20)
    except QueryError:
        assume(False)
    shuffled = spans.sample(fraction=1, shuffle=True, seed=7)
    assert_frame_equal(query_metrics(shuffled.lazy(), text, step="1us", start=0, end=20), expected)


@given(attributed_frames(), filters, filters)
def test_and_within_a_filter_can_only_narrow(spans: pl.DataFrame, a: str, b: str) -> None:
    both = f"{{ ({a[1:-1].strip() or 'true'}) && ({b[1:-1].strip() or 'true'}) }}"
    stages_of(both)
    try:
        assert set(ids(query(spans, both))) <= set(ids(query(spans, a)))
    except QueryError:
        assume(False)


@given(attributed_frames(), filters, filters)
def test_spanset_and_is_the_union_where_both_sides_have_spans(spans: pl.DataFrame, a: str, b: str) -> None:
    stages_of(f"{a} && {b}")
    try:
        left, right = query(spans, a), query(spans, b)
    except QueryError:
        assume(False)
    shared = set(left["trace_id"]) & set(right["trace_id"])
    union = {*ids(left), *ids(right)}
    assert ids(query(spans, f"{a} && {b}")) == sorted(pair for pair in union if pair[0] in shared)
    assert ids(query(spans, f"{a} || {b}")) == sorted(union)


@given(attributed_frames(), filters, filters, st.sampled_from((">", "<", ">>", "<<", "~")))
def test_a_negated_operator_gives_the_rest_of_the_right_side(spans: pl.DataFrame, a: str, b: str, sign: str) -> None:
    stages_of(f"{a} {sign} {b}")
    try:
        positive, negative = query(spans, f"{a} {sign} {b}"), query(spans, f"{a} !{sign} {b}")
        right = query(spans, b)
    except QueryError:
        assume(False)
    assert sorted(ids(positive) + ids(negative)) == ids(right)


@given(attributed_frames(), filters)
def test_a_filter_and_its_opposite_share_no_span(spans: pl.DataFrame, a: str) -> None:
    opposite = f"{{ !({a[1:-1].strip() or 'true'}) }}"
    stages_of(opposite)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            assert not set(ids(query(spans, a))) & set(ids(query(spans, opposite)))
        except QueryError:
            assume(False)


@given(attributed_frames(), filters)
def test_the_counts_of_a_metric_add_up_to_the_spans_of_the_query(spans: pl.DataFrame, text: str) -> None:
    stages_of(text)
    try:
        matching = query(spans, text)
    except QueryError:
        assume(False)
    counts = query_metrics(spans, f"{text} | count_over_time() by (name)", step="3ns", start=-1, end=20)
    totals: Counter[str] = Counter()
    for name, value in zip(counts["name"] if matching.height else [], counts["value"], strict=False):
        totals[name] += value
    assert totals == Counter(matching["name"].to_list())
