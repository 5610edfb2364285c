from __future__ import annotations

import datetime as dt
import math
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.traceql.shop import EVENTFUL, SHOP
from tracelab.conforming import conform
from tracelab.errors import QueryError, QueryTypeError, TracelabError
from tracelab.schema import DURATION, TIME
from tracelab.synthetic import draw, generate
from tracelab.traceql import query_metrics
from tracelab.traceql.series import over_time as series
from tracelab.traceql.series.windows import default_step

SECOND = 1_000_000_000


def at(*spans: tuple[float, str, int | None], durations: list[int] | None = None) -> pl.DataFrame:
    """Make spans that start at these seconds after 1970, with a name and a number `n`."""
    drawn = draw("\n\n".join(f"{name} =" for _, name, _ in spans))
    return conform(
        drawn.with_columns(
            start_time=pl.Series([round(second * SECOND) for second, _, _ in spans]).cast(TIME),
            duration=pl.Series(durations or [SECOND] * len(spans)).cast(DURATION),
            **{"span.n": pl.Series([number for _, _, number in spans], dtype=pl.Int64)},
        )
    )


def points(spans: pl.DataFrame, text: str, **options: Any) -> list[tuple[Any, ...]]:
    """Ask for a metric; times in seconds after 1970."""
    options = {"start": SECOND, "end": 4 * SECOND, "step": "1s", **options}
    found = query_metrics(spans, text, **options)
    return found.with_columns(time=(pl.col("time").to_physical() / SECOND).round(3)).rows()


EVENLY = at((1.5, "a", 1), (1.7, "b", 2), (2.0, "a", None), (2.1, "a", 4), (3.5, "b", 8))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{ } | count_over_time()", [(2.0, 3.0), (3.0, 1.0), (4.0, 1.0)]),
        ("{ name = `b` } | rate()", [(2.0, 1.0), (3.0, 0.0), (4.0, 1.0)]),
        ("{ } | min_over_time(.n)", [(2.0, 1.0), (3.0, 4.0), (4.0, 8.0)]),
        ("{ } | max_over_time(.n)", [(2.0, 2.0), (3.0, 4.0), (4.0, 8.0)]),
        ("{ } | sum_over_time(.n)", [(2.0, 3.0), (3.0, 4.0), (4.0, 8.0)]),
        ("{ } | avg_over_time(.n)", [(2.0, 1.5), (3.0, 4.0), (4.0, 8.0)]),
        ("{ } | avg_over_time(duration)", [(2.0, 1.0), (3.0, 1.0), (4.0, 1.0)]),
        ("{ } | max_over_time(traceDuration)", [(2.0, 1.0), (3.0, 1.0), (4.0, 1.0)]),
        ("{ name = `b` } | sum_over_time(.n)", [(2.0, 2.0), (4.0, 8.0)]),
        ("{ } | max_over_time(name)", []),
        ("{ name = `c` } | rate()", []),
        (
            "{ } | count_over_time() by (name)",
            [
                (2.0, "a", 2.0),
                (3.0, "a", 1.0),
                (4.0, "a", 0.0),
                (2.0, "b", 1.0),
                (3.0, "b", 0.0),
                (4.0, "b", 1.0),
            ],
        ),
        (
            "{ } | count_over_time() by (.n) > 0",
            [
                (2.0, 1, 1.0),
                (2.0, 2, 1.0),
                (3.0, 4, 1.0),
                (4.0, 8, 1.0),
                (2.0, None, 1.0),
            ],
        ),
        ("{ } | count_over_time() by (kind, duration) > 2", [(2.0, "internal", "1s", 3.0)]),
    ],
)
def test_query_metrics_counts_and_measures(text: str, expected: list[tuple[Any, ...]]) -> None:
    assert points(EVENLY, text) == expected


def test_an_interval_is_open_on_the_left_and_closed_on_the_right() -> None:
    spans = at((1.0, "start", None), (2.0, "edge", None), (4.0, "end", None), (4.1, "late", None))
    assert points(spans, "{ } | count_over_time()") == [(2.0, 1.0), (3.0, 0.0), (4.0, 1.0)]


