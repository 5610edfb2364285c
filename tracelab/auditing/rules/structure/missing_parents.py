"""Spans whose parent was never received."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.auditing.explanations.explaining import EXPLANATIONS, UNEXPLAINED, explained
from tracelab.auditing.explanations.exposures import Exposures
from tracelab.auditing.findings import HOPS, Group, Symptom, findings_of, nothing
from tracelab.auditing.measures.callers import UNKNOWN, are_there, hidden_callers, is_local
from tracelab.numbering import renumbered
from tracelab.schema import KINDS

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Ints
    from tracelab.auditing.evidence import Evidence

_IN_PROCESS: Final = HOPS.index("in-process")
_OFTEN: Final = 0.05
"""From which share on a parent that is missing is more than one lost now and then."""

_MOST: Final = 0.5
_FEW: Final = 3
_FEW_UNKNOWN: Final = 5
_FEW_OF_MANY: Final = 10
"""How often it must be missing for that: where most are missing, where nobody knows whose, and where most are there."""


def missing_parent(evidence: Evidence) -> pl.DataFrame:
    """Find spans that name a parent which is not in their trace, and tell whose it is and why it is missing."""
    orphans = np.flatnonzero(evidence.orphan)
    if not orphans.size:
        return nothing()
    exposures = exposed(evidence, orphans)
    number = explained(evidence, exposures)
    exposures = _without_guesses(evidence, exposures, exposures.absent & (number == UNEXPLAINED))
    found = [
        findings_of(evidence, _symptom(evidence, exposures, exposures.absent & (number == one), one))
        for one in np.unique(number[exposures.absent]).tolist()
    ]
    return pl.concat(found)


def exposed(evidence: Evidence, orphans: Ints) -> Exposures:
    """Gather the spans that name a parent on the edges on which some are missing, with the service of the parent."""
    hidden = evidence.parent_service.copy()
    hidden[orphans] = hidden_callers(evidence, orphans)
    services = evidence.services.len()
    edge = (hidden + 1) * services + evidence.service
    rows = np.flatnonzero(evidence.named_parent & ~evidence.on_cut_cycle & np.isin(edge, edge[orphans]))
    # Within a service, only such spans are compared as those that are missing a parent.
    local = is_local(evidence, rows) & (hidden[rows] == evidence.service[rows])
    kinds = evidence.service * len(KINDS) + evidence.kind
    alike = np.isin(kinds[rows], kinds[orphans])
    rows = rows[~local | alike]
    return Exposures(evidence, rows, hidden[rows], evidence.parent[rows] < 0, evidence.parent[rows])


def _without_guesses(evidence: Evidence, exposures: Exposures, unexplained: Flags) -> Exposures:
    """Name no caller that has no span at all in most of the requests for which nothing explains that."""
    rows = np.flatnonzero(unexplained & (exposures.hidden >= 0))
    edge, _ = renumbered(exposures.hidden[rows] * evidence.services.len() + evidence.service[exposures.rows[rows]])
    gone = ~are_there(evidence, exposures.rows[rows], exposures.hidden[rows])
    hidden = exposures.hidden.copy()
    hidden[rows[gone & (np.bincount(edge, gone) > np.bincount(edge) / 2)[edge]]] = UNKNOWN
    return replace(exposures, hidden=hidden)


def _symptom(evidence: Evidence, exposures: Exposures, shown: Flags, number: int) -> Symptom:
    rows = exposures.rows
    within = exposures.hidden == evidence.service[rows]
    return Symptom(
        "missing-parent",
        "warning" if number == UNEXPLAINED else "info",
        _SAYS[number],
        shown=shown,
        rows=rows,
        caller=exposures.hidden,
        callee=evidence.service[rows],
        hop=np.where(within, _IN_PROCESS, evidence.hops(rows)),
        weight=evidence.duration[rows],
        unit="spans",
        explanation=EXPLANATIONS[number],
        judge=_mild_if_seldom,
    )


def _mild_if_seldom(groups: pl.DataFrame) -> pl.DataFrame:
    """Make mild what is seldom: spans are lost now and then everywhere."""
    few_of_most = pl.when(pl.col("caller").is_null()).then(_FEW_UNKNOWN).otherwise(_FEW)
    few = pl.when(pl.col("share") < _MOST).then(_FEW_OF_MANY).otherwise(few_of_most)
    mild = (pl.col("share") < _OFTEN) | (pl.col("count") < few)
    return groups.with_columns(severity=pl.when(mild).then(pl.lit("info")).otherwise("severity"))


def _says(group: Group) -> str:
    return f"{_of_whom(group)} name a parent that is not in their trace{_whose(group)}."


def _says_sampling(group: Group) -> str:
    return (
        f"{_of_whom(group)} name a parent that is not in their trace: {group['caller']} has no span at all in these "
        f"traces, whenever they ran. It samples by a ratio of its own."
    )


def _says_window(group: Group) -> str:
    return (
        f"{_of_whom(group)} name a parent that is not in their trace, where the dump begins or ends: the spans of "
        f"{group['caller']} lie outside of it."
    )


def _says_lost(group: Group) -> str:
    return (
        f"{_of_whom(group)} name a parent that is not in their trace, all while {group['caller']} or an instance of it "
        f"sent no spans: its export failed for a while."
    )


def _says_dropped(group: Group) -> str:
    return (
        f"{_of_whom(group)} name a parent that is not in their trace. Parents are missing as often everywhere: spans "
        "are dropped one by one, by a sampler that does not look at traces or by an overload."
    )


def _of_whom(group: Group) -> str:
    if group["caller"] is None:
        return f"{group['said_count']} of {group['service']} whose caller is not known"
    if group["caller"] == group["callee"]:
        return f"{group['said_count']} of {group['service']} that run below others of it"
    return f"{group['said_count']} of {group['service']} that are called by {group['caller']}"


def _whose(group: Group) -> str:
    if group["caller"] is None:
        return ": whoever calls does not send spans to where this dump is from, or sends none"
    return f": spans of {group['caller']} are missing"


_SAYS: Final = (_says, _says_sampling, _says_window, _says_lost, _says_dropped)
