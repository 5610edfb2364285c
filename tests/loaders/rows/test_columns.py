from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from tests.loaders.dumps import compact, shop_otlp
from tests.loaders.rows.made import (
    CHILD,
    ROOT,
    START,
    START_NS,
    TRACE,
    found,
    lines,
    nanoseconds,
    parquet,
    quietly,
    table,
)
from tracelab.errors import LoadError, TracelabError
from tracelab.loaders import load_report, read

if TYPE_CHECKING:
    from collections.abc import Callable

ODD: list[dict[str, Any]] = [
    {"tid": TRACE, "sid": ROOT, "up": None, "what": "a", "t0": START_NS // 1_000_000, "took": 4, "who": "x", "size": 7},
    {
        "tid": TRACE,
        "sid": CHILD,
        "up": ROOT,
        "what": "b",
        "t0": START_NS // 1_000_000 + 1,
        "took": 2,
        "who": "y",
        "size": 8,
    },
]
ASKED: dict[str, Any] = {
    "trace_id": "tid", "span_id": "sid", "parent_span_id": "up", "name": "what", "start_time": "t0",
    "duration": ("took", "ms"), "service_name": "who",
}  # fmt: skip


@pytest.mark.parametrize(
    "content",
    [
        table(*ODD),
        table(*ODD, separator="\t"),
        lines(*ODD),
        parquet(pl.DataFrame(ODD)),
        json.dumps({"foo": ODD}).encode(),
        json.dumps(ODD, indent=1).encode(),
    ],
    ids=["csv", "tsv", "json lines", "parquet", "json object", "json list"],
)
def test_columns_of_other_names_are_read_as_they_are_called(content: bytes) -> None:
    spans = read(content, columns=ASKED)
    assert spans.select("name", "parent_span_id", "service_name", "span.size", "depth").rows() == [
        ("a", None, "x", 7, 0), ("b", ROOT, "y", 8, 1),
    ]  # fmt: skip
    assert nanoseconds(spans) == [(START_NS, 4_000_000), (START_NS + 1_000_000, 2_000_000)]
    report = load_report(content, columns=ASKED)
    assert report["format"].unique().to_list() == ["rows"]
    assert "units of durations guessed" not in report["problem"].to_list()


def test_a_unit_that_is_said_is_not_guessed() -> None:
    asked = {**ASKED, "start_time": ("t0", "milliseconds")}
    assert set(found(lines(*ODD), columns=asked)) == set()


def test_columns_that_are_not_named_are_recognised_as_usual() -> None:
    content = table({"trace_id": TRACE, "span_id": ROOT, "label": "a", "start_ns": START_NS, "duration_us": 3})
    assert nanoseconds(read(content, columns={"name": "label"})) == [(START_NS, 3_000)]


def test_a_named_column_wins_over_a_recognised_one_which_stays_an_attribute() -> None:
    content = table(
        {"trace_id": TRACE, "span_id": ROOT, "name": "n", "title": "t", "start_ns": START_NS, "duration_us": 3}
    )
    assert read(content, columns={"name": "title"}).select("name", "span.name").row(0) == ("t", "n")


def test_with_columns_everything_is_rows() -> None:
    document = compact(shop_otlp())
    with pytest.raises(LoadError, match="there is no column 'tid'"):
        read(document, columns={"trace_id": "tid"})


def test_a_column_may_stand_in_an_object_or_be_empty() -> None:
    content = lines({"ctx": {"t": TRACE, "s": ROOT}, "n": "a", "start_ns": START_NS, "duration_ns": 1, "up": None})
    asked: dict[str, Any] = {"trace_id": "ctx.t", "span_id": "ctx.s", "name": "n", "parent_span_id": "up"}
    assert read(content, columns=asked).select("trace_id", "span_id", "parent_span_id").row(0) == (TRACE, ROOT, None)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"traceid": "tid"}, "Did you mean 'trace_id'"),
        ({"link_trace_id": "tid"}, "no field"),
        ({5: "tid"}, "no field"),
        ({"trace_id": 5}, "must be the name of a column"),
        ({"trace_id": ""}, "must be the name of a column"),
        ({"duration": ("took", "fortnights")}, "one of the units ns, us, ms, s"),
        ({"duration": ("took", 5)}, "one of the units"),
        ({"name": ("what", "ms")}, "only times and durations"),
        ({}, "must map fields"),
        ([("trace_id", "tid")], "must map fields"),
        ("tid", "must map fields"),
    ],
)
def test_wrong_columns_are_refused_with_what_they_should_be(columns: Any, words: str) -> None:
    for reader in (read, load_report):
        with pytest.raises(TracelabError, match=words):
            reader(table(*ODD), columns=columns)


def test_a_column_that_is_not_in_the_file_is_named_with_near_ones() -> None:
    for content in (table(*ODD), lines(*ODD), parquet(pl.DataFrame(ODD))):
        with pytest.raises(LoadError, match=r"no column 'tidd', which `columns` names for 'trace_id'.*mean 'tid'"):
            read(content, columns={"trace_id": "tidd"})


def test_columns_go_with_rows_only() -> None:
    with pytest.raises(TracelabError, match="`columns` is for rows"):
        read(table(*ODD), columns=ASKED, format="zipkin")
    assert read(table(*ODD), columns=ASKED, format="rows").height == 2


def test_rows_that_say_too_little_are_refused_even_when_asked_for() -> None:
    with pytest.raises(LoadError, match="no column is known as"):
        read(b"a,b\n1,2\n", format="rows")
    assert (
        quietly(table({"name": "n", "duration_ms": 5}), format="rows").select("name", "duration").row(0)[1].microseconds
        == 5000
    )


@pytest.mark.parametrize("write", [table, lines])
def test_columns_without_a_start_are_an_error(write: Callable[..., bytes]) -> None:
    content = write({"tid": TRACE, "sid": ROOT, "what": "work", "took": 5})
    asked: dict[str, Any] = {"trace_id": "tid", "span_id": "sid", "name": "what", "duration": ("took", "ms")}
    with pytest.raises(LoadError, match=r"no column is known as the start or end of spans \(columns: tid.*start_time"):
        read(content, columns=asked)


def test_columns_may_leave_out_a_start_that_is_recognised_or_an_end_that_says_it() -> None:
    said = {"duration": ("took", "ms")}
    rest = {"trace_id": TRACE, "span_id": ROOT, "name": "work", "took": 5}
    assert nanoseconds(quietly(table({**rest, "start_time": START}), columns=said)) == [(START_NS, 5_000_000)]
    assert nanoseconds(quietly(table({**rest, "end_time": START}), columns=said)) == [(START_NS - 5_000_000, 5_000_000)]
