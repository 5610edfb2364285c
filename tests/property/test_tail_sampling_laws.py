"""Tail sampling obeys the truth table of its policies, whatever the configuration, version and kind of frame."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tests.strategies import span_frames
from tracelab.errors import PolicyError
from tracelab.sampling import policy_matches, sample_tail, tail_decisions, tail_policies
from tracelab.synthetic import draw, generate

if TYPE_CHECKING:
    from collections.abc import Callable

FRAMES = span_frames(max_traces=6, max_spans=4)
FRAME = draw("api =====!\n  db .=")

LEAVES = st.sampled_from(
    [
        {"type": "always_sample"},
        {"type": "status_code", "status_code": {"status_codes": ["ERROR"]}},
        {"type": "status_code", "status_code": {"status_codes": ["OK", "UNSET"]}},
        {"type": "span_count", "span_count": {"min_spans": 2}},
        {"type": "span_count", "span_count": {"min_spans": 1, "max_spans": 2}},
        {"type": "string_attribute", "string_attribute": {"key": "service.name", "values": ["api"]}},
        {
            "type": "string_attribute",
            "string_attribute": {"key": "service.name", "values": ["db"], "invert_match": True},
        },
        {"type": "probabilistic", "probabilistic": {"sampling_percentage": 50}},
        {"type": "probabilistic", "probabilistic": {"sampling_percentage": 30, "hash_salt": "s"}},
    ]
)


def inside(kind: str, leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    subs = st.lists(leaves, max_size=3)
    return subs.map(lambda subs: {"type": kind, kind: {f"{kind}_sub_policy": subs}})


NOTS = LEAVES.map(lambda leaf: {"type": "not", "not": {"not_sub_policy": leaf}})
NESTED = st.one_of(LEAVES, inside("and", LEAVES))
NEWEST = st.one_of(LEAVES, NOTS, inside("and", st.one_of(LEAVES, NOTS)), inside("drop", st.one_of(LEAVES, NOTS)))


def named(policies: list[dict[str, Any]], *, first: bool = False) -> dict[str, Any]:
    block = {"policies": [{"name": f"p{place}", **policy} for place, policy in enumerate(policies)]}
    return {**block, "sample_on_first_match": True} if first else block


def with_ids(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col("trace_id").str.encode("hex").str.pad_end(32, "7"))


def answers(spans: pl.DataFrame, leaf: dict[str, Any], version: str) -> dict[str, str]:
    """Ask about a leaf alone: its rules are tried elsewhere."""
    rules = tail_policies(named([leaf]), collector_version=version)
    said = tail_decisions(spans, rules)
    return {row["trace_id"]: row["evaluations"][0]["decision"] for row in said.iter_rows(named=True)}


def expected(trace: str, policies: list[dict[str, Any]], ask: Callable[[Any], dict[str, str]], *, first: bool) -> str:
    """Decide as the reference says, one trace and one policy at a time."""

    def said(policy: dict[str, Any]) -> str:
        kind = policy["type"]
        if kind == "not":
            found = said(policy["not"]["not_sub_policy"])
            return {"sampled": "not_sampled", "not_sampled": "sampled"}.get(found, found)
        if kind in ("and", "drop"):
            subs = [said(sub) for sub in policy[kind][f"{kind}_sub_policy"]]
            refused = [sub for sub in subs if sub in ("not_sampled", "invert_not_sampled")]
            if refused:
                return "not_sampled"
            return "sampled" if kind == "and" else "dropped"
        return ask(policy)[trace]

    votes = []
    for policy in sorted(policies, key=lambda policy: policy["type"] != "drop"):
        votes.append(said(policy))
        if votes[-1] == "dropped" or (first and votes[-1] == "sampled"):
            break
    if "dropped" in votes:
        return "dropped"
    if "invert_not_sampled" in votes:
        return "not_sampled"
    if "sampled" in votes or ("invert_sampled" in votes and "not_sampled" not in votes):
        return "sampled"
    return "not_sampled"


@given(FRAMES, st.lists(NEWEST, max_size=4), st.booleans(), st.sampled_from(("0.155", "0.161", "0.165")))
def test_decisions_follow_the_truth_table(
    frame: pl.DataFrame, policies: list[dict[str, Any]], first: bool, version: str
) -> None:
    spans = with_ids(frame)
    known: dict[str, dict[str, str]] = {}

    def ask(leaf: dict[str, Any]) -> dict[str, str]:
        return known.setdefault(str(leaf), answers(spans, leaf, version))

    found = tail_decisions(spans, tail_policies(named(policies, first=first), collector_version=version))
    for trace, decision in found.select("trace_id", "decision").iter_rows():
        assert decision == expected(trace, policies, ask, first=first)


@given(FRAMES, st.lists(NESTED, max_size=4), st.sampled_from(("0.100", "0.105", "0.118", "0.130", "0.142")))
def test_inverted_decisions_follow_the_truth_table_of_old_versions(
    frame: pl.DataFrame, policies: list[dict[str, Any]], version: str
) -> None:
    spans = with_ids(frame)
    found = tail_decisions(spans, tail_policies(named(policies), collector_version=version))
    for trace, decision in found.select("trace_id", "decision").iter_rows():
        assert decision == expected(trace, policies, lambda leaf: answers(spans, leaf, version), first=False)


@settings(max_examples=20)
@given(FRAMES, st.lists(NEWEST, min_size=1, max_size=3), st.randoms())
def test_any_kind_of_frame_gives_the_same(frame: pl.DataFrame, policies: list[dict[str, Any]], chance: Any) -> None:
    spans = with_ids(frame)
    rules = tail_policies(named(policies))
    kept, decided = sample_tail(spans, rules), tail_decisions(spans, rules)
    lazy = sample_tail(spans.lazy(), rules)
    assert isinstance(lazy, pl.LazyFrame)
    assert lazy.collect_schema() == kept.schema
    assert_frame_equal(lazy.collect(), kept)
    microseconds = spans.with_columns(
        pl.col("start_time").dt.cast_time_unit("us"), pl.col("duration").dt.cast_time_unit("us")
    )
    assert tail_decisions(microseconds, rules).height == decided.height
    rows = list(range(spans.height))
    chance.shuffle(rows)
    assert_frame_equal(tail_decisions(spans[rows], rules), decided)
    assert sorted(sample_tail(spans[rows], rules)["span_id"]) == sorted(kept["span_id"])


def test_pandas_and_its_units_give_the_same() -> None:
    pandas = pytest.importorskip("pandas")
    spans = generate(300, seed=4)
    rules = tail_policies(
        named(
            [
                {"type": "latency", "latency": {"threshold_ms": 20}},
                {"type": "probabilistic", "probabilistic": {"sampling_percentage": 30}},
            ]
        )
    )
    table = spans.select("trace_id", "span_id", "parent_span_id", "name", "start_time", "duration").to_pandas()
    assert isinstance(table, pandas.DataFrame)
    assert_frame_equal(tail_decisions(table, rules), tail_decisions(spans, rules))


@given(FRAMES, st.lists(NEWEST, max_size=3))
def test_what_is_kept_is_what_is_decided(frame: pl.DataFrame, policies: list[dict[str, Any]]) -> None:
    spans = with_ids(frame)
    rules = tail_policies(named(policies))
    kept, decided = sample_tail(spans, rules), tail_decisions(spans, rules)
    sampled = decided.filter(pl.col("decision") == "sampled")
    assert set(kept["trace_id"]) == set(sampled["trace_id"])
    assert kept.height == sampled["spans"].sum() == decided["spans_kept"].sum()
    weights = dict(kept.select("trace_id", "sampling_weight").iter_rows())
    for trace, probability in sampled.select("trace_id", "sampling_probability").iter_rows():
        assert weights[trace] == pytest.approx(1 / probability)
    matches = policy_matches(spans, rules)
    assert matches["decided"].sum() == decided["policy"].count()


@given(FRAMES, st.lists(st.floats(0, 100), min_size=2, max_size=4))
def test_a_higher_ratio_never_loses_a_trace(frame: pl.DataFrame, shares: list[float]) -> None:
    spans = with_ids(frame)
    last: set[str] = set()
    for share in sorted(shares):
        rules = named([{"type": "probabilistic", "probabilistic": {"sampling_percentage": share}}])
        kept = set(sample_tail(spans, rules)["trace_id"])
        assert last <= kept
        last = kept


@settings(max_examples=15)
@given(st.lists(NEWEST, min_size=1, max_size=3))
def test_shares_of_thousands_of_traces_are_their_probabilities(policies: list[dict[str, Any]]) -> None:
    count = 4000
    one = draw("api =")
    ids = (
        pl.int_range(count, eager=True).hash(7).reinterpret(signed=False).cast(pl.String).str.encode("hex").str.head(32)
    )
    spans = pl.concat([one] * count).with_columns(trace_id=ids.str.pad_end(32, "3"), span_id=ids.str.head(16))
    spans = spans.drop("depth", "tree_left", "tree_right", "entry")
    decided = tail_decisions(spans, tail_policies(named(policies)))
    share = (decided["decision"] == "sampled").mean()
    probability = decided["sampling_probability"].unique().item()
    assert share == pytest.approx(probability, abs=0.045)


VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.sampled_from(("${env:X}", "$$"))
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=6,
)


@settings(max_examples=300)
@given(st.lists(NEWEST, min_size=1, max_size=2), st.randoms(), VALUES, st.sampled_from(("0.100", "0.130", "0.165")))
def test_whatever_stands_in_a_configuration_is_taken_or_refused_with_its_place(
    policies: list[dict[str, Any]], chance: Any, value: Any, version: str
) -> None:
    block: Any = json.loads(json.dumps({**named(policies), "decision_wait": "5s", "decision_cache": {}}))
    held = block
    while isinstance(held, dict | list) and held:
        key = chance.choice(list(held) if isinstance(held, dict) else range(len(held)))
        if not isinstance(held[key], dict | list) or not held[key] or chance.random() < 0.3:
            held[key] = value
            break
        held = held[key]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            rules = tail_policies(block, collector_version=version)
        except PolicyError:
            return
        assert tail_decisions(with_ids(FRAME), rules).height == FRAME["trace_id"].n_unique()
