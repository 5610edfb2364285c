"""Work on messages that nothing ties to who sent them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.auditing.evidence import CONSUMER, PRODUCER
from tracelab.auditing.findings import HOPS, Group, Symptom, findings_of, nothing
from tracelab.auditing.measures.some_rows import children_of, has_links, texts_at
from tracelab.auditing.measures.split_calls import DESTINATION, split_calls
from tracelab.numbering import coded, renumbered

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Ints
    from tracelab.auditing.evidence import Evidence

_COUNT: Final = ("span.messaging.batch.message_count",)
_NOBODY: Final = -1


def parentless_consumer(evidence: Evidence) -> pl.DataFrame:
    """Find spans of kind consumer that have neither a parent nor a link."""
    consumers = np.flatnonzero(evidence.kind == CONSUMER)
    shown = _untied(evidence, consumers)
    if not shown.any():
        return nothing()
    destination, names, sender, sent = _destinations(evidence, consumers)
    return findings_of(
        evidence,
        Symptom(
            "parentless-consumer",
            "warning",
            _says,
            shown=shown,
            rows=consumers,
            caller=sender,
            callee=evidence.service[consumers],
            hop=np.full(consumers.size, HOPS.index("queue"), dtype=np.int64),
            detail=destination,
            details=names,
            weight=evidence.duration[consumers],
            figures={"sent": sent.astype(np.float64)},
            judge=_without_senders,
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


def _destinations(evidence: Evidence, consumers: Ints) -> tuple[Ints, pl.Series, Ints, Flags]:
    """Give numbers to the destinations of consumers, and tell which service sends to each, and whether any does.

    Where several do, it is those whose messages seem to have been consumed there; -1 if it cannot be told.
    """
    producers = np.flatnonzero(evidence.kind == PRODUCER)
    both = np.concatenate((consumers, producers))
    destination, names = coded(texts_at(evidence, both, *DESTINATION))
    heard, sent = destination[: consumers.size], destination[consumers.size :]
    services = evidence.services.len()
    sender = _only(sent, evidence.service[producers], names.len())[heard + 1]
    splits = split_calls(evidence)
    if splits is not None:
        place = np.full(evidence.count, _NOBODY, dtype=np.int64)
        place[consumers] = renumbered((heard + 1) * services + evidence.service[consumers])[0]
        matched = place[splits.root] >= 0
        where, who = place[splits.root][matched], evidence.service[splits.call][matched]
        sender = np.where(sender < 0, _only(where, who, int(place.max()) + 1)[place[consumers] + 1], sender)
    return heard, names, sender, np.isin(heard, sent)


def _only(place: Ints, service: Ints, places: int) -> Ints:
    """Give the one service of each place, or -1; the first item is that of -1, which is a place like others."""
    lowest, highest = np.full(places + 1, np.iinfo(np.int64).max), np.full(places + 1, _NOBODY, dtype=np.int64)
    np.minimum.at(lowest, place + 1, service)
    np.maximum.at(highest, place + 1, service)
    return np.where(lowest == highest, highest, _NOBODY)


def _without_senders(groups: pl.DataFrame) -> pl.DataFrame:
    """Call it no more than worth knowing where no sender is in the traces: there was perhaps no context to take."""
    return groups.with_columns(severity=pl.when(pl.col("sent") < 1).then(pl.lit("info")).otherwise(pl.col("severity")))


def _says(group: Group) -> str:
    place = "" if group["detail"] is None else f" of messages from {group['detail']}"
    said = f"{group['said_count']}{place} that {group['service']} consumes have neither a parent nor a link."
    if group["caller"] is None and group["sent"] > 0:
        return f"{said} Several services here send such messages, and their requests end there."
    if group["caller"] is None:
        return f"{said} No span here sends such messages: perhaps their sender is not traced."
    sender = "it sends them itself" if group["caller"] == group["service"] else f"{group['caller']} sends them"
    return f"{said} In these traces {sender}, and its requests end there."
