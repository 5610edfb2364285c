"""The JSON formats: for each a tolerant reader of one decoded document, and for some a fast one for whole pieces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from tracelab.loaders import jaeger, otlp_tolerant
from tracelab.loaders.builder import Builder
from tracelab.loaders.chunk import Chunk
from tracelab.loaders.findings import Findings
from tracelab.loaders.json_cut import Piece
from tracelab.loaders.sniff import JAEGER_JSON, OTLP_JSON


def _read_otlp(document: Any, builder: Builder, place: str) -> None:
    for held, path in otlp_tolerant.resource_spans(document):
        otlp_tolerant.read_resource_spans(held, builder, f"{place}, {path}" if path else place)


def _read_jaeger(document: Any, builder: Builder, place: str) -> None:
    for trace, path in jaeger.traces(document):
        jaeger.read_trace(trace, builder, f"{place}, {path}" if path else place)


READERS: Final[dict[str, Callable[[Any, Builder, str], None]]] = {OTLP_JSON: _read_otlp, JAEGER_JSON: _read_jaeger}

FAST: Final[dict[str, Callable[[Piece], tuple[list[Chunk], Findings]]]] = {}
