"""`receive`: an OTLP receiver in the background, and the object that stands for it."""

from __future__ import annotations

import ipaddress
import time
import weakref
from html import escape
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, Self

import polars as pl

from tracelab.display.words import counted
from tracelab.errors import LoadWarning, TracelabError, warn_caller
from tracelab.live.receiver.archive import Archive
from tracelab.live.receiver.intake import Intake
from tracelab.live.receiver.over_http import HttpServer
from tracelab.live.receiver.ports import remember
from tracelab.live.receiver.store import NAME, Store
from tracelab.loaders.report.findings import Findings, Problem, SourceFindings, report_frame
from tracelab.options import seconds, shown, whole

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

_BYTES_PER_SPAN: Final = 2 << 10
_LEAST_BYTES: Final = 256 << 20
_GRPC_PORT: Final = 4317
_INSTALL: Final = 'Install it with: pip install "tracelab-kit[live]"'
BEYOND: Final = Problem(
    "spans beyond max_spans",
    "skipped",
    "The receiver was full, so whole traces went, those first that got no span for the longest time. A larger "
    "`max_spans` holds more, and `path` keeps all.",
)
STATS_SCHEMA: Final = pl.Schema({"what": pl.String(), "of": pl.String(), "count": pl.Int64()})


class WaitError(TracelabError, TimeoutError):
    """What was waited for did not come in time."""


def receive(
    *,
    http_port: int | None = 4318,
    grpc_port: int | None = 4317,
    host: str = "127.0.0.1",
    max_spans: int = 1_000_000,
    path: str | Path | None = None,
) -> Receiver:
    """Receive OTLP in the background: what SDKs and Collectors send to this process becomes a span frame.

    It listens at once, until it is closed, by `with` or `.close()`. OTLP's own ports are the defaults, so an SDK that
    was told nothing sends here. Over HTTP bodies may be protobuf or JSON, plain or compressed; pages of this machine
    may send too.

    Parameters
    ----------
    http_port
        Where it listens for OTLP over HTTP; 0 takes a free port, None does without.
    grpc_port
        The same for gRPC, which needs grpcio (`pip install 'tracelab-kit[live]'`): without it the receiver does without
        gRPC and says so when it is shown, but to ask for any other port than the usual one is an error then.
    host
        The address to listen on. Any other than one of this machine's own lets everybody in the network send.
    max_spans
        The most spans to hold, and 2 KiB for each of them (but 256 MiB at least). Beyond either, whole traces go, those
        first that got no span for the longest time; they are counted.
    path
        A file to which everything that is taken is appended, as lines of OTLP JSON, before a sender is answered. It is
        never cut; `read` reads it. While it cannot be written senders are told to come back later.

    Returns
    -------
    A `Receiver`. `.spans()` is the span frame so far, `.wait(spans=..., traces=..., timeout="10s")` waits until so many
    came, `.stats()` counts what came (`what`, `of`, `count`) and `.report()` says in the columns of `load_report` what
    was repaired or lost. `.http_url` and `.grpc_url` are where to send to, `.revision` grows with all that comes.

    Raises
    ------
    SourceError
        A port is taken or may not be listened on, the host is none of this machine, or `path` cannot be written.
    TracelabError
        An option is none, or there is nothing to listen on.
    ImportError
        A `grpc_port` was asked for, or there is no `http_port`, and grpcio is not installed.

    Examples
    --------
    >>> import requests
    >>> with receive(http_port=0, grpc_port=None) as live:
    ...     sent = {"resourceSpans": [{"scopeSpans": [{"spans": [{
    ...         "traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331", "name": "GET /",
    ...         "startTimeUnixNano": "1767225600000000000", "endTimeUnixNano": "1767225600250000000"}]}]}]}
    ...     answer = requests.post(f"{live.http_url}/v1/traces", json=sent, timeout=5)
    ...     live.wait(spans=1).spans()["name"].to_list()
    ['GET /']
    """
    most = whole("max_spans", max_spans, least=1, why="It is how many spans are held at most.")
    http = _port("http_port", http_port)
    grpc = _port("grpc_port", grpc_port)
    address = _address(host)
    if http is None and grpc is None:
        raise TracelabError("There is nothing to listen on. Give `http_port` or `grpc_port`.")
    if http == grpc and http:
        raise TracelabError(f"`http_port` and `grpc_port` are both {http}. Give them a port each.")
    without = grpc is not None and find_spec("grpc") is None
    if without and (http is None or grpc != _GRPC_PORT):
        raise ImportError(f"To receive gRPC, grpcio is needed. {_INSTALL}, or pass grpc_port=None.")
    grpc = None if without else grpc
    receiver = Receiver(most, None if path is None else Archive(path), address, http, grpc)
    if without:
        receiver.notes.append(f"gRPC is off, as grpcio is not installed. {_INSTALL}")
    if not _is_loopback(address):
        warn_caller(
            f"The receiver listens on {address}: anybody who reaches this machine over the network can send to it. "
            "Leave `host` out to take only what this machine sends.",
            LoadWarning,
        )
    return receiver


