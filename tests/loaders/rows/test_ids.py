from __future__ import annotations

import polars as pl
import pytest

from tests.loaders.rows.made import CHILD, ROOT, TRACE, found, lines, parquet, quietly, row, table
from tracelab.loaders import read

BIG = 17_293_822_569_102_704_640


def test_decimal_ids_beyond_signed_64_bits_stay_exact_whatever_the_file() -> None:
    child = {"span_id": BIG + 1, "parent_span_id": BIG}
    rows = [row(trace_id=2**127 + 5, span_id=BIG), row(trace_id=2**127 + 5, **child)]
    texts = [{name: str(value) if "id" in name else value for name, value in each.items()} for each in rows]
    for content in (table(*rows), lines(*rows), lines(*texts)):
        spans = quietly(content)
        assert spans.select("trace_id", "span_id", "parent_span_id").rows() == [
            (f"{2**127 + 5:032x}", f"{BIG:016x}", None), (f"{2**127 + 5:032x}", f"{BIG + 1:016x}", f"{BIG:016x}"),
        ]  # fmt: skip
        assert found(content)["ids as decimal numbers"] == 5


def test_ids_of_digits_that_are_as_long_as_hex_are_hex() -> None:
    spans = quietly(
        table(row(trace_id="1" * 32, span_id="2" * 16), row(trace_id="1" * 32, span_id="0012", parent_span_id="2" * 16))
    )
    assert spans.select("trace_id", "span_id", "parent_span_id").rows() == [
        ("1" * 32, "2" * 16, None), ("1" * 32, "0" * 12 + "0012", "2" * 16),
    ]  # fmt: skip


def test_whole_numbers_that_pandas_made_floats_are_numbers_still() -> None:
    frame = pl.DataFrame([row(trace_id=7, span_id=300), row(trace_id=7, span_id=301, parent_span_id=300)])
    floats = frame.with_columns(pl.col("parent_span_id").cast(pl.Float64))
    for content in (parquet(floats), floats.write_csv().encode()):
        assert quietly(content)["parent_span_id"].to_list() == [None, f"{300:016x}"]
    rounded = pl.DataFrame([row(span_id=BIG // 2 + 1), row(span_id=5, parent_span_id=float(BIG // 2 + 1))])
    assert found(parquet(rounded))["ids as floating-point numbers"] == 1


@pytest.mark.parametrize(
    "nothing", ["", "0", "0" * 16, "null", "None", "NaN", "nan", "NULL", "<nil>", "\\N", "AAAAAAAAAAA="]
)
def test_a_parent_that_says_nothing_is_none(nothing: str) -> None:
    content = table(row(parent_span_id=nothing), row(span_id=CHILD, parent_span_id=ROOT))
    assert read(content).select("span_id", "parent_span_id", "depth").rows() == [(ROOT, None, 0), (CHILD, ROOT, 1)]


def test_uuids_bytes_base64_and_capitals_become_hex() -> None:
    uuid = f"{TRACE[:8]}-{TRACE[8:12]}-{TRACE[12:16]}-{TRACE[16:20]}-{TRACE[20:]}"
    frame = pl.DataFrame([row(trace_id=bytes.fromhex(TRACE), span_id=bytes.fromhex(ROOT))])
    for content in (
        table(row(trace_id=uuid)),
        table(row(trace_id=TRACE.upper(), span_id=ROOT.upper())),
        table(row(trace_id="Wx86fJ4tT2BxgpOktcbX6A==", span_id="oLHC0+T1Bhc=")),
        parquet(frame),
        parquet(frame.with_columns(pl.lit(TRACE.encode()).alias("trace_id"))),
    ):
        assert quietly(content).select("trace_id", "span_id").row(0) == (TRACE, ROOT)
    assert found(table(row(trace_id=uuid)))["ids as UUIDs"] == 1


def test_rows_without_ids_are_saved_and_counted() -> None:
    content = table(row(), row(span_id="", name="lost"), row(trace_id="", span_id="5a", name="alone"))
    spans = quietly(content)
    assert sorted(spans["name"].to_list()) == ["alone", "lost", "work"]
    assert (spans["span_id"].n_unique(), spans["trace_id"].n_unique()) == (3, 2)
    counted = found(content)
    assert (counted["spans without a span id"], counted["spans without a trace id"]) == (1, 1)
