"""Systems with faults planted in them, and the truth about both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.workload.faults import (
    clocks,
    contents,
    conventions,
    failures,
    identities,
    losses,
    propagation,
    sampling,
    shapes,
)
from tracelab.workload.faults.plot import Fault, Plot
from tracelab.workload.systems.draft import Draft
from tracelab.workload.systems.landscape import draw_system

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracelab.workload.faults.plot import Planting

# What takes a service or an edge for itself is planted first, in an order that chance decides: no kind shall always
# find all places taken.
_STRUCTURE: Final[dict[str, Planting]] = {
    "own-sampling": losses.own_sampling,
    "lost-export": losses.lost_export,
    "clock-skew": clocks.clock_skew,
    "client-root": shapes.client_root,
    "parent-not-exported": losses.parent_not_exported,
    "missing-server-span": shapes.missing_server_span,
    "context-lost-queue": propagation.context_lost_queue,
    "context-lost-grpc": propagation.context_lost_grpc,
    "context-lost-http": propagation.context_lost_http,
    "missing-client-span": shapes.missing_client_span,
    "internal-across-services": shapes.internal_across_services,
    "shared-span-id": identities.shared_span_id,
    "double-instrumentation": shapes.double_instrumentation,
}
# Then what spans say, then what holds of whole traces, in this order.
_REST: Final[dict[str, Planting]] = {
    "context-lost-in-process": propagation.context_lost_in_process,
    "span-cycle": identities.span_cycle,
    "duplicate-span-id": identities.duplicate_span_id,
    "server-error-without-status": failures.server_error_without_status,
    "error-without-type": failures.error_without_type,
    "error-attribute-without-status": failures.error_attribute_without_status,
    "exception-without-error": failures.exception_without_error,
    "error-type-on-success": failures.error_type_on_success,
    "event-outside-span": clocks.event_outside_span,
    "unbounded-span-names": contents.unbounded_span_names,
    "secret-in-attributes": contents.secret_in_attributes,
    "personal-data-in-attributes": contents.personal_data_in_attributes,
    "attribute-at-wrong-level": conventions.attribute_at_wrong_level,
    "old-attribute-names": conventions.old_attribute_names,
    "mixed-attribute-names": conventions.mixed_attribute_names,
    "short-trace-id": identities.short_trace_id,
    "reused-trace-id": identities.reused_trace_id,
    "non-random-trace-id": identities.non_random_trace_id,
    "inconsistent-sampling-threshold": sampling.inconsistent_sampling_threshold,
    "mixed-sampling-flags": sampling.mixed_sampling_flags,
    "unsampled-span-recorded": sampling.unsampled_span_recorded,
    "window-cut": losses.window_cut,
    "exported-twice": identities.exported_twice,
}
FAULTS: Final[dict[str, Planting]] = _STRUCTURE | _REST
"""What can be planted, by kind."""

TRUTH: Final = pl.Schema(
    {
        "kind": pl.String(),
        "rules": pl.List(pl.String()),
        "consequences": pl.List(pl.String()),
        "severity": pl.String(),
        "service_name": pl.String(),
        "services": pl.List(pl.String()),
        "caller": pl.String(),
        "callee": pl.String(),
        "count": pl.Int64(),
        "findable": pl.Boolean(),
        "fault": pl.String(),
        "trace_ids": pl.List(pl.String()),
        "span_ids": pl.List(pl.String()),
    }
)
_FEWEST: Final = 5


def plant(
    rng: np.random.Generator, *, traces: int, begin: int, faults: Mapping[str, int]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Draw a system, let requests come, plant faults, and write down spans and truth."""
    draft = Draft.drawn(draw_system(rng), rng, traces=traces, begin=begin)
    plot = Plot(draft, rng)
    planted = []
    first = [kind for kind in _STRUCTURE for _ in range(faults.get(kind, 0))]
    order = [first[place] for place in rng.permutation(len(first)).tolist()]
    rest = [kind for kind in _REST for _ in range(faults.get(kind, 0))]
    for kind in [*order, *rest]:
        fault = FAULTS[kind](plot)
        if fault is not None:
            planted.append(fault)
    written = draft.written()
    return written.drop("row"), _truth(draft, written, planted)


def _severity(draft: Draft, fault: Fault) -> str:
    judge = fault.only_worth_to_know
    return "info" if judge is not None and judge(draft) else fault.severity


def _truth(draft: Draft, written: pl.DataFrame, planted: list[Fault]) -> pl.DataFrame:
    ids = written.unique("row", keep="first", maintain_order=True)
    place = np.full(draft.parent.size, -1)
    place[ids["row"].to_numpy()] = np.arange(ids.height)
    names = [service.name for service in draft.system.services]
    rows = []
    for fault in planted:
        shown = place[np.unique(fault.rows)]
        seen = place[np.unique(np.concatenate([fault.rows, fault.touched]))]
        count = int((shown >= 0).sum())
        spans = ids[seen[seen >= 0]]
        rows.append(
            {
                "kind": fault.kind,
                "rules": list(fault.rules),
                "consequences": list(fault.consequences),
                "severity": _severity(draft, fault),
                "service_name": names[fault.services[0]] if fault.services else None,
                "services": [names[service] for service in fault.services],
                "caller": None if fault.caller is None else names[fault.caller],
                "callee": None if fault.callee is None else names[fault.callee],
                "count": count,
                "findable": count >= _FEWEST,
                "fault": fault.says,
                "trace_ids": spans["trace_id"].unique(maintain_order=True).to_list(),
                "span_ids": spans["span_id"].unique(maintain_order=True).to_list(),
            }
        )
    return pl.DataFrame(rows, schema=TRUTH)
