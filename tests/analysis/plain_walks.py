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
    start: int
    end: int
    children: list[Span] = field(default_factory=list)
    clipped: tuple[int, int] = (0, 0)
    kept: list[Span] = field(default_factory=list)


Section = tuple[str, str, int, int]


def roots_of(spans: pl.DataFrame) -> list[Span]:
    """Build the trees of a frame whose span ids are unique in their trace and that has no cycles."""
    columns = ["trace_id", "span_id", "parent_span_id", "kind", "start_time", "duration"]
    rows = spans.select(columns).with_columns(pl.col("start_time", "duration").to_physical()).rows()
    known: dict[tuple[str, str], Span] = {}
    for place, (trace_id, span_id, parent_span_id, kind, start, duration) in enumerate(rows):
        known[trace_id, span_id] = Span(place, span_id, parent_span_id is not None, kind, start, start + duration)
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
    """Clip the children and keep those that take time."""
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


def other_spans_ran(root: Span, section: Section) -> bool:
    """Say whether during a section anything ran but its span and the ancestors of that (after `tracelab_walk`)."""
    _, owner, begin, end = section
    stack: list[tuple[Span, frozenset[int]]] = [(root, frozenset())]
    family: frozenset[int] = frozenset()
    running: set[int] = set()
    while stack:
        span, above = stack.pop()
        line = above | {span.place}
        if span.span_id == owner:
            family = line
        if span.clipped[0] < end and span.clipped[1] > begin:
            running.add(span.place)
        stack.extend((child, line) for child in _candidates(span))
    return not running <= family
