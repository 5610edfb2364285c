from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

import tracelab as tl
from tests.retiming.programs import START
from tracelab.conforming import conform
from tracelab.schema import DURATION, TIME
from tracelab.synthetic import draw, generate

if TYPE_CHECKING:
    from collections.abc import Sequence


def after(picture: str, name: str, **options: Any) -> tuple[float, float]:
    """Give both bounds of the duration of the first trace, in milliseconds."""
    found = tl.retime(draw(picture), pl.col("name") == name, **options)
    low, high = (found[side].dt.total_microseconds()[0] / 1_000 for side in ("after_optimistic", "after_pessimistic"))
    return low, high


def family(starts: Sequence[int], lengths: Sequence[int], parents: Sequence[int]) -> pl.DataFrame:
    """Make a trace of spans, the first being the root; names are n0 to n6 in turn."""
    count = len(starts)
    frame = pl.DataFrame(
        {
            "trace_id": ["1" * 32] * count,
            "span_id": [f"{number:016x}" for number in range(1, count + 1)],
            "parent_span_id": [None if parent < 0 else f"{parent + 1:016x}" for parent in parents],
            "name": [f"n{number % 7}" for number in range(count)],
            "kind": ["internal"] * count,
            "service_name": ["app"] * count,
            "start_time": pl.Series([START + start for start in starts]).cast(TIME),
            "duration": pl.Series(lengths).cast(DURATION),
        },
        schema_overrides={"parent_span_id": pl.String()},
    )
    return conform(frame)


SEQUENCE = """
api    ==========
  auth .===
  db   .....====
"""
FAN_OUT = """
api    ==========
  auth .=====
  db   .========
"""
BRANCHES = """
api    =============
  auth .===
  db   .......====
  long .===========
"""


@pytest.mark.parametrize(
    ("picture", "name", "options", "bounds"),
    [
        (SEQUENCE, "auth", {"factor": 0.5}, (8.5, 8.5)),
        (SEQUENCE, "db", {"factor": 2}, (14, 14)),
        (SEQUENCE, "db", {"duration": "1ms"}, (7, 7)),
        (SEQUENCE, "db", {"remove": True}, (6, 6)),
        (SEQUENCE, "api", {"factor": 0.1}, (1, 1)),
        (SEQUENCE, "api", {"factor": 0, "part": "self"}, (7, 7)),
        (SEQUENCE, "api", {"factor": 2, "part": "self"}, (13, 13)),
        (SEQUENCE, "nobody", {"factor": 0.5}, (10, 10)),
        # The other branch of a fan-out is what is waited for as soon as it is the longer one.
        (FAN_OUT, "auth", {"remove": True}, (10, 10)),
        (FAN_OUT, "db", {"factor": 0.5}, (6, 7)),
        (FAN_OUT, "db", {"factor": 2}, (18, 18)),
        # Nobody knows whether `db` waited for `auth`, nor which of `db` and `long` the last step of `api` followed.
        (BRANCHES, "auth", {"factor": 2}, (13, 16)),
        (BRANCHES, "auth", {"remove": True}, (12, 13)),
    ],
    ids=str.split(
        "sequence-first sequence-last sequence-set sequence-removed root self-removed self-doubled nobody "
        "fan-out-shorter fan-out-longer fan-out-doubled branches-doubled branches-removed"
    ),
)
def test_a_trace_is_retimed_along_its_order(
    picture: str, name: str, options: dict[str, Any], bounds: tuple[float, float]
) -> None:
    assert after(picture, name, **options) == bounds


def test_of_chosen_spans_below_each_other_the_highest_changes_with_all_below_it() -> None:
    picture = """
    api      ==========
      db     .========
        db   ..======
    """
    assert after(picture, "db", factor=0.5) == (6, 6)


def test_what_nobody_waited_for_changes_nothing() -> None:
    picture = """
    app::api      ==========
      app::left   ......========
        app::deep .......=====
      app::send   ..==             kind=producer
        app::read ...========      kind=consumer
    """
    for name in ("left", "deep", "read"):
        assert after(picture, name, factor=3) == (10, 10)
    counts = tl.what_if(draw(picture), pl.col("name").is_in(["send", "left", "read"]), factor=1)
    assert counts.select("chosen_spans", "unawaited_spans", "changed_traces").row(0) == (3, 2, 0)
    rows = tl.with_slack(draw(picture)).filter(pl.col("name").is_in(["left", "deep", "read"]))
    assert rows["slack_pessimistic"].null_count() == rows["slack_optimistic"].null_count() == 3
    assert rows["drag_optimistic"].dt.total_nanoseconds().to_list() == [0, 0, 0]


