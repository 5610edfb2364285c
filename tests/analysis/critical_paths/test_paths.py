from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.analysis.critical_paths.plain_walks import jaeger_walk, roots_of, tracelab_walk
from tracelab.analysis import critical_path, critical_path_profile, critical_services
from tracelab.analysis.critical_paths import paths
from tracelab.analysis.timeline import timeline_path
from tracelab.conforming import conform
from tracelab.errors import SchemaError, TracelabError
from tracelab.schema import DURATION, TIME
from tracelab.synthetic import draw, generate

if TYPE_CHECKING:
    from pathlib import Path

CASES = [
    *(f"jaeger-ui/test{number}" for number in range(1, 10)),
    *(f"edge/{name}" for name in ("touch", "orphan", "ff", "tie", "zerodur")),
    *(f"crisp/{number}" for number in range(1, 26)),
]
CRISP_LISTS_A_SPAN_WITHOUT_TIME = "CRISP always lists the root, also where it has no time of its own"
CRISP_ALLOWS_OVERLAP = "CRISP lets siblings overlap by one per cent of the parent and still calls them sequential"
UNLIKE_CRISP = {
    "crisp/3": CRISP_LISTS_A_SPAN_WITHOUT_TIME,
    **{f"crisp/{number}": CRISP_ALLOWS_OVERLAP for number in (10, 19, 20, 21)},
}


def names(picture: str, **options: Any) -> list[str]:
    return critical_path(draw(picture), **options)["name"].to_list()


def chain(length: int) -> pl.DataFrame:
    """Make one trace in which every span calls the next, a little later and a little shorter."""
    place = np.arange(length)
    ids = [f"{n + 1:016x}" for n in place]
    return frame_of(ids, [None, *ids[:-1]], place, 2 * (length - place))


def fan(width: int, *, length: int, distance: int) -> pl.DataFrame:
    """Make one trace with a root and many children."""
    ids = [f"{n + 1:016x}" for n in range(width + 1)]
    starts = np.concatenate(([0], np.arange(width) * distance))
    lengths = np.concatenate(([width * distance + length], np.full(width, length)))
    return frame_of(ids, [None, *([ids[0]] * width)], starts, lengths)


def frame_of(ids: list[str], parents: list[str | None], starts: Any, lengths: Any) -> pl.DataFrame:
    return conform(
        pl.DataFrame(
            {
                "trace_id": ["t"] * len(ids),
                "span_id": ids,
                "parent_span_id": pl.Series(parents, dtype=pl.String),
                "name": ids,
                "start_time": pl.Series(np.asarray(starts, dtype=np.int64)).cast(TIME),
                "duration": pl.Series(np.asarray(lengths, dtype=np.int64)).cast(DURATION),
            }
        )
    )


def sections(path: pl.DataFrame) -> list[tuple[str, str, int, int]]:
    """Give the sections latest first, as walks tell them."""
    numbers = path.with_columns(pl.col("start_time", "duration").to_physical())
    end = (pl.col("start_time") + pl.col("duration")).alias("end")
    rows = numbers.select("root_span_id", "span_id", "start_time", end).rows()
    return rows[::-1]


def test_critical_path_leaves_out_what_finished_early() -> None:
    assert names("""
        api      ==========
          auth   .==
          db     ...======
    """) == ["api", "auth", "db", "api"]


def test_critical_path_keeps_siblings_that_touch() -> None:
    picture = """
        a    ==========
          b  .====
          c  .....====
    """
    assert names(picture) == ["a", "b", "c", "a"]
    assert names(picture, method="jaeger") == ["a", "c", "a"]


def test_critical_path_takes_the_first_of_those_that_end_together() -> None:
    assert names("""
        a    ==========
          b  ...=====
          c  .=======
    """) == ["a", "c", "a"]


def test_critical_path_takes_the_smaller_id_of_twins() -> None:
    twins = """
        a    ====
          b  .==   span_id=ff
          c  .==   span_id=0e
    """
    assert names(twins) == ["a", "c", "a"]
    assert names(twins, method="jaeger") == ["a", "c", "a"]


def test_critical_path_takes_the_smaller_id_of_those_that_are_clipped_alike() -> None:
    assert names("""
        a    ...====
          b  ..=====   span_id=ff
          c  .======   span_id=ff0
          d  =======   span_id=fff
    """) == ["b"]


