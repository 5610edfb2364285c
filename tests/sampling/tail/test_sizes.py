"""The sizes of traces are those of OTLP's own protobuf library."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from google.protobuf.json_format import ParseDict  # type: ignore[import-untyped]
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

import tracelab as tl
from tracelab.loaders.otlp.writer import lines
from tracelab.sampling.tail.groups import Groups, trace_groups
from tracelab.sampling.tail.sizes import trace_sizes
from tracelab.synthetic import draw

DUMP = Path(__file__).parents[3] / "sample_data" / "content.otlp.jsonl.gz"


def by_protobuf(spans: pl.DataFrame) -> int:
    """Write the spans, of which all have parents: the Collector writes an empty one where others write none."""
    (line,) = lines(spans)
    return int(ParseDict(_with_bytes(json.loads(line)), TracesData()).ByteSize())


def _with_bytes(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_bytes(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        key: base64.b64encode(bytes.fromhex(each)).decode()
        if key in ("traceId", "spanId", "parentSpanId")
        else _with_bytes(each)
        for key, each in value.items()
    }


def test_sample_traces_have_the_sizes_of_protobuf() -> None:
    spans = tl.read(DUMP).filter(pl.col("parent_span_id").is_not_null())
    groups = trace_groups(spans)
    sizes = trace_sizes(groups)
    for start, size, bytes_ in list(zip(groups.starts, groups.sizes, sizes, strict=True))[:60]:
        assert by_protobuf(spans[int(start) : int(start + size)]) == bytes_


def test_values_of_every_type_have_the_sizes_of_protobuf() -> None:
    texts = ["7", "-1", "true", "1.5", "x" * 200, '["a", 1, [true, null]]', '{"k": {"m": 2.5}}', "", str(2**62)]
    types = ["int", "int", "bool", "double", "string", "array", "kvlist", "string", "int"]
    rest = [
        [{"key": "span.m", "value": text}, {"key": "span.m:type", "value": kind}]
        for text, kind in zip(texts, types, strict=True)
    ]
    one = draw("api =!")
    spans = pl.concat([one] * len(texts)).with_columns(
        pl.Series("span.v", texts),
        pl.Series("span.v:type", types),
        pl.Series("span.n", [-1, 0, 127, 128, 2**14, 2**63 - 1, -(2**63), None, 5]),
        pl.Series("span.f", [0.5, None] * 4 + [1.0]),
        pl.Series("span.l", [[1, 2**40], [], None] * 3),
        pl.Series("more_attributes", rest).cast(pl.Map(pl.String(), pl.String())),
        parent_span_id=pl.lit("ab" * 8),
        trace_state=pl.lit("a=b"),
        flags=pl.lit(769, dtype=pl.UInt32),
    )
    sizes = trace_sizes(Groups(spans, None, np.arange(spans.height)))
    assert sizes.tolist() == [by_protobuf(spans[row : row + 1]) for row in range(spans.height)]


def test_events_and_links_count() -> None:
    moment = pl.lit(5, dtype=pl.Int64).cast(pl.Datetime("ns", "UTC"))
    pairs = pl.lit([{"key": "exception.type", "value": "E"}]).cast(pl.Map(pl.String(), pl.String()))
    event = pl.concat_list(pl.struct(time=moment, name=pl.lit("exception"), attributes=pairs))
    link = pl.concat_list(
        pl.struct(trace_id=pl.lit("cd" * 16), span_id=pl.lit("ef" * 8), trace_state=pl.lit("a=b"), attributes=pairs)
    )
    spans = draw("api =").with_columns(events=event, links=link, parent_span_id=pl.lit("ab" * 8))
    assert trace_sizes(trace_groups(spans)).tolist() == [by_protobuf(spans)]


def test_what_is_said_to_be_json_and_is_none_counts_as_text() -> None:
    texts = ["[1", "[" * 5000, "[1" + "0" * 400 + "]", "x", '["\\ud800"]']
    spans = pl.concat([draw("api =")] * len(texts)).with_columns(
        pl.Series("span.v", texts), pl.Series("span.v:type", ["array", "array", "array", "bytes", "array"])
    )
    sizes = trace_sizes(Groups(spans, None, np.arange(spans.height)))
    assert (np.diff(sizes[:2]) > 4000).all()
    assert (sizes > 0).all()
