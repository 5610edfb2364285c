"""Chunks to one span frame, in little memory.

Ids and times are put together first. Ids that are missing or cut are mended, duplicates and the tree are found with
them, and only then, when the place of every row is known, the attributes are put there, column by column, each letting
go of the pieces that it is made of.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from tracelab.loaders.columns.attributes import (
    Level,
    attribute_columns,
    chosen_keys,
    fingerprints,
    left_out,
    more_attributes,
)
from tracelab.loaders.columns.chunk import CHUNK_SCHEMA, Chunk
from tracelab.loaders.columns.half_trace_ids import join_halves
from tracelab.loaders.columns.missing_ids import give_span_ids, give_trace_ids
from tracelab.loaders.columns.text import as_text
from tracelab.loaders.input.parallel import give_back, in_order
from tracelab.loaders.report import problems
from tracelab.schema import DURATION, SPAN_SCHEMA, TIME, TYPE_SUFFIX
from tracelab.schema import in_order as in_column_order
from tracelab.tree import add_tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracelab.loaders.report.findings import Findings

UNKNOWN_SERVICE: Final = "unknown_service"
_LARGE: Final = 500_000
"""So many spans take so much memory that what is free is given back on the way, which takes time."""
_TYPES: Final[dict[str, pl.DataType]] = {"start_time": TIME, "duration": DURATION}
"""Columns of chunks that hold numbers, of nanoseconds."""
Places = npt.NDArray[np.uint32]


def assemble(
    chunks: list[tuple[int, Chunk]],
    findings: list[Findings],
    overall: Findings,
    *,
    choose: Callable[[list[Level], int], dict[str, list[str]]] = chosen_keys,
) -> pl.DataFrame:
    """Make the span frame of all chunks; each comes with the number of its source, in ascending order.

    What is found in one source is added to its findings, what is found in all of them together to `overall`. The
    chunks are used up. `choose` says which keys get a column, by what is known of all levels and the number of spans.
    """
    filled = [(source, chunk) for source, chunk in chunks if chunk.spans.height]
    # Whoever gave them may hold on to the list.
    chunks.clear()
    if not filled:
        return empty_spans()
    heights = [chunk.spans.height for _, chunk in filled]
    large = sum(heights) > _LARGE
    if large:
        give_back()
    source_ends = np.cumsum(np.bincount([source for source, _ in filled], weights=heights, minlength=len(findings)))
    held = [chunk for _, chunk in filled]
    del filled
    _rename_keys(held, overall)
    core = {column.name: column for column in _fixed_columns(held)}
    resources, scopes = core.pop("resource").to_numpy(), core.pop("scope").to_numpy()
    loaded = sum(heights)
    give_span_ids(core)
    join_halves(core, overall)
    give_trace_ids(core, overall)
    levels = _levels(held, np.arange(loaded, dtype=np.uint32), resources, scopes, loaded)
    kept = _without_duplicates(core, levels, source_ends.astype(np.int64), findings)
    count = kept.size
    levels = _levels(held, _places(kept, loaded), resources[kept], scopes[kept], count)
    # Which keys get a column depends on which spans are kept, not on their order.
    with ThreadPoolExecutor(1, thread_name_prefix="tracelab") as pool:
        choosing = pool.submit(choose, levels, count)
        order, tree = _tree(core, kept)
        chosen = choosing.result()
    columns = {column.name: column for column in tree}
    # Each lets go of the column that it is made from.
    names_of_core = list(core)
    gathered = in_order(lambda name: _gathered(core.pop(name), order), iter(names_of_core))
    columns |= dict(zip(names_of_core, gathered, strict=True))
    _count_cycles(columns, overall)
    levels = _levels(held, _places(order, loaded), resources[order], scopes[order], count)
    del held, tree, resources, scopes, kept
    rest: list[pl.DataFrame] = []
    names: list[str] = []
    for level in levels:
        keys = chosen[level.scope]
        columns |= {column.name: column for column in attribute_columns(level, keys, overall)}
        rest += left_out(level, keys, names)
        level.pieces.clear()
        if large:
            give_back()
    del levels, level
    columns["more_attributes"] = more_attributes(rest, names, count, overall)
    return pl.DataFrame([columns.pop(name) for name in in_column_order(list(columns))])


def _places(order: npt.NDArray[np.int64], loaded: int) -> Places:
    """Tell for each loaded span where it stands among these; one past the last where it is none of them."""
    places = np.full(loaded, order.size, dtype=np.uint32)
    places[order] = np.arange(order.size, dtype=np.uint32)
    return places


def _count_cycles(columns: dict[str, pl.Series], overall: Findings) -> None:
    """Count the spans that head their tree although their parent is there: where the tree cut a cycle."""
    names = ("trace_id", "span_id", "parent_span_id", "depth")
    spans = pl.DataFrame([columns[name].alias(name) for name in names])
    heads = spans.filter((pl.col("depth") == 0) & pl.col("parent_span_id").is_not_null())
    if heads.is_empty():
        return
    cut = heads.join(spans, left_on=["trace_id", "parent_span_id"], right_on=["trace_id", "span_id"], how="semi")
    if cut.height:
        trace_id, span_id = cut.sort("trace_id", "span_id").select("trace_id", "span_id").row(0)
        overall.add(problems.CYCLES, cut.height, place=f"trace {trace_id}", example=span_id)


def empty_spans() -> pl.DataFrame:
    """Give a span frame without rows."""
    return pl.DataFrame(schema=SPAN_SCHEMA)


def _fixed_columns(chunks: list[Chunk]) -> list[pl.Series]:
    """Put the columns together that every span has, and the numbers of its resource and scope."""
    resource_starts = np.cumsum([0, *(chunk.resource_count for chunk in chunks)])
    scope_starts = np.cumsum([0, *(chunk.scopes.height for chunk in chunks)])
    held = [{column.name: column for column in chunk.spans.get_columns()} for chunk in chunks]
    numbers = [(chunk.spans["resource"], chunk.spans["scope"]) for chunk in chunks]
    for chunk in chunks:
        chunk.spans = chunk.spans.clear()

    def numbered(name: str, starts: npt.NDArray[np.int64]) -> pl.Series:
        each = [column.pop(name).to_numpy() + np.uint32(start) for column, start in zip(held, starts, strict=False)]
        return pl.Series(name, np.concatenate(each))

    def service_names() -> pl.Series:
        services = [_services(chunk).gather(of) for chunk, (of, _) in zip(chunks, numbers, strict=True)]
        return pl.concat(services, rechunk=True).alias("service_name")

    def of_scope(told: str) -> pl.Series:
        scoped = [chunk.scopes[told].gather(of) for chunk, (_, of) in zip(chunks, numbers, strict=True)]
        return pl.concat(scoped, rechunk=True).alias(f"scope_{told}")

    def of_spans(name: str) -> pl.Series:
        column = _together([each.pop(name) for each in held])
        return column.cast(_TYPES.get(name, column.dtype))

    makers: dict[str, Callable[[], pl.Series]] = {
        "service_name": service_names,
        "scope_name": lambda: of_scope("name"),
        "scope_version": lambda: of_scope("version"),
        **{name: partial(of_spans, name) for name in CHUNK_SCHEMA},
        "resource": lambda: numbered("resource", resource_starts),
        "scope": lambda: numbered("scope", scope_starts),
    }
    return list(in_order(lambda make: make(), iter(makers.values())))


def _together(columns: list[pl.Series]) -> pl.Series:
    count = sum(column.len() for column in columns)
    if sum(column.null_count() for column in columns) == count:
        return columns[0].clear(count)
    return pl.concat(columns, rechunk=True)


def _gathered(column: pl.Series, order: npt.NDArray[np.int64]) -> pl.Series:
    """Put a column in order; one without values takes no memory."""
    if column.null_count() == column.len():
        return column.clear(order.size)
    return column.gather(pl.Series(order)).rechunk()


def _services(chunk: Chunk) -> pl.Series:
    """Give the service of each resource, and take `service.name` out of its attributes."""
    entries = chunk.resources
    names = np.full(chunk.resource_count, 0, dtype=np.int64)
    texts = [pl.Series([UNKNOWN_SERVICE])]
    total = 1
    if "service.name" in entries.keys:
        code = entries.keys.index("service.name")
        for kind, part in entries.parts.items():
            rows, values = part.of(code)
            if rows.size:
                names[rows] = np.arange(total, total + rows.size)
                texts.append(as_text(values, kind))
                total += rows.size
        entries.keys[code] = None
    found = (
        pl.concat(texts).to_frame("s").select(pl.when(pl.col("s") != "").then("s").otherwise(pl.lit(UNKNOWN_SERVICE)))
    )
    return found.to_series().gather(pl.Series(names))


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


def _levels(chunks: list[Chunk], places: Places, resources: Places, scopes: Places, spans: int) -> list[Level]:
    """Bring the attributes of all chunks together; `places` says where each loaded span went."""
    heights = [chunk.height for chunk in chunks]
    counts = {
        "resource": [chunk.resource_count for chunk in chunks],
        "instrumentation": [chunk.scopes.height for chunk in chunks],
    }
    held = {
        "resource": [chunk.resources for chunk in chunks],
        "instrumentation": [chunk.scope_attributes for chunk in chunks],
    }
    levels = [
        Level(
            "span",
            list(zip(_starts(heights), (chunk.attributes for chunk in chunks), strict=True)),
            places,
            None,
            spans,
        )
    ]
    for scope, owners in (("resource", resources), ("instrumentation", scopes)):
        pieces = list(zip(_starts(counts[scope]), held[scope], strict=True))
        numbers = np.arange(sum(counts[scope]), dtype=np.uint32)
        levels.append(Level(scope, pieces, numbers, owners, spans))
    return levels


def _starts(counts: list[int]) -> list[int]:
    ends: list[int] = np.cumsum(counts).tolist()
    return [end - count for end, count in zip(ends, counts, strict=True)]


def _without_duplicates(
    core: dict[str, pl.Series], levels: list[Level], source_ends: npt.NDArray[np.int64], findings: list[Findings]
) -> npt.NDArray[np.int64]:
    """Give the rows to keep: of spans that were delivered twice one; spans that only share their ids are counted."""
    trace_id, span_id = core["trace_id"], core["span_id"]
    count = trace_id.len()
    if (trace_id.hash(seed=1) ^ span_id.hash(seed=2)).n_unique() == count:
        return np.arange(count)
    shared = pl.select(pl.struct(trace_id, span_id).is_duplicated()).to_series()
    rows = np.flatnonzero(shared.to_numpy())
    suspects = pl.DataFrame([column.filter(shared) for column in core.values()])
    suspects = suspects.with_columns(
        row=pl.Series(rows), content=suspects.hash_rows(seed=5), attributes=pl.Series(fingerprints(levels, rows, count))
    )
    first = suspects.select(pl.struct("trace_id", "span_id", "content", "attributes").is_first_distinct()).to_series()
    dropped, kept = suspects.filter(~first), suspects.filter(first)
    clashing = kept.filter(~pl.struct("trace_id", "span_id").is_first_distinct())
    for problem, found in ((problems.DUPLICATE_SPANS, dropped), (problems.SHARED_IDS, clashing)):
        sources = np.searchsorted(source_ends, found["row"].to_numpy(), side="right")
        for source in np.unique(sources).tolist():
            of_source = found.filter(pl.Series(sources == source))
            lost = of_source.height if problem is problems.DUPLICATE_SPANS else 0
            findings[source].add(problem, of_source.height, example=of_source["span_id"][0], lost_spans=lost)
    keep = np.ones(count, dtype=bool)
    keep[dropped["row"].to_numpy()] = False
    return np.flatnonzero(keep)


def _tree(core: dict[str, pl.Series], kept: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], list[pl.Series]]:
    """Give the loaded spans in the order of the tree, and the columns of the tree in that order."""
    needed = ("trace_id", "span_id", "parent_span_id", "name", "kind", "service_name", "start_time", "duration")
    frame = pl.DataFrame([core[name] for name in needed])
    if kept.size < frame.height:
        frame = frame[pl.Series(kept)]
    tree = add_tree(frame).select("depth", "tree_left", "tree_right", "entry")
    del frame
    order = np.argsort(tree["tree_left"].to_numpy(), kind="stable")
    return kept[order], tree[pl.Series(order)].get_columns()