def test_critical_path_clips_children_to_their_parents() -> None:
    spans = draw("""
        a      ..=====
          b    =====
            c  ========
    """)
    path = critical_path(spans)
    assert path["name"].to_list() == ["c", "a"]
    assert path["duration"].dt.total_milliseconds().to_list() == [3, 2]


def test_critical_path_leaves_out_what_lies_outside_with_all_below_it() -> None:
    assert names("""
        a      ===
          b    ...====
            c  .==
    """) == ["a"]


TASK_LEFT_RUNNING = """
    shop::req    ===========
      shop::work .========
      shop::fire ..==========================
        db::late ...=======
"""


def test_critical_path_leaves_out_what_outlives_its_parent_in_one_process_with_all_below_it() -> None:
    path = critical_path(draw(TASK_LEFT_RUNNING))
    assert path.select("name", "basis").rows() == [
        ("req", "forced"),
        ("work", "left_running"),
        ("req", "left_running"),
    ]
    assert names(TASK_LEFT_RUNNING, method="jaeger") == ["req", "fire", "late", "fire"]


def test_critical_path_of_a_root_that_leaves_everything_running_is_its_own_time() -> None:
    path = critical_path(
        draw("""
            shop::req   ==
              shop::a   .=====
              shop::b   .========
        """)
    )
    assert path.select("name", "duration", "basis").rows() == [("req", timedelta(milliseconds=2), "left_running")]


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (
            "api::req ==========\n  api::t1 .====\n    api::t2 ..============",
            [("req", 1, "forced"), ("t1", 4, "left_running"), ("req", 5, "left_running")],
        ),
        (
            "api::req ==========\n  api::t1 .====\n    api::t2 ......========",
            [("req", 1, "forced"), ("t1", 4, "forced"), ("req", 5, "left_running")],
        ),
        (
            "api::req ==========\n  api::t1 .====\n    api::t2 ....==\n      db::t3 ....====",
            [("req", 1, "forced"), ("t1", 4, "left_running"), ("req", 5, "left_running")],
        ),
        (
            "api::req ==========\n  api::t1 .====\n    api::t2 ....==\n  api::t3 ......==\n  api::t4 .........=",
            [
                ("req", 1, "forced"),
                ("t1", 4, "left_running"),
                ("req", 1, "left_running"),
                ("t3", 2, "forced"),
                ("req", 1, "forced"),
                ("t4", 1, "forced"),
            ],
        ),
        ("api::req ==\n  api::t1 ..==", [("req", 2, "forced")]),
    ],
)
def test_what_was_left_running_runs_on_after_who_started_it(picture: str, expected: list[tuple[str, int, str]]) -> None:
    lengths = pl.col("duration").dt.total_milliseconds()
    assert critical_path(draw(picture)).select("name", lengths, "basis").rows() == expected


def test_what_counts_on_paths_leaves_out_what_was_left_running() -> None:
    spans = draw(TASK_LEFT_RUNNING)
    profile = critical_path_profile(spans, by="name")
    assert profile.select("name", "share", "ambiguous_share").rows() == [("work", 8 / 11, 0.0), ("req", 3 / 11, 0.0)]
    assert critical_services(spans).select("service_name", "path_share").rows() == [("shop", 1.0), ("db", 0.0)]


@pytest.mark.parametrize(
    ("parent", "child", "waited"),
    [
        ("shop::a", "shop::b", False),
        ("shop::a", "db::b", True),
        ("shop::a", "shop::b kind=server", True),
        ("shop::a kind=client", "shop::b kind=server", True),
        ("shop::a kind=client", "shop::b kind=unspecified", True),
        ("shop::a kind=client", "shop::b kind=internal", False),
        ("shop::a", "shop::b kind=unspecified", False),
        ("shop::a kind=server", "shop::b kind=client", False),
        ("shop::a", "shop::b kind=consumer", False),
    ],
)
def test_critical_path_waits_past_the_end_of_a_parent_for_calls_only(parent: str, child: str, *, waited: bool) -> None:
    above, below = parent.split(" "), child.split(" ")
    picture = " ".join([above[0], "=====", *above[1:]]) + "\n  " + " ".join([below[0], ".=========", *below[1:]])
    assert names(picture) == (["a", "b"] if waited else ["a"])