class Receiver:
    """An OTLP receiver; made by `receive`."""

    def __init__(
        self, most_spans: int, archive: Archive | None, host: str, http_port: int | None, grpc_port: int | None
    ) -> None:
        self._archive = archive
        self._store = Store(most_spans, max(_BYTES_PER_SPAN * most_spans, _LEAST_BYTES))
        self._intake = Intake(self._store, archive)
        self._host = host
        self.notes: list[str] = []
        """What one should know of how it listens."""
        servers: list[Any] = []
        # It must not hold the receiver, which is closed when nobody has it any more.
        self._end = weakref.finalize(self, _close, servers, self._store, archive)
        try:
            self._http = None if http_port is None else HttpServer(self._intake, host, http_port)
            servers += [self._http] if self._http else []
            self._grpc = None if grpc_port is None else _grpc_server(self._intake, host, grpc_port)
            servers += [self._grpc] if self._grpc else []
        except BaseException:
            self._end()
            raise
        remember(self)

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports that it listens on."""
        return tuple(each.port for each in (self._http, self._grpc) if each and self._end.alive)

    @property
    def http_url(self) -> str | None:
        """The address for OTLP over HTTP, without the path; None if it is off."""
        return f"http://{_reached(self._host)}:{self._http.port}" if self._http else None

    @property
    def grpc_url(self) -> str | None:
        """The address for OTLP over gRPC; None if it is off."""
        return f"{_reached(self._host)}:{self._grpc.port}" if self._grpc else None

    @property
    def path(self) -> Path | None:
        """The file that what comes is appended to."""
        return self._archive.path if self._archive else None

    @property
    def closed(self) -> bool:
        """Whether it listens no more."""
        return not self._end.alive

    @property
    def revision(self) -> int:
        """A number that grows with all that comes."""
        return self._store.revision

    def spans(self) -> pl.DataFrame:
        """Give the span frame of what came so far, and is held.

        Its work is that of what came since it was last asked for, and of the traces that this belongs to.

        Returns
        -------
        A span frame, as `read` gives it: each trace in tree order, traces that got spans last come last.
        """
        return self._store.spans()

    def wait(self, spans: int | None = None, traces: int | None = None, timeout: Any = "10s") -> Self:
        """Wait until so many spans, or traces, came in all since it listens; without a number, until one span came.

        Returns
        -------
        The receiver itself.

        Raises
        ------
        WaitError
            They did not come in time. It is also a `TimeoutError`.
        TracelabError
            A number is none, or the timeout is no length of time.
        """
        spans = 1 if spans is None and traces is None else spans
        wanted = {
            name: whole(name, number, least=0)
            for name, number in (("spans", spans), ("traces", traces))
            if number is not None
        }
        end = time.monotonic() + seconds("timeout", timeout, or_none=True)
        within = f"{timeout:g} s" if isinstance(timeout, int | float) else timeout
        while True:
            revision = self.revision
            self._store.settle()
            counts = self._store.counts
            there = {"spans": counts.received, "traces": counts.traces_received}
            if all(there[name] >= number for name, number in wanted.items()):
                return self
            left = end - time.monotonic()
            if left <= 0 or (self.closed and revision == self.revision):
                when = "before it was closed" if left > 0 else f"within {within}"
                raise WaitError(self._missing(wanted, there, when))
            self._store.wait_beyond(revision, min(left, 1.0))

    def stats(self) -> pl.DataFrame:
        """Count what came since it listens.

        Returns
        -------
        `what` (String), `of` (String, null), `count` (Int64): spans received, held, dropped beyond `max_spans`,
        delivered twice, rejected and lost; traces held and dropped; requests by signal; those refused, by reason; bytes
        received and held; lines written and not written, where there is a `path`; the spans held of each service.
        """
        self._store.settle()
        counts, intake = self._store.counts, self._intake
        rows: list[tuple[str, str | None, int]] = [
            ("spans received", None, counts.received),
            ("spans held", None, counts.held),
            ("spans dropped", "beyond max_spans", counts.dropped),
            ("spans dropped", "delivered twice", counts.duplicates),
            ("spans dropped", "rejected", intake.rejected),
            ("spans dropped", "cannot be read", self._store.lost),
            ("traces held", None, counts.traces),
            ("traces dropped", "beyond max_spans", counts.dropped_traces),
            *(("requests", signal, count) for signal, count in sorted(intake.requests.items())),
            *(("requests refused", reason, count) for reason, count in sorted(intake.refused.items())),
            ("bytes received", None, intake.bytes),
            ("bytes held", None, counts.bytes),
        ]
        if self._archive is not None:
            name = str(self._archive.path)
            rows += [("lines written", name, self._archive.lines), ("lines not written", name, self._archive.failures)]
        rows += [("spans of service", name, count) for name, count in sorted(self._store.services.items())]
        return pl.DataFrame(rows, schema=STATS_SCHEMA, orient="row")

    def report(self) -> pl.DataFrame:
        """List what was repaired, guessed or lost in what came.

        Returns
        -------
        The columns of `load_report`.
        """
        self._store.settle()
        dropped, findings = self._store.counts.dropped, Findings()
        findings.merge(self._store.findings)
        findings.add(BEYOND, dropped, lost_spans=dropped)
        findings.spans = self._intake.spans + self._intake.rejected
        return report_frame([SourceFindings(NAME, "otlp", findings)])

    def close(self) -> None:
        """Listen no more; what came stays. To close twice does nothing more."""
        self._end()

    def __enter__(self) -> Self:
        if self.closed:
            raise TracelabError("This receiver is closed, and listens no more. Make a new one with tracelab.receive().")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Receiver({self._where()}; {self._holds()})"

    def _repr_html_(self) -> str:
        return f"<b>Receiver</b>: {escape(self._where())}<br>{escape(self._holds())}"

    def _where(self) -> str:
        if self.closed:
            return "closed"
        urls = (("HTTP", self.http_url), ("gRPC", self.grpc_url))
        listens = "listens on " + " and ".join(f"{url} ({name})" for name, url in urls if url)
        return listens if _is_loopback(self._host) else f"{listens}, for everybody in the network ({self._host})"

    def _holds(self) -> str:
        self._store.settle()
        counts, refused = self._store.counts, self._intake.refused.total()
        parts = [
            f"holds {counted(counts.held, 'span')} in {counted(counts.traces, 'trace')}",
            f"{counted(counts.dropped, 'span')} dropped" if counts.dropped else "",
            f"{counted(refused, 'request')} refused, the last: {self._intake.last_refusal}" if refused else "",
            f"{self._archive.path} cannot be written" if self._archive and self._archive.failing else "",
            *self.notes,
        ]
        return "; ".join(part for part in parts if part)

    def _missing(self, wanted: dict[str, int], there: dict[str, int], when: str) -> str:
        came = " and ".join(f"{there[name]:,} of {number:,} {name}" for name, number in wanted.items())
        text = f"{came} came {when}"
        refused = self._intake.refused.total()
        if refused:
            return f"{text}, and {counted(refused, 'request')} refused. The last: {self._intake.last_refusal}"
        others = {name: count for name, count in self._intake.requests.items() if name != "traces" and count}
        if not any(there.values()) and others:
            return f"{text}, but requests with {' and '.join(others)} did. Have the sender export traces too."
        if not any(there.values()):
            urls = " or ".join(url for url in (self.http_url, self.grpc_url) if url)
            return f"{text}. Check that the sender exports to {urls}, and flushes before it ends."
        return f"{text}. A sender may hold back spans until its batch is full; have it flush."


def _grpc_server(intake: Intake, host: str, port: int) -> Any:
    """Listen for gRPC; what that needs is optional."""
    return import_module("tracelab.live.receiver.over_grpc").GrpcServer(intake, host, port)


def _close(servers: list[Any], store: Store, archive: Archive | None) -> None:
    for server in servers:
        server.close()
    store.close()
    if archive is not None:
        archive.close()


def _port(name: str, port: Any) -> int | None:
    return None if port is None else whole(name, port, least=0, most=65_535, why="0 takes a free port, None has none.")


def _address(host: Any) -> str:
    if isinstance(host, str) and host:
        return host
    raise TracelabError(f"`host` must be an address to listen on, got {shown(host)}. Leave it out for 127.0.0.1.")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _reached(host: str) -> str:
    """Give the host by which this machine reaches what listens on an address."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.is_unspecified:
        return "127.0.0.1" if address.version == 4 else "[::1]"
    return f"[{host}]" if address.version == 6 else host
