"""Ids that are no ids: of the wrong length, of zeros, or with other characters than hex."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.auditing.findings import Group, Symptom, findings_of, nothing
from tracelab.auditing.measures.hexadecimal import SPAN_ID_WIDTH, TRACE_ID_WIDTH, are_hex
from tracelab.auditing.measures.trace_ids import distinct_trace_ids, first_spans

if TYPE_CHECKING:
    from tracelab.array_types import Ints
    from tracelab.auditing.evidence import Evidence

_FAULTS: Final = ("zeros only", "the wrong length", "other characters than hex", "upper-case letters")


def invalid_id(evidence: Evidence) -> pl.DataFrame:
    """Find ids that are not valid in W3C's Trace Context and OTLP."""
    return pl.concat(
        [
            nothing(),
            *_found(evidence, distinct_trace_ids(evidence), TRACE_ID_WIDTH, first_spans(evidence), "traces"),
            *_found(evidence, evidence.frame["span_id"], SPAN_ID_WIDTH, None, "spans"),
        ]
    )


def _found(evidence: Evidence, ids: pl.Series, width: int, rows: Ints | None, unit: str) -> list[pl.DataFrame]:
    if are_hex(ids, width) and not (ids == "0" * width).any():
        return []
    fault = _faults(ids, width)
    details = pl.Series([f"{unit[:-1]} ids: {fault}" for fault in _FAULTS])
    return [
        findings_of(
            evidence,
            Symptom(
                "invalid-id",
                "error",
                _says,
                shown=fault == number,
                rows=rows,
                service=None if rows is None else evidence.service[rows],
                detail=np.full(ids.len(), number),
                details=details,
                unit=unit,
            ),
        )
        for number in np.unique(fault[fault >= 0]).tolist()
    ]


def _faults(ids: pl.Series, width: int) -> Ints:
    """Tell what is wrong with ids, as numbers of `_FAULTS`; -1 where nothing is."""
    text = pl.col(ids.name)
    fault = (
        pl.when(text.str.contains("^0+$")).then(0)
        .when(text.str.len_bytes() != width).then(1)
        .when(~text.str.contains("^[0-9a-fA-F]*$")).then(2)
        .when(text.str.contains("[A-F]")).then(3)
        .otherwise(-1)
    )  # fmt: skip
    return ids.to_frame().select(fault.cast(pl.Int64)).to_series().to_numpy()


def _says(group: Group) -> str:
    what, _, fault = group["detail"].strip("'").partition(": ")
    return f"{group['said_count']} of {group['service']} have {what} with {fault}."