@pytest.mark.parametrize(
    ("above", "below", "waited"),
    [
        ({"resource.host.name": "one"}, {"resource.host.name": "two"}, True),
        ({"resource.host.name": "one"}, {"resource.host.name": "one"}, False),
        ({"resource.host.name": "one"}, {"resource.host.name": None}, False),
        ({"resource.process.pid": 7}, {"resource.process.pid": 8}, True),
        ({"resource.k8s.pod.name": "a"}, {"resource.k8s.pod.name": "b"}, True),
        ({"resource.service.instance.id": "a"}, {"resource.service.instance.id": "b"}, True),
        ({"span.host.name": "one"}, {"span.host.name": "two"}, False),
    ],
)
@pytest.mark.parametrize("in_columns", [True, False])
def test_critical_path_tells_processes_of_a_service_apart_by_their_resource(
    above: dict[str, Any], below: dict[str, Any], *, in_columns: bool, waited: bool
) -> None:
    spans = draw("shop::a =====\n  shop::b .=========")
    if in_columns:
        spans = spans.with_columns(pl.Series(key, [above[key], below[key]]) for key in above)
    else:
        entries = [
            [{"key": key, "value": None if it[key] is None else str(it[key])} for key in it] for it in (above, below)
        ]
        known = [[entry for entry in some if entry["value"] is not None] for some in entries]
        kind = pl.List(pl.Struct({"key": pl.String, "value": pl.String}))
        spans = conform(spans.with_columns(pl.Series("more_attributes", known, dtype=kind)))
    assert critical_path(spans)["name"].to_list() == (["a", "b"] if waited else ["a"])
    assert timeline_path(spans)["place"].to_list() == ([0, 1] if waited else [0])


MS, US = 1_000_000, 1_000
EPOCH = 1_777_636_800 * 10**9


@pytest.mark.parametrize(
    ("starts", "lengths", "waited"),
    [
        # Whole microseconds: start and duration may each be one too short.
        ((123_457 * US, 123_460 * US), (500 * US, 498 * US), True),
        ((123_457 * US, 123_460 * US), (500 * US, 499 * US), True),
        ((123_457 * US, 123_460 * US), (500 * US, 500 * US), False),
        # Nanoseconds: nothing is missing.
        ((123_457_001, 123_460_000), (500_003, 498_000 + 7), False),
        ((123_457_001, 123_460_001), (500_003, 497_003), True),
        # Starts of milliseconds, durations of nanoseconds, as JavaScript has them.
        ((120 * MS, 121 * MS), (9_500_123, 9_400_456), True),
        ((120 * MS, 121 * MS), (9_500_123, 9_600_456), False),
        # All whole milliseconds: one is doubted where it is no more than a tenth, two where they are a hundredth.
        ((120 * MS, 121 * MS), (49 * MS, 49 * MS), True),
        ((120 * MS, 121 * MS), (10 * MS, 10 * MS), True),
        ((120 * MS, 122 * MS), (49 * MS, 49 * MS), False),
        ((120 * MS, 122 * MS), (500 * MS, 500 * MS), True),
        ((120 * MS, 121 * MS), (500 * MS, 500 * MS), True),
        ((120 * MS, 121 * MS), (500 * MS, 505 * MS), False),
        ((120 * MS, 121 * MS), (9 * MS, 9 * MS), False),
    ],
)
def test_critical_path_forgives_an_end_that_is_late_by_lost_digits(
    starts: tuple[int, int], lengths: tuple[int, int], *, waited: bool
) -> None:
    spans = frame_of(["a", "b"], [None, "a"], [EPOCH + start for start in starts], lengths)
    assert ("b" in critical_path(spans)["name"]) == waited


def test_critical_path_of_times_cut_to_milliseconds_keeps_what_was_waited_for() -> None:
    exact = frame_of(
        ["req", "work"], [None, "req"], [EPOCH + 900_000, EPOCH + 1_000_000], [49_900_000, 49_700_000]
    ).select("trace_id", "span_id", "parent_span_id", "name", "start_time", "duration")
    cut = conform(exact.cast({"start_time": pl.Datetime("ms", "UTC"), "duration": pl.Duration("ms")}))
    assert cut["start_time"].to_physical().to_list() == [EPOCH, EPOCH + MS]
    found = critical_path(cut).select("name", pl.col("duration").dt.total_milliseconds(), "basis").rows()
    assert found == [("req", 1, "forced"), ("work", 48, "forced")]


