"""What is said of sampling, and cannot be so: flags and thresholds."""

from __future__ import annotations

import numpy as np
import polars as pl

from tracelab.workload.faults.plot import HANDFUL, Fault, Plot
from tracelab.workload.systems.endpoints import CLIENT


def mixed_sampling_flags(plot: Plot) -> Fault | None:
    """Let one service write that its spans are not sampled, in about half of the sampled traces that it is part of.

    One that wrote so everywhere could not be told from an exporter that writes no flags, as that of Python.
    """
    draft = plot.draft
    top = draft.top()
    others = draft.keep & (draft.service[top] != draft.service)
    service = plot.pick(plot.services(others, subject="flags"))
    if service is None:
        return None
    plot.claim(("flags", service), ("mixed flags", service))
    decides = plot.rng.random(draft.parent.size) < 0.5
    rows = np.flatnonzero(draft.keep & (draft.service == service) & decides[top])
    draft.flags[rows] &= ~1
    return Fault(
        "mixed-sampling-flags",
        ("mixed-sampling-flags",),
        f"{plot.name(service)} says of some traces that its spans are not sampled.",
        rows,
        services=(service,),
        consequences=("unsampled-span-recorded",),
    )


def unsampled_span_recorded(plot: Plot) -> Fault | None:
    """Record some traces that one service begins and says are not sampled.

    Not all of them: where no span at all is said to be sampled, the exporter may just write no flags.
    """
    draft = plot.draft
    root = draft.keep & ((draft.parent < 0) | draft.linked) & (draft.kind != CLIENT)
    service = plot.pick(plot.services(root, subject="flags", least=2 * HANDFUL))
    taken = service is not None and not plot.is_free(("reused", service))
    if service is None or taken or any(claim[0] == "mixed flags" for claim in plot.claimed):
        return None
    plot.claim(("flags", service))
    roots = np.flatnonzero(root & (draft.service == service))
    roots = np.sort(plot.rng.permutation(roots)[: max(HANDFUL, int(roots.size * plot.rng.uniform(0.2, 0.6)))])
    rows = np.flatnonzero(draft.keep & np.isin(draft.top(), roots))
    draft.flags[rows] &= ~1
    there = tuple(np.unique(draft.service[rows]).tolist())
    plot.claim(*(("flags", other) for other in there))
    return Fault(
        "unsampled-span-recorded",
        ("unsampled-span-recorded",),
        f"Some traces that {plot.name(service)} begins are recorded though not sampled.",
        rows,
        services=there,
    )


def inconsistent_sampling_threshold(plot: Plot) -> Fault | None:
    """Let one service write another threshold than its callers, one that most traces would not have reached."""
    draft = plot.draft
    top = draft.top()
    inner = draft.keep & (draft.service[top] != draft.service)
    service = plot.pick(plot.services(inner, subject="threshold"))
    if service is None:
        return None
    plot.claim(("threshold", service))
    if "trace_state" not in draft.frame.columns:
        draft.frame = draft.frame.with_columns(trace_state=pl.lit("ot=th:0"))
    rows = np.flatnonzero(inner & (draft.service == service))
    shown = np.zeros(draft.parent.size, dtype=bool)
    shown[rows] = True
    draft.put("trace_state", shown, pl.lit("ot=th:e"))
    return Fault(
        "inconsistent-sampling-threshold",
        ("inconsistent-sampling-threshold",),
        f"{plot.name(service)} writes another sampling threshold than its callers.",
        rows,
        services=(service,),
    )
