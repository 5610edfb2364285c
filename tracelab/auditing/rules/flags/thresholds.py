"""Sampling thresholds in `tracestate` that contradict the trace id, or each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.auditing.findings import Group, Symptom, findings_of, nothing
from tracelab.auditing.measures.trace_ids import bytes_of_trace_ids, first_spans
from tracelab.numbering import coded

if TYPE_CHECKING:
    from tracelab.array_types import Ints
    from tracelab.auditing.evidence import Evidence

_DIGITS: Final = 14
_UNKNOWN: Final = -1
_OPEN_TELEMETRY: Final = r"(?:^|,)\s*ot=([^,]*)"
_THRESHOLD: Final = r"(?:^|;)th:([0-9a-f]{1,14})\s*(?:;|$)"
_RANDOMNESS: Final = r"(?:^|;)rv:([0-9a-f]{14})\s*(?:;|$)"


def inconsistent_sampling_threshold(evidence: Evidence) -> pl.DataFrame:
    """Find spans whose threshold would have dropped them, and children with another threshold than their parent.

    A span is sampled if its randomness, 56 bits of the trace id or `rv`, is not below the threshold.
    """
    states = evidence.frame["trace_state"]
    if states.null_count() == evidence.count:
        return nothing()
    code, distinct = coded(states)
    # One more for the spans without any, whose code is -1.
    threshold = np.append(_numbers(distinct, _THRESHOLD), _UNKNOWN)[code]
    if not (threshold >= 0).any():
        return nothing()
    given = np.append(_numbers(distinct, _RANDOMNESS), _UNKNOWN)[code]
    randomness = np.where(given >= 0, given, _of_trace_ids(evidence)[evidence.trace])
    rows = np.flatnonzero((threshold >= 0) & (randomness >= 0))
    dropped = randomness[rows] < threshold[rows]
    parent = evidence.parent[rows]
    differs = (parent >= 0) & (threshold[parent] >= 0) & (threshold[parent] != threshold[rows]) & ~dropped
    return pl.concat(
        [
            findings_of(
                evidence,
                Symptom("inconsistent-sampling-threshold", "warning", _says_dropped, shown=dropped, rows=rows),
            ),
            findings_of(
                evidence,
                Symptom("inconsistent-sampling-threshold", "info", _says_other, shown=differs, rows=rows),
            ),
        ]
    )


def _numbers(states: pl.Series, field: str) -> Ints:
    """Read a field of OpenTelemetry's part of `tracestate`; zeros at the end may be left out."""
    text = states.str.extract(_OPEN_TELEMETRY).str.extract(field).str.pad_end(_DIGITS, "0")
    return text.str.to_integer(base=16, dtype=pl.Int64).fill_null(_UNKNOWN).to_numpy()


def _of_trace_ids(evidence: Evidence) -> Ints:
    """Give the last 56 bits of every trace id as a number, -1 where the id is not hex."""
    number, held = bytes_of_trace_ids(evidence)
    found = np.full(first_spans(evidence).size, _UNKNOWN, dtype=np.int64)
    last = held[:, -_DIGITS // 2 :].astype(np.int64)
    found[number] = (last << np.arange(8 * (_DIGITS // 2 - 1), -1, -8)).sum(axis=1)
    return found


def _says_dropped(group: Group) -> str:
    return (
        f"{group['said_count']} with a sampling threshold of {group['service']} have one that would have dropped them: "
        "their trace id (or rv) is below it."
    )


def _says_other(group: Group) -> str:
    return (
        f"{group['said_count']} with a sampling threshold of {group['service']} have another one than their parents, "
        "as where a service samples by itself."
    )
