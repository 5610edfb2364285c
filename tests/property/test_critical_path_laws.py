"""Laws of the critical path."""

from __future__ import annotations

import random
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.analysis.critical_paths.plain_walks import Section, basis_of, jaeger_walk, roots_of, tracelab_walk
from tests.strategies import span_frames
from tracelab.analysis import critical_path, critical_path_profile
from tracelab.conforming import conform, with_tree
from tracelab.schema import DURATION, TIME

pytestmark = pytest.mark.filterwarnings("ignore::tracelab.SkewWarning")
"""Times are drawn at random, so that clocks may seem to be wrong."""

WALKS = {"tracelab": tracelab_walk, "jaeger": jaeger_walk}
METHODS = st.sampled_from(["tracelab", "jaeger"])
KINDS = ("unspecified", "internal", "client", "server", "producer", "consumer")


def numbers(path: pl.DataFrame) -> pl.DataFrame:
    """Give the sections with `start` and `end` in nanoseconds."""
    start, length = (pl.col(name).to_physical() for name in ("start_time", "duration"))
    return path.with_columns(start=start, end=start + length)


def renamed_column(name: str) -> pl.Expr:
    """Give every id in a column another name, in the old order."""
    return pl.concat_str(pl.lit("x"), name).alias(name)


def random_traces(seed: int, *, traces: int) -> pl.DataFrame:
    """Make small traces with skew, overflow, ties, spans without time, orphans and several roots, rows shuffled."""
    chance = random.Random(seed)
    rows = []
    for trace in range(traces):
        ids = chance.sample(range(1, 1000), chance.randint(1, 14))
        scale = chance.choice([3, 6, 12, 30])
        for place, span in enumerate(ids):
            fate = chance.random()
            rooted = place == 0 or fate < 0.05
            parent = None if rooted else "lost" if fate < 0.1 else f"{ids[chance.randrange(place)]:016x}"
            times = (chance.randint(0, scale), chance.randint(0, scale))
            where = (chance.choice(["api", "api", "db"]), chance.choice([None, "one", "two"]))
            rows.append((f"{trace:032x}", f"{span:016x}", parent, "span", *times, chance.choice(KINDS), *where))
    chance.shuffle(rows)
    columns = ["trace_id", "span_id", "parent_span_id", "name", "start_time", "duration", "kind"]
    columns += ["service_name", "resource.host.name"]
    return conform(pl.DataFrame(rows, schema=columns, orient="row").cast({"start_time": TIME, "duration": DURATION}))


def walked(spans: pl.DataFrame, method: str) -> list[tuple[Section, str]]:
    """Walk every fragment plainly; with each section say what it rests on."""
    found: list[tuple[Section, str]] = []
    for root in roots_of(spans):
        sections = WALKS[method](root)
        found += [(section, basis_of(root, section) if method == "tracelab" else "") for section in sections]
    return found


@pytest.mark.parametrize("method", ["tracelab", "jaeger"])
@pytest.mark.parametrize("seed", range(25))
def test_the_path_is_that_of_a_plain_walk_trace_by_trace(seed: int, method: Any) -> None:
    spans = random_traces(seed, traces=60)
    # Every third frame has holes, as after a filter.
    spans = spans.sample(fraction=0.8, seed=seed) if seed % 3 == 0 else spans
    path = numbers(critical_path(spans, method=method))
    basis = pl.col("basis").cast(pl.String) if method == "tracelab" else pl.lit("")
    found = path.select("trace_id", "root_span_id", "span_id", "start", "end", basis.alias("basis")).rows()
    traces = spans.partition_by("trace_id", as_dict=True)
    expected = [
        (str(trace[0]), *section, basis) for trace, rows in traces.items() for section, basis in walked(rows, method)
    ]
    assert sorted(found) == sorted(expected)


@given(span_frames())
def test_sections_tile_every_root_from_start_to_end(spans: pl.DataFrame) -> None:
    path = numbers(critical_path(spans))
    tiled = path.group_by("trace_id", "root_span_id", maintain_order=True).agg(
        first=pl.col("start").first(),
        last=pl.col("end").last(),
        whole=(pl.col("start").shift(-1) == pl.col("end")).all(),
        counted=(pl.col("order") == pl.int_range(pl.len())).all(),
    )
    roots = (
        spans.filter(pl.col("depth") == 0, pl.col("duration").to_physical() > 0)
        .select("trace_id", root_span_id="span_id", first="start_time", last=pl.col("start_time") + pl.col("duration"))
        .with_columns(pl.col("first", "last").to_physical())
    )
    assert tiled["whole"].all()
    assert tiled["counted"].all()
    keys = ["trace_id", "root_span_id", "first", "last"]
    assert tiled.select(keys).sort(keys).equals(roots.select(keys).sort(keys))


