"""The distinct trace ids: who began each trace, and its id in bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from tracelab.auditing.measures.hexadecimal import TRACE_ID_WIDTH, are_hex, in_bytes

if TYPE_CHECKING:
    import numpy.typing as npt

    from tracelab.array_types import Ints
    from tracelab.auditing.evidence import Evidence


def first_spans(evidence: Evidence) -> Ints:
    """List the place of the first span of every trace."""
    return evidence.kept("first spans", lambda: np.flatnonzero(np.diff(evidence.trace, prepend=-1)))


def distinct_trace_ids(evidence: Evidence) -> pl.Series:
    """List the trace ids in the order of their first spans."""
    return evidence.kept("trace ids", lambda: evidence.frame["trace_id"].gather(pl.Series(first_spans(evidence))))


def bytes_of_trace_ids(evidence: Evidence) -> tuple[Ints, npt.NDArray[np.uint8]]:
    """Give the numbers of the traces whose ids are hex of full width, and the 16 bytes of each of these ids."""
    return evidence.kept("bytes of trace ids", lambda: _bytes(distinct_trace_ids(evidence)))


def _bytes(ids: pl.Series) -> tuple[Ints, npt.NDArray[np.uint8]]:
    if are_hex(ids, TRACE_ID_WIDTH):
        return np.arange(ids.len()), in_bytes(ids, TRACE_ID_WIDTH)
    good = np.flatnonzero(ids.str.contains(f"^[0-9a-f]{{{TRACE_ID_WIDTH}}}$").to_numpy())
    return good, in_bytes(ids.gather(pl.Series(good)), TRACE_ID_WIDTH)