def test_the_answer_has_a_row_per_measure_with_what_it_rests_on() -> None:
    spans = pl.concat([generate(2_000, seed=3, spans_per_trace=20)])
    found = tl.what_if(spans, "{ kind = client }", factor=0.5)
    assert found["measure"].to_list() == ["mean", "p50", "p90", "p95", "p99"]
    traces = tl.retime(spans, "{ kind = client }", factor=0.5)
    before, low, high = (
        traces[name].dt.total_nanoseconds().to_numpy() for name in ("before", "after_optimistic", "after_pessimistic")
    )
    assert found["traces"].unique().to_list() == [traces.height]
    assert found["changed_traces"].unique().to_list() == [int(((low != before) | (high != before)).sum())]
    assert found["chosen_spans"].unique().to_list() == [spans.filter(pl.col("kind") == "client").height]
    nanoseconds = found.select(pl.col(pl.Duration).dt.total_nanoseconds())
    for name, values in (("before", before), ("after_optimistic", low), ("after_pessimistic", high)):
        expected = [values.mean(), *np.quantile(values, [0.5, 0.9, 0.95, 0.99])]
        assert np.allclose(nanoseconds[name].to_numpy(), expected, atol=1)
    assert (found["saved_lower"] <= found["saved_pessimistic"]).all()
    assert (found["saved_optimistic"] <= found["saved_upper"])[0]
    share = found["saved_share_pessimistic"][0]
    assert share == pytest.approx(1 - high.mean() / before.mean(), abs=1e-6)


def test_the_interval_of_the_mean_is_that_of_its_standard_error() -> None:
    traces = 3_000
    lengths = np.random.default_rng(1).exponential(1e6, traces).astype(np.int64)
    frame = draw("api ==").with_columns(pl.lit(0).alias("row")).drop("row")
    frame = pl.concat([frame] * traces).with_columns(
        trace_id=pl.Series([f"{number + 1:032x}" for number in range(traces)]),
        duration=pl.Series(lengths).cast(DURATION),
    )
    found = tl.what_if(tl.conform(frame), pl.lit(value=True), factor=0.5, resamples=1_000)[0]
    low, high = (found[name].dt.total_nanoseconds().item() for name in ("saved_lower", "saved_upper"))
    error = 1.96 * (lengths / 2).std() / traces**0.5
    assert (high - low) / 2 == pytest.approx(error, rel=0.1)


def test_no_traces_one_trace_and_traces_that_take_no_time() -> None:
    spans = draw(SEQUENCE)
    assert tl.what_if(spans.clear(), "{ }", factor=0.5).is_empty()
    assert tl.optimise(spans.clear()).is_empty()
    assert tl.retime(spans.clear(), "{ }", factor=0.5).is_empty()
    assert tl.with_slack(spans.clear()).is_empty()
    one = tl.what_if(spans, "{ }", factor=0.5)
    assert one["saved_lower"].null_count() == one.height == 5
    still = spans.with_columns(duration=pl.duration(nanoseconds=0))
    none = tl.what_if(still, "{ }", factor=0.5)
    assert none["saved_share_optimistic"].null_count() == none.height
    assert tl.optimise(still)["saved_share_optimistic"].null_count() == 3
    assert tl.optimise(still)["path_share"].null_count() == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "got none"),
        ({"factor": 0.5, "remove": True}, "got factor and remove"),
        ({"duration": "1ms", "factor": 0.5, "remove": True}, "got factor and duration and remove"),
        ({"factor": -1}, "must lie between 0 and 1,000"),
        ({"factor": True}, "must lie between 0 and 1,000"),
        ({"factor": float("nan")}, "must lie between 0 and 1,000"),
        ({"duration": 5}, "must be a length of time"),
        ({"duration": "1ms", "part": "self"}, "`part` is 'self'"),
        ({"remove": 1}, "must be True or False"),
        ({"factor": 0.5, "part": "own"}, "'whole', 'self'"),
    ],
)
def test_options_that_are_none_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(tl.TracelabError, match=message.replace("(", "\\(")):
        tl.what_if(draw(SEQUENCE), "{ }", **options)


def test_times_beyond_what_can_be_told_are_refused() -> None:
    spans = draw(SEQUENCE).with_columns(duration=pl.duration(days=20_000).cast(DURATION))
    with pytest.raises(tl.TracelabError, match="longer than nanoseconds in 64 bits"):
        tl.what_if(spans, "{ }", factor=1_000)