def test_critical_path_does_not_wait_for_consumers() -> None:
    picture = """
        a        ==========
          send   .===        kind=producer
            work ..======    kind=consumer
          load   .......=    kind=consumer
    """
    assert names(picture) == ["a", "send", "a", "load", "a"]
    assert names(picture, method="jaeger") == ["a", "send", "a", "load", "a"]


def test_critical_path_never_takes_spans_without_time() -> None:
    picture = """
        a    ======
          b  ...|
            c ..===
    """
    assert names(picture) == ["a"]
    assert names(picture, method="jaeger") == ["a", "a"]


def test_critical_path_gives_every_fragment_its_own() -> None:
    spans = draw("""
        lost
          a    =====
            b  .==
        c      ======
    """)
    path = critical_path(spans)
    assert path.select("name", "order").rows() == [("a", 0), ("b", 1), ("a", 2), ("c", 0)]
    assert path["root_span_id"].n_unique() == 2
    assert critical_path(spans, method="jaeger")["name"].to_list() == ["c"]


def test_critical_path_treats_a_span_whose_parent_was_filtered_out_as_a_root() -> None:
    spans = draw("""
        a      ==========
          b    .========
            c  ..===
          d    .........=
    """)
    path = critical_path(spans.filter(pl.col("name") != "b"))
    assert path.select("root_span_id", "name").rows() == [
        ("0" * 15 + "1", "a"),
        ("0" * 15 + "1", "d"),
        ("0" * 15 + "3", "c"),
    ]


def test_critical_path_counts_time_0_as_a_time() -> None:
    spans = frame_of(["a", "b", "c"], [None, "a", "b"], [0, 0, 0], [10, 5, 5])
    for method in ("tracelab", "jaeger"):
        assert critical_path(spans, method=method)["name"].to_list() == ["c", "a"]


def test_critical_path_survives_a_cycle() -> None:
    spans = frame_of(["a", "b"], ["b", "a"], [0, 2], [10, 5])
    assert critical_path(spans)["name"].to_list() == ["a", "b", "a"]
    assert critical_path(spans, method="jaeger").is_empty()


def test_critical_path_says_where_it_is_a_guess() -> None:
    spans = draw("""
        run       ================
          fetch   .==
          embed   ...==
          agent 1 ......====
          agent 2 ......======
          agent 3 ......=====
    """)
    assert critical_path(spans).select("name", "basis").rows() == [
        ("run", "forced"),
        ("fetch", "forced"),
        ("embed", "forced"),
        ("run", "forced"),
        ("agent 2", "ambiguous"),
        ("run", "forced"),
    ]


def test_critical_path_is_a_guess_below_a_guess() -> None:
    spans = draw("""
        run     =========
          a     .=======
            a1  ..=
          b     ..==
    """)
    assert critical_path(spans).select("name", "basis").rows() == [
        ("run", "forced"),
        ("a", "forced"),
        ("a1", "ambiguous"),
        ("a", "ambiguous"),
        ("run", "forced"),
    ]


