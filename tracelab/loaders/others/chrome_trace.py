"""Chrome's trace events, which Perfetto, profilers and build tools write too: slices of threads become spans.

The format knows neither traces nor ids: its slices nest by time within a thread, and its flows lead from one slice to
another. A trace is here what hangs together: a slice that lies in no other one, all slices within it, and the slices
that flows lead to and from, in whatever thread or process. A whole process or thread as one trace would be the whole
recording; this way a task, a request or a step is a trace, traces can be counted and compared, and a recording with one
slice around everything is one trace still. Parents come from nesting alone: a flow from A to B is a link from B to A,
for an arrow says neither that A waits for B nor that it is the only cause. A track of asynchronous slices is a tree of
its own. A process is a service; its threads are told by `thread.id` and `thread.name`. What `tracelab.write` wrote has
ids, and is read as it was.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tracelab.loaders.columns.chunk import BOOL, DOUBLE, INT, STRING
from tracelab.loaders.columns.text import scalar_text
from tracelab.loaders.documents.fields import add_attribute, attributes_of, fields_of, text_attributes
from tracelab.loaders.documents.times import scaled_exactly
from tracelab.loaders.documents.values import whole_number
from tracelab.loaders.others.own_trace_events import BASE, CATEGORY, NAMES, OwnEvents
from tracelab.loaders.report import problems
from tracelab.schema import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tracelab.loaders.columns.builder import Builder, Value

    Attributes = list[tuple[str, Value]]
    Key = tuple[Any, ...]

WRAPPERS: Final = ("traceEvents",)
TOLD_BY: Final = (frozenset(("ph",)),)
MICROSECOND: Final = 1_000
_MILLISECOND: Final = 1_000_000
_EXACT: Final = 2.0**50  # nanoseconds below this, 13 days, are exact when microseconds are multiplied as doubles
_NEAR: Final = 1e-3
_KNOWN_PHASES: Final = frozenset("XBEIibneSTpFstfPNODMVvRc(),=Ca")
_FIRST_YEAR: Final = 946_684_800_000_000_000  # 2000
_LAST_YEAR: Final = 4_102_444_800_000_000_000  # 2100
_LARGEST: Final = 2**63 - 1
_NONE: Final = -1
_INTERNAL: Final = KINDS.index("internal")
_READ: Final = frozenset(
    (
        *("name", "cat", "ph", "ts", "dur", "pid", "tid", "args", "id", "id2", "scope", "s", "bp"),
        *("bind_id", "flow_in", "flow_out"),
    )
)
_BASES: Final = {"baseTimeNanoseconds": 1, "beginningOfTime": MICROSECOND}
"""Keys of the document that say when its clock began, and the unit of each: PyTorch's and clang's."""
_INNER_BASES: Final = {"clock-offset-since-epoch": MICROSECOND, "profile_start_ts": _MILLISECOND}
"""The same in `metadata` and `otherData`: Chrome's and Bazel's."""
_KNOWN_KEYS: Final = frozenset((*WRAPPERS, *_BASES, BASE, "displayTimeUnit"))


@dataclass(slots=True)
class _Mark:
    """The begin, step or end of a slice that is written in several events."""

    time: int
    order: int
    phase: str
    row: int = _NONE
    name: str | None = None
    args: Any = None
    place: str = ""


@dataclass(slots=True)
class _Point:
    """An event that belongs to the slice around it, or to the next one if it says so: an instant, or a flow's end."""

    time: int
    order: int
    next: bool
    slice: int = _NONE
    event: tuple[str, dict[str, str]] | None = None
    place: str = ""


@dataclass(slots=True)
class _Track:
    """What happens in one thread, or under one id of asynchronous events."""

    slices: list[int] = field(default_factory=list)
    marks: list[_Mark] = field(default_factory=list)
    points: list[_Point] = field(default_factory=list)


