from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from tests.loaders.rows.made import (
    ROOT,
    START_NS,
    TRACE,
    durations_of,
    example,
    found,
    lines,
    nanoseconds,
    parquet,
    quietly,
    row,
    starts_of,
    table,
)
from tracelab.errors import LoadWarning
from tracelab.loaders import load_report, read


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("duration_ns", 1_500, 1_500),
        ("durationNano", 1_500, 1_500),
        ("duration_us", 1.5, 1_500),
        ("durationMicros", 2, 2_000),
        ("duration_ms", "12.3456789", 12_345_679),
        ("DurationMs", 12, 12_000_000),
        ("Duration (ms)", 12, 12_000_000),
        ("duration_in_millis", 12, 12_000_000),
        ("elapsed_seconds", 0.25, 250_000_000),
        ("duration_s", "1e-3", 1_000_000),
    ],
)
def test_the_name_of_a_duration_tells_its_unit(name: str, value: Any, expected: int) -> None:
    assert durations_of([value], name) == [expected]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("start_ns", START_NS),
        ("startTimeUnixNano", START_NS),
        ("start_time_us", START_NS // 1_000),
        ("startTimeMillis", START_NS // 1_000_000),
        ("timestamp_ms", START_NS // 1_000_000),
        ("start_s", START_NS // 1_000_000_000),
        # Nothing in the name says it, but the size of the numbers.
        ("start", START_NS),
        ("timestamp", START_NS // 1_000),
        ("@timestamp", START_NS // 1_000_000),
        ("time", START_NS // 1_000_000_000),
        ("ts", f"{START_NS // 1_000_000_000}.0"),
        # No instant could be so many seconds.
        ("start_seconds", START_NS),
    ],
)
def test_the_name_of_a_start_or_its_size_tells_its_unit(name: str, value: Any) -> None:
    assert starts_of([value], name) == [START_NS]


def test_fractions_of_starts_are_exact() -> None:
    assert starts_of(["1772366400.123456789"], "start") == [START_NS + 123_456_789]
    assert starts_of(["1772366400123.456789"], "start") == [START_NS + 123_456_789]
    content = lines(row(start_time=1772366400.123456))
    assert nanoseconds(quietly(content))[0][0] == START_NS + 123_456_000


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01T12:00:00Z",
        "2026-03-01T12:00:00.000000000+00:00",
        "2026-03-01 12:00:00",
        "2026-03-01 12:00:00.000 UTC",
        "2026-03-01T14:00:00+0200",
        "2026-03-01T07:30:00-04:30",
        "2026-03-01T12:00Z",
        "2026-03-01 12:00:00.0 +0000 UTC",
        "3/1/2026, 12:00:00.000 PM",
        "Sun, 01 Mar 2026 12:00:00 GMT",
        "Mar 1, 2026 @ 12:00:00.000",
        str(START_NS),
    ],
)
def test_instants_are_read_as_people_and_programs_write_them(text: str) -> None:
    assert starts_of([text]) == [START_NS]


def test_nanoseconds_of_an_instant_are_kept_and_more_digits_cut() -> None:
    assert (
        starts_of(["2026-03-01T12:00:00.123456789Z", "2026-03-01 12:00:00,1234567891"]) == [START_NS + 123_456_789] * 2
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12.5ms", 12_500_000),
        ("12.5 ms", 12_500_000),
        ("5µs", 5_000),
        ("3 seconds", 3_000_000_000),
        ("1m2.5s", 62_500_000_000),
        ("1h 5m", 3_900_000_000_000),
        ("PT0.005S", 5_000_000),
        ("P1DT2H3.000001S", 93_603_000_001_000),
        ("PT1H5M", 3_900_000_000_000),
        ("00:00:01.5", 1_500_000_000),
        ("1.02:03:04.5", 93_784_500_000_000),
        ("0 days 00:00:00.005000", 5_000_000),
        ("1 days 02:00:03.000001", 93_603_000_001_000),
    ],
)
def test_durations_that_say_their_unit_are_read_by_it(text: str, expected: int) -> None:
    assert durations_of([text]) == [expected]
    assert "durations without a unit" not in found(table(row(duration_ms=None, duration=text)))


def test_dtypes_of_parquet_tell_units_exactly() -> None:
    frame = pl.DataFrame({"trace_id": [TRACE], "span_id": [ROOT], "name": ["n"]}).with_columns(
        start_time=pl.lit(datetime(2026, 3, 1, 12, tzinfo=UTC)).cast(pl.Datetime("ns", "UTC"))
        + pl.duration(nanoseconds=1),
        duration=pl.lit(timedelta(microseconds=7)),
    )
    assert nanoseconds(read(parquet(frame))) == [(START_NS + 1, 7_000)]
    assert found(parquet(frame)) == {}
    elsewhere = frame.with_columns(pl.col("start_time").dt.convert_time_zone("Asia/Tokyo"))
    assert nanoseconds(read(parquet(elsewhere))) == [(START_NS + 1, 7_000)]
    naive = frame.with_columns(pl.col("start_time").dt.replace_time_zone(None))
    assert found(parquet(naive)) == {"times without a zone": 1}


def test_what_was_guessed_from_names_and_sizes_is_counted_with_an_example() -> None:
    content = table(row(start_time=START_NS // 1_000))
    assert found(content) == {"units of durations guessed": 1, "units of times guessed": 1}
    assert example(content, "units of durations guessed") == "duration_ms -> milliseconds"
    assert example(content, "units of times guessed") == "start_time -> microseconds"
    assert set(load_report(content)["action"]) == {"read", "guessed"}


def spans_of_traces(unit: float) -> bytes:
    """Write traces whose last span starts in the middle of the first one; durations are numbers of some unit."""
    rows = []
    for number in range(1, 5):
        for span, seconds, length in ((1, 0, 4), (2, 2, 1)):
            start = f"2026-03-01T12:00:0{seconds}Z"
            own = {"trace_id": f"{number:031x}f", "span_id": f"{number}{span:014x}b", "duration": length / unit}
            rows.append(row(start_time=start, duration_ms=None, **own))
    return table(*rows)


@pytest.mark.parametrize(
    ("unit", "word"), [(1, "seconds"), (1e-3, "milliseconds"), (1e-6, "microseconds"), (1e-9, "nanoseconds")]
)
def test_a_bare_duration_is_of_the_unit_in_which_traces_hold_their_spans(unit: float, word: str) -> None:
    content = spans_of_traces(unit)
    with pytest.warns(LoadWarning, match="durations without a unit"):
        spans = read(content)
    assert sorted(spans["duration"].dt.total_seconds().to_list()) == [1] * 4 + [4] * 4
    assert example(content, "durations without a unit") == f"duration -> {word}"


def test_a_bare_duration_is_of_the_unit_of_the_start_or_else_milliseconds() -> None:
    for start, expected in ((START_NS // 1_000, 7_000), (START_NS // 1_000_000, 7_000_000), (START_NS, 7)):
        content = table(row(start_time=start, duration_ms=None, duration=7))
        assert nanoseconds(quietly(content))[0][1] == expected
    assert durations_of([7]) == [7_000_000]


def test_elastics_data_streams_of_opentelemetry_have_nanoseconds() -> None:
    # One trace of one span: nothing else in the file tells the unit.
    span = row(duration_ms=None, start_time=None, duration=2_500_000)
    span["@timestamp"] = "2026-03-01T12:00:00.000000001Z"
    for stream in ({"data_stream": {"type": "traces"}}, {"data_stream.type": "traces"}):
        assert nanoseconds(quietly(lines({**span, **stream}))) == [(START_NS + 1, 2_500_000)]
    assert nanoseconds(quietly(lines(span))) == [(START_NS + 1, 2_500_000_000_000)]


def test_a_bare_duration_beside_an_end_is_of_the_unit_that_fits() -> None:
    span = row(duration_ms=None, end_time="2026-03-01T12:00:00.250Z")
    assert nanoseconds(quietly(table({**span, "duration": 0.25})))[0][1] == 250_000_000
    assert found(table({**span, "duration": 250}))["durations without a unit"] == 1
    other = table({**span, "duration": 7_777_777})
    assert nanoseconds(quietly(other))[0][1] == 250_000_000
    assert quietly(other)["span.duration"].item() == 7_777_777
    assert found(other)["durations that do not fit start and end"] == 1


def test_of_duration_and_end_the_finer_one_counts() -> None:
    coarse = row(duration_ms=5.125, end_time="2026-03-01T12:00:00.005Z")
    assert nanoseconds(quietly(table(coarse)))[0][1] == 5_125_000
    fine = row(duration_ms=5, end_time="2026-03-01T12:00:00.005000123Z")
    assert nanoseconds(quietly(table(fine)))[0][1] == 5_000_123


def test_what_is_no_time_is_counted_and_the_rest_saved() -> None:
    content = table(
        row(span_id="1a", start_time="2026-13-45T99:99:99Z"),
        row(span_id="2a", duration_ms="soon"),
        row(span_id="3a", start_time="", end_time="2026-03-01T12:00:00.005Z"),
        row(span_id="4a", start_time="null"),
        row(span_id="5a", start_time="9999-12-31T23:59:59Z"),
        row(span_id="6a", duration_ms=1e300),
    )
    counted = found(content)
    assert counted["times that are no times"] == 4
    spans = quietly(content).sort("span_id")
    assert nanoseconds(spans)[:4] == [(0, 5_000_000), (START_NS, 0), (START_NS, 5_000_000), (0, 5_000_000)]
    assert counted["spans without a start"] == 3
    assert counted["spans without an end"] == 2


def test_small_starts_are_of_the_unit_of_the_durations() -> None:
    content = table(row(start_time=250), row(span_id="1a", start_time=0))
    assert sorted(nanoseconds(quietly(content))) == [(0, 5_000_000), (250_000_000, 5_000_000)]


def test_an_export_of_datadogs_explorer_has_nanoseconds_and_its_start_is_called_date() -> None:
    dump = (
        b"Date,Service,Resource,Duration,Span ID,Trace ID,Operation Name\n"
        b"2026-01-13T10:00:00.123Z,shop,GET /buy,5000000,81985529216486895,1311768467463790320,http.request\n"
    )
    with pytest.warns(LoadWarning, match="durations without a unit"):
        spans = read(dump)
    assert spans["duration"].dt.total_nanoseconds().to_list() == [5_000_000]
    assert spans["start_time"].dt.timestamp("ms").to_list() == [1_768_298_400_123]
    assert spans.select("name", "service_name").row(0) == ("http.request", "shop")


@pytest.mark.parametrize(
    ("numbers", "nanoseconds"),
    [
        ((150_000_000, 90_000_000), 150_000_000),  # as milliseconds: 42 hours
        ((20_000_000, 30_000_000), 20_000_000_000),  # as milliseconds: 6 hours; as microseconds: 20 seconds
        ((250, 300), 250_000_000),
        ((9_300_000_000_000, 9_300_000_000_000), 9_300_000_000_000),  # as milliseconds: more than 64 bits
    ],
)
def test_durations_without_a_unit_are_not_hours_long(numbers: tuple[int, int], nanoseconds: int) -> None:
    dump = "trace_id,span_id,name,start,duration\n" + "".join(
        f"{number:032x},{number:016x},work,2026-01-01T00:00:00Z,{held}\n"
        for number, held in enumerate(numbers, start=1)
    )
    with pytest.warns(LoadWarning, match="durations without a unit"):
        spans = read(dump.encode())
    assert spans.sort("span_id")["duration"].dt.total_nanoseconds()[0] == nanoseconds


def test_durations_of_days_in_the_unit_of_their_name_are_kept_and_counted() -> None:
    row = "0af7651916cd43dd8448eb211c80319c,b7ad6b7169203331,work,2026-01-01T00:00:00Z,"
    long = f"trace_id,span_id,name,start,duration_ms\n{row}150000000\n".encode()
    with pytest.warns(LoadWarning, match="durations of days"):
        spans = read(long)
    assert spans["duration"].dt.total_milliseconds().to_list() == [150_000_000]
    columns: dict[str, str | tuple[str, str]] = {"duration": ("duration_ms", "ms"), "start_time": "start"}
    assert "durations of days" not in load_report(long, columns=columns)["problem"].to_list()
    with_end = f"trace_id,span_id,name,start,duration_ms,end\n{row}150000000,2026-01-02T17:40:00Z\n".encode()
    assert "durations of days" not in load_report(with_end)["problem"].to_list()
    short = f"trace_id,span_id,name,start,duration_ms\n{row}15\n".encode()
    assert "durations of days" not in load_report(short)["problem"].to_list()


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (["1/13/2026 13:00", "1/2/2026 9:05"], ["2026-01-13T13:00:00", "2026-01-02T09:05:00"]),
        (["13/1/2026 13:00:30", "2/1/2026 09:05:00"], ["2026-01-13T13:00:30", "2026-01-02T09:05:00"]),
        (["01/13/26 13:00:30.25"], ["2026-01-13T13:00:30.250"]),
        (["1/13/2026"], ["2026-01-13T00:00:00"]),
        (["1/13/2026, 1:00 PM", "1/13/2026 12:00:01 am"], ["2026-01-13T13:00:00", "2026-01-13T00:00:01"]),
        (["1/13/2026, 1:00:00\u202fPM"], ["2026-01-13T13:00:00"]),
        (["1/1/2026 13:00"], ["2026-01-01T13:00:00"]),
    ],
)
def test_dates_with_slashes_have_clocks_of_12_or_24_hours(written: list[str], expected: list[str]) -> None:
    content = table(*(row(span_id=f"{number}a", start_time=text) for number, text in enumerate(written, 1)))
    spans = quietly(content).sort("span_id")
    wanted = [datetime.fromisoformat(text).replace(tzinfo=UTC) for text in expected]
    assert spans["start_time"].cast(pl.Datetime("us", "UTC")).to_list() == wanted
    assert set(found(content)) == {*("ids without leading zeros", "times without a zone", "units of durations guessed")}


@pytest.mark.parametrize(
    ("written", "day"),
    [(["1/2/2026 13:00"], ["2026-01-02"]), (["1/13/2026 13:00", "13/2/2026 13:00"], ["2026-01-13", "2026-02-13"])],
)
def test_where_day_and_month_are_not_told_apart_the_guess_is_counted(written: list[str], day: list[str]) -> None:
    content = table(*(row(span_id=f"{number}a", start_time=text) for number, text in enumerate(written, 1)))
    with pytest.warns(LoadWarning, match="day or the month"):
        spans = read(content).sort("span_id")
    assert spans["start_time"].dt.strftime("%Y-%m-%d").to_list() == day
    assert found(content)["dates of which the day or the month may come first"] == len(written)


@pytest.mark.parametrize("text", ["13/13/2026 13:00", "1/32/2026 1:00", "1/13/2026 13:00 PM", "0/0/0000"])
def test_dates_with_slashes_that_are_none_are_counted(text: str) -> None:
    content = table(row(), row(span_id="1a", start_time=text))
    assert found(content)["times that are no times"] == 1
