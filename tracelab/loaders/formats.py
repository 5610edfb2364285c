"""The table of formats: one line for each, with what tells it and what reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tracelab.loaders.console import collector, dotnet, node_sdk, node_text
from tracelab.loaders.documents import envelopes
from tracelab.loaders.elastic import documents as elastic
from tracelab.loaders.jaeger import elasticsearch as jaeger_elasticsearch
from tracelab.loaders.jaeger import fast as jaeger_fast
from tracelab.loaders.jaeger import storage as jaeger_storage
from tracelab.loaders.jaeger import tolerant as jaeger
from tracelab.loaders.others import (
    aws_xray,
    chrome_trace,
    clickhouse,
    clickhouse_compact,
    data_prepper,
    datadog,
    haystack,
    parquet,
    sdk_json,
    tempo_block,
    trulens,
)
from tracelab.loaders.otlp import otap
from tracelab.loaders.otlp import tolerant as otlp
from tracelab.loaders.rows import objects as rows
from tracelab.loaders.rows import parquet as rows_parquet
from tracelab.loaders.zipkin import v2 as zipkin

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterable, Iterator

    import polars as pl

    from tracelab.loaders.columns.builder import Builder
    from tracelab.loaders.columns.chunk import Chunk
    from tracelab.loaders.console.printed import Printed, Sink
    from tracelab.loaders.input.columnar import ColumnarFile
    from tracelab.loaders.input.cutting import Piece
    from tracelab.loaders.report.findings import Findings, Problem
    from tracelab.loaders.rows.names import Asked

OTLP_JSON: Final = "otlp-json"
OTLP_PROTO: Final = "otlp-proto"
JAEGER_JSON: Final = "jaeger-json"
JAEGER_STORAGE_JSON: Final = "jaeger-storage-json"
JAEGER_ELASTICSEARCH: Final = "jaeger-elasticsearch"
ZIPKIN: Final = "zipkin"
GO_JSON: Final = "go-stdouttrace"
PYTHON_JSON: Final = "python-sdk-json"
NODE_JSON: Final = "node-sdk-json"
NODE_CONSOLE: Final = "node-console"
COLLECTOR_DEBUG: Final = "collector-debug"
DOTNET_CONSOLE: Final = "dotnet-console"
CLICKHOUSE: Final = "clickhouse"
CLICKHOUSE_COMPACT: Final = "clickhouse-compact"
DATA_PREPPER: Final = "data-prepper"
ELASTIC_APM: Final = "elastic-apm"
AWS_XRAY: Final = "aws-xray"
DATADOG: Final = "datadog"
CHROME_TRACE: Final = "chrome-trace"
TRULENS: Final = "trulens"
HAYSTACK: Final = "haystack"
PARQUET: Final = "parquet"
ROWS: Final = "rows"
TEMPO_BLOCK: Final = "tempo-block"
OTAP: Final = "otap"


@dataclass(frozen=True, slots=True)
class JsonFormat:
    """A format of JSON documents.

    `holds` tells the objects of the format: spans, or what holds spans as only this format does; `holds_other` tells
    what is no object, but a text in which one is written, or a list of its values. `read` adds the spans
    of one such object. Where what belongs together may stand far apart, `gathered` reads all objects of an input
    instead, or, where what stands around them counts (`around`), all documents as they are, and `columnar` does so by
    whole columns; `fast` reads whole pieces of lines, or says that they do not fit.

    Objects are looked for in lists and under the `wrappers` of all formats. `is_part` tells objects that are the
    format's once it is known, though they say too little of themselves. `beside` names what is no span and no loss,
    such as metrics in the same index. `of_spans` says that an object holds many spans, so that what stands beside such
    objects is not counted as a span that was lost. `marked` says that large documents can be cut by the names of their
    keys alone; others are decoded whole while they are small, and cut where `holds` knows the objects. `loose` says
    that lists may lack their closing bracket, and that what stands around the objects of a large document is read too.

    `told_by` lists keys that, where they stand together, let `holds` and `beside` tell an object by its values: without
    them all objects are alike that have the same keys, lists of the same length, and values of the same types.
    """

    name: str
    holds: Callable[[dict[str, Any]], bool]
    read: Callable[[dict[str, Any], Builder, str], None] | None = None
    gathered: Callable[[Iterable[tuple[Any, str]], Builder], None] | None = None
    columnar: Callable[[Iterable[tuple[Any, str]], Findings, Asked | None, str], Chunk] | None = None
    fast: Callable[[Piece], tuple[list[Chunk], Findings]] | None = None
    is_part: Callable[[dict[str, Any]], bool] | None = None
    holds_other: Callable[[Any], bool] | None = None
    beside: Callable[[dict[str, Any]], Problem | None] | None = None
    wrappers: tuple[str, ...] = ()
    of_spans: bool = False
    marked: bool = False
    loose: bool = False
    around: bool = False
    told_by: tuple[frozenset[str], ...] = ()


@dataclass(frozen=True, slots=True)
class ParquetFormat:
    """A format of files of columns.

    `holds` tells it by the names of its columns. `chunks` reads the file, in as little memory as it can: decoded
    chunks, or a frame that tracelab wrote.
    """

    name: str
    holds: Callable[[frozenset[str]], bool]
    chunks: Callable[[ColumnarFile, Findings], Iterator[Chunk | pl.DataFrame]]


@dataclass(frozen=True, slots=True)
class TextFormat:
    """A format of spans that are printed for people to read, in a log among other lines.

    `starts` tells the first line of a span, or of what stands around spans; where it is a bracket alone, together with
    the line after it. `word` stands in each such line, and is looked for first. `reader` reads the lines that follow,
    and says of each whether it belongs to it.
    """

    name: str
    word: str
    starts: re.Pattern[str]
    reader: Callable[[Sink], Printed]


# Where two formats know an object, the first one has it.
JSON_FORMATS: Final = (
    JsonFormat(OTLP_JSON, otlp.is_document, otlp.read_document, wrappers=otlp.WRAPPERS, of_spans=True, marked=True),
    JsonFormat(
        JAEGER_JSON, jaeger.is_document, jaeger.read_trace, fast=jaeger_fast.chunk_of, of_spans=True, marked=True
    ),
    JsonFormat(
        JAEGER_STORAGE_JSON, jaeger_storage.is_document, jaeger_storage.read_document, wrappers=jaeger_storage.WRAPPERS
    ),
    JsonFormat(
        JAEGER_ELASTICSEARCH,
        jaeger_elasticsearch.is_span,
        jaeger_elasticsearch.read_span,
        beside=jaeger_elasticsearch.beside,
    ),
    JsonFormat(GO_JSON, sdk_json.is_go, sdk_json.read_go, marked=True),
    JsonFormat(PYTHON_JSON, sdk_json.is_python, sdk_json.read_python, wrappers=("spans",), marked=True),
    JsonFormat(CLICKHOUSE, clickhouse.is_row, clickhouse.read_row, marked=True),
    JsonFormat(
        CLICKHOUSE_COMPACT,
        clickhouse_compact.holds,
        gathered=clickhouse_compact.read_documents,
        holds_other=clickhouse_compact.holds_other,
        around=True,
        of_spans=True,
        told_by=clickhouse_compact.TOLD_BY,
    ),
    JsonFormat(NODE_JSON, node_sdk.is_span, node_sdk.read_span),
    JsonFormat(DATA_PREPPER, data_prepper.is_span, data_prepper.read_span, beside=data_prepper.beside),
    JsonFormat(ELASTIC_APM, elastic.is_document, gathered=elastic.read_documents, beside=elastic.beside),
    JsonFormat(
        ZIPKIN, zipkin.is_row, gathered=zipkin.read_rows, is_part=zipkin.is_part, marked=True, told_by=zipkin.TOLD_BY
    ),
    JsonFormat(
        AWS_XRAY,
        aws_xray.holds,
        gathered=aws_xray.read_documents,
        holds_other=aws_xray.is_text,
        around=True,
        wrappers=("Traces",),
        told_by=aws_xray.TOLD_BY,
    ),
    JsonFormat(
        DATADOG,
        datadog.holds,
        gathered=datadog.read_documents,
        around=True,
        wrappers=datadog.WRAPPERS,
        told_by=datadog.TOLD_BY,
    ),
    JsonFormat(
        CHROME_TRACE,
        chrome_trace.holds,
        gathered=chrome_trace.read_documents,
        around=True,
        wrappers=chrome_trace.WRAPPERS,
        loose=True,
        told_by=chrome_trace.TOLD_BY,
    ),
    JsonFormat(TRULENS, trulens.holds, gathered=trulens.read_documents, around=True, wrappers=("events",)),
    JsonFormat(HAYSTACK, haystack.holds, gathered=haystack.read_documents, around=True, wrappers=haystack.WRAPPERS),
    # What is like any format above is better read as that.
    JsonFormat(ROWS, rows.holds, columnar=rows.chunk_of_documents, around=True, wrappers=rows.WRAPPERS),
)
BY_NAME: Final = {each.name: each for each in JSON_FORMATS}
WRAPPERS: Final = tuple(dict.fromkeys((*envelopes.WRAPPERS, *(key for each in JSON_FORMATS for key in each.wrappers))))

# Where two formats know a line, the first one has it.
TEXT_FORMATS: Final = (
    TextFormat(COLLECTOR_DEBUG, "Span", collector.STARTS, collector.CollectorDebug),
    TextFormat(DOTNET_CONSOLE, "Activity.", dotnet.STARTS, dotnet.DotnetConsole),
    TextFormat(NODE_CONSOLE, "{", node_text.STARTS, node_text.NodeConsole),
)
TEXT_BY_NAME: Final = {each.name: each for each in TEXT_FORMATS}

# Where two formats know the columns, the first one has them.
PARQUET_FORMATS: Final = (
    ParquetFormat(PARQUET, parquet.is_own, parquet.own_spans),
    ParquetFormat(CLICKHOUSE, clickhouse.has_rows, parquet.clickhouse_chunks),
    ParquetFormat(TEMPO_BLOCK, tempo_block.has_traces, tempo_block.chunks),
    ParquetFormat(OTAP, otap.has_spans, otap.chunks),
    ParquetFormat(ROWS, rows_parquet.has_rows, rows_parquet.chunks),
)

FAMILIES: Final[dict[str, tuple[str, ...]]] = {
    "otlp": (OTLP_JSON, OTLP_PROTO, OTAP),
    "jaeger": (JAEGER_JSON, JAEGER_STORAGE_JSON, JAEGER_ELASTICSEARCH),
    "clickhouse": (CLICKHOUSE, CLICKHOUSE_COMPACT),
    "tempo": (OTLP_JSON, OTLP_PROTO, TEMPO_BLOCK),
}
"""Words of `format` that mean several formats."""
NAMES: Final = tuple(
    dict.fromkeys((OTLP_JSON, OTLP_PROTO, *BY_NAME, *TEXT_BY_NAME, *(each.name for each in PARQUET_FORMATS)))
)
"""All formats, as `format` and the load report name them."""