def test_a_range_begins_one_step_early_and_is_widened_to_whole_steps() -> None:
    spans = at((95.0, "before", None), (104.0, "a", None), (123.0, "b", None), (131.0, "after", None))
    options = {"start": 104 * SECOND, "end": 123 * SECOND, "step": "10s"}
    assert points(spans, "{ } | count_over_time()", **options) == [
        (100.0, 1.0),
        (110.0, 1.0),
        (120.0, 0.0),
        (130.0, 1.0),
    ]


def test_an_instant_query_has_one_closed_interval() -> None:
    spans = at((1.0, "a", None), (2.0, "b", None), (4.0, "c", None), (4.1, "d", None))
    assert points(spans, "{ } | count_over_time()", instant=True) == [(4.0, 3.0)]
    assert points(spans, "{ } | rate()", instant=True) == [(4.0, 1.0)]


def test_the_whole_frame_is_the_default_range() -> None:
    assert query_metrics(SHOP, "{ } | count_over_time()")["value"].sum() == SHOP.height
    assert query_metrics(SHOP, "{ } | count_over_time()", instant=True)["value"].to_list() == [9.0]
    assert query_metrics(SHOP.head(1), "{ } | rate()", instant=True)["value"].to_list() == [1.0]


@pytest.mark.parametrize("start", [dt.datetime(1970, 1, 1, 0, 0, 1, tzinfo=dt.UTC), "1970-01-01T00:00:01", SECOND])
@pytest.mark.parametrize("step", ["1s", dt.timedelta(seconds=1), SECOND])
def test_query_metrics_takes_times_in_every_form(start: object, step: object) -> None:
    assert points(EVENLY, "{ } | count_over_time()", start=start, step=step) == [(2.0, 3.0), (3.0, 1.0), (4.0, 1.0)]


@pytest.mark.parametrize(
    ("seconds", "step"), [(5, 0.05), (30, 0.1), (60, 1), (3600, 15), (3 * 3600, 45), (86_400, 300)]
)
def test_default_step_gives_round_steps(seconds: int, step: float) -> None:
    assert default_step(seconds * SECOND) == step * SECOND


@pytest.mark.parametrize(
    ("durations", "quantile", "expected"),
    [
        ([256] * 4, 0.5, 2**7.5 * 1e-9),
        ([256] * 4, 1, 256e-9),
        ([256] * 4, 0, 2**7.25 * 1e-9),
        ([128, 128, 256, 512], 0.5, 128e-9),
        ([128, 128, 256, 512], 0.75, 256e-9),
        ([100, 1000, 100_000], 0.9, 131_072e-9),
        ([3, 5, 5, 1000], 0.5, 2 ** (2 + 0.5) * 1e-9),
    ],
)
def test_quantiles_are_read_from_buckets(durations: list[int], quantile: float, expected: float) -> None:
    spans = at(*[(1.5, "x", None)] * len(durations), durations=durations)
    (point,) = points(spans, f"{{ }} | quantile_over_time(duration, {quantile})", end=2 * SECOND, start=SECOND)
    assert point[1] == quantile
    assert math.isclose(point[2], expected, rel_tol=1e-12)


def test_quantiles_are_zero_where_nothing_happened() -> None:
    found = points(at((1.5, "a", 8), (3.5, "a", None)), "{ } | quantile_over_time(.n, 0.5, 1)")
    assert found == [
        (2.0, 0.5, 8.0),
        (3.0, 0.5, 0.0),
        (4.0, 0.5, 0.0),
        (2.0, 1.0, 8.0),
        (3.0, 1.0, 0.0),
        (4.0, 1.0, 0.0),
    ]


def test_histograms_count_powers_of_two_from_two_on() -> None:
    spans = at(*[(1.5, "x", None)] * 7, durations=[0, 1, 2, 3, 4, 2**40 + 1, 2**62])
    found = points(spans, "{ } | histogram_over_time(duration)", end=2 * SECOND)
    assert [(round(bucket * SECOND), count) for _, bucket, count in found] == [(2, 1), (4, 2), (2**41, 1), (2**62, 1)]


