"""What a receiver holds: requests as they came, and the spans of those that were decoded, within bounds.

Requests wait as they are until somebody looks or many wait. Then one thread, the only one that touches what is held,
decodes them together and makes a segment of them: a span frame of whole traces. Traces that get further spans are taken
out of the segments that they are in and put together anew, so that each trace lies in one segment, and a segment that
gets nothing new is never looked at again. Old traces are those that got no span for the longest time.
"""

from __future__ import annotations

import io
import threading
from collections import Counter
from dataclasses import dataclass, field, replace
from secrets import token_hex
from typing import Final

import numpy as np
import polars as pl

from tracelab.live.receiver.segments import Hashes, Segment, among, segment_of, small_ones, trace_numbers, without
from tracelab.loaders.columns.assemble import assemble, empty_spans
from tracelab.loaders.columns.chunk import Chunk, Entries
from tracelab.loaders.columns.joining import Joining, below_each_other
from tracelab.loaders.columns.normalise import NO_SPAN_ID, SPAN_ID_WIDTH
from tracelab.loaders.input.sources import Source, Stream
from tracelab.loaders.others.parquet import chunk_of
from tracelab.loaders.otlp.framing import BARE, read_proto
from tracelab.loaders.report import problems
from tracelab.loaders.report.findings import Findings

NAME: Final = "received spans"
_BATCH_BYTES: Final = 8 << 20
_BATCH_SPANS: Final = 32_768
_WAITING_BYTES: Final = 64 << 20
_NONE: Final[Hashes] = np.zeros(0, dtype=np.uint64)


@dataclass(slots=True)
class Arrived:
    """A request that was taken: OTLP protobuf, or chunks of what was decoded to see whether it can be."""

    size: int
    spans: int
    content: bytes = b""
    chunks: list[Chunk] = field(default_factory=list)
    findings: Findings = field(default_factory=Findings)
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Counts:
    """How many spans came, and what became of them; `received` counts those that were held, duplicates not."""

    received: int = 0
    held: int = 0
    traces: int = 0
    traces_received: int = 0
    duplicates: int = 0
    dropped: int = 0
    dropped_traces: int = 0
    bytes: int = 0


