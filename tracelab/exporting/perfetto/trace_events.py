"""Trace events of spans: services as processes, what runs at once as threads, the critical path as a process.

Slices are complete events (`X`) in tree order, events are instants, and flows lead from a span to those that it calls
in other lanes, and to the spans that are linked to it. Times are microseconds since the first span began, with all
digits; `baseTimeNanoseconds` says when that was. The arguments of a slice hold all that a span has, so that
`tracelab.read` gives the spans back; the categories, which begin with `tracelab.`, say what an event is for.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.analysis.arrays import durations, starts
from tracelab.analysis.critical_paths.paths import critical_path
from tracelab.exporting.perfetto.json_text import (
    attribute_fields,
    field,
    joined,
    microseconds,
    more_attributes,
    quoted,
)
from tracelab.exporting.perfetto.lanes import free_lanes, lanes_of, own_time
from tracelab.forest import build_forest
from tracelab.loaders.others.own_trace_events import BASE
from tracelab.numbering import coded
from tracelab.schema import TIME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracelab.array_types import Flags, Ints

_SPANS_AT_ONCE: Final = 32_768
_YEARS: Final = (946_684_800_000_000_000, 4_102_444_800_000_000_000)
"""2000 and 2100: only a time between them is taken for when a clock began, but by us."""
_CRITICAL_PATH: Final = "critical path"
_FIXED: Final = ("trace_id", "span_id", "parent_span_id", "kind", "status_code", "status_message", "trace_state")
_SCOPE: Final = ("scope_name", "scope_version")


@dataclass(frozen=True, slots=True)
class _Laid:
    """Spans in tree order, and where each is drawn."""

    frame: pl.DataFrame
    base: int
    process: Ints
    thread: Ints
    names: pl.Series


def lines(spans: pl.DataFrame) -> Iterator[bytes]:
    """Write spans as a document of trace events, one a line."""
    frame, forest = build_forest(spans, *(name for name in spans.columns if name != "parent_span_id"))
    parent = forest.parent
    start, length = starts(frame), durations(frame)
    service, names = _services(frame["service_name"], start)
    lane = lanes_of(parent, service, start, start + length)
    first = int(start.min(initial=2**63 - 1))
    base = first if frame.height else 0
    processes = names.len()
    thread, tracks = _threads(service, lane, above=processes + 1)
    laid = _Laid(frame, base, service + 2, thread, names)
    arrows = _arrows(frame, parent, thread, own_time(parent, service, start, start + length))
    yield (_head(base) + ",\n".join(_metadata(names, tracks))).encode()
    for low in range(0, frame.height, _SPANS_AT_ONCE):
        yield _slices(laid, arrows, low, min(low + _SPANS_AT_ONCE, frame.height))
    yield from _path_events(frame, base, first_thread=int(thread.max(initial=processes + 1)) + 1)
    yield b"\n]}\n"


def _head(base: int) -> str:
    known = "baseTimeNanoseconds" if _YEARS[0] <= base < _YEARS[1] else BASE
    clock = f'"{known}":{base},'
    return f'{{"displayTimeUnit":"ns",{clock}"traceEvents":[\n'


def _services(services: pl.Series, start: Ints) -> tuple[Ints, pl.Series]:
    """Give numbers to the services, in the order in which they first appear in time."""
    codes, names = coded(services)
    begins = np.full(names.len(), np.iinfo(np.int64).max)
    np.minimum.at(begins, codes, start)
    order = np.lexsort((names.rank("ordinal").to_numpy(), begins))
    return np.argsort(order)[codes], names.gather(order)


def _threads(service: Ints, lane: Ints, *, above: int) -> tuple[Ints, pl.DataFrame]:
    """Give numbers to the threads of all processes, each lane by its process and place."""
    pairs, thread = np.unique(np.stack((service, lane), axis=1), axis=0, return_inverse=True)
    tracks = pl.DataFrame({"pid": pairs[:, 0] + 2, "lane": pairs[:, 1]}).with_columns(
        tid=pl.int_range(pl.len()) + above + 1
    )
    return thread.reshape(-1) + above + 1, tracks


def _metadata(names: pl.Series, tracks: pl.DataFrame) -> Iterator[str]:
    """Name processes and threads, and say in which order they stand: the critical path first."""
    for pid, name in enumerate([_CRITICAL_PATH, *names.to_list()], start=1):
        yield _meta("process_name", pid, 0, name=name)
        yield _meta("process_sort_index", pid, 0, sort_index=pid)
    for pid, lane, tid in tracks.rows():
        yield _meta("thread_name", pid, tid, name=f"lane {lane + 1}")
        yield _meta("thread_sort_index", pid, tid, sort_index=lane)


def _meta(kind: str, pid: int, tid: int, **args: str | int) -> str:
    event = {"ph": "M", "name": kind, "cat": "tracelab.metadata", "pid": pid, "tid": tid, "args": args}
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"))


def _slices(laid: _Laid, arrows: pl.DataFrame, low: int, high: int) -> bytes:
    """Write some spans, each with its events and with the ends of flows behind it."""
    some = laid.frame[low:high].with_columns(
        __pid=pl.Series(laid.process[low:high]),
        __tid=pl.Series(laid.thread[low:high]),
    )
    ends = arrows.slice(*_between(arrows["place"].to_numpy(), low, high)).with_columns(pl.col("place") - low)
    slices = some.select(
        _event(
            "X",
            "tracelab.span",
            name=quoted("name"),
            more=[
                field("dur", microseconds(pl.col("duration").dt.total_nanoseconds())),
                pl.when(pl.col("status_code") == "error").then(pl.lit('"cname":"terrible"')),
                field("args", _arguments(some)),
            ],
            base=laid.base,
        ).alias("text")
    )
    parts = [
        pl.DataFrame({"place": pl.int_range(some.height, eager=True), "part": 0, "text": slices["text"]}),
        _flow_texts(some, ends, laid.base),
        _instants(some, laid.base),
    ]
    texts = pl.concat([part.with_columns(pl.col("place", "part").cast(pl.Int64)) for part in parts])
    whole: str = texts.sort("place", "part", maintain_order=True)["text"].str.join(",\n").item()
    return (",\n" + whole).encode()


def _event(phase: str, category: str, *, name: pl.Expr, more: list[pl.Expr], base: int) -> pl.Expr:
    """Write an event that happens at `start_time`, in the thread of the row."""
    return joined(
        [
            pl.lit(f'"ph":"{phase}","cat":"{category}"'),
            field("name", name),
            field("pid", pl.col("__pid").cast(pl.String)),
            field("tid", pl.col("__tid").cast(pl.String)),
            field("ts", microseconds(pl.col("start_time").dt.timestamp("ns") - base)),
            *more,
        ]
    )


def _arguments(frame: pl.DataFrame) -> pl.Expr:
    linked = pl.when(pl.col("links").list.len() > 0).then(quoted("links"))
    return joined(
        [
            *(field(name, quoted(pl.col(name).cast(pl.String))) for name in (*_FIXED, *_SCOPE)),
            field("flags", pl.col("flags").cast(pl.String)),
            *attribute_fields(frame),
            pl.lit(more_attributes(frame)),
            field("links", linked),
        ]
    )


def _instants(frame: pl.DataFrame, base: int) -> pl.DataFrame:
    """Write the events of spans."""
    happened = (
        frame.select("trace_id", "span_id", "events", "__pid", "__tid")
        .with_row_index("place")
        .filter(pl.col("events").list.len() > 0)
        .explode("events")
        .with_columns(pl.col("events").struct.rename_fields(["start_time", "__name", "__attributes"]))
        .unnest("events")
    )
    args = joined(
        [
            field("trace_id", quoted("trace_id")),
            field("span_id", quoted("span_id")),
            field("attributes", quoted("__attributes")),
        ]
    )
    text = _event(
        "i",
        "tracelab.event",
        name=quoted(pl.col("__name").fill_null("")),
        more=[pl.lit('"s":"t"'), field("args", args)],
        base=base,
    )
    return happened.select("place", part=pl.lit(2), text=text)


def _flow_texts(frame: pl.DataFrame, ends: pl.DataFrame, base: int) -> pl.DataFrame:
    """Write the ends of flows that are at some spans: each stands behind the slice that it belongs to."""
    at = frame.select("__pid", "__tid")[ends["place"].to_numpy()].with_columns(start_time=ends["time"].cast(TIME))
    told = pl.concat([ends, at], how="horizontal")
    return pl.concat(
        [
            told.filter((pl.col("phase") == phase) & (pl.col("category") == category)).select(
                "place",
                part=pl.lit(1),
                text=_event(
                    phase,
                    f"tracelab.{category}",
                    name=pl.lit(f'"{category}"'),
                    more=[
                        field("id", pl.col("id").cast(pl.String)),
                        *([pl.lit('"bp":"e"')] if phase == "f" else []),
                    ],
                    base=base,
                ),
            )
            for phase in ("s", "f")
            for category in ("call", "link")
        ]
    )


def _arrows(frame: pl.DataFrame, parent: Ints, thread: Ints, own: tuple[Ints, Ints]) -> pl.DataFrame:
    """List the ends of flows by place: from callers to what they call in other lanes, and along links.

    An end is tied to a slice by its time alone, and a flow ends after it starts: where spans begin in the very moment
    in which another does in their lane, there is no time that would say which one is meant, and no flow.
    """
    child = np.flatnonzero(parent >= 0)
    child = child[thread[child] != thread[parent[child]]]
    linking, linked = _links(frame)
    source, target = np.concatenate((parent[child], linked)), np.concatenate((child, linking))
    category = np.repeat(("call", "link"), (child.size, linking.size))
    first, last = own
    leaves = first[source]
    arrives = np.maximum(first[target], leaves + 1)
    drawn: Flags = (first[source] <= last[source]) & (arrives <= last[target]) & (source != target)
    source, target, category, leaves, arrives = (
        values[drawn] for values in (source, target, category, leaves, arrives)
    )
    number = np.arange(1, source.size + 1)
    return pl.DataFrame(
        {
            "place": np.concatenate((source, target)),
            "time": np.concatenate((leaves, arrives)),
            "id": np.tile(number, 2),
            "phase": pl.Series(np.repeat(("s", "f"), source.size).tolist(), dtype=pl.String),
            "category": pl.Series(np.tile(category, 2).tolist(), dtype=pl.String),
        },
        schema_overrides={"place": pl.Int64(), "time": pl.Int64(), "id": pl.Int64()},
    ).sort("place", "phase", "id")


def _links(frame: pl.DataFrame) -> tuple[Ints, Ints]:
    """Find the links whose other end is here: the place of the span with the link, and of the other."""
    told = (
        frame.select("links")
        .with_row_index("place")
        .filter(pl.col("links").list.len() > 0)
        .explode("links")
        .select("place", pl.col("links").struct.field("trace_id", "span_id"))
    )
    known = frame.select("trace_id", "span_id").with_row_index("other").unique(["trace_id", "span_id"], keep="first")
    found = told.join(known, on=["trace_id", "span_id"]).sort("place", "other")
    return found["place"].cast(pl.Int64).to_numpy(), found["other"].cast(pl.Int64).to_numpy()


def _path_events(frame: pl.DataFrame, base: int, *, first_thread: int) -> Iterator[bytes]:
    """Write the critical paths: a slice for each root, and in it a slice for each section."""
    sections = critical_path(frame)
    if sections.is_empty():
        return
    end = pl.col("start_time") + pl.col("duration")
    paths = (
        sections.lazy()
        .group_by("trace_id", "root_span_id", maintain_order=True)
        .agg(pl.col("start_time").min(), duration=end.max() - pl.col("start_time").min())
        .collect()
    )
    began, ended = starts(paths), starts(paths) + durations(paths)
    lane = free_lanes(np.zeros(paths.height, dtype=np.int64), began, ended)
    paths = paths.with_columns(__pid=pl.lit(1), __tid=pl.Series(lane) + first_thread)
    roots = frame.select("trace_id", "service_name", "name", root_span_id="span_id")
    paths = paths.join(
        roots.unique(["trace_id", "root_span_id"], keep="first"),
        on=["trace_id", "root_span_id"],
        how="left",
        maintain_order="left",
    )
    tracks = [text for one in range(int(lane.max()) + 1) for text in _path_track(one, first_thread)]
    yield (",\n" + ",\n".join(tracks)).encode()
    placed = sections.join(
        paths.select("trace_id", "root_span_id", "__pid", "__tid"),
        on=["trace_id", "root_span_id"],
        maintain_order="left",
    )
    for rows, ids in ((paths, ("trace_id", "root_span_id")), (placed, ("trace_id", "span_id", "basis"))):
        for low in range(0, rows.height, _SPANS_AT_ONCE):
            text = rows[low : low + _SPANS_AT_ONCE].select(_path_slice(ids, base).str.join(",\n")).item()
            yield (",\n" + text).encode()


def _path_track(lane: int, first_thread: int) -> list[str]:
    tid = first_thread + lane
    return [
        _meta("thread_name", 1, tid, name=f"lane {lane + 1}"),
        _meta("thread_sort_index", 1, tid, sort_index=lane),
    ]


def _path_slice(ids: tuple[str, ...], base: int) -> pl.Expr:
    args = joined([field(name, quoted(pl.col(name).cast(pl.String))) for name in ids])
    return _event(
        "X",
        "tracelab.critical_path",
        name=quoted(pl.concat_str("service_name", pl.lit(": "), "name", ignore_nulls=True)),
        more=[field("dur", microseconds(pl.col("duration").dt.total_nanoseconds())), field("args", args)],
        base=base,
    )


def _between(places: Ints, low: int, high: int) -> tuple[int, int]:
    first, last = np.searchsorted(places, (low, high))
    return int(first), int(last - first)
