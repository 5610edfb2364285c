from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tracelab.conforming import conform
from tracelab.errors import SchemaError
from tracelab.schema import EVENTS, SPAN_SCHEMA
from tracelab.synthetic import draw


def minimal(**columns: object) -> pl.DataFrame:
    base = {
        "trace_id": ["AB" * 16],
        "span_id": ["0F" * 8],
        "name": ["GET"],
        "start_time": [datetime(2026, 5, 1, tzinfo=UTC)],
        "duration": [timedelta(milliseconds=1)],
    }
    return pl.DataFrame(base | columns)


def test_conform_fills_in_all_that_may_be_missing() -> None:
    spans = conform(minimal())
    assert spans.schema == SPAN_SCHEMA
    row = spans.row(0, named=True)
    assert (row["trace_id"], row["kind"], row["status_code"], row["service_name"]) == (
        "ab" * 16, "unspecified", "unset", "unknown_service",
    )  # fmt: skip
    assert (row["events"], row["links"], row["depth"], row["entry"]) == ([], [], 0, True)


@pytest.mark.parametrize("parent", ["", "0" * 16, "0"])
def test_conform_makes_empty_and_zero_parents_null(parent: str) -> None:
    assert conform(minimal(parent_span_id=[parent]))["parent_span_id"].item() is None


@pytest.mark.parametrize("kind", ["SERVER", "SPAN_KIND_SERVER", "server", 2])
def test_conform_reads_kinds_as_names_and_numbers(kind: object) -> None:
    assert conform(minimal(kind=[kind]))["kind"].item() == "server"


def test_conform_reads_ids_as_bytes() -> None:
    spans = conform(minimal(trace_id=[bytes(range(16))], span_id=[b"\xab" * 8]))
    assert spans.select("trace_id", "span_id").row(0) == ("000102030405060708090a0b0c0d0e0f", "ab" * 8)


def test_conform_keeps_what_was_an_entry_when_its_parent_was_there() -> None:
    whole = draw("""
    web::GET    ====
      web::work .==
    """)
    part = whole.filter(pl.col("name") == "work").drop("depth", "tree_left", "tree_right")
    assert conform(part)["entry"].item() is False


def test_a_frame_of_pandas_with_mixed_values_is_refused_in_words() -> None:
    frame = minimal().to_pandas()
    frame["name"] = [{1, 2}]
    with pytest.raises(SchemaError, match=r"DataFrame|'name' should be"):
        conform(frame)


def test_conform_keeps_ids_that_are_not_hex() -> None:
    assert conform(minimal(span_id=["Span-A"]))["span_id"].item() == "Span-A"


def test_conform_reads_times_in_any_unit_and_zone() -> None:
    naive = minimal().with_columns(start_time=pl.lit(datetime(2026, 5, 1)).cast(pl.Datetime("ms")))  # noqa: DTZ001
    shifted = minimal().with_columns(pl.col("start_time").dt.convert_time_zone("Asia/Tokyo"))
    assert conform(naive)["start_time"].item() == datetime(2026, 5, 1, tzinfo=UTC)
    assert conform(shifted)["start_time"].item() == datetime(2026, 5, 1, tzinfo=UTC)


def test_conform_is_idempotent_and_gives_lazy_for_lazy() -> None:
    spans = conform(minimal(extra=[1], **{"span.n": [7]}))
    assert_frame_equal(conform(spans), spans)
    assert_frame_equal(conform(spans.lazy()).collect(), spans)
    assert_frame_equal(conform(minimal().lazy()).collect(), conform(minimal()))


def test_conform_takes_a_span_frame_back_from_pandas() -> None:
    event = {"time": datetime(2026, 5, 1, tzinfo=UTC), "name": "e", "attributes": {"k": "v"}}
    spans = draw("""
    a ====  n=1 s=x
      b .=! n=2
    """).with_columns(events=pl.lit([event], dtype=EVENTS))
    assert_frame_equal(conform(spans.to_pandas()), spans)


def test_conform_takes_narrow_dtypes() -> None:
    spans = conform(
        minimal(**{"span.n": pl.Series([1], dtype=pl.UInt8), "span.c": pl.Series(["x"], dtype=pl.Categorical)})
    )
    assert (spans.schema["span.n"], spans.schema["span.c"]) == (pl.Int64(), pl.String())


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (minimal().drop("name"), "needs the column 'name'"),
        (minimal().rename({"span_id": "spanid"}), "Did you mean 'spanid'"),
        (minimal(start_time=[1_700_000_000]), "from_epoch"),
        (minimal(duration=[5]), "should be a duration"),
        (minimal(duration=[timedelta(seconds=-1)]), "negative in 1 of 1 rows"),
        (minimal(duration=[timedelta(days=200_000)]), "'duration' should be Duration.*ns.*and is Duration.*us"),
        (minimal(start_time=[datetime(2400, 1, 1, tzinfo=UTC)]), "'start_time' should be Datetime.*ns"),
        (minimal(start_time=["2026-05-01T00:00:00Z"]), "to_datetime"),
        (minimal(flags=[0.5]), "'flags' should be UInt32, and is Float64. Values have fractions"),
        (minimal(flags=[-1]), "'flags' should be UInt32"),
        (minimal(service_name=[["shop"]]), "'service_name' should be String, and is List"),
        (minimal(**{"span.n": pl.Series([2**63], dtype=pl.UInt64)}), "'span.n' should be Int64"),
        (minimal(kind=["sideways"]), "'sideways'"),
        (minimal(span_id=[None]), "should be|is null"),
        (minimal(name=[None]), "is null in 1 of 1"),
        (minimal(events=[3]), "'events' should be"),
        (minimal(trace_id=[1]), "'trace_id' should be text"),
        (minimal(**{"span.d": [datetime(2026, 1, 1, tzinfo=UTC)]}), "span.d"),
        ([1, 2], "no frame of spans"),
    ],
)
def test_conform_says_what_is_wrong(frame: object, message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        conform(frame)


def test_conform_computes_the_tree_again_where_a_concat_left_holes() -> None:
    whole = draw("a =")
    spans = conform(pl.concat([whole, draw("b =").drop("depth")], how="diagonal"))
    assert spans["depth"].null_count() == 0