def test_histograms_of_floats_count_nothing() -> None:
    assert points(SHOP, "{ } | histogram_over_time(.db.rows)") == []


def test_a_label_without_a_scope_is_the_span_s_or_the_resource_s() -> None:
    found = query_metrics(EVENTFUL, "{ } | count_over_time() by (.code)", instant=True)
    assert found.select(".code", "value").rows() == [(None, 3.0)]
    found = query_metrics(EVENTFUL, "{ } | count_over_time() by (event.code)", instant=True)
    assert found.select("event.code", "value").rows() == [("7", 1.0), ("9", 1.0), (None, 1.0)]


def test_labels_of_other_spans_are_read_before_the_filter() -> None:
    found = query_metrics(SHOP, "{ status = error } | count_over_time() by (rootName, parent.retries)", instant=True)
    assert found.drop("time").rows() == [("GET /pay", 0, 1.0), ("GET /pay", 2, 1.0)]


def test_metrics_follow_structure_and_aggregates() -> None:
    found = query_metrics(SHOP, "{ } >> { } | by(.region) | count() > 1 | count_over_time() by (name)", instant=True)
    assert found.drop("time").rows() == [("SELECT", 1.0), ("log", 1.0)]


RANKED = at((1.1, "a", None), (1.2, "a", None), (1.3, "b", None), (1.4, "c", None), (2.5, "c", None), (2.6, "b", None))


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        ("| topk(1)", [(2.0, "a", 2.0), (3.0, "b", 1.0)]),
        ("| topk(2)", [(2.0, "a", 2.0), (2.0, "b", 1.0), (3.0, "b", 1.0), (3.0, "c", 1.0)]),
        ("| bottomk(1)", [(3.0, "a", 0.0), (2.0, "c", 1.0)]),
        ("| topk(3) | bottomk(9) > 1", [(2.0, "a", 2.0)]),
        ("> 0 | bottomk(1)", [(2.0, "c", 1.0), (3.0, "c", 1.0)]),
        ("!= 1", [(2.0, "a", 2.0), (3.0, "a", 0.0)]),
        ("= 1s | topk(1)", [(2.0, "b", 1.0), (3.0, "b", 1.0)]),
        ("> 5", []),
    ],
)
def test_second_stages_rank_and_filter_points(stage: str, expected: list[tuple[Any, ...]]) -> None:
    assert points(RANKED, f"{{ }} | count_over_time() by (name) {stage}", end=3 * SECOND) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("({ } | count_over_time()) * 2", [(2.0, 8.0), (3.0, 4.0)]),
        ("1 / ({ name = `a` } | count_over_time())", [(2.0, 0.5)]),
        ("3 - ({ } | count_over_time())", [(2.0, -1.0), (3.0, 1.0)]),
        ("({ name = `b` } | count_over_time()) / ({ } | count_over_time())", [(2.0, 0.25), (3.0, 0.5)]),
        (
            "({ } | count_over_time() by (name)) / ({ } | count_over_time()) > 0.3",
            [
                (2.0, "a", 0.5),
                (3.0, "b", 0.5),
                (3.0, "c", 0.5),
            ],
        ),
        (
            "({ } | count_over_time()) - ({ name = `a` } | count_over_time() by (name))",
            [(2.0, "a", 2.0), (3.0, "a", 2.0)],
        ),
        (
            "({ } | count_over_time() by (name)) + ({ name != `a` } | count_over_time() by (name))",
            [
                (2.0, "b", 2.0),
                (3.0, "b", 2.0),
                (2.0, "c", 2.0),
                (3.0, "c", 2.0),
            ],
        ),
        ("({ } | count_over_time() by (name)) + ({ } | count_over_time() by (kind))", []),
        ("({ } | count_over_time() by (name) | topk(1)) * 10", [(2.0, "a", 20.0), (3.0, "b", 10.0)]),
        ("(({ } | rate()) + ({ } | rate())) / 2 + 1 - 1", [(2.0, 4.0), (3.0, 2.0)]),
    ],
)
def test_metrics_can_be_calculated_with(text: str, expected: list[tuple[Any, ...]]) -> None:
    found = points(RANKED, text, end=3 * SECOND)
    assert [row for row in found if len(row) == 2 or row[1] != "internal"] == expected


