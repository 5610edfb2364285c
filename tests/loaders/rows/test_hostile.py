"""Whatever stands in the cells: a frame, or a clear error, and no span gets lost unseen."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.loaders.rows.made import TRACE, found, lines, quietly, row, table
from tracelab.errors import TracelabError
from tracelab.loaders import load_report
from tracelab.loaders.rows.names import KEYS

CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(
        [
            *("", "0", "null", "NaN", "9" * 40, "007", "2026-03-01T12:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31"),
            *("PT5S", "P99999999999999D", "12.5ms", "1e999", "00:00:01", "[1,2", '{"a":', "{'a': 1}", "[" * 2000),
            *("server", "ERROR", 200, "span_event", "link", "int", 1_772_366_400, 1_772_366_400_000_000_000),
        ]
    ),
    st.sampled_from(
        [
            *([], {}, [1, "x", None], {"a": {"b": [1]}}, [{"key": "k", "value": {"stringValue": "v"}}], [{"key": 5}]),
            *({"id": 5}, {"seconds": 5}, [5, 6], {"$date": "x"}, [{"name": 5, "time": "x", "attributes": [1]}], [[]]),
        ]
    ),
)
NAMES = st.sampled_from(
    [
        *(
            "trace_id",
            "traceId",
            "span_id",
            "id",
            "parent_span_id",
            "name",
            "kind",
            "service",
            "start_ns",
            "start_time",
        ),
        *("@timestamp", "duration", "duration_ms", "end_time", "status", "error", "success", "attributes", "tags"),
        *(
            "resource",
            "events",
            "links",
            "references",
            "meta.annotation_type",
            "span.x",
            "span.x:type",
            "more_attributes",
        ),
        *("flags", "scope.name", "events.name", "status.code", "context", "tree_left", "tree_right", "", "foo"),
    ]
)
ROWS = st.lists(st.dictionaries(NAMES, CELLS, max_size=5), min_size=1, max_size=4)


def checked(content: bytes, **options: Any) -> None:
    try:
        spans = quietly(content, **options)
    except TracelabError:
        return
    report = load_report(content, **options)
    count = report.filter(pl.col("problem") == "spans")["count"].item()
    assert count == spans.height + report["lost_spans"].sum()


@given(ROWS, st.booleans())
@settings(max_examples=60, deadline=None)
def test_json_rows_of_anything_give_a_frame_or_a_clear_error(rows: list[dict[str, Any]], whole: bool) -> None:
    rows = [{**row(), **each} if whole else each for each in rows]
    checked(lines(*rows))
    checked(json.dumps({"data": rows}).encode(), format="rows")


@given(ROWS)
@settings(max_examples=60, deadline=None)
def test_tables_of_anything_give_a_frame_or_a_clear_error(rows: list[dict[str, Any]]) -> None:
    cells = [
        {name: json.dumps(cell) if isinstance(cell, list | dict) else cell for name, cell in each.items()}
        for each in rows
    ]
    checked(table(*({**row(), **each} for each in cells)))
    checked(table(*cells, separator=";"), format="rows")


@given(st.dictionaries(st.sampled_from(KEYS), NAMES, min_size=1, max_size=4), ROWS)
@settings(max_examples=60, deadline=None)
def test_columns_that_are_asked_for_give_a_frame_or_a_clear_error(
    asked: dict[str, str], rows: list[dict[str, Any]]
) -> None:
    checked(lines(*({**row(), **each} for each in rows)), columns={key: name or "name" for key, name in asked.items()})


def test_deep_and_wrong_cells_cost_no_span() -> None:
    deep: Any = 1
    for _ in range(400):
        deep = [deep]
    content = lines(
        row(span_id="1a", attributes=deep, events={"name": deep}, links="[{", tags=5),
        row(span_id="2a", events=[5, None, "x"], links=[5, {"traceId": {}, "spanId": 2**70}], attributes="{"),
        row(span_id={"a": 1}, name=["x"], kind={}, status=[], error=[None], service=5),
    )
    spans = quietly(content)
    assert spans.height == 3
    assert spans["trace_id"].unique().to_list() == [TRACE]
    assert found(content)["fields of the wrong type"] >= 3


@pytest.mark.parametrize("cell", ["[" * 100_000, '{"a":' * 50_000, "{'a': " * 50_000, "(" * 10_000])
def test_text_that_opens_without_end_stays_text(cell: str) -> None:
    spans = quietly(table(row(attributes=cell)))
    assert spans["span.attributes"].item() == cell
