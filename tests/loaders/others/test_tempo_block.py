from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal
from pyarrow import parquet

from tests.loaders.dumps import CALL, CHILD, ROOT, START, TRACE_ID, attribute, compact, request, shop_otlp, span
from tests.loaders.others.tempo_blocks import V3, V4, V4_PREVIEW, V5, VERSIONS, block, encoded, meta, rows_of, schema
from tracelab.errors import LoadError, LoadWarning, SourceError
from tracelab.loaders import load_report, read, read_tempo
from tracelab.loaders.input.columnar import open_parquet

if TYPE_CHECKING:
    from pathlib import Path

BLOCKS = "tempo-block/grafana__tempo"
DEDICATED: list[dict[str, Any]] = [
    {"s": "resource", "n": "ip"},
    {"n": "region"},
    {"n": "retries", "t": "int"},
    {"n": "tags", "o": ["array"]},
    {"n": "codes", "t": "int", "o": ["array"]},
    {"n": "body", "o": ["blob"]},
    {"s": "event", "n": "exception.type"},
]
VALUES: dict[str, Any] = {
    "text": 'a "quoted" ü 🙂',
    "empty": "",
    "yes": True,
    "large": 2**63 - 1,
    "low": -(2**63),
    "real": 0.1,
    "bytes": b"\x00\xff",
    "strings": ["a", "b"],
    "one": ["a"],
    "integers": [1, 2**62],
    "reals": [0.5, 1.0],
    "flags": [True, False],
    "nothing": [],
    "mixed": ["a", 1, [2.5]],
    "map": {"a": 1, "b": {"c": [True]}},
    "http.method": "GET",
    "http.url": "/pay",
    "http.status_code": 500,
    "region": "eu",
    "retries": 3,
    "tags": ["x"],
    "codes": [5, 6],
    "body": "long",
}


def pairs(**values: Any) -> list[dict[str, Any]]:
    return [attribute(key, value) for key, value in values.items()]


def full(version: str) -> dict[str, Any]:
    """Give a document of two traces with everything that a version can carry."""
    exception = {
        "timeUnixNano": str(START + 3),
        "name": "exception",
        "attributes": pairs(n=5, ok=True, stack=["a", "b"], map={"k": 1}, **{"exception.type": "Boom"}),
    }
    early = {"timeUnixNano": str(START - 7), "name": "early"}
    link = {"traceId": "ab" * 16, "spanId": "cd" * 8, "traceState": "x=y", "attributes": pairs(why="retry", n=2)}
    root = span(
        attributes=pairs(**VALUES),
        events=[exception, early],
        links=[link, {"traceId": "ef" * 16, "spanId": "ab" * 8}],
        status={"code": 2, "message": "no"},
        traceState="a=b",
    )
    call = span(CALL, parentSpanId=ROOT, name="call", kind=3, attributes=pairs(region="us"))
    other = span(CHILD, traceId="cd" * 16, name="other", kind=5, status={"code": 1})
    scope: dict[str, Any] = {} if version == V3 else {"attributes": pairs(lang="go", n=[1, 2])}
    document = request(root, call, other, version="1.0", **scope)
    document["resourceSpans"][0]["resource"]["attributes"] += pairs(
        **{"cluster": "c", "k8s.pod.name": "p", "ip": "10.0.0.1", "cores": 8, "namespace": ["no", "text"]}
    )
    return document


def folder_of(path: Path, version: str, document: dict[str, Any]) -> Path:
    path.mkdir(parents=True)
    (path / "data.parquet").write_bytes(block(document, version, DEDICATED))
    (path / "meta.json").write_bytes(meta(version, DEDICATED))
    return path


@pytest.mark.parametrize("version", VERSIONS)
def test_a_block_reads_like_the_otlp_that_it_was_made_of(version: str, tmp_path: Path) -> None:
    document = full(version)
    folder = folder_of(tmp_path / "block", version, document)
    assert_frame_equal(read(folder, strict=True), read(compact(document)))
    report = load_report(folder)
    assert report["format"].to_list() == ["tempo-block"]
    assert report["count"].to_list() == [3]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_block_reads_from_its_file_from_bytes_and_by_its_format(version: str, tmp_path: Path) -> None:
    document = shop_otlp()
    content = block(document, version)
    (tmp_path / "block").write_bytes(content)
    spans = read(compact(document))
    for source in (content, tmp_path / "block", io.BytesIO(content)):
        assert_frame_equal(read(source, format="tempo-block"), spans)
    assert_frame_equal(read_tempo(content), spans)


