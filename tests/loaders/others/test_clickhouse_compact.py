from __future__ import annotations

import json
from typing import Any

import pytest
from polars.testing import assert_frame_equal

from tests.loaders.dumps import ROOT, compact
from tests.loaders.others.test_clickhouse import table_row
from tracelab.errors import LoadError, LoadWarning
from tracelab.loaders import load_report, read

ROWS = [table_row(), table_row(SpanId=ROOT, ParentSpanId="", SpanKind="Server", Duration=900)]
NAMES = list(ROWS[0])
LISTS = [list(row.values()) for row in ROWS]
META = [{"name": name, "type": "String"} for name in NAMES]
COLUMNS = {name: [row[name] for row in ROWS] for name in NAMES}
TYPES = ["DateTime64(9)", *("String" for _ in NAMES[2:]), "Array(Map(LowCardinality(String), String))"]


def lines(*documents: Any) -> bytes:
    return b"\n".join(json.dumps(document).encode() for document in documents)


WRITTEN = {
    "JSONCompact": json.dumps({"meta": META, "data": LISTS, "rows": 2}, indent="\t").encode(),
    "JSONCompact in one line": compact({"meta": META, "data": LISTS, "rows": 2}),
    "JSONCompactEachRowWithNames": lines(NAMES, *LISTS),
    "JSONCompactEachRowWithNamesAndTypes": lines(NAMES, TYPES, *LISTS),
    "JSONColumns": json.dumps(COLUMNS, indent="\t").encode(),
    "JSONColumnsWithMetadata": json.dumps({"meta": META, "data": COLUMNS, "rows": 2}, indent="\t").encode(),
    "a list of names and rows": json.dumps([NAMES, *LISTS]).encode(),
}


@pytest.mark.parametrize("dump", WRITTEN.values(), ids=list(WRITTEN))
def test_tables_with_their_names_once_are_read_as_rows_are(dump: bytes) -> None:
    assert_frame_equal(read(dump), read(lines(*ROWS)))
    assert load_report(dump)["format"].unique().to_list() == ["clickhouse-compact"]
    assert_frame_equal(read(dump, format="clickhouse"), read(dump))


def test_rows_without_names_are_taken_in_the_exporters_order_and_counted() -> None:
    with pytest.warns(LoadWarning, match="rows without names of columns"):
        spans = read(lines(*LISTS))
    assert_frame_equal(spans, read(lines(*ROWS)))


def test_names_may_be_in_any_order_and_others_are_attributes() -> None:
    names = [*reversed(NAMES), "Team"]
    dump = lines(names, [*reversed(LISTS[0]), "blue"])
    spans = read(dump)
    assert spans.select("name", "service_name", "span.Team").row(0) == ("work", "shop", "blue")


@pytest.mark.parametrize("bad", [LISTS[0][:-1], [], [None] * 3, 5, "x", {"a": 1}])
def test_one_bad_row_loses_no_other(bad: Any) -> None:
    for dump in (lines(NAMES, LISTS[0], bad, LISTS[1]), compact({"meta": META, "data": [LISTS[0], bad, LISTS[1]]})):
        with pytest.warns(LoadWarning, match="spans that are none"):
            assert read(dump).height == 2


def test_columns_of_several_lengths_are_counted() -> None:
    with pytest.warns(LoadWarning, match="fields of the wrong type"):
        spans = read(compact({**COLUMNS, "StatusMessage": ["no"], "Extra": 5}))
    assert spans.height == 2


def test_maps_as_text_are_counted() -> None:
    texts = [value if isinstance(value, str) else str(value) for value in LISTS[0]]
    with pytest.warns(LoadWarning, match="fields of the wrong type"):
        spans = read(lines(NAMES, texts, texts))
    assert spans["name"].to_list() == ["work"]


@pytest.mark.parametrize(
    "content",
    [
        {"meta": [{"name": "a"}], "data": [[1]]},
        {"meta": 5, "data": [[1]]},
        {"TraceId": [], "SpanId": {}, "SpanName": []},
        [["TraceId", "SpanId"], ["a", "b"]],
        [[[[]]]],
        [list(range(22))],
    ],
)
def test_tables_of_something_else_are_refused(content: Any) -> None:
    with pytest.raises(LoadError):
        read(json.dumps(content).encode())
