from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal
from pyarrow import ipc, parquet

from tests.loaders.dumps import CALL, CHILD, ROOT, START, attribute, compact, request, shop_otlp, span
from tests.loaders.otlp.otap_tables import NUMBERS, Producer, batches, field, rows_of, sent, varint
from tracelab.errors import LoadError, LoadWarning
from tracelab.loaders import load_report, read, read_otlp

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PLAIN = {"id": "plain", "parent_id": "plain"}
SENT = {"id": "delta", "parent_id": "quasidelta"}
VALUES: dict[str, Any] = {
    "text": 'a "quoted" ü 🙂',
    "empty": "",
    "yes": True,
    "no": False,
    "large": 2**63 - 1,
    "low": -(2**63),
    "zero": 0,
    "real": 0.1,
    "bytes": b"\x00\xff",
    "strings": ["a", "b"],
    "nothing": [],
    "mixed": ["a", -1, [2.5], None],
    "map": {"a": 1, "b": {"c": [True]}},
}


def pairs(**values: Any) -> list[dict[str, Any]]:
    return [attribute(key, value) for key, value in values.items()]


def full() -> dict[str, Any]:
    """Give a document with everything that the tables can carry, in the order that they can carry."""
    events = [
        {"timeUnixNano": str(START + 1), "name": "start", "attributes": pairs(a="x", n=1)},
        {"timeUnixNano": str(START + 3), "name": "exception", "attributes": pairs(why="x", n=5, ok=True, stack=["a"])},
    ]
    link = {"traceId": "ab" * 16, "spanId": "cd" * 8, "traceState": "x=y", "attributes": pairs(why="retry", n=2)}
    more: dict[str, Any] = {
        "attributes": pairs(shared="same", **VALUES),
        "events": events,
        "links": [link],
        "traceState": "a=b",
    }
    spans = [
        span(status={"code": 2, "message": "no"}, **more),
        span(CALL, parentSpanId=ROOT, name="call", kind=3, attributes=pairs(shared="same", n=1), links=[link]),
        span(CHILD, traceId="cd" * 16, name="other", kind=5, status={"code": 1}, events=events[:1]),
    ]
    first = request(*spans, version="1.0", attributes=pairs(lang="go", n=[1, 2]))
    second = request(
        span("ee" * 8, traceId="ee" * 16, attributes=pairs(shared="same")),
        service="prices",
        attributes=pairs(lang="go"),
    )
    first["resourceSpans"][0]["resource"]["attributes"] += pairs(cores=8)
    return {"resourceSpans": [*first["resourceSpans"], *second["resourceSpans"]]}


