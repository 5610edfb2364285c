"""Chunks to one span frame: columns put together one by one, duplicates dropped, tree computed, rows in tree order."""

from __future__ import annotations

import numpy as np
import polars as pl

from tracelab.loaders import problems
from tracelab.loaders.attributes import Level, attribute_columns, chosen_keys, more_attributes
from tracelab.loaders.chunk import CHUNK_SCHEMA, Chunk
from tracelab.loaders.findings import Findings
from tracelab.loaders.text import as_text
from tracelab.schema import DURATION, SPAN_SCHEMA, TIME, TREE_COLUMNS, TYPE_SUFFIX, in_order
from tracelab.tree import with_tree

UNKNOWN_SERVICE = "unknown_service"


def assemble(chunks: list[tuple[int, Chunk]], findings: list[Findings], overall: Findings) -> pl.DataFrame:
    """Make the span frame of all chunks; each comes with the number of its source, in ascending order.

    What is found in one source is added to its findings, what is found in all of them together to `overall`.

    The chunks are used up: their columns are let go as soon as they are part of the frame.
    """
    chunks = [(source, chunk) for source, chunk in chunks if chunk.spans.height]
    if not chunks:
        return empty_spans()
    heights = np.array([chunk.spans.height for _, chunk in chunks])
    source_ends = np.cumsum(np.bincount([source for source, _ in chunks], weights=heights, minlength=len(findings)))
    _rename_keys([chunk for _, chunk in chunks], overall)
    columns = _fixed_columns([chunk for _, chunk in chunks])
    columns += _attributes([chunk for _, chunk in chunks], int(heights.sum()), overall)
    frame = pl.DataFrame(columns)
    del columns
    frame = _without_duplicates(frame, source_ends.astype(np.int64), findings)
    spans = with_tree(frame)
    del frame
    return _in_tree_order(spans)


def empty_spans() -> pl.DataFrame:
    """Give a span frame without rows."""
    return pl.DataFrame(schema=SPAN_SCHEMA)


def _fixed_columns(chunks: list[Chunk]) -> list[pl.Series]:
    columns = []
    for name in CHUNK_SCHEMA:
        if name in ("resource", "scope"):
            continue
        column = pl.concat([chunk.spans[name] for chunk in chunks], rechunk=True)
        if name in ("start_time", "duration"):
            column = column.cast(TIME if name == "start_time" else DURATION)
        for chunk in chunks:
            chunk.spans = chunk.spans.drop(name)
        columns.append(column)
    for name in ("name", "version"):
        scoped = [chunk.scopes[name].gather(chunk.spans["scope"]) for chunk in chunks]
        columns.append(pl.concat(scoped, rechunk=True).alias(f"scope_{name}"))
    services = [_services(chunk).gather(chunk.spans["resource"]) for chunk in chunks]
    columns.append(pl.concat(services, rechunk=True).alias("service_name"))
    return columns


def _services(chunk: Chunk) -> pl.Series:
    """Give the service of each resource, and take `service.name` out of its attributes."""
    entries = chunk.resources
    names = np.full(chunk.resource_count, -1, dtype=np.int64)
    texts = [pl.Series([UNKNOWN_SERVICE])]
    total = 1
    if "service.name" in entries.keys:
        code = entries.keys.index("service.name")
        for kind, part in entries.parts.items():
            rows, values = part.of(code)
            names[rows] = np.arange(total, total + rows.size)
            texts.append(as_text(values, kind))
            total += rows.size
        entries.keys[code] = None
    services = pl.concat(texts)
    services = services.to_frame("s").select(pl.when(pl.col("s") == "").then(pl.lit(UNKNOWN_SERVICE)).otherwise("s")).to_series()
    return services.gather(pl.Series(np.maximum(names, 0)))


