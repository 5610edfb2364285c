from __future__ import annotations

import io
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
from polars.testing import assert_frame_equal

from tests.loaders.dumps import CALL, ROOT, TRACE_ID, compact
from tracelab.loaders import read
from tracelab.loaders.others import clickhouse


def table_row(**fields: Any) -> dict[str, Any]:
    return {
        "Timestamp": "2026-05-01 12:00:00.000000001",
        "TraceId": TRACE_ID,
        "SpanId": CALL,
        "ParentSpanId": ROOT,
        "TraceState": "",
        "SpanName": "work",
        "SpanKind": "Client",
        "ServiceName": "shop",
        "ResourceAttributes": {"service.name": "shop", "host.name": "h"},
        "ScopeName": "lib",
        "ScopeVersion": "1",
        "SpanAttributes": {"a": "1"},
        "Duration": "500",
        "StatusCode": "Error",
        "StatusMessage": "no",
        "Events.Timestamp": ["2026-05-01 12:00:00.000000101"],
        "Events.Name": ["e"],
        "Events.Attributes": [{"x": "y"}],
        "Links.TraceId": ["ab" * 16],
        "Links.SpanId": ["cd" * 8],
        "Links.TraceState": [""],
        "Links.Attributes": [{}],
        **fields,
    }


def test_rows_of_clickhouse_are_read_from_json() -> None:
    spans = read(
        compact(table_row(), table_row(SpanId=ROOT, ParentSpanId="", SpanKind="SPAN_KIND_SERVER", Duration=900))
    )
    assert spans.select("kind", "depth", pl.col("duration").dt.total_nanoseconds()).rows() == [
        ("server", 0, 900),
        ("client", 1, 500),
    ]
    row = spans.row(1, named=True)
    assert (row["service_name"], row["resource.host.name"], row["span.a"], row["scope_name"]) == (
        "shop",
        "h",
        "1",
        "lib",
    )
    assert (row["status_code"], row["status_message"], row["trace_state"]) == ("error", "no", None)
    assert (row["events"][0]["attributes"], row["links"][0]["span_id"]) == ({"x": "y"}, "cd" * 8)
    assert_frame_equal(read(compact({"data": [table_row()], "rows": 1})), read(compact(table_row())))


def test_rows_of_clickhouse_are_read_from_parquet() -> None:
    row = table_row(Duration=500)
    maps = {name: pl.Map(pl.String(), pl.String()) for name in ("ResourceAttributes", "SpanAttributes")}
    lists = {name: pl.List(pl.Map(pl.String(), pl.String())) for name in ("Events.Attributes", "Links.Attributes")}
    frame = pl.DataFrame([row], schema_overrides={**maps, **lists}).with_columns(
        pl.col("Timestamp").str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="ns"),
        pl.col("Events.Timestamp").list.eval(pl.element().str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="ns")),
    )
    file = io.BytesIO()
    frame.write_parquet(file)
    assert_frame_equal(read(file.getvalue()), read(compact(table_row())))


def test_columns_that_people_add_to_the_table_are_attributes() -> None:
    spans = read(compact(table_row(ProjectId=7, TraceAttributes={"b": "2"})))
    assert spans.select("span.ProjectId", "span.TraceAttributes", "span.a").row(0) == (7, '{"b": "2"}', "1")
    file = io.BytesIO()
    row = {
        **table_row(Timestamp="2026-05-01 12:00:00"),
        "Day": date(2026, 5, 1),
        "Cost": Decimal("1.5"),
        "Raw": b"\xff",
    }
    kept = {key: value for key, value in row.items() if "." not in key and not isinstance(value, dict)}
    pl.DataFrame([kept]).write_parquet(file)
    spans = read(file.getvalue())
    assert spans.select("span.Day", "span.Cost", "span.Raw").row(0) == ("2026-05-01", "1.5", "\ufffd")


def test_an_object_of_whole_columns_is_no_row() -> None:
    columns = {key: [held, held] for key, held in table_row().items()}
    assert not clickhouse.is_row(columns)
