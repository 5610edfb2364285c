"""What a capture keeps: the SDK's finished spans, as many as it may hold, and counts of what is not among them."""

from __future__ import annotations

import threading
from collections import Counter
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from tracelab.loaders.report.findings import Findings, Problem

if TYPE_CHECKING:
    from tracelab.live.captures.packing import Packed

UNFINISHED: Final = Problem(
    "spans still open at the end",
    "skipped",
    "They had not ended when the code did, so they have no duration. Wait for what runs in the background inside of "
    "the block.",
)
BEYOND: Final = Problem(
    "spans beyond max_spans",
    "skipped",
    "The capture was full; the spans that ended first are in it. A larger `max_spans` holds more.",
)
UNREADABLE: Final = Problem(
    "spans that cannot be encoded",
    "skipped",
    "OpenTelemetry's own encoder refuses them, so no exporter would send them either.",
)
REFUSED: Final = Problem(
    "attributes that cannot be encoded",
    "skipped",
    "OpenTelemetry's own encoder refuses their values, as whole numbers of more than 64 bits and text that is no "
    "Unicode, so no exporter would send them either. Their spans are kept.",
)
SAMPLED: Final = Problem(
    "a sampler that drops spans",
    "skipped",
    "The tracer provider samples: what its sampler drops is never recorded, and how many these are cannot be told.",
)
DISABLED: Final = Problem(
    "the SDK is disabled", "skipped", "OTEL_SDK_DISABLED is set to true, so the SDK records no spans at all."
)


_BATCH: Final = 32
"""So many spans are packed at once: with more, the garbage collector meets them before."""
_TOGETHER: Final = 128
"""So many batches are encoded at once."""


class Kept:
    """Finished spans as the SDK gives them, packed as soon as they are a few, and encoded when somebody asks."""

    def __init__(self, most: int) -> None:
        self.most = most
        # It needs the SDK, which is optional.
        self._pack = import_module("tracelab.live.captures.packing").packed
        self._fresh: list[Any] = []
        self.renew_locks()
        self.clear()

    def renew_locks(self) -> None:
        """Be open to this process, whoever held the locks in the one that it was forked from."""
        # An object that is thrown away while the lock is held may end a span of its own.
        self._lock = threading.RLock()
        self._encoding = threading.RLock()
        self._settling = False

    def clear(self) -> None:
        """Hold nothing, as if nothing had run."""
        with self._encoding, self._lock:
            self._fresh.clear()
            self._batches: list[tuple[Packed | None, list[Any]]] = []
            # Messages one after another are one message.
            self._encoded = bytearray()
            self._count = 0
            self._beyond = 0
            self._unreadable: Counter[str] = Counter()
            self._refused: Counter[str] = Counter()
            self._unfinished: Counter[str] = Counter()
            self._samplers: Counter[str] = Counter()
            self._disabled = 0

    def __len__(self) -> int:
        with self._lock:
            self._settle()
            return self._count

    def add(self, span: Any) -> None:
        """Keep a span that ended."""
        # Without the lock, which costs more than all else here: one call appends, and the list is never another.
        fresh = self._fresh
        fresh.append(span)
        if len(fresh) >= _BATCH:
            with self._lock:
                self._settle()

    def _settle(self) -> None:
        """Keep as many of the spans that just ended as there is room for; the lock is held."""
        if self._settling:
            return
        self._settling = True
        try:
            spans = self._fresh[:]
            del self._fresh[: len(spans)]
            room = max(0, self.most - self._count)
            self._beyond += len(spans[room:])
            if taken := spans[:room]:
                self._count += len(taken)
                self._batches.append(self._pack(taken))
        finally:
            self._settling = False

    def overflow(self) -> None:
        """Count a span for which there is no room even while it runs."""
        with self._lock:
            self._beyond += 1

    def leave_out(self, names: list[str]) -> None:
        """Count spans that had not ended when the code did."""
        with self._lock:
            self._unfinished.update(names)

    def sampled_by(self, sampler: str) -> None:
        """Note a sampler that drops spans."""
        with self._lock:
            self._samplers[sampler] += 1

    def disabled(self) -> None:
        """Note that the SDK was told to record nothing."""
        with self._lock:
            self._disabled += 1

    def encoded(self) -> bytes:
        """Give all spans as one OTLP request; those that were encoded before are not encoded again."""
        encode = _encoder()
        with self._encoding:
            with self._lock:
                self._settle()
                left = len(self._batches)
            while left:
                batches = self._batches[: min(left, _TOGETHER)]
                plain = [span for batch, _ in batches if batch is not None for span in batch.spans()]
                parts = _encoded([*plain, *(span for _, others in batches for span in others)], encode)
                with self._lock:
                    # Only now, so that an interruption loses nothing.
                    del self._batches[: len(batches)]
                    left -= len(batches)
                    for part, failed, refused in parts:
                        self._encoded += part
                        self._refused.update(refused)
                        if failed is not None:
                            self._count -= 1
                            self._unreadable[failed] += 1
            with self._lock:
                return bytes(self._encoded)

    def findings(self) -> Findings:
        """Count what is not among the spans, of all that were recorded."""
        with self._lock:
            self._settle()
            lost = {BEYOND: Counter({"": self._beyond}), UNFINISHED: self._unfinished, UNREADABLE: self._unreadable}
            findings = Findings()
            for problem, names in lost.items():
                count = names.total()
                findings.add(problem, count, example=_named(names), lost_spans=count)
            findings.add(REFUSED, self._refused.total(), example=_named(self._refused))
            findings.add(SAMPLED, self._samplers.total(), example=_named(self._samplers))
            findings.add(DISABLED, self._disabled)
            findings.spans = self._count + findings.lost_spans()
            return findings


def _encoder() -> Any:
    return import_module("opentelemetry.exporter.otlp.proto.common.trace_encoder").encode_spans


def _encoded(spans: list[Any], encode: Any) -> list[tuple[bytes, str | None, Counter[str]]]:
    """Encode spans, one by one where they cannot be all together; what fails and what is left out is named."""
    if not spans:
        return []
    try:
        request = encode(spans)
        return [(request.SerializeToString(), None, _refused(spans, request))]
    except Exception:  # noqa: BLE001 - whatever the SDK's encoder raises, one bad span must not lose the others
        if len(spans) == 1:
            return [(b"", _text(spans[0].name), Counter())]
    middle = len(spans) // 2
    return [*_encoded(spans[:middle], encode), *_encoded(spans[middle:], encode)]


def _refused(spans: list[Any], request: Any) -> Counter[str]:
    """Count by their keys the attributes that the encoder left out, of which it tells its log only."""
    given = [each.attributes for span in spans for each in (span, *span.events, *span.links) if each.attributes]
    written = [
        each.attributes
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
        for each in (span, *span.events, *span.links)
    ]
    refused: Counter[str] = Counter()
    if sum(map(len, given)) != sum(map(len, written)):
        refused.update(_text(key) for attributes in given for key in attributes)
        refused.subtract(pair.key for attributes in written for pair in attributes)
    # A resource is written once for all spans that share it.
    resources = {id(span.resource): span.resource for span in spans}.values()
    keys = {pair.key for each in request.resource_spans for pair in each.resource.attributes}
    refused.update(key for key in {_text(key) for each in resources for key in each.attributes} if key not in keys)
    return +refused


def _named(names: Counter[str]) -> str | None:
    return ", ".join(name for name, _ in names.most_common(3)) or None


def _text(name: Any) -> str:
    return str(name).encode("utf-8", "replace").decode("utf-8")
