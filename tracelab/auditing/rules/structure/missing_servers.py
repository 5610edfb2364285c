"""Calls of services that make server spans for others, and made none for these."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.auditing.evidence import CLIENT, DATABASE_KEYS, INTERNAL, SERVER, UNSPECIFIED
from tracelab.auditing.explanations.explaining import EXPLANATIONS, UNEXPLAINED, explained
from tracelab.auditing.explanations.exposures import Exposures
from tracelab.auditing.findings import Group, Symptom, findings_of, nothing
from tracelab.auditing.measures.enclosing import enclosing
from tracelab.auditing.measures.peers import addresses, are_public, meant
from tracelab.auditing.measures.some_rows import in_traces_of, share_their_id
from tracelab.auditing.measures.split_calls import split_calls
from tracelab.schema import STATUS_CODES

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Ints
    from tracelab.auditing.evidence import Evidence

_ERROR: Final = STATUS_CODES.index("error")
_NOBODY: Final = -1
_MOST: Final = 0.5
_FEW: Final = 3


def missing_server_span(evidence: Evidence) -> pl.DataFrame:
    """Find calls that no server span answers, of services that are instrumented, and tell why."""
    if not evidence.kinds_of_services[:, SERVER].any():
        return nothing()
    # A call with further spans of its own service below it, such as of a second library, is left to these.
    calls = np.flatnonzero((evidence.kind == CLIENT) & evidence.childless)
    calls = calls[~evidence.has_at(calls, *DATABASE_KEYS)]
    # What failed may never have arrived.
    failed = evidence.frame["status_code"].to_physical().gather(calls) == _ERROR
    calls = calls[~failed.to_numpy()]
    if not calls.size:
        return nothing()
    callee = _callees(evidence, calls)
    told = (callee != _NOBODY) & (callee != evidence.service[calls])
    calls, callee = calls[told], callee[told]
    if not calls.size:
        return nothing()
    excused = _excused(evidence, calls)
    calls, callee = calls[~excused], callee[~excused]
    if not calls.size:
        return nothing()
    exposures = _exposed(evidence, calls, callee)
    number = explained(evidence, exposures)
    return pl.concat(
        findings_of(evidence, _symptom(evidence, exposures, exposures.absent & (number == one), one))
        for one in np.unique(number[exposures.absent]).tolist()
    )


def _callees(evidence: Evidence, calls: Ints) -> Ints:
    """Tell the service that each call is meant for, where its address stands for one that has server spans."""
    address, texts = addresses(evidence, calls)
    of_address, service = meant(evidence, texts)
    # `api.stripe.com` is somebody else's, whatever the services are called.
    public = are_public(texts)
    of_address, service = of_address[~public[of_address]], service[~public[of_address]]
    serves = evidence.kinds_of_services[:, SERVER].copy()
    # What hangs below spans of others answers them as well, where it is of no kind that calls or takes from a queue.
    crossing = np.flatnonzero(evidence.crossing)
    serves[evidence.service[crossing[evidence.of_kinds(crossing, UNSPECIFIED, INTERNAL)]]] = True
    of_address, service = of_address[serves[service]], service[serves[service]]
    callee = np.full(texts.len() + 1, _NOBODY, dtype=np.int64)
    callee[of_address] = service
    # What may stand for several services stands for none that is known.
    callee[:-1][np.bincount(of_address, minlength=texts.len()) > 1] = _NOBODY
    return callee[address]


def _excused(evidence: Evidence, calls: Ints) -> Flags:
    """Mark the calls that another rule speaks of, or whose answer hangs below another span."""
    excused = np.zeros(calls.size, dtype=bool)
    splits = split_calls(evidence)
    if splits is not None:
        # On an edge that loses the context, roots that fit less well belong to the other calls.
        excused |= np.isin(calls, splits.asked) | np.isin(calls, splits.call)
    open_calls = np.zeros(evidence.count, dtype=bool)
    open_calls[calls] = True
    tops = np.flatnonzero((evidence.orphan | evidence.true_root) & in_traces_of(evidence, calls))
    around = enclosing(evidence, tops, among=open_calls)
    excused |= np.isin(calls, around[around >= 0])
    places = np.flatnonzero(~excused)
    excused[places[share_their_id(evidence, calls[places])]] = True
    return excused


def _exposed(evidence: Evidence, calls: Ints, callee: Ints) -> Exposures:
    """Put the calls beside those of the same edges that were answered."""
    services = evidence.services.len()
    edges = np.unique(evidence.service[calls] * services + callee)
    answers = np.flatnonzero(evidence.crossing)
    answers = answers[evidence.kind[evidence.parent[answers]] == CLIENT]
    edge = evidence.parent_service[answers] * services + evidence.service[answers]
    answers = answers[np.isin(edge, edges)]
    answered, first = np.unique(evidence.parent[answers], return_index=True)
    answers = answers[first]
    return Exposures(
        evidence,
        np.concatenate((calls, answered)),
        np.concatenate((callee, evidence.service[answers])),
        np.arange(calls.size + answered.size) < calls.size,
        np.concatenate((np.full(calls.size, _NOBODY), answers)),
    )


def _symptom(evidence: Evidence, exposures: Exposures, shown: Flags, number: int) -> Symptom:
    rows = exposures.rows
    return Symptom(
        "missing-server-span",
        "warning" if number == UNEXPLAINED else "info",
        _SAYS[number],
        shown=shown,
        rows=rows,
        service=exposures.hidden,
        caller=evidence.service[rows],
        callee=exposures.hidden,
        hop=evidence.hops(rows),
        weight=evidence.duration[rows],
        unit="calls",
        explanation=EXPLANATIONS[number],
        judge=_mild_unless_most,
    )


def _mild_unless_most(groups: pl.DataFrame) -> pl.DataFrame:
    """Make mild what an edge does not lose most of: some calls never arrive, or are not waited for."""
    mild = (pl.col("share") < _MOST) | (pl.col("count") < _FEW)
    return groups.with_columns(severity=pl.when(mild).then(pl.lit("info")).otherwise("severity"))


def _calls(group: Group) -> str:
    return f"{group['said_count']} from {group['caller']} to {group['callee']} have no server span"


def _says(group: Group) -> str:
    return f"{_calls(group)}, though {group['callee']} records others."


def _says_sampling(group: Group) -> str:
    return f"{_calls(group)}: {group['callee']} has no span at all in these traces. It samples by a ratio of its own."


def _says_dropped(group: Group) -> str:
    return f"{_calls(group)}: spans are missing as often everywhere, dropped one by one."


def _says_window(group: Group) -> str:
    return f"{_calls(group)}, where the dump begins or ends: they lie outside of it."


def _says_lost(group: Group) -> str:
    return f"{_calls(group)}, all while {group['callee']} or an instance of it sent no spans: its export failed."


_SAYS: Final = (_says, _says_sampling, _says_window, _says_lost, _says_dropped)
