from __future__ import annotations

import io
import random
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal
from pyarrow import feather, ipc, parquet

from tests.loaders.dumps import compact, shop_otlp
from tests.loaders.others.tempo_blocks import V4, block
from tracelab.errors import LoadError
from tracelab.loaders import load_report, read
from tracelab.synthetic import draw

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl


def spans_drawn() -> pl.DataFrame:
    return draw("""
        api      ========== http.route=/pay retries=2
          auth   .==
          db     ...======!
    """)


def arrow_of(table: pa.Table, *, stream: bool = False, **options: Any) -> bytes:
    sink = io.BytesIO()
    new = ipc.new_stream if stream else ipc.new_file
    with new(sink, table.schema, options=ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table)
    return sink.getvalue()


@pytest.mark.parametrize("write", ["write_ipc", "write_ipc_stream"])
@pytest.mark.parametrize("compression", ["uncompressed", "lz4", "zstd"])
def test_a_span_frame_is_read_from_arrow_like_from_parquet(write: str, compression: Any, tmp_path: Path) -> None:
    spans = spans_drawn()
    file = io.BytesIO()
    getattr(spans, write)(file, compression=compression)
    path = tmp_path / "spans"
    path.write_bytes(file.getvalue())
    for source in (path, file.getvalue(), [path]):
        assert_frame_equal(read(source, strict=True), spans)
    assert load_report(path)["format"].to_list() == ["parquet"]


def test_rows_and_blocks_of_others_are_read_from_arrow_too() -> None:
    content = block(shop_otlp(), V4)
    table = parquet.read_table(io.BytesIO(content))
    expected = read(content)
    for stream in (True, False):
        arrow = arrow_of(table, stream=stream)
        assert_frame_equal(read(arrow), expected)
        assert load_report(arrow)["format"].to_list() == ["tempo-block"]
    file = io.BytesIO()
    feather.write_feather(table, file, compression="zstd")
    assert_frame_equal(read(file.getvalue()), read(compact(shop_otlp())))


def test_a_file_of_other_columns_is_refused_by_their_names() -> None:
    table = pa.table({"city": ["Bern"], "people": [5]})
    with pytest.raises(LoadError, match=r"a file of columns without spans \(its columns: city, people"):
        read(arrow_of(table))


@pytest.mark.parametrize(
    "array",
    [
        pa.array([(1, 2, 3)], type=pa.month_day_nano_interval()),
        pa.UnionArray.from_dense(pa.array([0], pa.int8()), pa.array([0], pa.int32()), [pa.array([1])]),
    ],
    ids=str,
)
def test_columns_of_types_that_polars_has_not_are_named(array: pa.Array) -> None:
    with pytest.raises(LoadError, match="the column odd is of the type"):
        read(arrow_of(pa.table({"odd": array})))


@pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")
@pytest.mark.parametrize("write", ["write_ipc", "write_ipc_stream"])
def test_damaged_arrow_is_a_load_error_and_nothing_worse(write: str) -> None:
    file = io.BytesIO()
    getattr(spans_drawn(), write)(file)
    content, chance = file.getvalue(), random.Random(7)
    failed = 0
    for _ in range(150):
        damaged = bytearray(content)
        for _ in range(chance.choice([1, 3, 20])):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        try:
            read(bytes(damaged))
        except LoadError:
            failed += 1
    assert failed > 20


def test_where_the_view_of_a_null_points_does_not_matter() -> None:
    file = io.BytesIO()
    spans = spans_drawn()
    spans.write_ipc_stream(file)
    table = ipc.open_stream(file.getvalue()).read_all()
    views = table["parent_span_id"].chunk(0).buffers()
    pointing = bytearray(views[1].to_pybytes())
    pointing[:16] = (0x7FFFFFFF).to_bytes(4, "little") + b"\xff" * 12
    column = pa.Array.from_buffers(pa.string_view(), spans.height, [views[0], pa.py_buffer(pointing), *views[2:]])
    where = table.column_names.index("parent_span_id")
    odd = table.set_column(where, table.schema.field(where), column)
    assert_frame_equal(read(arrow_of(odd)), spans)


@pytest.mark.parametrize("content", [b"ARROW1\0\0", b"ARROW1" + b"x" * 99, b"\xff\xff\xff\xff\x08\0\0\0" + b"x" * 99])
def test_what_only_begins_like_arrow_is_a_load_error(content: bytes) -> None:
    with pytest.raises(LoadError, match="file of columns cannot be read"):
        read(content)


@pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")
@pytest.mark.parametrize("written", ["own", "block"])
def test_damaged_parquet_is_a_load_error_and_nothing_worse(written: str) -> None:
    file = io.BytesIO()
    if written == "own":
        spans_drawn().write_parquet(file)
    content, chance = file.getvalue() or block(shop_otlp(), V4), random.Random(3)
    failed = 0
    for _ in range(100):
        damaged = bytearray(content)
        for _ in range(chance.choice([1, 3, 20, 100])):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        try:
            read(bytes(damaged))
        except LoadError:
            failed += 1
    assert failed > 20
