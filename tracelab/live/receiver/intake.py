"""What becomes of a request, over HTTP or gRPC: taken, taken in part, or refused with a reason; all of it counted."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tracelab.errors import LoadError
from tracelab.live.receiver.store import Arrived
from tracelab.loaders.columns.assemble import assemble
from tracelab.loaders.formats import OTLP_JSON
from tracelab.loaders.input.wire import BadWire
from tracelab.loaders.otlp.protobuf import chunk_of
from tracelab.loaders.otlp.request_lines import line_of_json, line_of_message
from tracelab.loaders.otlp.writer import lines
from tracelab.loaders.pieces import decoded
from tracelab.loaders.report import problems
from tracelab.loaders.report.findings import Findings

if TYPE_CHECKING:
    from tracelab.live.receiver.archive import Archive
    from tracelab.live.receiver.store import Store

PROTOBUF: Final = "protobuf"
JSON: Final = "json"
SIGNALS: Final = ("traces", "metrics", "logs")
_PLACE: Final = "request"
_PATIENCE: Final = 5.0


@dataclass(frozen=True, slots=True)
class Reason:
    """Why requests are refused: what HTTP and gRPC call it, and what it is called in the counts."""

    name: str
    status: int
    code: int


MALFORMED: Final = Reason("malformed", 400, 3)
TOO_LARGE: Final = Reason("too large", 413, 8)
FULL: Final = Reason("too many at once", 503, 14)
UNWRITABLE: Final = Reason("the file cannot be written", 503, 14)
CLOSED: Final = Reason("closed", 503, 14)
UNKNOWN_TYPE: Final = Reason("unknown content type", 415, 3)
UNKNOWN_ENCODING: Final = Reason("unknown content encoding", 415, 3)
UNKNOWN_PATH: Final = Reason("unknown path", 404, 12)
WRONG_METHOD: Final = Reason("wrong method", 405, 12)
FOREIGN: Final = Reason("sent by a page of another host", 403, 7)
BROKEN_OFF: Final = Reason("broken off", 400, 3)


class Refused(Exception):  # noqa: N818 - it is an answer to the sender
    """A request that is not taken, and why."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


@dataclass(frozen=True, slots=True)
class Taken:
    """What a sender is told of a request that was taken: how many spans were not, and why."""

    rejected: int = 0
    message: str = ""


class Intake:
    """Takes requests, keeps them and counts."""

    def __init__(self, store: Store, archive: Archive | None) -> None:
        self.store = store
        self._archive = archive
        self._lock = threading.Lock()
        self.requests: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.bytes = 0
        self.spans = 0
        self.rejected = 0
        self.last_refusal = ""

    def refuse(self, refused: Refused) -> None:
        """Count a request that was not taken."""
        with self._lock:
            self.refused[refused.reason.name] += 1
            self.last_refusal = refused.message

    def take(self, signal: str, body: bytes, encoding: str) -> Taken:
        """Take a request whole or in part.

        Raises
        ------
        Refused
            It is malformed, or there is no room for it now.
        """
        taken = self._take_traces(body, encoding) if signal == "traces" else Taken()
        with self._lock:
            self.requests[signal] += 1
            self.bytes += len(body)
        return taken

    def _take_traces(self, body: bytes, encoding: str) -> Taken:
        arrived, message = _read(body, encoding)
        rejected = arrived.findings.lost_spans()
        if arrived.spans:
            if not self.store.has_room(_PATIENCE):
                raise Refused(FULL, "So much was sent that there is no room for it now. Send it again later.")
            if self._archive is not None:
                _write(self._archive, _line(body, encoding, message))
            if not self.store.take(arrived):
                raise Refused(CLOSED, "The receiver was closed.")
        with self._lock:
            self.spans += arrived.spans
            self.rejected += rejected
        if not rejected:
            return Taken()
        bad = [finding for finding in arrived.findings.found.values() if finding.lost_spans]
        texts = [f"{finding.problem.name} ({finding.place}): {finding.problem.explanation}" for finding in bad]
        return Taken(rejected, "; ".join(texts))


def _read(body: bytes, encoding: str) -> tuple[Arrived, Any]:
    """See whether a request can be decoded; gives its message too, if it is one by the book.

    Raises
    ------
    Refused
        It is malformed.
    """
    if encoding == JSON:
        return _read_json(body), None
    try:
        request: Any = ExportTraceServiceRequest.FromString(body)
    except DecodeError as error:
        return _read_odd(body, str(error)), None
    spans = sum(len(scope.spans) for resource in request.resource_spans for scope in resource.scope_spans)
    return Arrived(len(body), spans, body), request


def _read_odd(body: bytes, reason: str) -> Arrived:
    """Read protobuf more patiently: text in it may be no UTF-8."""
    try:
        chunk, findings = chunk_of(body, _PLACE)
    except (BadWire, IndexError) as error:
        raise Refused(MALFORMED, f"The body is no OTLP protobuf: {reason}.") from error
    return Arrived(len(body), chunk.height, chunks=[chunk], findings=findings)


def _read_json(body: bytes) -> Arrived:
    if _is_empty(body):
        return Arrived(len(body), 0)
    try:
        chunks, found = decoded(body, _PLACE, OTLP_JSON)
    except LoadError as error:
        reason = str(error).removeprefix(f"{_PLACE}: ").partition(" Supported: ")[0]
        raise Refused(MALFORMED, f"The body is no OTLP JSON: {reason}") from error
    spans = sum(chunk.height for chunk in chunks)
    bad = [one for one in found.findings.found.values() if not spans or one.problem is problems.TRUNCATED]
    if bad:
        texts = [f"{one.problem.name} ({one.place})" for one in bad]
        raise Refused(MALFORMED, f"The body is no OTLP JSON: {'; '.join(texts)}.")
    return Arrived(len(body), spans, chunks=chunks, findings=found.findings)


def _line(body: bytes, encoding: str, message: Any) -> bytes:
    """Write a request as it came as a line of OTLP JSON; as what it was read as where it is odd."""
    line = line_of_json(body) if encoding == JSON else None
    if message is not None:
        line = line_of_message(message)
    if line is not None:
        return line
    chunks = decoded(body, _PLACE, OTLP_JSON)[0] if encoding == JSON else [chunk_of(body, _PLACE)[0]]
    return b"".join(lines(assemble([(0, chunk) for chunk in chunks], [Findings()], Findings())))


def _write(archive: Archive, line: bytes) -> None:
    try:
        archive.append(line)
    except OSError as error:
        raise Refused(
            UNWRITABLE, f"What is received is kept in a file, which cannot be written: {error.strerror or error}."
        ) from error


def _is_empty(body: bytes) -> bool:
    """Say whether a request in JSON is well-formed and holds nothing, which a sender may send."""
    if len(body) > 64:
        return False
    try:
        return msgspec.json.decode(body) in ({}, {"resourceSpans": []})
    except (msgspec.DecodeError, RecursionError):
        return False


def partial_success(taken: Taken) -> bytes:
    """Write a response that says how many spans were not taken."""
    response: Any = ExportTraceServiceResponse()
    response.partial_success.rejected_spans = taken.rejected
    response.partial_success.error_message = taken.message
    return bytes(response.SerializeToString())