def test_durations_are_as_long_as_asked_for_however_many_traces_there_are() -> None:
    spans = generate(20_000, seed=2, spans_per_trace=10)
    found = tl.retime(spans, tl.is_root(), duration="10000d")
    assert (found["after_pessimistic"].dt.total_days() == 10_000).all()


def test_fragments_are_retimed_by_themselves_and_the_first_root_counts() -> None:
    picture = """
    api      ==========
      db     .====
    lost
      orphan ...=====
        disk ....==
    """
    spans = draw(picture).filter(pl.col("name") != "lost")
    assert after(picture, "disk", remove=True) == (10, 10)
    assert tl.what_if(spans, pl.col("name") == "disk", remove=True)["unawaited_spans"][0] == 1
    added = tl.with_slack(spans).filter(pl.col("name") == "disk")
    assert added["drag_pessimistic"].dt.total_milliseconds().item() == 2


def test_huge_families_and_deep_traces_are_retimed() -> None:
    count = 20_000
    rng = np.random.default_rng(5)
    begins = np.sort(rng.integers(0, 10**9, count))
    flat = family([0, *begins.tolist()], [2 * 10**9, *rng.integers(1, 10**7, count).tolist()], [-1, *[0] * count])
    steps = np.arange(count) * 10_000
    busy = family([0, 0, *steps.tolist()], [10**9, 10**9, *[9_000] * count], [-1, *[0] * (count + 1)])
    levels = 3_000
    deep = family(list(range(levels)), [10**6 - 2 * step for step in range(levels)], list(range(-1, levels - 1)))
    for spans in (flat, busy, deep):
        for factor in (0.5, 2):
            found = tl.retime(spans, pl.col("name") == "n3", factor=factor)
            assert (found["after_optimistic"] <= found["after_pessimistic"]).all()
        assert tl.with_slack(spans)["slack_pessimistic"].null_count() == 0
    # One after another beside a span that lasts as long as all of them: the order is a guess, the span is not.
    low, high = (tl.retime(busy, pl.col("name") != "n0", factor=2)[f"after_{side}"].dt.total_nanoseconds().item()
                 for side in ("optimistic", "pessimistic"))  # fmt: skip
    assert 10**9 < low <= high <= 2 * 10**9


def test_optimise_tries_what_owns_most_of_the_paths_and_says_of_how_many() -> None:
    spans = generate(3_000, seed=4, spans_per_trace=30)
    everything = tl.optimise(spans, limit=1_000)
    assert everything.height == everything["operations"][0] == spans.select("service_name", "name").n_unique()
    few = tl.optimise(spans, limit=3)
    assert few.height == 3
    assert few["operations"].unique().to_list() == [everything.height]
    assert set(few["path_share"]) == set(everything["path_share"].sort(descending=True).head(3))
    assert everything["path_share"].sum() == pytest.approx(1)
    # What an operation saves is what what_if says of its own work.
    first = few.row(0, named=True)
    where = (pl.col("service_name") == first["service_name"]) & (pl.col("name") == first["name"])
    mean = tl.what_if(spans, where, factor=0.9, part="self").row(0, named=True)
    for side in ("optimistic", "pessimistic"):
        assert abs((first[f"saved_{side}"] - mean[f"saved_{side}"]).total_seconds()) < 1e-5
        assert first[f"saved_share_{side}"] == pytest.approx(mean[f"saved_share_{side}"], abs=1e-6)


def test_optimise_without_keys_makes_everything_faster() -> None:
    found = tl.optimise(draw(SEQUENCE), by=None, saving=0.5)
    assert found["saved_share_pessimistic"].to_list() == [0.5]
    assert "service_name" not in found.columns


def test_a_quantile_that_may_lie_beyond_all_traces_has_no_interval() -> None:
    quantiles = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
    for spans in (300, 600, 1_500, 6_000):
        found = tl.what_if(generate(spans, seed=3), pl.col("depth") > 0, factor=0.5, resamples=20)
        unknown = [name for name, share in quantiles.items() if share ** found["traces"][0] > 0.025]
        assert found.filter(pl.col("saved_lower").is_null())["measure"].to_list() == unknown
        assert found["saved_upper"].is_null().equals(found["saved_lower"].is_null())


def test_nothing_of_no_group_is_optimised() -> None:
    assert tl.optimise(draw("a ===").clear(), by=None).is_empty()
