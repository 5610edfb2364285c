"""Spans that are not yet written down: their structure as arrays, which can still be changed, and what they say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from tracelab.schema import ATTRIBUTES, DURATION, EVENTS, LINKS, TIME
from tracelab.workload.ids import as_hex, hex_ids
from tracelab.workload.systems.describing import describe
from tracelab.workload.systems.endpoints import CONSUMER, LINKED, SERVER, Grower, Node
from tracelab.workload.systems.traffic import Nodes, Traffic, run

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Ints
    from tracelab.workload.systems.landscape import System

_AS_IT_IS: Final = -2
_UNKNOWN: Final = -1
_REMOTE: Final = 0x200
_SECOND: Final = 1_000_000_000
_THRESHOLD_BYTES: Final = {"8": 0x80, "c": 0xC0}


@dataclass(slots=True)
class Draft:
    """All spans of a dump. Arrays and `frame` have one item per span.

    Rows are in depth-first order at first and `size` counts a span and all below it; spans that are added stand at the
    end. `parent` is a row, -1 for none; `names_parent` is what the span claims where that differs. `linked` spans
    begin a trace of their own and link to their parent. `identity` is the row whose id the span bears. `flags` is -1
    where nothing is said. `repeated` lists rows that are written once more.
    """

    system: System
    nodes: Nodes
    node: Ints
    service: Ints
    kind: Ints
    hop: Ints
    parent: Ints
    size: Ints
    instance: Ints
    start: Ints
    duration: Ints
    linked: Flags
    keep: Flags
    identity: Ints
    names_parent: Ints
    flags: Ints
    trace_bytes: npt.NDArray[np.uint8]
    trace_of: Ints
    span_ids: pl.Series
    frame: pl.DataFrame
    events: pl.DataFrame
    drawn_count: int
    repeated: list[Ints] = field(default_factory=list)

    @classmethod
    def drawn(cls, system: System, rng: np.random.Generator, *, traces: int, begin: int) -> Draft:
        """Let requests come, and describe what a healthy system would export."""
        nodes = nodes_of(system, rng)
        return cls.of(system, nodes, run(system, nodes, rng, traces=traces, begin=begin), rng)

    @classmethod
    def of(cls, system: System, nodes: Nodes, traffic: Traffic, rng: np.random.Generator) -> Draft:
        """Describe the spans of requests that came."""
        frame, events = describe(system, nodes, traffic, rng)
        count = traffic.node.size
        service, mode = nodes.column("service")[traffic.node], nodes.column("mode")[traffic.node]
        draft = cls(
            system,
            nodes,
            traffic.node,
            service,
            kind=nodes.column("kind")[traffic.node],
            hop=nodes.column("hop")[traffic.node],
            parent=traffic.parent,
            size=_sizes(nodes, traffic),
            instance=traffic.instance,
            start=traffic.start,
            duration=traffic.duration,
            linked=mode == LINKED,
            keep=np.ones(count, dtype=bool),
            identity=np.arange(count),
            names_parent=np.full(count, _AS_IT_IS),
            flags=np.zeros(count, dtype=np.int64),
            trace_bytes=np.zeros((0, 16), dtype=np.uint8),
            trace_of=np.full(count, _AS_IT_IS),
            span_ids=hex_ids(rng, count, 8),
            frame=frame,
            events=events,
            drawn_count=count,
        )
        draft.flags = draft.written_flags()
        draft.trace_bytes = _trace_bytes(system, draft, rng)
        if system.threshold is not None:
            draft.frame = draft.frame.with_columns(trace_state=pl.lit(f"ot=th:{system.threshold}"))
        return draft

    def written_flags(self) -> Ints:
        """Say what each service's SDK writes as flags of a sampled span."""
        offered = np.array([service.flags for service in self.system.services])[self.service]
        far = ((self.kind == SERVER) | (self.kind == CONSUMER)) & (self.parent >= 0) & (offered & 0x100 > 0)
        written: Ints = np.where(far, offered | 0x200, offered)
        return written

    def top(self) -> Ints:
        """Give the row with which the trace of each span begins."""
        own = np.arange(self.parent.size)
        top = np.where((self.parent < 0) | self.linked, own, self.parent)
        while True:
            further = top[top]
            if np.array_equal(further, top):
                return top
            top = further

    def below(self, rows: Ints) -> Flags:
        """Tell which spans are among rows or below them, as requests ran at first."""
        steps = np.zeros(self.parent.size + 1, dtype=np.int64)
        np.add.at(steps, rows, 1)
        np.add.at(steps, rows + self.size[rows], -1)
        found: Flags = np.cumsum(steps)[:-1] > 0
        added = np.arange(self.drawn_count, self.parent.size)
        found[added] |= found[np.maximum(self.parent[added], 0)]
        return found

    def add(self, rows: Ints) -> Ints:
        """Add a copy of spans, each with an id of its own, at the end; give where they stand."""
        first = self.parent.size
        added = first + np.arange(rows.size)
        for name in (
            "node",
            "service",
            "kind",
            "hop",
            "parent",
            "instance",
            "start",
            "duration",
            "linked",
            "keep",
            "names_parent",
            "flags",
            "trace_of",
        ):
            values = getattr(self, name)
            setattr(self, name, np.concatenate([values, values[rows]]))
        self.size = np.concatenate([self.size, np.ones(rows.size, dtype=np.int64)])
        self.identity = np.concatenate([self.identity, added])
        self.trace_bytes = np.concatenate([self.trace_bytes, self.trace_bytes[rows]])
        # Counted on from the ids there are: the same seed draws the same system whether or not something is added.
        fresh = as_hex(
            np.frombuffer(
                (added.astype(">u8") * np.uint64(0x9E3779B97F4A7C15)).astype(">u8").tobytes(), dtype=np.uint8
            ).reshape(-1, 8)
        )
        self.span_ids = pl.concat([self.span_ids, fresh])
        self.frame = pl.concat([self.frame, self.frame[rows]])
        return added

    def put(self, column: str, shown: Flags, value: pl.Expr) -> None:
        """Write a value into a column on some rows; a column that is new is null elsewhere."""
        rest = pl.col(column) if column in self.frame.columns else pl.lit(None)
        self.frame = self.frame.with_columns(pl.when(pl.Series(shown)).then(value).otherwise(rest).alias(column))

    def written(self) -> pl.DataFrame:
        """Write the spans down: the columns of a span frame, but for those of trees, and `row`."""
        top = self.top()
        source = np.where(self.trace_of >= 0, self.trace_of, top)
        trace_ids = as_hex(self.trace_bytes)
        span_ids = self.span_ids.gather(self.identity)
        claimed = np.where(self.names_parent == _AS_IT_IS, self.parent, self.names_parent)
        named = (claimed >= 0) & ~self.linked
        # Who has no parent has no remote one either, and whose parent is in the same service has a local one.
        local = ~named | (self.service[np.maximum(self.parent, 0)] == self.service)
        flags = np.where(local & (self.flags >= 0), self.flags & ~_REMOTE, self.flags)
        written = self.frame.with_columns(
            trace_ids.gather(source[top]).alias("trace_id"),
            span_ids.alias("span_id"),
            span_ids.gather(np.maximum(claimed, 0)).set(pl.Series(~named), None).alias("parent_span_id"),
            pl.Series("start_time", self.start).cast(TIME),
            pl.Series("duration", self.duration).cast(DURATION),
            pl.Series("flags", flags).set(pl.Series(self.flags == _UNKNOWN), None).cast(pl.UInt32),
            pl.Series("row", np.arange(self.parent.size)),
            self._links(trace_ids.gather(source[top]), span_ids),
            self._events(),
        )
        rows = np.concatenate([np.flatnonzero(self.keep), *self.repeated])
        return written[rows]

    def _links(self, trace_ids: pl.Series, span_ids: pl.Series) -> pl.Series:
        rows = np.flatnonzero(self.linked & (self.parent >= 0))
        sender = self.parent[rows]
        made = pl.DataFrame({"trace_id": trace_ids.gather(sender), "span_id": span_ids.gather(sender)}).select(
            pl.concat_list(
                pl.struct(
                    "trace_id",
                    "span_id",
                    trace_state=pl.lit(None, dtype=pl.String),
                    attributes=pl.lit([], dtype=pl.List(pl.Struct({"key": pl.String, "value": pl.String}))).cast(
                        ATTRIBUTES
                    ),
                )
            ).cast(LINKS)
        )
        return scattered(made.to_series(), rows, self.parent.size, pl.Series([[]], dtype=LINKS)).alias("links")

    def _events(self) -> pl.Series:
        start = pl.Series(self.start[self.events["row"].to_numpy()])
        made = (
            self.events.lazy()
            .with_columns(time=(start + pl.col("after")).cast(TIME))
            .group_by("row", maintain_order=True)
            .agg(pl.struct("time", "name", "attributes").alias("events"))
            .collect()
        )
        events = made["events"].cast(EVENTS)
        return scattered(events, made["row"].to_numpy(), self.parent.size, pl.Series([[]], dtype=EVENTS)).alias(
            "events"
        )


