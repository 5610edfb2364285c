"""The critical path told span by span, one trace after another: slow, obvious, and on its own."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl


@dataclass(slots=True)
class Span:
    """A span with its children, in order of start, then id."""

    place: int
    span_id: str
    orphaned: bool
    kind: str
    service: str
    host: str | None
    start: int
    end: int
    children: list[Span] = field(default_factory=list)
    clipped: tuple[int, int] = (0, 0)
    kept: list[Span] = field(default_factory=list)


Section = tuple[str, str, int, int]


def roots_of(spans: pl.DataFrame) -> list[Span]:
    """Build the trees of a frame whose span ids are unique in their trace and that has no cycles."""
    host = pl.col("resource.host.name") if "resource.host.name" in spans.columns else pl.lit(None, dtype=pl.String)
    columns = ["trace_id", "span_id", "parent_span_id", "kind", "service_name"]
    rows = spans.select(*columns, host.alias("host"), pl.col("start_time", "duration").to_physical()).rows()
    known: dict[tuple[str, str], Span] = {}
    for place, (trace_id, span_id, parent_span_id, kind, service, on, start, duration) in enumerate(rows):
        orphaned = parent_span_id is not None
        known[trace_id, span_id] = Span(place, span_id, orphaned, kind, service, on, start, start + duration)
    roots: list[Span] = []
    for trace_id, span_id, parent_span_id, *_ in rows:
        parent = known.get((trace_id, parent_span_id)) if parent_span_id is not None else None
        (roots if parent is None else parent.children).append(known[trace_id, span_id])
    for span in known.values():
        span.children.sort(key=lambda child: (child.start, child.span_id))
    return roots


def waited_for(parent: Span, child: Span) -> bool:
    """Say whether a parent may wait for the child: nobody waits for the consumer of a message."""
    return not (parent.kind == "producer" and child.kind == "consumer")


def left_running(parent: Span, child: Span) -> bool:
    """Say whether the parent ended without the child, which ran in its process and answered no call."""
    called = child.kind == "server" or (child.kind == "unspecified" and parent.kind == "client")
    elsewhere = None not in (parent.host, child.host) and parent.host != child.host
    return child.end > parent.end and not called and parent.service == child.service and not elsewhere


def tracelab_walk(root: Span) -> list[Section]:
    """Walk one fragment by the rules of the default method, latest section first."""
    sections: list[Section] = []
    root.clipped = (root.start, root.end)
    stack: list[tuple[Span, list[Span], int]] = []
    if root.end > root.start:
        stack.append((root, _candidates(root), root.end))
    while stack:
        span, candidates, cursor = stack.pop()
        fitting = [child for child in candidates if child.clipped[1] <= cursor]
        if not fitting:
            if cursor > span.clipped[0]:
                sections.append((root.span_id, span.span_id, span.clipped[0], cursor))
            continue
        child = min(fitting, key=lambda child: (-child.clipped[1], child.clipped[0], child.span_id))
        if cursor > child.clipped[1]:
            sections.append((root.span_id, span.span_id, child.clipped[1], cursor))
        stack.append((span, [other for other in fitting if other is not child], child.clipped[0]))
        stack.append((child, _candidates(child), child.clipped[1]))
    return sections


def _candidates(parent: Span) -> list[Span]:
    """Give the clipped children that the parent may have waited for."""
    return [child for child in _clipped(parent) if not left_running(parent, child)]


def _clipped(parent: Span) -> list[Span]:
    """Clip the children and keep those that take time, but for consumers."""
    low, high = parent.clipped
    for child in parent.children:
        child.clipped = (max(child.start, low), min(child.end, high))
    return [child for child in parent.children if child.clipped[0] < child.clipped[1] and waited_for(parent, child)]


def jaeger_walk(root: Span) -> list[Section]:
    """Walk one fragment as Jaeger UI does, latest section first."""
    if root.orphaned:
        return []
    root.clipped = (root.start, root.end)
    _sanitize(root)
    sections: list[Section] = []
    stack: list[tuple[Span, int | None]] = [(root, None)]
    while stack:
        span, returning = stack.pop()
        until = span.clipped[1] if returning is None else returning
        last: Span | None = None
        for child in span.kept:
            fits = returning is None or child.clipped[1] < returning
            if fits and (last is None or child.clipped[1] > last.clipped[1]):
                last = child
        begin = span.clipped[0] if last is None else last.clipped[1]
        if begin != until:
            sections.append((root.span_id, span.span_id, begin, until))
        if last is not None:
            stack.append((span, last.clipped[0]))
            stack.append((last, None))
    return sections


def _sanitize(root: Span) -> None:
    """Cut all spans as Jaeger UI cuts them before it walks, from the root down."""
    stack = [root]
    while stack:
        span = stack.pop()
        span.kept = _kept_children(span)
        stack.extend(span.kept)


def _kept_children(parent: Span) -> list[Span]:
    """Keep the children that Jaeger UI keeps, cut as it cuts them."""
    low, high = parent.clipped
    kept = []
    for child in parent.children:
        if not waited_for(parent, child):
            continue
        if child.start >= low:
            if child.start >= high:
                continue
            child.clipped = (child.start, min(child.end, high))
        else:
            if child.end <= low:
                continue
            child.clipped = (low, min(child.end, high))
        kept.append(child)
    return kept


def basis_of(root: Span, section: Section) -> str:
    """Say what a section rests on, by all that ran during it but its span and the ancestors (after `tracelab_walk`)."""
    _, owner, begin, end = section
    stack: list[tuple[Span, frozenset[int], bool]] = [(root, frozenset(), False)]
    family: frozenset[int] = frozenset()
    running: dict[int, bool] = {}
    while stack:
        span, above, left = stack.pop()
        line = above | {span.place}
        if span.span_id == owner:
            family = line
        # What was left running runs on whatever of those above it had ended.
        low, high = (max(span.start, root.start), min(span.end, root.end)) if left else span.clipped
        if max(low, begin) < min(high, end):
            running[span.place] = left
        _clipped(span)
        heard = [child for child in span.children if waited_for(span, child)]
        stack.extend((child, line, left or left_running(span, child)) for child in heard)
    others = [left for place, left in running.items() if place not in family]
    if not others:
        return "forced"
    return "left_running" if all(others) else "ambiguous"
