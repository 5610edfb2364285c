from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from tracelab.display.words import NULL, format_share, in_words, zones
from tracelab.synthetic import draw
from tracelab.units import NANOSECONDS


def words(values: list[Any], name: str = "x", dtype: Any = None) -> list[str | None]:
    return list(in_words(pl.DataFrame({name: pl.Series(values, dtype=dtype, strict=False)}))[0].texts)


@pytest.mark.parametrize("unit", ["ns", "us", "ms"])
def test_durations_read_alike_in_every_unit(unit: Any) -> None:
    values = [timedelta(milliseconds=177), timedelta(seconds=1, milliseconds=20), None, timedelta(0)]
    assert words(values, dtype=pl.Duration(unit)) == ["177 ms", "1.02 s", None, "0 s"]


def nested(inner: Any) -> list[tuple[Any, list[Any], str]]:
    return [
        (inner, [1], "{}"),
        (pl.List(inner), [[1, None]], f"{{}}, {NULL}"),
        (pl.Array(inner, 1), [[1]], "{}"),
        (pl.Struct({"a": inner}), [{"a": 1}], "a={}"),
        (pl.List(pl.Struct({"a": pl.List(inner), "b": pl.String})), [[{"a": [1], "b": "x"}]], "a={}, b=x"),
        (pl.Struct({"name": pl.String, "took": inner}), [{"name": "x", "took": 1}], "name=x, took={}"),
    ]


@pytest.mark.parametrize(("unit", "text"), [("ns", "1 ns"), ("us", "1 µs"), ("ms", "1 ms")])
def test_durations_read_alike_however_deep_they_are(unit: Any, text: str) -> None:
    for (dtype, _, pattern), (counts, values, _) in zip(nested(pl.Duration(unit)), nested(pl.Int64()), strict=True):
        series = pl.Series("x", values, dtype=counts).cast(dtype)
        assert in_words(series.to_frame())[0].texts == (pattern.format(text),)


@pytest.mark.parametrize("unit", ["ns", "us", "ms"])
def test_durations_beyond_those_of_python_are_no_zeros(unit: Any) -> None:
    longest = pl.Series("x", [2**62, -(2**62)]).cast(pl.Duration(unit))
    for series in (longest, longest.implode()):
        (text, *_) = in_words(series.to_frame())[0].texts
        days = 2**62 * NANOSECONDS[unit] // NANOSECONDS["d"]
        assert text is not None
        assert abs(int(text.split(" d")[0]) - days) <= 1


@pytest.mark.parametrize("name", ["share", "trace_share", "error_rate", "reached_error_rate"])
def test_shares_are_per_cents(name: str) -> None:
    assert words([0.04, None, 1.0], name) == ["4.0 %", None, "100 %"]


@pytest.mark.parametrize(
    "name", ["error_rate_kept", "error_rate_weighted", "error_rate_off_kept", "traces_kept_share", "bytes_kept_share"]
)
def test_shares_of_what_a_policy_keeps_are_per_cents(name: str) -> None:
    assert words([0.04, None, 1.0], name) == ["4.0 %", None, "100 %"]


def test_what_a_policy_keeps_is_counted_where_it_is_no_share() -> None:
    assert words([1, 1234], "traces_kept") == ["1", "1,234"]
    assert words([0.5, 1.0], "traces_kept") == ["0.5", "1"]


def test_a_figure_may_be_off_by_more_than_itself() -> None:
    assert words([0.5, 2.0], "duration_off_kept") == ["50.0 %", "200.0 %"]


def test_bytes_read_as_sizes() -> None:
    assert words([17, 4_321, None], "bytes_kept") == ["17 bytes", "4.3 kB", None]
    assert words([803_412_254.1, float("inf"), float("nan")], "bytes_per_day") == ["803.4 MB", "∞", "NaN"]
    assert words([4_321], "span.bytes") == ["4321"]


def test_what_policies_said_of_a_trace_reads_by_policy() -> None:
    said = [[{"policy": "errors", "type": "status_code", "decision": "sampled", "reason": "cart failed"}]]
    assert words(said, "evaluations") == ["errors: sampled"]