def test_compare_counts_values_in_the_selection_and_outside() -> None:
    found = query_metrics(SHOP, "{ } | compare({ status = error }, 2)", instant=True)
    kinds = found.drop_nulls("kind").select("__meta_type", "kind", "value").rows()
    assert kinds == [
        ("baseline", "client", 1.0),
        ("baseline", "internal", 5.0),
        ("baseline_total", "nil", 7.0),
        ("selection", "client", 2.0),
        ("selection_total", "nil", 2.0),
        (None, "nil", None),
    ]
    regions = found.drop_nulls("span.region").select("__meta_type", "span.region", "value").rows()
    assert regions == [
        ("baseline", "eu", 2.0),
        ("baseline", "us", 1.0),
        ("baseline_total", "nil", 3.0),
        ("selection", "eu", 1.0),
        ("selection", "us", 1.0),
        ("selection_total", "nil", 2.0),
    ]
    cut = found.filter(pl.col("__meta_error") == "__too_many_values__")
    assert "name" in [column for column in cut.columns if cut[column].null_count() < cut.height]


def test_compare_can_narrow_the_selection_in_time() -> None:
    spans = at((1.5, "a", None), (2.5, "a", None), (3.5, "a", None))
    found = query_metrics(spans, f"{{ }} | compare({{ name = `a` }}, 5, {2 * SECOND}, {3 * SECOND})", instant=True)
    names = found.drop_nulls("name").filter(pl.col("name") == "a")
    assert dict(names.select("__meta_type", "value").rows()) == {"selection": 1.0, "baseline": 2.0}


def test_compare_sees_attributes_without_a_column_and_those_of_events() -> None:
    found = query_metrics(EVENTFUL, "{ } | compare({ name = `a` })", instant=True)
    assert {"event.type", "event.code", "event:name", "link.why"} <= set(found.columns)


