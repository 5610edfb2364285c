"""Asynchronous spans: those that their parent did not wait for, though it started them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.schema import KIND

if TYPE_CHECKING:
    from tracelab.analysis.grouping import Spans
    from tracelab.array_types import Flags, Ints
    from tracelab.forest import Forest

_PROCESS: Final = tuple(
    f"resource.{key}"
    for key in (
        "service.namespace", "service.instance.id", "service.version", "host.name", "host.id", "process.pid",
        "container.id", "k8s.pod.name", "k8s.pod.uid", "faas.instance", "telemetry.sdk.language",
        "hostname", "ip", "client-uuid",  # as Jaeger's own clients call the host, its address and the process
    )
)  # fmt: skip
"""Attributes that are the same for all spans of a process."""

_MILLISECOND: Final = 1_000_000
_MICROSECOND: Final = 1_000
_UNSPECIFIED, _SERVER, _CLIENT, _PRODUCER, _CONSUMER = (
    KIND.categories.index_of(kind) for kind in ("unspecified", "server", "client", "producer", "consumer")
)


def process_columns(spans: Spans) -> list[str]:
    """List the columns that tell processes apart, which a frame needs that is asked for what was left running."""
    schema = spans.lazy().collect_schema()
    found = [name for name in _PROCESS if name in schema and not isinstance(schema[name], pl.List)]
    empty = isinstance(spans, pl.DataFrame) and "more_attributes" in schema and _is_null(spans["more_attributes"])
    return found if empty or "more_attributes" not in schema else [*found, "more_attributes"]


def consumers(frame: pl.DataFrame, forest: Forest) -> Flags:
    """Mark the consumers of a message that the parent produced."""
    kind = frame["kind"].to_physical().to_numpy()
    marked = np.zeros(kind.size, dtype=bool)
    places = np.flatnonzero((kind == _CONSUMER) & forest.has_parent)
    marked[places] = kind[forest.parent[places]] == _PRODUCER
    return marked


def left_running(frame: pl.DataFrame, forest: Forest, start: Ints, end: Ints) -> Flags:
    """Mark the spans that ended after their parent in the process of their parent: it went on without them.

    A call is waited for until it times out, and two hosts may disagree about the time: neither is marked.
    """
    marked = np.zeros(end.size, dtype=bool)
    children = np.flatnonzero(forest.has_parent)
    children = children[end[children] > end[forest.parent[children]]]
    children = children[~_called(frame, children, forest.parent[children])]
    children = children[~_cut_alike(start, end, children, forest.parent[children])]
    marked[children[_in_one_process(frame, children, forest.parent[children])]] = True
    return marked


def _called(frame: pl.DataFrame, children: Ints, parents: Ints) -> Flags:
    """Tell which of these spans answer a call: servers, and whatever it is that a client span of their service called.

    A span of no kind below a client may be the other end of the call.
    """
    kind = frame["kind"].to_physical().to_numpy()
    below, above = kind[children], kind[parents]
    called: Flags = (below == _SERVER) | ((below == _UNSPECIFIED) & (above == _CLIENT))
    return called


def _cut_alike(start: Ints, end: Ints, children: Ints, parents: Ints) -> Flags:
    """Tell which of these spans may have ended before their parents, but for the digits that their times lack.

    Where starts or lengths of both are whole microseconds, as in Jaeger and Zipkin, each may be one too short. Starts
    that are whole milliseconds and lengths that are not come from clocks of two kinds, as in JavaScript. Where starts
    and lengths are whole milliseconds, digits were cut off or somebody has written just that. What is cut off makes an
    end one too late, what is rounded two at worst, and these are doubted only where they are little of the span.
    """
    length = end - start
    of_start, of_length = (_grain(values[children], values[parents]) for values in (start, length))
    coarse = (of_start == _MILLISECOND) & (of_length == _MILLISECOND)
    whole = np.maximum(
        np.minimum(_MILLISECOND, length[children] // 10), np.minimum(2 * _MILLISECOND, length[children] // 100)
    )
    allowed = np.where(coarse, whole, of_start + of_length)
    return end[children] - end[parents] <= allowed


def _grain(values: Ints, others: Ints) -> Ints:
    """Say what pairs of numbers are whole multiples of: milliseconds, microseconds, or nothing (0). Two zeros say 0."""
    both = (values != 0) | (others != 0)
    whole = [both & (values % unit == 0) & (others % unit == 0) for unit in (_MILLISECOND, _MICROSECOND)]
    return np.select(whole, [_MILLISECOND, _MICROSECOND], 0)


def _is_null(column: pl.Series) -> bool:
    return column.null_count() == column.len()


def _in_one_process(frame: pl.DataFrame, children: Ints, parents: Ints) -> Flags:
    """Tell which pairs are of one service, and of one process as far as both say."""
    columns = ["service_name", *(name for name in process_columns(frame) if name != "more_attributes")]
    below, above = (frame.select(columns)[places] for places in (children, parents))
    differs = [below[name] != above[name] for name in columns]
    if "more_attributes" in frame.columns:
        below, above = (frame.select("more_attributes")[places] for places in (children, parents))
        for name in _PROCESS:
            key = pl.col("more_attributes").map.get(name)
            differs.append(below.select(key).to_series() != above.select(key).to_series())
    same = np.ones(children.size, dtype=bool)
    for answer in differs:
        same &= ~answer.fill_null(value=False).to_numpy()
    return same
