"""The sampled flag: spans that were recorded though it says that they were not sampled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.auditing.findings import Group, Symptom, findings_of, nothing

if TYPE_CHECKING:
    from tracelab.auditing.evidence import Evidence

_W3C: Final = 0xFF  # above stands what OTLP says of the parent
_SAMPLED: Final = 1


def sampled_bits(evidence: Evidence) -> pl.DataFrame:
    """Find spans that say that they are not sampled: against the other spans of their trace, or with all of them.

    In OTLP a flag that nobody wrote is zero too, and Python's exporter never writes any: a service is taken at its word
    only if some of its spans have a flag of W3C.
    """
    written = evidence.frame["flags"]
    if written.null_count() == evidence.count:
        return nothing()
    there = written.is_not_null().to_numpy()
    flags = written.fill_null(_SAMPLED).to_numpy() & _W3C
    unsampled = (flags & _SAMPLED) == 0
    if not unsampled.any():
        return nothing()
    fills = np.zeros(evidence.services.len(), dtype=bool)
    fills[evidence.service[there & (flags != 0)]] = True
    if not fills.any():
        return nothing()
    known = there & fills[evidence.service]
    sampled = np.zeros(int(evidence.trace.max()) + 1, dtype=bool)
    sampled[evidence.trace[known & ~unsampled]] = True
    against = known & unsampled & sampled[evidence.trace]
    rows, silent = np.flatnonzero(known), np.flatnonzero(there & ~known)
    return pl.concat(
        [
            findings_of(
                evidence, Symptom("mixed-sampling-flags", "warning", _says_mixed, shown=against[rows], rows=rows)
            ),
            findings_of(
                evidence,
                Symptom(
                    "unsampled-span-recorded",
                    "warning",
                    _says_unsampled,
                    shown=(unsampled & ~against)[rows],
                    rows=rows,
                ),
            ),
            findings_of(
                evidence,
                Symptom("unsampled-span-recorded", "info", _says_silent, shown=unsampled[silent], rows=silent),
            ),
        ]
    )


def _says_mixed(group: Group) -> str:
    return (
        f"{group['said_count']} of {group['service']} say that they are not sampled, while other spans of their traces "
        "say that they are."
    )


def _says_unsampled(group: Group) -> str:
    return f"{group['said_count']} of {group['service']} were exported though their traces are not sampled."


def _says_silent(group: Group) -> str:
    return (
        f"{group['said_count']} of {group['service']} say that they are not sampled: it seems that its exporter writes "
        "no W3C flags."
    )