def test_bounds_beside_a_share_are_shares_and_others_are_not() -> None:
    beside = pl.DataFrame({"error_rate": [0.5], "lower": [0.25], "upper": [0.75], "error_rate_upper": [0.8]})
    assert [column.texts[0] for column in in_words(beside)] == ["50.0 %", "25.0 %", "75.0 %", "80.0 %"]
    alone = pl.DataFrame({"value": [0.5], "lower": [0.25]})
    assert [column.texts[0] for column in in_words(alone)] == ["0.5", "0.25"]
    times = pl.DataFrame({"error_rate": [0.5], "lower": [timedelta(seconds=1)]})
    assert in_words(times)[1].texts == ("1 s",)


def test_a_share_that_somebody_wrote_in_per_cent_is_not_multiplied_again() -> None:
    assert words([4.0, 0.5], "error_rate") == ["4", "0.5"]


def test_shares_are_never_rounded_to_nothing_or_all() -> None:
    assert [format_share(share) for share in (1e-9, 0.9999999, -1e-9, 0.0099, 0.9996)] == [
        "<0.01 %", ">99.99 %", ">-0.01 %", "0.99 %", "99.96 %",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("spans", "50,051"),
        ("span.net.peer.port", "50051"),
        ("port", "50051"),
        ("status_code", "50051"),
        ("user_id", "50051"),
    ],
)
def test_numbers_that_count_have_separators_and_names_have_none(name: str, text: str) -> None:
    assert words([50051], name) == [text]


def test_times_are_written_as_far_as_they_differ() -> None:
    noon = datetime(2026, 5, 1, 12, tzinfo=UTC)
    assert words([noon, None]) == ["2026-05-01 12:00:00", None]
    assert words([noon, noon + timedelta(seconds=2, milliseconds=5)])[1] == "2026-05-01 12:00:02.005"
    assert words([noon, noon + timedelta(microseconds=7)]) == [
        "2026-05-01 12:00:00.000000",
        "2026-05-01 12:00:00.000007",
    ]


def test_zones_are_named_with_their_columns() -> None:
    frame = pl.DataFrame({"a": [datetime(2026, 5, 1, tzinfo=UTC)], "b": [datetime(2026, 5, 1)]})  # noqa: DTZ001
    assert zones(frame) == {"UTC": ["a"]}


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([float("nan")], "NaN"),
        ([float("-inf")], "-∞"),
        ([True], "true"),
        ([date(2026, 5, 1)], "2026-05-01"),
        ([b"abc"], "3 bytes"),
        ([["a", "b", "c", "d", "e"]], "a, b, c and 2 more"),
        ([{"a": 1, "b": timedelta(seconds=1)}], "a=1, b=1 s"),
        (["\x1b[31m"], "\\x1b[31m"),
        ([["\u202e"]], "\\u202e"),
        ([1e300], "1e+300"),
        (["x" * 500], "x" * 119 + "…"),
    ],
)
def test_other_values_are_short_and_harmless(values: list[Any], text: str) -> None:
    assert words(values) == [text]


def test_ids_are_whole_and_events_are_named() -> None:
    spans = draw("api ===== event:retry").select("trace_id", "more_attributes")
    assert in_words(spans)[0].whole
    events = [{"name": "retry", "time": None}, {"name": "gave\x00up", "time": None}]
    assert words([events]) == ["retry, gave\\x00up"]
    assert words(["ab" * 60], "trace_id") == ["ab" * 60]


def test_a_frame_is_not_changed() -> None:
    spans = draw("api =====")
    before = spans.clone()
    in_words(spans)
    assert spans.equals(before)
    assert spans.schema == before.schema


def test_sentences_of_an_answer_are_read_to_their_end_and_other_texts_are_cut() -> None:
    sentence = "a word " * 40
    told = {column.name: column.texts[0] for column in in_words(pl.DataFrame({"finding": [sentence], "x": [sentence]}))}
    assert told["finding"] == sentence
    assert len(told["x"] or "") == 120


def test_rates_have_three_digits() -> None:
    rates = pl.DataFrame({"per_second": [0.95484, 12.3456, 999.7, 1234.5, 0.0]})
    assert in_words(rates)[0].texts == ("0.955", "12.3", "1,000", "1,234", "0")