@pytest.mark.parametrize("version", VERSIONS)
def test_dedicated_columns_without_a_meta_json_are_kept_under_their_own_names(version: str) -> None:
    content = block(full(version), version, DEDICATED)
    with pytest.warns(LoadWarning, match="dedicated columns without a name"):
        spans = read(content)
    assert spans["span.tempo.dedicated.String01"].to_list() == ["eu", "us", None]
    assert spans["resource.tempo.dedicated.String01"].unique().to_list() == ["10.0.0.1"]
    found = load_report(content).filter(pl.col("problem") == "values in dedicated columns without a name")
    assert found["count"].item() == (9 if version == V5 else 5)
    if version == V5:
        assert spans["span.tempo.dedicated.Int01"].to_list() == [3, None, None]
        assert spans["events"][0][0]["attributes"]["tempo.dedicated.String01"] == "Boom"


@pytest.mark.parametrize("content", [b"", b"[]", b'{"dedicatedColumns": 5}', b'{"dedicatedColumns": [5, {"n": {}}]}'])
def test_a_meta_json_that_says_nothing_is_like_none(content: bytes, tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "block", V4, full(V4))
    (folder / "meta.json").write_bytes(content)
    with pytest.warns(LoadWarning, match="dedicated columns without a name"):
        assert read(folder / "data.parquet").height == 3


def test_a_folder_of_blocks_is_read_without_what_only_serves_tempo(tmp_path: Path) -> None:
    for number, version in enumerate((V3, V5)):
        folder = folder_of(tmp_path / "tenant" / f"block{number}", version, full(version))
        for name in ("bloom-0", "index", "search", "search-header"):
            (folder / name).write_bytes(b"\x01\x02\x03")
    (tmp_path / "tenant" / "index.json.gz").write_bytes(b"\x1f\x8b")
    (tmp_path / "tempo_cluster_seed.json").write_text("{}")
    with pytest.warns(LoadWarning, match=r"^(duplicated spans|spans that share)"):
        read(tmp_path)
    files = [str(tmp_path / "tenant" / f"block{number}" / "data.parquet") for number in (0, 1)]
    for source in (tmp_path, str(tmp_path / "**" / "*")):
        report = load_report(source)
        assert report.filter(pl.col("problem") == "spans").select("source", "count").rows() == [
            (file, 3) for file in files
        ]
    (tmp_path / "tenant" / "block0" / "data.parquet").unlink()
    with pytest.raises(SourceError, match="holds no dumps"):
        read(tmp_path / "tenant" / "block0")


def test_a_compacted_block_has_its_dedicated_columns_in_another_file(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "block", V4, full(V4))
    (folder / "meta.json").rename(folder / "meta.compacted.json")
    assert_frame_equal(read(folder, strict=True), read(compact(full(V4))))


def test_the_meta_json_alone_is_refused_by_what_it_is(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "block", V4, full(V4))
    with pytest.raises(LoadError, match=r"meta\.json of a block of Tempo.*read its folder"):
        read(folder / "meta.json")


@pytest.mark.parametrize("version", VERSIONS)
def test_what_the_producer_dropped_is_counted_without_what_was_kept_as_json(version: str) -> None:
    root = span(
        attributes=pairs(map={"a": 1}, text="x"), droppedAttributesCount=2, droppedEventsCount=3, droppedLinksCount=4
    )
    report = load_report(block(request(root), version))
    assert report.filter(pl.col("problem") == "dropped by the producer")["count"].item() == 9


@pytest.mark.parametrize("version", VERSIONS)
def test_times_that_wrapped_around_wrap_back(version: str) -> None:
    spans = [
        span("11" * 8, startTimeUnixNano=str(START), endTimeUnixNano=str(START - 5)),
        span("22" * 8, startTimeUnixNano=str(START), endTimeUnixNano=None),
        span("33" * 8, startTimeUnixNano=None, endTimeUnixNano=str(START)),
        span("44" * 8, startTimeUnixNano=str(2**63), endTimeUnixNano=str(START)),
    ]
    content, expected = block(request(*spans), version), compact(request(*spans))
    problems = ["spans that end before they start", "spans without an end", "spans without a start"]
    with pytest.warns(LoadWarning):
        assert_frame_equal(read(content), read(expected))
    for each in problems:
        counts = [
            load_report(dump).filter(pl.col("problem") == each)["count"].to_list() for dump in (content, expected)
        ]
        assert counts[0] == counts[1]
        assert counts[0]


def test_a_place_names_the_trace_and_the_span() -> None:
    document = request(span(CALL, traceId="11" * 16), span(name="late"), span(CHILD, endTimeUnixNano="1"))
    report = load_report(block(document, V4)).filter(pl.col("problem") == "spans that end before they start")
    assert report["first_place"].to_list() == ["row 1, rs[0].ss[0].Spans[1]"]