def test_critical_path_tells_guesses_apart_where_times_are_too_long_for_one_timeline() -> None:
    century = 100 * 365 * 86_400 * 10**9
    pairs = [draw(f"a{n} ====\n  b{n} .==").with_columns(trace_id=pl.lit(f"{n}")) for n in range(3)]
    spans = conform(
        pl.concat(pairs)
        .select("trace_id", "span_id", "parent_span_id", "name")
        .with_columns(
            start_time=pl.Series([0, 10] * 3).cast(TIME),
            duration=pl.Series([century, century // 2] * 3).cast(DURATION),
        )
    )
    path = critical_path(spans)
    assert path["name"].to_list() == [name for n in range(3) for name in (f"a{n}", f"b{n}", f"a{n}")]
    assert path["basis"].unique().to_list() == ["forced"]
    task = spans.head(1).with_columns(
        span_id=pl.lit("f"),
        parent_span_id="span_id",
        name=pl.lit("task"),
        start_time=pl.lit(20).cast(TIME),
        duration=pl.lit(century + 10**10).cast(DURATION),
    )
    path = critical_path(conform(pl.concat([spans, task])))
    assert path["basis"].to_list() == ["forced", "left_running", "left_running", *["forced"] * 6]


def test_critical_path_of_frames_put_together_without_their_tree_is_that_of_each() -> None:
    one, two = draw("a ====\n  b .=="), draw("c =====\n  d ..=").with_columns(trace_id=pl.lit("f" * 32))
    together = critical_path(pl.concat([one, two]))
    assert together.equals(pl.concat([critical_path(one), critical_path(two)]))


@pytest.mark.parametrize("method", ["tracelab", "jaeger"])
@pytest.mark.parametrize("size", [1, 7, 100])
def test_critical_path_does_not_depend_on_how_many_spans_are_walked_at_once(
    monkeypatch: pytest.MonkeyPatch, method: Any, size: int
) -> None:
    spans = generate(2_000, seed=5).sample(fraction=0.9, seed=1)
    whole = critical_path(spans, method=method)
    monkeypatch.setattr(paths, "_BATCH", size)
    assert_frame_equal(critical_path(spans, method=method), whole)


def test_critical_path_of_nothing_has_all_columns() -> None:
    spans = draw("a ==")
    assert critical_path(spans.clear()).schema == critical_path(spans).schema
    assert critical_path(spans.clear()).is_empty()


def test_critical_path_says_what_is_wrong() -> None:
    with pytest.raises(TracelabError, match="'tracelab', 'jaeger', got 'crisp'"):
        critical_path(draw("a ="), method="crisp")  # type: ignore[arg-type]
    with pytest.raises(SchemaError, match="needs the column 'span_id'"):
        critical_path(draw("a =").drop("span_id"))


@pytest.mark.parametrize("method", ["tracelab", "jaeger"])
@pytest.mark.parametrize(
    "spans",
    [chain(3_000), fan(3_000, length=2, distance=2), fan(3_000, length=1, distance=2), fan(500, length=50, distance=1)],
    ids=["deep", "touching", "apart", "overlapping"],
)
def test_critical_path_of_deep_and_wide_traces_is_that_of_the_plain_walk(spans: pl.DataFrame, method: Any) -> None:
    walk = tracelab_walk if method == "tracelab" else jaeger_walk
    assert sections(critical_path(spans, method=method)) == walk(roots_of(spans)[0])


@pytest.fixture(scope="module")
def cases(shared_cases: Path) -> dict[str, Any]:
    return {case["name"]: case for case in json.loads((shared_cases / "critical_path_cases.json").read_text())}


def kept(span_id: str | None) -> str | None:
    """Make an id that nobody takes for hex, so that its case is kept."""
    return None if span_id is None else f"span {span_id}"


def frame_of_case(case: dict[str, Any]) -> pl.DataFrame:
    spans = case["spans"]
    return conform(
        pl.DataFrame(
            {
                "trace_id": ["t"] * len(spans),
                "span_id": [kept(span["spanID"]) for span in spans],
                "parent_span_id": pl.Series([kept(span["parent"]) for span in spans], dtype=pl.String),
                "name": [span["op"] for span in spans],
                "service_name": [span["service"] for span in spans],
                "kind": pl.Series([span["kind"] for span in spans], dtype=pl.String),
                "start_time": pl.Series([span["start_us"] * 1000 for span in spans]).cast(TIME),
                "duration": pl.Series([span["duration_us"] * 1000 for span in spans]).cast(DURATION),
            }
        )
    )


@pytest.mark.parametrize("name", CASES)
def test_jaeger_gives_the_sections_of_the_worked_case(cases: dict[str, Any], name: str) -> None:
    case = cases[name]
    expected = [
        (kept(part["spanID"]), part["section_start"] * 1000, part["section_end"] * 1000) for part in case["expected"]
    ]
    assert [section[1:] for section in sections(critical_path(frame_of_case(case), method="jaeger"))] == expected


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("crisp/")])
def test_the_default_goes_over_the_spans_that_crisp_lists(cases: dict[str, Any], name: str) -> None:
    case = cases[name]
    found = set(critical_path(frame_of_case(case))["span_id"])
    assert (found == set(map(kept, case["expected_crisp_cp_spans"]))) == (name not in UNLIKE_CRISP)


def test_there_are_as_many_worked_cases_as_are_tested(cases: dict[str, Any]) -> None:
    assert sorted(cases) == sorted(CASES)
