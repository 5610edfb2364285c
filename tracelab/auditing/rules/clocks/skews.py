"""Hosts whose clocks are wrong."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.auditing.findings import Group, Symptom, findings_of, nothing, quoted
from tracelab.auditing.measures.offsets import Clocks, clocks_of
from tracelab.clocks.agreement import FAR
from tracelab.units import format_duration

if TYPE_CHECKING:
    from tracelab.array_types import Ints
    from tracelab.auditing.evidence import Evidence

_HARMLESS: Final = 1_000_000  # clocks that NTP keeps are seldom closer


def clock_skew(evidence: Evidence) -> pl.DataFrame:
    """Find hosts whose clocks disagree with those of the hosts that they talk to."""
    clocks = clocks_of(evidence)
    if not clocks.wrong.height:
        return nothing()
    wrong = {name: clocks.wrong[name].to_numpy() for name in clocks.wrong.columns}
    host = wrong["host"][clocks.blamed]
    figures = {name: wrong[name][clocks.blamed] for name in ("offset", "lower", "upper", "against")}
    return findings_of(
        evidence,
        Symptom(
            "clock-skew",
            "warning",
            partial(_says, clocks),
            shown=clocks.contradicts,
            rows=clocks.calls,
            service=_service_of(evidence, clocks)[clocks.blamed],
            detail=clocks.blamed,
            details=clocks.hosts.gather(clocks.wrong["host"]),
            weight=_clearness(evidence, clocks, host),
            unit="calls",
            figures=figures,
            judge=_judged,
        ),
    )


def _clearness(evidence: Evidence, clocks: Clocks, host: Ints) -> Ints:
    """Tell how far calls lie outside of their callers; those first that the right clock puts inside of them.

    Of these come first calls whose other host has the right time.
    """
    call, caller = clocks.calls, evidence.parent[clocks.calls]
    early = evidence.start[caller] - evidence.start[call]
    late = evidence.end[call] - evidence.end[caller]
    offset = np.zeros(clocks.hosts.len(), dtype=np.int64)
    offset[clocks.wrong["host"].to_numpy()] = clocks.wrong["offset"].to_numpy()
    by = offset[clocks.host[call]] - offset[clocks.host[caller]]
    fits = (early <= by) & (late <= -by)
    other = np.where(clocks.host[call] == host, clocks.host[caller], clocks.host[call])
    clearness: Ints = np.maximum(early, late) - FAR // 2 * ~fits - FAR // 4 * (offset[other] != 0)
    return clearness


def _service_of(evidence: Evidence, clocks: Clocks) -> Ints:
    """Give the service that most of the calls to and from each wrong host are about."""
    host = clocks.wrong["host"].to_numpy()[clocks.blamed]
    called = clocks.host[clocks.calls] == host
    row = np.where(called, clocks.calls, evidence.parent[clocks.calls])
    table = pl.DataFrame({"blamed": clocks.blamed, "service": evidence.service[row]})
    most = table.group_by("blamed").agg(pl.col("service").mode().min()).sort("blamed")
    found = np.zeros(clocks.wrong.height, dtype=np.int64)
    found[most["blamed"].to_numpy()] = most["service"].to_numpy()
    return found


def _judged(groups: pl.DataFrame) -> pl.DataFrame:
    small = pl.col("offset").abs() < _HARMLESS
    return groups.with_columns(severity=pl.when(small).then(pl.lit("info")).otherwise("severity"))


def _says(clocks: Clocks, group: Group) -> str:
    way, off, low, high = "behind", group["offset"], group["lower"], group["upper"]
    if off < 0:
        way, off, low, high = "ahead", -off, -high, -low
    bound = f"at least {format_duration(low)}" if high > FAR // 2 else _size(off, low, high)
    said = f"The clock of {group['detail']} is {bound} {way}: {group['said_count']} do not fit into their callers."
    if group["against"] >= 0:
        other = quoted(clocks.hosts[int(group["against"])])
        said += f" It may as well be that of {other}, by as much {'ahead' if way == 'behind' else 'behind'}."
    return said


def _size(offset: float, low: float, high: float) -> str:
    return f"{format_duration(offset)} ({format_duration(low)} to {format_duration(high)})"
