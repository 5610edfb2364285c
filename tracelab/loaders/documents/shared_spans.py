"""Spans that client and server share: Zipkin, and others in its manner, give both halves of a call one id."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, Protocol

from tracelab.loaders.columns.normalise import NO_SPAN_ID
from tracelab.loaders.report import problems
from tracelab.schema import KINDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracelab.loaders.report.findings import Findings

_SERVER, _CLIENT = KINDS.index("server"), KINDS.index("client")
NOTHING: Final = (None, "", NO_SPAN_ID)


class Half(Protocol):
    """A span that may be half of one."""

    place: str
    trace_id: str
    span_id: str
    parent_id: str | None
    kind: int | None
    service: str
    shared: bool


def tell_apart(halves: Sequence[Half], findings: Findings) -> None:
    """Give servers that share their id with a client an id of their own, below the client's.

    A child of the shared id belongs to the server half of its own service, or else to the client half.
    """
    clients = {(half.trace_id, half.span_id) for half in halves if half.kind == _CLIENT and half.span_id not in NOTHING}
    servers: dict[tuple[str, str], dict[str, str]] = {}
    for half in halves:
        key = (half.trace_id, half.span_id)
        if key not in clients or not (half.kind == _SERVER or (half.shared and half.kind != _CLIENT)):
            continue
        text = f"{half.trace_id}/{half.span_id}/{half.service}"
        own = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()
        findings.add(problems.SHARED_SPANS, place=half.place, example=half.span_id)
        servers.setdefault(key, {})[half.service] = own
        half.parent_id, half.span_id = half.span_id, own
    new = {own for named in servers.values() for own in named.values()}
    for half in halves:
        if half.parent_id is not None and half.span_id not in new:
            half.parent_id = servers.get((half.trace_id, half.parent_id), {}).get(half.service, half.parent_id)