@dataclass(slots=True)
class _Slices:
    """All slices as columns; a row here is the row of the span."""

    names: list[str | None] = field(default_factory=list)
    starts: list[int | None] = field(default_factory=list)
    ends: list[int | None] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    roots: list[int] = field(default_factory=list)
    threads: list[Key] = field(default_factory=list)

    def add(self, name: str | None, start: int | None, end: int | None, thread: Key) -> int:
        row = len(self.names)
        self.names.append(name)
        self.starts.append(start)
        self.ends.append(end)
        self.parents.append(_NONE)
        self.roots.append(row)
        self.threads.append(thread)
        return row

    def put_into(self, row: int, parent: int) -> None:
        self.parents[row] = parent
        self.roots[row] = row if parent == _NONE else self.roots[parent]


def holds(document: dict[str, Any]) -> bool:
    """Say whether a document is a trace event, or a recording without any."""
    phase = document.get("ph")
    if isinstance(phase, str) and phase in _KNOWN_PHASES:
        return not document.keys().isdisjoint(("ts", "pid", "tid"))
    return document.get("traceEvents") == []


def read_documents(documents: Iterable[tuple[Any, str]], builder: Builder) -> None:
    """Add the slices of all events of an input."""
    recording = _Recording(builder)
    for document, place in documents:
        for event, where in _events(document, recording, place):
            recording.add(event, where)
    recording.finish()


def _events(document: Any, recording: _Recording, place: str) -> Iterator[tuple[dict[str, Any], str]]:
    """Find the events in a document; what else it says may be about its clock."""
    if isinstance(document, dict) and isinstance(document.get("ph"), str):
        yield document, place
        return
    listed = document
    if isinstance(document, dict):
        recording.add_metadata(document, place)
        listed = document.get("traceEvents")
    for number, item in enumerate(listed if isinstance(listed, list) else ()):
        where = f"{place}, traceEvents[{number}]" if listed is not document else f"{place}[{number}]"
        if isinstance(item, dict) and isinstance(item.get("ph"), str):
            yield item, where
        elif item != {}:  # many writers end with one, to have no comma before the bracket
            recording.builder.findings.add(problems.OTHER_OBJECTS, place=where, example=item)