@given(span_frames())
def test_no_span_on_the_path_outlives_its_parent_in_one_process_but_servers(spans: pl.DataFrame) -> None:
    parents = with_tree(spans).select("trace_id", "service_name", "kind", "start_time", "duration", above="span_id")
    late = (
        numbers(critical_path(spans))
        .join(spans, on=["trace_id", "span_id"], suffix="_own")
        .filter(pl.col("depth") > 0)
        .join(parents, left_on=["trace_id", "parent_span_id"], right_on=["trace_id", "above"], suffix="_above")
        .filter(
            pl.col("start_time_own") + pl.col("duration_own") > pl.col("start_time_above") + pl.col("duration_above"),
            pl.col("service_name") == pl.col("service_name_above"),
        )
    )
    called = (pl.col("kind") == "server") | ((pl.col("kind") == "unspecified") & (pl.col("kind_above") == "client"))
    assert late.filter(~called).is_empty()


@given(span_frames(), METHODS)
def test_every_section_takes_time_and_lies_in_its_span(spans: pl.DataFrame, method: Any) -> None:
    path = numbers(critical_path(spans, method=method))
    limits = spans.select(
        "trace_id", "span_id", begin=pl.col("start_time").to_physical(), stop=pl.col("duration").to_physical()
    ).with_columns(stop=pl.col("begin") + pl.col("stop"))
    joined = path.join(limits, on=["trace_id", "span_id"], how="left")
    assert joined.height == path.height
    assert joined.select(
        (
            (pl.col("start") < pl.col("end")) & (pl.col("start") >= pl.col("begin")) & (pl.col("end") <= pl.col("stop"))
        ).all()
    ).item()


@given(span_frames(), METHODS, st.integers(1, 10**15))
def test_shifting_all_times_shifts_the_sections(spans: pl.DataFrame, method: Any, shift: int) -> None:
    later = pl.col("start_time") + pl.duration(nanoseconds=shift)
    shifted = critical_path(spans.with_columns(later), method=method)
    assert shifted.equals(critical_path(spans, method=method).with_columns(later))


@given(span_frames(), METHODS, st.randoms(use_true_random=False))
def test_shuffling_rows_changes_no_path(spans: pl.DataFrame, method: Any, chance: random.Random) -> None:
    order = chance.sample(range(spans.height), spans.height)
    assert critical_path(spans[order], method=method).equals(critical_path(spans, method=method))
    assert critical_path(with_tree(spans[order]), method=method).equals(critical_path(spans, method=method))


@given(span_frames(cycles=False), METHODS)
def test_renaming_ids_in_their_order_changes_no_path(spans: pl.DataFrame, method: Any) -> None:
    new = [renamed_column(name) for name in ("trace_id", "span_id", "parent_span_id")]
    renamed = critical_path(with_tree(spans.with_columns(new)), method=method)
    old = critical_path(spans, method=method)
    old_ids = [renamed_column(name) for name in ("trace_id", "root_span_id", "span_id")]
    assert renamed.equals(old.with_columns(old_ids))


@given(span_frames(max_traces=5))
def test_paths_of_parts_are_the_path_of_the_whole(spans: pl.DataFrame) -> None:
    parts = [critical_path(part) for part in spans.partition_by("trace_id")]
    keys = ["trace_id", "root_span_id", "order"]
    assert pl.concat(parts).sort(keys).equals(critical_path(spans).sort(keys))


@given(span_frames(max_traces=1))
def test_the_path_of_one_span_is_the_span(spans: pl.DataFrame) -> None:
    one = spans.head(1)
    lasts = one["duration"].to_physical().item() > 0
    assert critical_path(one)["duration"].to_list() == (one["duration"].to_list() if lasts else [])


@given(span_frames(), METHODS)
def test_the_profile_adds_up_to_the_paths(spans: pl.DataFrame, method: Any) -> None:
    path = critical_path(spans, method=method)
    for by in (None, "name", ["service_name", "call_path"]):
        profile = critical_path_profile(spans, by=by, method=method)
        assert profile["time"].sum() == path["duration"].sum()
        assert path.is_empty() or profile["share"].sum() == pytest.approx(1)
    banded = critical_path_profile(spans, slowest=0.3, method=method)
    assert banded["time"].sum() == path["duration"].sum()