def scattered(values: pl.Series, rows: Ints, count: int, rest: pl.Series) -> pl.Series:
    """Put values on rows of a column of `count`, and `rest`, which is one value, on all others."""
    places = np.zeros(count, dtype=np.int64)
    places[rows] = 1 + np.arange(rows.size)
    return pl.concat([rest, values]).gather(places)


def nodes_of(system: System, rng: np.random.Generator) -> Nodes:
    """Grow the call trees of all that requests begin with."""
    nodes: list[Node] = []
    first, sizes = [], []
    for entry in system.entries:
        tree = Grower(system, rng).entry(entry)
        first.append(len(nodes))
        sizes.append(len(tree))
        nodes.extend(tree)
    return Nodes(nodes, np.array(first), np.array(sizes))


def _sizes(nodes: Nodes, traffic: Traffic) -> Ints:
    """Count the spans of each subtree."""
    size = np.ones(traffic.node.size, dtype=np.int64)
    depth = nodes.column("depth")[traffic.node]
    for level in range(int(depth.max(initial=0)), 0, -1):
        rows = np.flatnonzero(depth == level)
        np.add.at(size, traffic.parent[rows], size[rows])
    return size


def _trace_bytes(system: System, draft: Draft, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Draw a trace id for every row, of which those of the rows are used with which a trace begins."""
    raw = np.frombuffer(rng.bytes(draft.parent.size * 16), dtype=np.uint8).reshape(-1, 16).copy()
    if system.xray:
        raw[:, :4] = (draft.start // _SECOND).astype(">u4").view(np.uint8).reshape(-1, 4)
    if system.threshold is not None:
        # What a consistent sampler keeps: the last seven bytes are at least its threshold.
        raw[:, 9] |= _THRESHOLD_BYTES.get(system.threshold, 0)
    return raw
