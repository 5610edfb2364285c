"""Work on messages that nothing ties to who sent them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.auditing.evidence import CONSUMER, PRODUCER, coded, renumbered
from tracelab.auditing.findings import HOPS, Group, Symptom, findings_of, nothing
from tracelab.auditing.measures.some_rows import children_of, has_links, texts_at
from tracelab.auditing.measures.split_calls import DESTINATION

if TYPE_CHECKING:
    from tracelab.auditing.evidence import Evidence
    from tracelab.forest import Flags, Ints

_COUNT: Final = ("span.messaging.batch.message_count",)
_NOBODY: Final = -1


def parentless_consumer(evidence: Evidence) -> pl.DataFrame:
    """Find spans of kind consumer that have neither a parent nor a link."""
    consumers = np.flatnonzero(evidence.kind == CONSUMER)
    shown = _untied(evidence, consumers)
    if not shown.any():
        return nothing()
    destination, names, producer = _destinations(evidence, consumers)
    return findings_of(
        evidence,
        Symptom(
            "parentless-consumer",
            "warning",
            _says,
            shown=shown,
            rows=consumers,
            caller=producer,
            callee=evidence.service[consumers],
            hop=np.full(consumers.size, HOPS.index("queue"), dtype=np.int64),
            detail=destination,
            details=names,
            weight=evidence.duration[consumers],
            judge=_without_producers,
        ),
    )


def _untied(evidence: Evidence, consumers: Ints) -> Flags:
    """Mark the consumers that nothing leads to, but for polls that brought nothing or hand on what they brought."""
    shown = evidence.true_root[consumers]
    rows = consumers[shown]
    if not rows.size:
        return shown
    rows = rows[~has_links(evidence, rows)]
    empty = texts_at(evidence, rows, *_COUNT).eq_missing("0").to_numpy()
    rows = rows[~empty]
    # A span that received messages may leave the links to the spans below it that process them.
    below = children_of(evidence, rows)
    handed_on = evidence.parent[below[has_links(evidence, below)]]
    return np.isin(consumers, np.setdiff1d(rows, handed_on))


def _destinations(evidence: Evidence, consumers: Ints) -> tuple[Ints, pl.Series, Ints]:
    """Give numbers to the destinations of consumers, and tell which service sends most to each; -1 for none."""
    producers = np.flatnonzero(evidence.kind == PRODUCER)
    both = np.concatenate((consumers, producers))
    destination, names = coded(texts_at(evidence, both, *DESTINATION))
    heard, sent = destination[: consumers.size], destination[consumers.size :]
    services = evidence.services.len()
    pair, distinct = renumbered((sent + 1) * services + evidence.service[producers])
    counts = np.bincount(pair, minlength=distinct.size)
    most = np.full(names.len() + 1, _NOBODY, dtype=np.int64)
    order = np.argsort(counts, kind="stable")  # the last one written is the largest
    most[distinct[order] // services] = distinct[order] % services
    return heard, names, most[heard + 1]


def _without_producers(groups: pl.DataFrame) -> pl.DataFrame:
    """Call it no more than worth knowing where no sender is in the traces: there was perhaps no context to take."""
    return groups.with_columns(
        severity=pl.when(pl.col("caller").is_null()).then(pl.lit("info")).otherwise(pl.col("severity"))
    )


def _says(group: Group) -> str:
    place = "" if group["detail"] is None else f" of messages from {group['detail']}"
    said = f"{group['said_count']}{place} that {group['service']} consumes have neither a parent nor a link."
    if group["caller"] is None:
        return f"{said} No span here sends such messages: perhaps their sender is not traced."
    sender = "it sends them itself" if group["caller"] == group["service"] else f"{group['caller']} sends them"
    return f"{said} In these traces {sender}, and its requests end there."