WAYS: dict[str, Callable[[dict[str, Any]], dict[str, pa.RecordBatch]]] = {
    "plain": lambda document: batches(rows_of(document), PLAIN),
    "sent": lambda document: batches(sent(rows_of(document)), SENT),
    "sent without a word": lambda document: batches(sent(rows_of(document))),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_message_reads_like_the_otlp_that_it_was_made_of(way: str) -> None:
    document = full()
    content = Producer().message(WAYS[way](document))
    spans = read(content, strict=True)
    assert_frame_equal(spans, read(compact(document)))
    assert load_report(content).select("format", "problem", "count").rows() == [("otap", "spans", 4)]
    assert_frame_equal(read_otlp(content), spans)


def documents(count: int) -> list[dict[str, Any]]:
    return [
        request(
            span(f"{number + 1:016x}", traceId=f"{number + 1:032x}", name=f"name {number}", attributes=pairs(n=number)),
            service=f"service {number % 3}",
        )
        for number in range(count)
    ]


@pytest.mark.parametrize("framing", ["bare", "fixed", "varint"])
def test_later_messages_say_only_what_is_new(framing: str) -> None:
    producer, content = Producer(), b""
    for document in documents(12):
        message = producer.message(WAYS["sent"](document))
        size = {"bare": b"", "fixed": len(message).to_bytes(4, "big"), "varint": varint(len(message))}[framing]
        content += size + message
    spans = read(content, strict=True)
    expected = {"resourceSpans": [group for document in documents(12) for group in document["resourceSpans"]]}
    assert_frame_equal(spans, read(compact(expected)))


def test_messages_of_several_senders_begin_their_streams_anew() -> None:
    content = b"".join(Producer().message(WAYS["sent"](document)) for document in documents(3))
    assert read(content, strict=True)["span.n"].to_list() == [0, 1, 2]


def test_a_broken_message_loses_only_itself() -> None:
    messages = [Producer().message(WAYS["sent"](document)) for document in documents(4)]
    broken = bytearray(messages[1])
    place = broken.rindex(b"\xff\xff\xff\xff")
    broken[place + 16 : place + 60] = b"\xfe" * 44
    content = b"".join(varint(len(each)) + bytes(each) for each in (messages[0], broken, *messages[2:]))
    with pytest.warns(LoadWarning, match="messages that cannot be read"):
        spans = read(content)
    assert {0, 2, 3} <= set(spans["name"].str.tail(1).cast(pl.Int64).to_list())


def test_messages_with_other_signals_are_passed_over() -> None:
    tables = WAYS["sent"](shop_otlp())
    logs = field(2, field(1, b"logs") + b"\x10" + varint(30) + field(3, b"\xff\xff\xff\xff"))
    content = Producer().message(tables) + logs
    assert read(content, strict=True).height == 3
    assert "logs, metrics or profiles" in load_report(content)["problem"].to_list()
    with pytest.raises(LoadError, match="traces and not logs"):
        read(logs)


@pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")
def test_damaged_messages_are_load_errors_and_nothing_worse() -> None:
    content, chance = Producer().message(WAYS["sent"](full())), random.Random(5)
    read_anyway = 0
    for _ in range(150):
        damaged = bytearray(content)
        for _ in range(chance.choice([1, 3, 20])):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        try:
            read_anyway += read(bytes(damaged)).height > 0
        except LoadError:
            continue
    assert 0 < read_anyway < 150


def saved(folder: Path, tables: dict[str, pa.RecordBatch], layout: str, part: str = "part-1") -> Path:
    for name, batch in tables.items():
        table = pa.Table.from_batches([batch])
        suffix = "arrow" if layout.endswith("arrow") else "parquet"
        path = (
            folder / name / f"{part}.{suffix}" if layout.startswith("folders") else folder / f"{name.upper()}.{suffix}"
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        if suffix == "parquet":
            parquet.write_table(table, path)
        else:
            with ipc.new_file(str(path), table.schema) as writer:
                writer.write_table(table)
    return folder


@pytest.mark.parametrize("layout", ["folders of parquet", "files of parquet", "folders of arrow", "files of arrow"])
@pytest.mark.parametrize("way", ["plain", "sent"])
def test_tables_in_files_are_read_together_by_their_names(layout: str, way: str, tmp_path: Path) -> None:
    document = full()
    folder = saved(tmp_path, WAYS[way](document), layout)
    expected = read(compact(document))
    assert_frame_equal(read(folder, strict=True), expected)
    assert load_report(folder)["format"].to_list() == ["otap"]
    spans = next(
        path for path in folder.rglob("*") if path.is_file() and "spans" in str(path.relative_to(folder)).lower()
    )
    assert_frame_equal(read(spans, strict=True), expected)


def numbered(document: dict[str, Any], first: int) -> dict[str, pa.RecordBatch]:
    """Give tables whose numbers begin somewhere, as the exporter to parquet numbers its batches."""
    rows = rows_of(document)
    for name, held in rows.items():
        for row in held:
            for column in ("id", "parent_id"):
                if column in row:
                    row[column] += first
            if name == "spans":
                row["resource"]["id"] = row["scope"]["id"] = first
    return batches(rows, PLAIN)


def test_parts_of_tables_are_joined_by_their_numbers(tmp_path: Path) -> None:
    for number, document in enumerate(documents(5)):
        saved(tmp_path, numbered(document, 10 * number), "folders of parquet", f"part-{number}")
    saved(tmp_path, {"logs": pa.RecordBatch.from_pydict({"id": [1]})}, "folders of parquet")
    spans = read(tmp_path, strict=True)
    assert spans["span.n"].to_list() == [0, 1, 2, 3, 4]
    assert spans["service_name"].n_unique() == 3
    assert load_report(tmp_path)["source"].to_list() == [
        str(tmp_path / "spans" / f"part-{number}.parquet") for number in range(5)
    ]


def test_parts_of_other_partitions_are_not_mixed(tmp_path: Path) -> None:
    for number, document in enumerate(documents(2)):
        saved(tmp_path, numbered(document, 0), "folders of parquet", f"day={number}/part-1")
    assert read(tmp_path, strict=True).sort("trace_id")["span.n"].to_list() == [0, 1]


def test_spans_alone_are_read_and_what_is_missing_is_counted(tmp_path: Path) -> None:
    tables = WAYS["plain"](full())
    path = saved(tmp_path, {"spans": tables["spans"]}, "files of parquet") / "SPANS.parquet"
    for source in (path, path.read_bytes()):
        with pytest.warns(LoadWarning, match="tables that are not there"):
            assert read(source)["name"].to_list() == ["GET /pay", "call", "other", "GET /pay"]
    (tmp_path / "alone").mkdir()
    attrs = saved(tmp_path / "alone", {"span_attrs": tables["span_attrs"]}, "files of parquet")
    with pytest.raises(LoadError, match="attributes of OTel-Arrow without their spans"):
        read(attrs)


def test_rows_of_nobody_are_counted() -> None:
    rows = rows_of(full())
    rows["span_attrs"][0]["parent_id"] = 999
    rows["span_events"][0]["parent_id"] = 999
    with pytest.warns(LoadWarning, match="rows whose owner is missing"):
        spans = read(Producer().message(batches(rows, PLAIN)))
    assert spans["events"].list.len().to_list() == [1, 0, 1, 0]


def test_values_that_are_those_of_empty_messages_need_not_be_there() -> None:
    document = request(span(attributes=pairs(a=0, b=False, c=0.0, d="", e=b"")))
    rows = rows_of(document)
    for row in rows["span_attrs"]:
        row.update(dict.fromkeys(("int", "bool", "double", "str", "bytes")))
    assert_frame_equal(read(Producer().message(batches(rows, PLAIN))), read(compact(document)))
    table = batches(rows, PLAIN)["span_attrs"].select(["parent_id", "key", "type"])
    assert_frame_equal(read(Producer().message({**batches(rows, PLAIN), "span_attrs": table})), read(compact(document)))


def test_values_stand_in_another_column_than_their_type_says() -> None:
    rows = rows_of(request(span(attributes=pairs(a="x", b=5))))
    rows["span_attrs"][0]["type"], rows["span_attrs"][1]["type"] = 99, 1
    spans = read(Producer().message(batches(rows, PLAIN)))
    assert spans.select("span.a", "span.b").row(0) == ("x", 5)


def test_fields_of_resources_scopes_and_statuses_may_stand_flat() -> None:
    document = full()
    tables = WAYS["plain"](document)
    table = pa.Table.from_batches([tables["spans"]])
    for name in ("resource", "scope", "status"):
        structs = table[name].combine_chunks()
        for inner in structs.type:
            table = table.append_column(
                pa.field(f"{name}_{inner.name}", inner.type, metadata=inner.metadata), structs.field(inner.name)
            )
        table = table.drop_columns([name])
    spans = table.combine_chunks().to_batches()[0]
    assert_frame_equal(read(Producer().message({**tables, "spans": spans}), strict=True), read(compact(document)))


def test_an_encoding_that_is_not_known_is_not_guessed(tmp_path: Path) -> None:
    tables = batches(rows_of(full()), {**PLAIN, "parent_id": "zigzag"})
    with pytest.raises(LoadError, match="no spans in it can be read"):
        read(Producer().message(tables))
    with pytest.raises(LoadError, match="encoded as 'zigzag'"):
        read(saved(tmp_path, tables, "files of parquet"))


def test_a_duration_that_is_missing_or_negative_is_told() -> None:
    rows = rows_of(request(span(), span(CALL)))
    rows["spans"][0]["duration_time_unix_nano"] = None
    rows["spans"][1]["duration_time_unix_nano"] = -5
    content = Producer().message(batches(rows, PLAIN))
    with pytest.warns(LoadWarning):
        assert read(content)["duration"].dt.total_nanoseconds().to_list() == [0, 0]
    assert {"spans without an end", "spans that end before they start"} <= set(load_report(content)["problem"])


@pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")
@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("dtype", [pa.string(), pa.float64(), pa.bool_(), pa.list_(pa.int64()), pa.null()], ids=str)
def test_a_column_of_another_type_never_loses_the_file(name: str, dtype: pa.DataType) -> None:
    tables = WAYS["plain"](full())
    content: dict[str, Any] = {"string": "odd", "double": 0.5, "bool": True, "list<item: int64>": [1]}
    for place, column in enumerate(tables[name].schema):
        held = pa.array([content.get(str(dtype))] * tables[name].num_rows, type=dtype)
        changed = tables[name].set_column(place, column.name, held)
        assert read(Producer().message({**tables, name: changed})).height == 4
