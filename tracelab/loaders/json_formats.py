"""The JSON formats: for each a tolerant reader of one decoded document, and for some a fast one for whole pieces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tracelab.loaders.jaeger import fast as jaeger_fast
from tracelab.loaders.jaeger import tolerant as jaeger
from tracelab.loaders.others import clickhouse, sdk_json
from tracelab.loaders.otlp import tolerant as otlp_tolerant
from tracelab.loaders.sniff import CLICKHOUSE, GO_JSON, JAEGER_JSON, OTLP_JSON, PYTHON_JSON, ZIPKIN
from tracelab.loaders.zipkin import v1 as zipkin_v1
from tracelab.loaders.zipkin import v2 as zipkin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tracelab.loaders.columns.builder import Builder
    from tracelab.loaders.columns.chunk import Chunk
    from tracelab.loaders.pieces.cutting import Piece
    from tracelab.loaders.report.findings import Findings


def _read_otlp(document: Any, builder: Builder, place: str) -> None:
    for held, path in otlp_tolerant.resource_spans(document):
        otlp_tolerant.read_resource_spans(held, builder, f"{place}, {path}" if path else place)


def _read_jaeger(document: Any, builder: Builder, place: str) -> None:
    for trace, path in jaeger.traces(document):
        jaeger.read_trace(trace, builder, f"{place}, {path}" if path else place)


def _read_zipkin(document: Any, builder: Builder, place: str) -> None:
    zipkin.add_spans(list(zipkin_rows(document, builder, place)), builder)


def zipkin_rows(document: Any, builder: Builder, place: str) -> Iterator[zipkin.Row]:
    """Read the rows of a document, of whatever version they are."""
    for content in zipkin.rows_of(document):
        later = zipkin_v1.as_v2(content, builder, place) if zipkin_v1.is_v1(content) else [content]
        for each in later:
            row = zipkin.read_row(each, builder, place)
            if row is not None:
                yield row


READERS: Final[dict[str, Callable[[Any, Builder, str], None]]] = {
    OTLP_JSON: _read_otlp,
    JAEGER_JSON: _read_jaeger,
    ZIPKIN: _read_zipkin,
    GO_JSON: sdk_json.read_go,
    PYTHON_JSON: sdk_json.read_python,
    CLICKHOUSE: clickhouse.read_rows,
}

FAST: Final[dict[str, Callable[[Piece], tuple[list[Chunk], Findings]]]] = {JAEGER_JSON: jaeger_fast.chunk_of}