class Store:
    """Spans that came, as many as may be held."""

    def __init__(self, most_spans: int, most_bytes: int) -> None:
        self.most_spans = most_spans
        self.most_bytes = most_bytes
        self.revision = 0
        self.lost = 0
        self.counts = Counts()
        self.findings = Findings()
        self.services: Counter[str] = Counter()
        self._segments: list[Segment] = []
        self._joining = Joining()
        self._turn = 0
        self._frame: tuple[int, pl.DataFrame] | None = None
        self._changed = threading.Condition()
        self._waiting: list[Arrived] = []
        self._waiting_bytes = 0
        self._waiting_spans = 0
        self._asked = 0
        self._settled = 0
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="tracelab-receiver-store", daemon=True)
        self._thread.start()

    def has_room(self, patience: float) -> bool:
        """Say whether there is room for a request, after so many seconds at the latest."""
        with self._changed:
            room = self._changed.wait_for(lambda: self._waiting_bytes < _WAITING_BYTES or self._closed, patience)
            return room and not self._closed

    def take(self, arrived: Arrived) -> bool:
        """Hold a request; False where nothing more is taken."""
        with self._changed:
            if self._closed:
                return False
            self._waiting.append(arrived)
            self._waiting_bytes += arrived.size
            self._waiting_spans += arrived.spans
            self.revision += 1
            arrived.revision = self.revision
            self._changed.notify_all()
            return True

    def wait_beyond(self, revision: int, seconds: float) -> None:
        """Wait until something came after a revision."""
        with self._changed:
            self._changed.wait_for(lambda: self.revision > revision, seconds)

    def settle(self) -> None:
        """Have all decoded that came until now."""
        with self._changed:
            self._asked = asked = max(self._asked, self.revision)
            self._changed.notify_all()
            while self._settled < asked and self._thread.is_alive() and threading.current_thread() is not self._thread:
                self._changed.wait(0.5)

    def spans(self) -> pl.DataFrame:
        """Give the span frame of what is held."""
        self.settle()
        with self._changed:
            # What is in line when a segment is held never has to be when it comes.
            if self._frame is None or self._frame[0] != self._settled:
                joined = below_each_other([self._in_line(segment) for segment in self._segments])
                self._frame = self._settled, joined
            return self._frame[1]

    def _in_line(self, segment: Segment) -> pl.DataFrame:
        version = self._joining.version
        if segment.in_line is None or segment.in_line[0] != version:
            segment.in_line = version, self._joining.in_line(segment.frame)
        return segment.in_line[1]

    def close(self) -> None:
        """Decode what is left, and take nothing more."""
        self.settle()
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _due(self) -> bool:
        many = self._waiting_bytes >= _BATCH_BYTES or self._waiting_spans >= _BATCH_SPANS
        return many or self._asked > self._settled or self._closed

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(self._due)
                if self._closed and not self._waiting:
                    return
                taken = self._next()
            if taken:
                self._take_in(taken)
            with self._changed:
                self._waiting_bytes -= sum(one.size for one in taken)
                self._waiting_spans -= sum(one.spans for one in taken)
                self._settled = taken[-1].revision if taken else max(self._settled, self._asked)
                self._changed.notify_all()

    def _next(self) -> list[Arrived]:
        """Take from what waits as much as makes a segment."""
        spans = count = 0
        while count < len(self._waiting) and spans < _BATCH_SPANS:
            spans += self._waiting[count].spans
            count += 1
        taken = self._waiting[:count]
        del self._waiting[:count]
        return taken

    def _take_in(self, taken: list[Arrived]) -> None:
        """Decode requests and hold their spans; where that fails, one by one, so that only bad ones are lost."""
        try:
            segments, counts = self._merged(taken)
            services = _services(segments)
        # It was accepted, so whatever is wrong with it is to be counted; polars' panics are no exceptions to Python.
        except (Exception, pl.exceptions.PanicException) as error:  # noqa: BLE001
            if len(taken) > 1:
                middle = len(taken) // 2
                self._take_in(taken[:middle])
                self._take_in(taken[middle:])
                return
            one = taken[0]
            self.lost += one.spans
            self.findings.add(problems.BAD_MESSAGE, example=repr(error), lost_spans=one.spans)
            return
        with self._changed:
            for segment in segments:
                if not segment.learned:
                    self._joining.learn(segment.frame)
                    segment.learned = True
            self._segments, self.counts = segments, counts
            self.services = services

    def _merged(self, taken: list[Arrived]) -> tuple[list[Segment], Counts]:
        chunks, findings = _decoded(taken)
        received = sum(chunk.height for chunk in chunks)
        segments, frame = list(self._segments), empty_spans()
        held = sum(segment.height for segment in segments)
        traces = sum(segment.trace_count for segment in segments)
        numbers = [trace_numbers(chunk.spans) for chunk in chunks]
        new_ones = np.unique(np.concatenate(numbers)) if numbers else _NONE
        touched, small = new_ones, list[Segment]()
        while touched.size:
            segments, pulled = without(segments, touched)
            if frame.height:
                if not pulled:
                    break
                pulled.append(frame)
            else:
                segments, small = small_ones(segments, received + sum(rows.height for rows in pulled))
                pulled += [segment.frame for segment in small]
            together = [(0, chunk) for chunk in [*map(chunk_of, pulled), *chunks]]
            frame = assemble(together, [Findings()], Findings(), choose=self._joining.chosen_keys)
            chunks = []
            # Spans without ids got some, which may be those that others have.
            found = np.unique(trace_numbers(frame))
            touched = found[~among(found, touched)]
        if frame.height:
            self._turn += 1
            segments.append(segment_of(frame, self._turn, small, new_ones))
        now = sum(segment.height for segment in segments)
        now_traces = sum(segment.trace_count for segment in segments)
        new = now - held
        before = self.counts
        segments, dropped, dropped_traces = self._within_bounds(segments)
        self.findings.merge(findings)
        return segments, Counts(
            received=before.received + new,
            held=now - dropped,
            traces=now_traces - dropped_traces,
            traces_received=before.traces_received + now_traces - traces,
            duplicates=before.duplicates + received - new,
            dropped=before.dropped + dropped,
            dropped_traces=before.dropped_traces + dropped_traces,
            bytes=sum(segment.bytes for segment in segments),
        )

    def _within_bounds(self, segments: list[Segment]) -> tuple[list[Segment], int, int]:
        """Let the oldest traces go until no more is held than may be."""
        spans = sum(segment.height for segment in segments)
        size = sum(segment.bytes for segment in segments)
        dropped = dropped_traces = 0
        while segments and (spans > self.most_spans or size > self.most_bytes):
            oldest = segments[0]
            excess = spans - self.most_spans
            if size > self.most_bytes:
                excess = max(excess, -(-oldest.height * (size - self.most_bytes) // max(oldest.bytes, 1)))
            rest = oldest.without_oldest(excess)
            if rest is None and len(segments) == 1 and excess < oldest.height:
                # A single trace is larger than what may be held: its beginning is.
                rest = oldest.head(oldest.height - excess)
            kept = [rest] if rest else []
            left = sum(segment.height for segment in kept)
            dropped += oldest.height - left
            dropped_traces += oldest.trace_count - sum(segment.trace_count for segment in kept)
            spans -= oldest.height - left
            size += sum(segment.bytes for segment in kept) - oldest.bytes
            segments = [*kept, *segments[1:]]
        return segments, dropped, dropped_traces


def _services(segments: list[Segment]) -> Counter[str]:
    """Count the spans of each service."""
    counted: Counter[str] = Counter()
    for segment in segments:
        counted.update(dict(segment.frame["service_name"].value_counts().rows()))
    return counted


def _decoded(taken: list[Arrived]) -> tuple[list[Chunk], Findings]:
    """Decode requests together; messages one after another are one message."""
    findings = Findings()
    # What is made of them uses them up, and may fail.
    chunks = [_copied(chunk) for one in taken for chunk in one.chunks]
    for one in taken:
        findings.merge(one.findings)
    content = b"".join([one.content for one in taken if not one.chunks])
    if content:
        stream = Stream(Source(NAME, len(content), lambda: io.BytesIO(content)), lambda _: None)
        chunks += read_proto(stream, BARE, findings)
    for chunk in chunks:
        chunk.spans = _with_span_ids(chunk.spans)
    return chunks, findings


def _copied(chunk: Chunk) -> Chunk:
    """Give the same chunk, whose columns may be let go."""
    attributes, resources, scope_attributes = (
        Entries(list(each.keys), {kind: replace(part, values=list(part.values)) for kind, part in each.parts.items()})
        for each in (chunk.attributes, chunk.resources, chunk.scope_attributes)
    )
    return replace(chunk, attributes=attributes, resources=resources, scope_attributes=scope_attributes)


def _with_span_ids(spans: pl.DataFrame) -> pl.DataFrame:
    """Give spans without a span id one that no span of another batch gets; what an assembly gives is the same again."""
    rows = (spans["span_id"] == NO_SPAN_ID).arg_true()
    if rows.is_empty():
        return spans
    ids = [token_hex(SPAN_ID_WIDTH // 2) for _ in range(rows.len())]
    return spans.with_columns(spans["span_id"].scatter(rows, ids))