def _attributes(chunks: list[Chunk], spans: int, findings: Findings) -> list[pl.Series]:
    levels = [
        _level("span", chunks, spans),
        _owned_level("resource", chunks, [chunk.resource_count for chunk in chunks]),
        _owned_level("instrumentation", chunks, [chunk.scopes.height for chunk in chunks]),
    ]
    for chunk in chunks:
        chunk.spans = chunk.spans.clear()
    chosen = chosen_keys(levels, spans)
    columns = [column for level in levels for column in attribute_columns(level, chosen[level.scope], findings)]
    return [*columns, more_attributes(levels, chosen, spans, findings)]


def _rename_keys(chunks: list[Chunk], findings: Findings) -> None:
    """Give another name to keys that no column can have."""
    for chunk in chunks:
        for entries in (chunk.attributes, chunk.resources, chunk.scope_attributes):
            for code, key in enumerate(entries.keys):
                if key == "" or (key and key.endswith(TYPE_SUFFIX)):
                    name = key + "_"
                    while name in entries.keys:
                        name += "_"
                    entries.keys[code] = name
                    findings.add(problems.RENAMED_KEYS, example=key)


def _level(scope: str, chunks: list[Chunk], spans: int) -> Level:
    starts = np.cumsum([0, *(chunk.spans.height for chunk in chunks)])
    return Level(scope, spans, [(int(start), chunk.attributes) for start, chunk in zip(starts, chunks, strict=False)])


def _owned_level(scope: str, chunks: list[Chunk], counts: list[int]) -> Level:
    starts = np.cumsum([0, *counts])
    column = "resource" if scope == "resource" else "scope"
    owners = np.concatenate(
        [chunk.spans[column].to_numpy() + np.uint32(start) for start, chunk in zip(starts, chunks, strict=False)]
    )
    entries = [chunk.resources if scope == "resource" else chunk.scope_attributes for chunk in chunks]
    pieces = [(int(start), held) for start, held in zip(starts, entries, strict=False)]
    return Level(scope, int(starts[-1]), pieces, owners.astype(np.uint32))


def _without_duplicates(frame: pl.DataFrame, source_ends: np.ndarray, findings: list[Findings]) -> pl.DataFrame:
    """Drop spans that were delivered twice, and count those that only share their ids."""
    both = frame["trace_id"].hash(seed=1) ^ frame["span_id"].hash(seed=2)
    if both.n_unique() == frame.height:
        return frame
    shared = frame.select(pl.struct("trace_id", "span_id").is_duplicated()).to_series()
    suspects = frame.with_row_index("row").filter(shared)
    first = suspects.drop("row").select(pl.struct(pl.all()).is_first_distinct()).to_series()
    dropped = suspects.filter(~first)
    kept = suspects.filter(first)
    clashing = kept.filter(~pl.struct("trace_id", "span_id").is_first_distinct())
    for problem, rows in ((problems.DUPLICATE_SPANS, dropped), (problems.SHARED_IDS, clashing)):
        sources = np.searchsorted(source_ends, rows["row"].to_numpy(), side="right")
        for source in np.unique(sources).tolist():
            of_source = rows.filter(pl.Series(sources == source))
            lost = of_source.height if problem is problems.DUPLICATE_SPANS else 0
            findings[source].add(problem, of_source.height, example=of_source["span_id"][0], lost_spans=lost)
    if not dropped.height:
        return frame
    keep = np.ones(frame.height, dtype=bool)
    keep[dropped["row"].to_numpy()] = False
    return frame.filter(pl.Series(keep))


def _in_tree_order(spans: pl.DataFrame) -> pl.DataFrame:
    """Sort by tree, one column at a time, so that only one is in memory twice."""
    left = spans["tree_left"].to_numpy()
    if bool((left[1:] > left[:-1]).all()):
        return spans
    order = pl.Series(np.argsort(left, kind="stable"))
    names = in_order(spans.columns)
    columns = []
    for name in names:
        columns.append(spans[name].gather(order))
        spans = spans.drop(name)
    return pl.DataFrame(columns)