class _Recording:
    """Collects events, and makes spans of them when all are there."""

    def __init__(self, builder: Builder) -> None:
        self.builder = builder
        self.first = len(builder)
        self.slices = _Slices()
        self.threads: defaultdict[Key, _Track] = defaultdict(_Track)
        self.asynchronous: defaultdict[Key, _Track] = defaultdict(_Track)
        self.arrows: defaultdict[Key, list[tuple[_Point, str]]] = defaultdict(list)
        self.bound: defaultdict[str, list[tuple[int, int, bool, bool]]] = defaultdict(list)
        self.process_names: dict[Any, str] = {}
        self.process_attributes: defaultdict[Any, dict[str, Value]] = defaultdict(dict)
        self.thread_attributes: defaultdict[Key, dict[str, Value]] = defaultdict(dict)
        self.base: int | None = None
        self.own = OwnEvents(builder)
        self.order = 0
        self.latest = 0

    def add_metadata(self, document: dict[str, Any], place: str) -> None:
        """Read when the clock began; for the rest a span frame has no place."""
        own = whole_number(document.get(BASE))
        if own is not None and 0 <= own <= _LARGEST:
            self.base = own
        inner = [document, *(fields_of(document.get(key)) for key in ("metadata", "otherData"))]
        for names, holders in ((_BASES, inner[:1]), (_INNER_BASES, inner)):
            for key, unit in names.items():
                for holder in holders:
                    number = whole_number(holder.get(key))
                    if number is not None and _FIRST_YEAR <= number * unit < _LAST_YEAR and self.base is None:
                        self.base = number * unit
        rest = document.keys() - _KNOWN_KEYS
        if rest:
            self.builder.findings.add(problems.FILE_METADATA, place=place, example=", ".join(sorted(map(str, rest))))

    def add(self, event: dict[str, Any], place: str) -> None:
        """Take an event."""
        self.order += 1
        phase = event["ph"]
        thread = (_identity(event.get("pid")), _identity(event.get("tid")))
        category = event.get("cat")
        if isinstance(category, str) and category.startswith(CATEGORY) and category != NAMES:
            self.own.add(event, thread[0], place)
            return
        if phase == "M":
            self._add_names(event, thread, place)
            return
        if phase not in _PHASES:
            self.builder.findings.add(problems.OTHER_EVENTS, place=place, example=f"{phase}: {event.get('name')}")
            return
        time = self._time(event.get("ts"), place)
        if time is not None and time > self.latest:
            self.latest = time
        if phase == "X":
            length = self._time(event.get("dur"), place)
            end = None if time is None or length is None else time + length
            if end is not None and abs(end) > _LARGEST:
                self.builder.findings.add(problems.BAD_TIME, place=place, example=event.get("dur"))
                end = None
            row = self._add_slice(event, time, end, thread, place)
            if time is not None:
                self.threads[thread].slices.append(row)
        elif time is None and phase not in _BEGINS:
            self.builder.findings.add(problems.LOOSE_EVENTS, place=place, example=event)
        elif phase in "BE":
            self._add_mark(self.threads[thread], event, time, thread, place)
        elif phase in "bneSTpF":
            self._add_mark(self.asynchronous[_async_key(event, thread[0])], event, time, thread, place)
        elif phase in "iIR":
            self._add_instant(event, time or 0, thread, place)
        else:
            point = _Point(time or 0, self.order, next=phase == "f" and event.get("bp") != "e")
            self.threads[thread].points.append(point)
            self.arrows[_flow_key(event, thread[0])].append((point, phase))

    def _time(self, content: Any, place: str) -> int | None:
        """Read microseconds, also negative ones, as nanoseconds."""
        if type(content) is int and -_LARGEST < content * MICROSECOND < _LARGEST:
            return content * MICROSECOND
        if type(content) is float and abs(content) * MICROSECOND < _EXACT:
            product = content * MICROSECOND
            whole = round(product)
            if abs(product - whole) > _NEAR:
                self.builder.findings.add(problems.FINER_TIMES, place=place, example=content)
            return whole
        if type(content) is float and content < 0:
            number = scaled_exactly(-content, MICROSECOND, self.builder.findings, place)
            return None if number is None else -number
        return scaled_exactly(content, MICROSECOND, self.builder.findings, place)

    def _add_slice(self, event: dict[str, Any], start: int | None, end: int | None, thread: Key, place: str) -> int:
        row = self.slices.add(self._name(event, place), start, end, thread)
        self.builder.places.append(place)
        category = event.get("cat")
        if category is not None:
            self._add_attributes(row, {"cat": category}, place)
        self._add_args(row, event.get("args"), place)
        if not event.keys() <= _READ:
            self._add_attributes(row, {key: held for key, held in event.items() if key not in _READ}, place)
        if "bind_id" in event:
            flows = event.get("flow_in") is True, event.get("flow_out") is True
            self.bound[_text(event["bind_id"])].append((start or 0, row, *flows))
        return row

    def _add_args(self, row: int, args: Any, place: str) -> None:
        if isinstance(args, dict):
            self._add_attributes(row, args, place)
        elif args not in (None, ""):
            self._add_attributes(row, {"args": args}, place)

    def _add_attributes(self, row: int, content: dict[str, Any], place: str) -> None:
        add, row = self.builder.attributes.add, self.first + row
        for key, held in content.items():
            kind = _SIMPLE.get(type(held))
            if kind is not None:
                add(row, key, (kind, held))
            elif type(held) is int and -_LARGEST < held < _LARGEST:
                add(row, key, (INT, held))
            else:
                for _, value in attributes_of({key: held}, self.builder, place):
                    add(row, key, value)

    def _name(self, event: dict[str, Any], place: str) -> str | None:
        name = event.get("name")
        if name is None or isinstance(name, str):
            return name
        self.builder.findings.add(problems.BAD_FIELD, place=place, example={"name": name})
        return scalar_text(name)

    def _add_mark(self, track: _Track, event: dict[str, Any], time: int | None, thread: Key, place: str) -> None:
        """Take the begin, step or end of a slice."""
        phase = event["ph"]
        if phase not in _BEGINS:
            name = self._name(event, place)
            track.marks.append(_Mark(time or 0, self.order, phase, name=name, args=event.get("args"), place=place))
            return
        row = self._add_slice(event, time, None, thread, place)
        if phase != "B":
            self._add_attributes(row, {key: event[key] for key in ("id", "id2", "scope") if key in event}, place)
        if time is not None:
            track.marks.append(_Mark(time, self.order, phase, row, self.slices.names[row]))

    def _add_instant(self, event: dict[str, Any], time: int, thread: Key, place: str) -> None:
        told = attributes_of(fields_of(event.get("args")), self.builder, place)
        for key, held in event.items():
            if key not in _READ or key in ("cat", "id") or (key == "s" and held != "t"):
                add_attribute(told, key, held, self.builder, place)
        if event.get("args") is not None and not isinstance(event["args"], dict):
            add_attribute(told, "args", event["args"], self.builder, place)
        happened = self._name(event, place) or "", text_attributes(told)
        point = _Point(time, self.order, next=False, event=happened, place=place)
        self.threads[thread].points.append(point)

    def _add_names(self, event: dict[str, Any], thread: Key, place: str) -> None:
        """Take what metadata says of a process or thread."""
        name, args = event.get("name"), fields_of(event.get("args"))
        for key, held in args.items():
            if name == "process_name" and key == "name" and held not in (None, ""):
                self.process_names[thread[0]] = scalar_text(held)
                continue
            for _, value in attributes_of({key: held}, self.builder, place):
                more = "" if len(args) == 1 or key in ("name", "labels", "sort_index") else f".{key}"
                if isinstance(name, str) and name.startswith("thread_"):
                    self.thread_attributes[thread][f"thread.{name.removeprefix('thread_')}{more}"] = value
                else:
                    inner = str(name).removeprefix("process_")
                    self.process_attributes[thread[0]][f"process.{inner}{more}"] = value

    def finish(self) -> None:
        """Make the spans of all that was collected."""
        happened: defaultdict[int, list[tuple[int, str, dict[str, str]]]] = defaultdict(list)
        for track in self.asynchronous.values():
            self._close(track, self.latest, happened)
        for thread, track in self.threads.items():
            self._nest(thread, track, happened)
        links = self._links()
        trace_ids, span_ids = self._ids(links)
        self._add_spans(trace_ids, span_ids)
        for row in sorted(happened):
            for time, name, attributes in happened[row]:
                instant = max(0, min(time + (self.base or 0), _LARGEST))
                self.builder.events.add(self.first + row, attributes, time=instant, name=name)
        for row in sorted(links):
            for other in links[row]:
                ids = {"trace_id": trace_ids[other], "span_id": span_ids[other], "trace_state": None}
                self.builder.links.add(self.first + row, {}, **ids)
        self.own.finish(self.base or 0, self.process_names, self._time)

    def _nest(
        self, thread: Key, track: _Track, happened: defaultdict[int, list[tuple[int, str, dict[str, str]]]]
    ) -> None:
        """Find the parents of a thread's slices, and the slices that its points belong to."""
        if track.marks and not track.slices:
            self._close(track, self._last(track), happened)
        else:
            if track.marks:
                self._close(_Track(marks=track.marks), self._last(track), happened)
                track.slices += [mark.row for mark in track.marks if mark.row != _NONE]
            self._contain(track)
        for point in track.points:
            if point.event is None:
                continue
            if point.slice == _NONE:
                self._add_lone(point.event, point.time, thread, point.place)
            else:
                happened[point.slice].append((point.time, *point.event))

    def _add_lone(self, event: tuple[str, dict[str, str]], time: int, thread: Key, place: str) -> None:
        """Make a span without a duration of an instant that lies in no slice."""
        name, attributes = event
        self.builder.findings.add(problems.LONE_INSTANTS, place=place, example=name)
        row = self.slices.add(name, time, time, thread)
        self.builder.places.append(place)
        for key, text in attributes.items():
            self.builder.attributes.add(self.first + row, key, (STRING, text))

    def _place(self, row: int) -> str:
        return self.builder.places[self.first + row]

    def _last(self, track: _Track) -> int:
        """Tell when the last thing happened in a thread."""
        slices = self.slices
        ends = (slices.ends[row] or slices.starts[row] or 0 for row in track.slices)
        return max(max(ends, default=0), max((mark.time for mark in track.marks), default=0))

    def _close(
        self, track: _Track, last: int, happened: defaultdict[int, list[tuple[int, str, dict[str, str]]]]
    ) -> None:
        """Match begins and ends, the last begun first; what lies between them is within."""
        slices = self.slices
        opened: list[_Mark] = []
        names: Counter[str | None] = Counter()
        points = iter(sorted(track.points, key=lambda point: (point.time, point.order)))
        point = next(points, None)
        waiting: list[_Point] = []
        for mark in sorted(track.marks, key=lambda mark: (mark.time, mark.order)):
            while point is not None and (point.time, point.order) < (mark.time, mark.order):
                _bind(point, opened[-1].row if opened else _NONE, waiting)
                point = next(points, None)
            if mark.row != _NONE:
                if mark.phase != "S":  # asynchronous slices of the old kind do not nest
                    slices.put_into(mark.row, opened[-1].row if opened else _NONE)
                for each in waiting:
                    each.slice = mark.row
                waiting.clear()
                opened.append(mark)
                names[mark.name] += 1
            elif mark.phase in "nTp":
                self._step(mark, opened, happened)
            else:
                self._end(mark, opened, names)
        while point is not None:
            _bind(point, opened[-1].row if opened else _NONE, waiting)
            point = next(points, None)
        for mark in opened:
            slices.ends[mark.row] = max(last, mark.time)
            self.builder.findings.add(
                problems.UNENDED_SLICES, place=self._place(mark.row), example=slices.names[mark.row]
            )

    def _step(
        self,
        mark: _Mark,
        opened: list[_Mark],
        happened: defaultdict[int, list[tuple[int, str, dict[str, str]]]],
    ) -> None:
        """Take a step of an asynchronous slice as its event."""
        args = fields_of(mark.args)
        name = args.get("step") if mark.phase in "Tp" and isinstance(args.get("step"), str) else mark.name
        told = text_attributes(attributes_of(args, self.builder, mark.place))
        if opened:
            happened[opened[-1].row].append((mark.time, name or "", told))
        else:
            self._add_lone((name or "", told), mark.time, (None, None), mark.place)

    def _end(self, mark: _Mark, opened: list[_Mark], names: Counter[str | None]) -> None:
        """End the slice that an end names, or the innermost one; those begun within it ended unseen."""
        if not opened or (mark.name and not names[mark.name] and opened[-1].name):
            example = f"end of {mark.name or 'a slice'}"
            self.builder.findings.add(problems.LOOSE_EVENTS, place=mark.place, example=example)
            return
        while True:
            begun = opened.pop()
            names[begun.name] -= 1
            self.slices.ends[begun.row] = mark.time
            if not mark.name or begun.name == mark.name or not names[mark.name]:
                break
            self.builder.findings.add(problems.UNENDED_SLICES, place=self._place(begun.row), example=begun.name)
        self._add_args(begun.row, mark.args, self._place(begun.row))

    def _contain(self, track: _Track) -> None:
        """Put each slice of a thread into the innermost one that it lies in, in one pass from the first to the last."""
        slices, rows = self.slices, np.array(track.slices, dtype=np.int64)
        starts = np.array([slices.starts[row] or 0 for row in track.slices], dtype=np.int64)
        ends = np.array([slices.ends[row] or 0 for row in track.slices], dtype=np.int64)
        ends = np.maximum(starts, ends)
        # Where begins and durations are cut to whole microseconds, a slice may seem to end that much after its parent.
        slack = MICROSECOND if not np.any(starts % MICROSECOND) and not np.any(ends % MICROSECOND) else 1
        order = np.lexsort((rows, -ends, starts))
        points = iter(sorted(track.points, key=lambda point: (point.time, not point.next, point.order)))
        point = next(points, None)
        waiting: list[_Point] = []
        opened: list[tuple[int, int]] = []
        columns = (values[order].tolist() for values in (rows, starts, ends))
        for row, start, end in zip(*columns, strict=True):
            while point is not None and (point.time < start or (point.next and point.time == start)):
                while opened and opened[-1][0] < point.time:
                    opened.pop()
                _bind(point, opened[-1][1] if opened else _NONE, waiting)
                point = next(points, None)
            while opened and opened[-1][0] <= start:
                opened.pop()
            while opened and opened[-1][0] < end - slack:
                # It began within but ends later: from here on what follows can lie in this one only.
                opened.pop()
                self.builder.findings.add(
                    problems.OVERLAPPING_SLICES, place=self._place(row), example=slices.names[row]
                )
            slices.put_into(row, opened[-1][1] if opened else _NONE)
            for each in waiting:
                each.slice = row
            waiting.clear()
            opened.append((end, row))
        while point is not None:
            while opened and opened[-1][0] < point.time:
                opened.pop()
            _bind(point, opened[-1][1] if opened else _NONE, waiting)
            point = next(points, None)

    def _links(self) -> dict[int, list[int]]:
        """Follow the arrows from slice to slice: of each slice, those that lead to it."""
        links: defaultdict[int, list[int]] = defaultdict(list)
        for ends in self._whole_arrows():
            before = _NONE
            for point, phase in sorted(ends, key=lambda end: (end[0].time, end[0].order)):
                if phase != "s" and _NONE not in (before, point.slice) and before != point.slice:
                    links[point.slice].append(before)
                if point.slice == _NONE or (phase != "s" and before == _NONE):
                    self.builder.findings.add(problems.LOOSE_FLOWS)
                before = point.slice if phase != "f" else before
        for slices in self.bound.values():
            before = _NONE
            for _, row, leads_in, leads_out in sorted(slices):
                if leads_in and before not in (_NONE, row):
                    links[row].append(before)
                before = row if leads_out else before
        return links

    def _whole_arrows(self) -> Iterator[list[tuple[_Point, str]]]:
        """Give the ends of each flow; some writers give the ends of one flow different names."""
        nameless: defaultdict[Key, list[tuple[_Point, str]]] = defaultdict(list)
        for key, ends in self.arrows.items():
            if {phase for _, phase in ends} & {"s"} and len(ends) > 1:
                yield ends
            else:
                nameless[key[1:]] += ends
        yield from nameless.values()

    def _ids(self, links: dict[int, list[int]]) -> tuple[list[str], list[str]]:
        """Make ids, always the same of the same events; what flows connect is one trace."""
        slices = self.slices
        above = list(range(len(slices.roots)))

        def found(row: int) -> int:
            while above[row] != row:
                above[row] = above[above[row]]
                row = above[row]
            return row

        for row, others in links.items():
            for other in others:
                one, two = found(slices.roots[row]), found(slices.roots[other])
                above[max(one, two)] = min(one, two)
        digest = hashlib.blake2b(digest_size=32)
        for times in (slices.starts, slices.ends):
            digest.update(np.array([time or 0 for time in times], dtype=np.int64).tobytes())
        digest.update("\0".join(name or "" for name in slices.names).encode("utf-8", "replace"))
        count = len(above)
        text = hashlib.shake_128(digest.digest()).hexdigest(count * 24)
        trace_ids = [text[32 * number : 32 * number + 32] for number in range(count)]
        offset = 32 * count
        span_ids = [text[offset + 16 * number : offset + 16 * number + 16] for number in range(count)]
        return [trace_ids[found(root)] for root in slices.roots], span_ids

    def _add_spans(self, trace_ids: list[str], span_ids: list[str]) -> None:
        """Fill the columns of the builder, all spans at once."""
        slices, builder = self.slices, self.builder
        count = len(slices.names)
        starts, ends = self._instants()
        builder.columns["trace_id"] += trace_ids
        builder.columns["span_id"] += span_ids
        builder.columns["parent_span_id"] += [None if row == _NONE else span_ids[row] for row in slices.parents]
        builder.columns["name"] += slices.names
        builder.columns["kind"] += [_INTERNAL] * count
        builder.columns["start_time"] += starts
        builder.columns["end_time"] += ends
        builder.columns["status_code"] += [0] * count
        for name in ("status_message", "trace_state", "flags"):
            builder.columns[name] += [None] * count
        builder.columns["scope"] += [builder.scope(None, None, [])] * count
        processes: dict[Any, int] = {}
        told: dict[Key, Attributes] = {}
        for row, thread in enumerate(slices.threads):
            process = thread[0]
            if process not in processes:
                processes[process] = builder.resource(self._process(process))
            builder.columns["resource"].append(processes[process])
            if thread not in told:
                told[thread] = self._thread(thread)
            for key, value in told[thread]:
                builder.attributes.add(self.first + row, key, value)

    def _instants(self) -> tuple[list[int | None], list[int | None]]:
        """Give starts and ends as times since 1970, or since the clock began if nothing says when that was."""
        slices, findings = self.slices, self.builder.findings
        known = [start for start in slices.starts if start is not None]
        if known and self.base is None:
            dated = _FIRST_YEAR <= max(known) < _LAST_YEAR
            findings.add(problems.CLOCK_OF_1970 if dated else problems.CLOCK_UNKNOWN, len(known), example=known[0])
        base = self.base or 0
        found: tuple[list[int | None], list[int | None]] = ([], [])
        for column, times in zip(found, (slices.starts, slices.ends), strict=True):
            for row, time in enumerate(times):
                instant = None if time is None else time + base
                if instant is not None and not 0 <= instant <= _LARGEST:
                    findings.add(problems.BAD_TIME, place=self._place(row), example=time)
                    instant = None
                column.append(instant)
        return found

    def _process(self, process: Any) -> Attributes:
        attributes = dict(self.process_attributes.get(process, {}))
        name = self.process_names.get(process) or (process if isinstance(process, str) else None)
        if process is not None:
            attributes["process.pid"] = (INT, process) if isinstance(process, int) else (STRING, process)
            if not name:
                self.builder.findings.add(problems.UNNAMED_PROCESSES, example=process)
                name = f"process {process}"
        if name:
            attributes["service.name"] = (STRING, name)
        return list(attributes.items())

    def _thread(self, thread: Key) -> Attributes:
        attributes = dict(self.thread_attributes.get(thread, {}))
        identity = thread[1]
        if identity is not None:
            attributes["thread.id"] = (INT, identity) if isinstance(identity, int) else (STRING, identity)
            if isinstance(identity, str):
                attributes.setdefault("thread.name", (STRING, identity))
        return list(attributes.items())