def test_hints_change_nothing() -> None:
    plain = query_metrics(SHOP, "{ } | rate()")
    assert_frame_equal(query_metrics(SHOP, "{ } | rate() with(sample=true, exemplars=false, whatever=3)"), plain)


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("{ }", {}, "ask query"),
        ("{ } | rate()", {"start": 5, "end": 1}, "lies before its start"),
        ("{ } | rate()", {"step": "soon"}, "is no step"),
        ("{ } | rate()", {"step": "1ns", "start": 0, "end": SECOND}, "choose a step of at least"),
        ("{ } | rate()", {"start": "yesterday"}, "start='yesterday' is no time"),
        ("{ } | rate()", {"end": ""}, "end='' is no time"),
        ("{ } | rate()", {"start": 5.5}, "pass a datetime, a text such as 2026-05-01T12:00:00, or an int of nanosec"),
        ("{ } | rate()", {"end": True}, "end=True is no time"),
        ("{ } | rate()", {"start": dt.datetime(9999, 1, 1, tzinfo=dt.UTC)}, "between the years 1678 and 2262"),
        ("{ } | rate()", {"end": -(10**30)}, "between the years 1678 and 2262"),
        ("{ } | rate()", {"start": -(2**63), "end": 2**63 - 1}, "longer than 64 bits can count"),
        ("{ } | rate()", {"start": 2**63 - 5, "step": "1h"}, "beyond what times can be"),
        ("{ } | rate()", {"end": "2020-01-01"}, "lies before the first span, which starts at 2026-05-01 12:00:00"),
        (
            "{ } | rate()",
            {"start": "2027-01-01", "end": "2026-01-01"},
            "the end of the range, 2026-01-01 .*, lies before its start, 2027-01-01 .*; exchange them",
        ),
        ("{ } | rate()", {"step": "0s"}, "step='0s' is no step; write a duration above zero"),
        ("{ } | rate()", {"step": "-1s"}, "step='-1s' is no step"),
        ("{ } | rate()", {"step": dt.timedelta(0)}, "is no step"),
        ("{ } | rate()", {"step": 1.5}, "step=1.5 is no step"),
        ("{ } | rate()", {"step": True}, "step=True is no step"),
        ("{ } | rate()", {"step": []}, "is no step"),
        ("{ } | rate()", {"step": "0s", "instant": True}, "is no step"),
        ("{ } | rate()", {"step": 10**30}, "longer than 64 bits can count"),
        ("{ } | rate()", {"step": 5}, "intervals of 5ns are too many; .an int is read as nanoseconds. choose a step"),
    ],
)
def test_query_metrics_refuses(text: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(QueryError, match=words):
        query_metrics(SHOP, text, **options)


def test_query_metrics_checks_types() -> None:
    with pytest.raises(QueryTypeError):
        query_metrics(SHOP, "{ } | rate() | topk(0)")


def test_query_metrics_of_an_empty_frame_is_empty() -> None:
    for text in (
        "{ } | rate() by (name)",
        "{ } | quantile_over_time(duration, 0.5)",
        "{ } | compare({ status = error })",
    ):
        assert query_metrics(SHOP.clear(), text).is_empty()


def test_too_many_points_are_refused_before_they_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series, "MAX_POINTS", 9 * 40)
    options: dict[str, Any] = {"step": "100ms"}
    with pytest.raises(QueryError, match=r"9 series of 41 intervals are 369 points, 360 are the most"):
        query_metrics(SHOP, "{ } | rate() by (span:id)", **options, end="2026-05-01T12:00:04")
    assert query_metrics(SHOP, "{ } | rate() by (span:id)", **options).height == 9 * 22


def test_pandas_times_keep_their_nanoseconds() -> None:
    pd = pytest.importorskip("pandas")
    spans = at((1.0, "a", None), (1.5, "b", None))
    start = pd.Timestamp(SECOND + 1, unit="ns", tz="UTC")
    found = query_metrics(spans, "{ } | count_over_time()", start=start, instant=True)
    assert found["value"].to_list() == [1.0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-1 * ({ } | count_over_time())", [(2.0, -4.0), (3.0, -2.0)]),
        ("({ } | count_over_time()) * -1", [(2.0, -4.0), (3.0, -2.0)]),
        ("-8 / ({ } | count_over_time())", [(2.0, -2.0), (3.0, -4.0)]),
        ("-1.5 - ({ } | count_over_time())", [(2.0, -5.5), (3.0, -3.5)]),
        ("-(-1) * ({ } | count_over_time()) - -1", [(2.0, 5.0), (3.0, 3.0)]),
        ("1 - (-1 * (-1 * ({ } | count_over_time())))", [(2.0, -3.0), (3.0, -1.0)]),
        ("-1 * ({ } | count_over_time()) > -3", [(3.0, -2.0)]),
    ],
)
def test_numbers_beside_metrics_may_be_negative(text: str, expected: list[tuple[Any, ...]]) -> None:
    assert points(RANKED, text, end=3 * SECOND) == expected


@pytest.mark.parametrize("instant", ["", "no", 5, float("nan"), None])
def test_instant_is_a_yes_or_a_no(instant: Any) -> None:
    with pytest.raises(TracelabError, match="`instant` must be True or False, got"):
        query_metrics(SHOP, "{ } | rate()", instant=instant)


@pytest.mark.parametrize("function", ["avg_over_time", "sum_over_time"])
def test_sums_of_floats_are_the_same_to_the_last_bit_each_time(function: str) -> None:
    spans = generate(60_000, seed=3)
    answers = {
        query_metrics(spans, f"{{ }} | {function}(duration) by (kind)", step="1m").write_json() for _ in range(8)
    }
    assert len(answers) == 1