def test_ids_that_are_missing_and_texts_that_are_no_utf_8_are_mended() -> None:
    rows = rows_of(shop_otlp(), V4, [])
    rows[0]["rs"][0]["ss"][0]["Spans"][0] |= {"SpanID": b"", "ParentSpanID": b"\0" * 8}
    texts = schema(V4)
    table = pa.Table.from_pylist(rows, texts)
    file = io.BytesIO()
    parquet.write_table(table, file)
    content = file.getvalue().replace(b"GET /pay", b"GET /\xff\xfey")
    assert content != file.getvalue()
    with pytest.warns(LoadWarning, match="without a span id") as caught:
        spans = read(content)
    assert "not UTF-8" in str(caught[0].message)
    assert "GET /\ufffd\ufffdy" in spans["name"].to_list()


@pytest.mark.parametrize("version", VERSIONS)
def test_values_that_are_no_json_are_kept_as_text(version: str) -> None:
    rows = rows_of(request(span(attributes=pairs(map={"a": 1}, gone={}))), version, [])
    held = rows[0]["rs"][0]["ss"][0]["Spans"][0]["Attrs"]
    field = "ValueDropped" if "ValueDropped" in held[0] else "ValueUnsupported"
    held[0][field], held[1][field] = "[" * 100_000, "{}"
    with pytest.warns(LoadWarning, match="do not fit their type"):
        spans = read(encoded(rows, version))
    assert spans["span.map"].to_list() == ["[" * 100_000]
    assert "attributes without a value" in load_report(encoded(rows, version))["problem"].to_list()


def test_events_of_the_oldest_blocks_have_json_values() -> None:
    rows = rows_of(
        request(span(events=[{"timeUnixNano": str(START), "name": "e", "attributes": pairs(a="x")}])), V3, []
    )
    event = rows[0]["rs"][0]["ss"][0]["Spans"][0]["Events"][0]
    event["Attrs"] = [
        {"Key": "old", "Value": b'{"intValue":"5"}'},
        {"Key": "bad", "Value": b"\xff\xff"},
        {"Key": "none", "Value": b""},
    ]
    with pytest.warns(LoadWarning, match="do not fit their type"):
        spans = read(encoded(rows, V3))
    assert spans["events"][0][0]["attributes"] == {"old": "5", "bad": "\ufffd\ufffd"}


@pytest.mark.parametrize("content", [b"\x0a\x05\x0a", b"\xff" * 12, b"\x12\x00", b"\x0a\x02\x0a\x7f"])
def test_links_that_are_no_protobuf_are_dropped_and_counted(content: bytes) -> None:
    rows = rows_of(shop_otlp(), V3, [])
    rows[0]["rs"][0]["ss"][0]["Spans"][0]["Links"] = content
    with pytest.warns(LoadWarning, match="fields of the wrong type"):
        assert read(encoded(rows, V3)).height == 3


def with_type(table: pa.Table, path: tuple[str, ...], dtype: pa.DataType) -> pa.Table:
    """Give a field another type, all null: what stands there is not what the schema says."""

    def changed(field: pa.Field, steps: tuple[str, ...]) -> pa.Field:
        if not steps:
            return pa.field(field.name, dtype)
        if pa.types.is_list(field.type):
            return pa.field(field.name, pa.list_(changed(field.type.value_field, steps)))
        inner = [changed(each, steps[1:]) if each.name == steps[0] else each for each in field.type]
        return pa.field(field.name, pa.struct(inner))

    def cleared(content: Any, steps: tuple[str, ...]) -> Any:
        if isinstance(content, list):
            return [cleared(item, steps) for item in content]
        if len(steps) == 1:
            return {**content, steps[0]: VALUE_OF.get(str(dtype))}
        return {**content, steps[0]: cleared(content[steps[0]], steps[1:])}

    fields = [changed(field, path[1:]) if field.name == path[0] else field for field in table.schema]
    return pa.Table.from_pylist(
        [cleared(row, path) for row in table.to_pylist(maps_as_pydicts="lossy")], pa.schema(fields)
    )


VALUE_OF: dict[str, Any] = {
    "string": "odd",
    "double": 0.5,
    "bool": True,
    "int64": 2**62,
    "list<element: string>": ["a", "b"],
    "struct<a: int64>": {"a": 5},
}
NESTED = [pa.list_(pa.field("element", pa.string())), pa.struct([("a", pa.int64())])]
TYPES = [pa.string(), pa.float64(), pa.bool_(), pa.int64(), pa.null(), *NESTED]
SPANS = ("rs", "ss", "Spans")
LEVELS = [("rs",), ("rs", "Resource"), ("rs", "ss"), ("rs", "ss", "Scope"), SPANS]
PATHS = [
    ("TraceID",),
    ("rs", "Resource", "ServiceName"),
    ("rs", "Resource", "Attrs"),
    ("rs", "Resource", "DedicatedAttributes"),
    ("rs", "ss", "Scope", "Name"),
    *((*SPANS, name) for name in ("SpanID", "ParentSpanID", "Name", "Kind", "StartTimeUnixNano", "DurationNano")),
    *((*SPANS, name) for name in ("StatusCode", "StatusMessage", "Attrs", "Events", "Links", "HttpStatusCode")),
    *((*SPANS, "Attrs", name) for name in ("Key", "IsArray", "Value", "ValueInt", "ValueBool", "ValueUnsupported")),
    *((*SPANS, "Events", name) for name in ("TimeSinceStartNano", "Name", "Attrs", "DroppedAttributesCount")),
]


@pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")
@pytest.mark.parametrize("path", PATHS, ids=".".join)
@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_a_field_of_another_type_never_loses_the_file(path: tuple[str, ...], dtype: pa.DataType) -> None:
    table = parquet.read_table(io.BytesIO(block(full(V4), V4, DEDICATED)))
    file = io.BytesIO()
    parquet.write_table(with_type(table, path, dtype), file)
    assert read(file.getvalue()).height == 3


@pytest.mark.parametrize(
    "path", [("rs",), ("rs", "Resource"), ("rs", "ss"), ("rs", "ss", "Scope"), SPANS], ids=".".join
)
def test_a_block_without_spans_in_it_is_of_no_known_version(path: tuple[str, ...]) -> None:
    table = parquet.read_table(io.BytesIO(block(full(V4), V4)))
    file = io.BytesIO()
    parquet.write_table(with_type(table, path, pa.string()), file)
    with pytest.raises(LoadError, match="none of the versions 3, 4 and 5"):
        read(file.getvalue())


def test_columns_that_no_version_has_are_counted() -> None:
    table = parquet.read_table(io.BytesIO(block(full(V4), V4)))
    file = io.BytesIO()
    group = table.schema.field("rs").type.value_type
    rows = [
        {**row, "rs": [{**held, "Resource": {**held["Resource"], "New": "x"}} for held in row["rs"]]}
        for row in table.to_pylist(maps_as_pydicts="lossy")
    ]
    resource = pa.struct([*group.field("Resource").type, pa.field("New", pa.string())])
    fields = pa.struct([pa.field("Resource", resource), group.field("ss")])
    kept = [pa.field("rs", pa.list_(fields)) if field.name == "rs" else field for field in table.schema]
    parquet.write_table(pa.Table.from_pylist(rows, pa.schema(kept)), file)
    with pytest.warns(LoadWarning, match="columns that are not known"):
        assert read(file.getvalue()).height == 3


def test_a_block_is_read_some_traces_at_a_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    spans = [span(f"{number:016x}", traceId=f"{number:032x}") for number in range(1, 41)]
    path = tmp_path / "data.parquet"
    path.write_bytes(block(request(*spans), V5))
    monkeypatch.setattr("tracelab.loaders.input.columnar._VALUES", 400)
    batches = list(open_parquet(path, b"", "block").batches(["TraceID", "rs"]))
    assert [start for _, start in batches][:3] == sorted({start for _, start in batches})[:3]
    assert sum(batch.num_rows for batch, _ in batches) == 40
    assert len(batches) > 4
    assert_frame_equal(read(path), read(compact(request(*spans))))


def test_a_damaged_block_is_a_load_error() -> None:
    content = block(full(V5), V5)
    for damaged in (content[:-100], content[: len(content) // 2] + b"\0" * 200 + content[-8:]):
        with pytest.raises(LoadError, match="cannot be read"):
            read(damaged)


def test_an_empty_block_has_no_spans() -> None:
    assert read(encoded([], V5)).is_empty()


@pytest.mark.parametrize("version", [4, 5])
def test_real_blocks_hold_the_same_spans_in_both_versions(version: int, shared_data: Path) -> None:
    old, new = (next((shared_data / BLOCKS / f"vparquet{number}").rglob("data.parquet")) for number in (4, 5))
    with pytest.warns(LoadWarning, match=r"^duplicated spans \(dropped: 566"):
        both = read([old, new])
    assert_frame_equal(both, read(old))
    spans = read(old if version == 4 else new, strict=True)
    assert spans["trace_id"].n_unique() == {4: 134, 5: 133}[version]
    assert spans["span.region"].null_count() < spans.height
    assert spans["resource.ip"].null_count() < spans.height
    assert TRACE_ID not in spans["trace_id"]


def test_previews_of_version_4_say_the_types_of_values() -> None:
    rows = rows_of(request(span(attributes=pairs(one=["a"], text="a"))), V4_PREVIEW, [])
    spans = read(encoded(rows, V4_PREVIEW))
    assert spans["span.one"].to_list() == [["a"]]
    assert spans["span.text"].to_list() == ["a"]