_SIMPLE: Final[dict[type, int]] = {str: STRING, bool: BOOL, float: DOUBLE}
_BEGINS: Final = frozenset("BbS")
_PHASES: Final = frozenset("XBEbneSTpFstfiIR")


def _bind(point: _Point, around: int, waiting: list[_Point]) -> None:
    """Let a point belong to the slice around it; if it wants the next one, until that is found."""
    point.slice = around
    if point.next:
        waiting.append(point)


def _identity(content: Any) -> int | str | None:
    """Read the id of a process or thread, which some write as text."""
    if isinstance(content, str) or (type(content) is int and -_LARGEST < content < _LARGEST):
        return content
    if isinstance(content, float) and content.is_integer():
        content = int(content)
    number = whole_number(content)
    return scalar_text(content) if number is None and content is not None else number


def _text(content: Any) -> str:
    return content if isinstance(content, str) else scalar_text(content)


def _async_key(event: dict[str, Any], process: Any) -> Key:
    """Name the track of an asynchronous event; ids are those of all processes unless they say that they are local."""
    inner = fields_of(event.get("id2"))
    local = inner.get("local")
    own = event.get("id", inner.get("global", local))
    old = event.get("name") if event["ph"] in "STpF" else None
    parts = (event.get("cat"), event.get("scope"), own, old)
    return (process if "id" not in event and "global" not in inner and local is not None else None, *map(_text, parts))


def _flow_key(event: dict[str, Any], process: Any) -> Key:
    """Name the flow of an event, its name first."""
    inner = fields_of(event.get("id2"))
    own = event.get("id", event.get("bind_id", inner.get("global", inner.get("local"))))
    only = process if "id" not in event and "local" in inner and "global" not in inner else None
    return _text(event.get("name")), only, *map(_text, (event.get("cat"), event.get("scope"), own))
