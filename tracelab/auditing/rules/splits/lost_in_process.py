"""Work that belongs below a request of its own process and begins a trace of its own."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.auditing.findings import HOPS, Group, Symptom, findings_of, nothing, quoted
from tracelab.auditing.measures.lost_roots import LostRoots, lost_roots
from tracelab.auditing.rules.splits.words import by_coincidence

if TYPE_CHECKING:
    from tracelab.array_types import Ints
    from tracelab.auditing.evidence import Evidence

_HALF: Final = 0.5
_MOSTLY: Final = 0.5


def lost_in_process(evidence: Evidence) -> pl.DataFrame:
    """Find roots that belong below a request of their own process."""
    lost = lost_roots(evidence)
    if lost is None:
        return nothing()
    rows, group = _alike(evidence, lost)
    symptom = Symptom(
        "lost-in-process",
        "error",
        partial(_says, lost=lost, above=_names_above(evidence, lost)),
        shown=np.isin(rows, lost.rows),
        rows=rows,
        service=lost.service[group],
        hop=np.full(rows.size, HOPS.index("in-process"), dtype=np.int64),
        detail=group,
        details=lost.name,
        weight=evidence.duration[rows],
        judge=_judge,
    )
    return findings_of(evidence, symptom)


def _alike(evidence: Evidence, lost: LostRoots) -> tuple[Ints, Ints]:
    """List the spans that have the service and the name of lost ones, and the group of each."""
    looked_for = pl.DataFrame(
        {
            "service_name": evidence.services.gather(lost.service),
            "name": lost.name,
            "group": np.arange(lost.service.size),
        }
    )
    found = (
        evidence.frame.lazy()
        .select("service_name", "name")
        .with_row_index("row")
        .filter(pl.col("name").is_in(lost.name.drop_nulls().implode()))
        .join(looked_for.lazy(), on=["service_name", "name"])
        .select(pl.col("row").cast(pl.Int64), "group")
        .collect()
    )
    rare = lost.name.is_null().to_numpy()[lost.group]
    rows = np.concatenate((found["row"].to_numpy(), lost.rows[rare]))
    group = np.concatenate((found["group"].to_numpy(), lost.group[rare]))
    order = np.argsort(rows)
    return rows[order], group[order]


def _names_above(evidence: Evidence, lost: LostRoots) -> list[str]:
    """Name what each group most often belongs below."""
    names = pl.DataFrame({"group": lost.group, "name": evidence.frame["name"].gather(lost.above)})
    return names.group_by("group").agg(pl.col("name").mode().min()).sort("group")["name"].to_list()


def _judge(groups: pl.DataFrame) -> pl.DataFrame:
    """Call it an error where most spans of the name are lost."""
    mostly = pl.col("share") >= _MOSTLY
    return groups.with_columns(severity=pl.when(mostly).then("severity").otherwise(pl.lit("warning")))


def _says(group: Group, *, lost: LostRoots, above: list[str]) -> str:
    number = group["_detail"]
    what = "" if group["detail"] is None else f" named {group['detail']}"
    return (
        f"{group['said_count']}{what} of {group['service']} begin a trace of their own while the same process works on "
        f"a {'job' if lost.jobs[number] else 'request'} that they belong to (mostly {quoted(above[number])}). "
        f"{_coincidence(float(lost.expected[number]), group['count'])}"
    )


def _coincidence(expected: float, count: int) -> str:
    """Say what coincidence would give, and what tells where that is most of it."""
    told = by_coincidence(expected)
    if expected <= _HALF * count:
        return told
    return f"{told.removesuffix('.')}, since some request is nearly always open; but hardly any begins when none is."
