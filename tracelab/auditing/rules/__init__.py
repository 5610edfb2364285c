"""The rules: what each one looks for, by the subject that it is about.

A rule is a function that is given the evidence and gives back findings. The names here are those that `rule` has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import polars as pl

from tracelab.auditing.evidence import Evidence
from tracelab.auditing.rules.clocks.children import child_outside_parent
from tracelab.auditing.rules.clocks.events import event_outside_span
from tracelab.auditing.rules.clocks.skews import clock_skew
from tracelab.auditing.rules.conventions.levels import attribute_at_wrong_level
from tracelab.auditing.rules.conventions.mixed_names import mixed_attribute_names
from tracelab.auditing.rules.conventions.old_names import old_attribute_names
from tracelab.auditing.rules.conventions.service_names import missing_service_name
from tracelab.auditing.rules.failures.contradictions import contradicting_failures
from tracelab.auditing.rules.flags.sampled_bits import sampled_bits
from tracelab.auditing.rules.flags.thresholds import inconsistent_sampling_threshold
from tracelab.auditing.rules.ids.duplicates import shared_ids
from tracelab.auditing.rules.ids.randomness import non_random_trace_id
from tracelab.auditing.rules.ids.reuse import reused_trace_id
from tracelab.auditing.rules.ids.short_ids import short_trace_id
from tracelab.auditing.rules.ids.validity import invalid_id
from tracelab.auditing.rules.names.unbounded_names import unbounded_span_names
from tracelab.auditing.rules.secrets.exposed import exposed
from tracelab.auditing.rules.splits.lost_in_process import lost_in_process
from tracelab.auditing.rules.splits.parentless_consumers import parentless_consumer
from tracelab.auditing.rules.splits.split_traces import split_trace
from tracelab.auditing.rules.structure.crossings import internal_across_services, missing_client_span
from tracelab.auditing.rules.structure.cycles import span_cycle
from tracelab.auditing.rules.structure.doubles import double_instrumentation
from tracelab.auditing.rules.structure.missing_parents import missing_parent
from tracelab.auditing.rules.structure.missing_servers import missing_server_span
from tracelab.auditing.rules.structure.roots import client_root, several_roots

Rule: TypeAlias = Callable[[Evidence], pl.DataFrame]

RULES: Final[dict[str, Rule]] = {
    "attribute-at-wrong-level": attribute_at_wrong_level,
    "error-attribute-without-status": contradicting_failures,
    "missing-service-name": missing_service_name,
    "mixed-attribute-names": mixed_attribute_names,
    "old-attribute-names": old_attribute_names,
    "child-outside-parent": child_outside_parent,
    "clock-skew": clock_skew,
    "lost-in-process": lost_in_process,
    "event-outside-span": event_outside_span,
    "inconsistent-sampling-threshold": inconsistent_sampling_threshold,
    "mixed-sampling-flags": sampled_bits,
    "duplicate-span-id": shared_ids,
    "invalid-id": invalid_id,
    "non-random-trace-id": non_random_trace_id,
    "reused-trace-id": reused_trace_id,
    "short-trace-id": short_trace_id,
    "missing-parent": missing_parent,
    "parentless-consumer": parentless_consumer,
    "split-trace": split_trace,
    "several-roots": several_roots,
    "client-root": client_root,
    "missing-client-span": missing_client_span,
    "missing-server-span": missing_server_span,
    "internal-across-services": internal_across_services,
    "double-instrumentation": double_instrumentation,
    "span-cycle": span_cycle,
    "unbounded-span-names": unbounded_span_names,
    "secret-in-attributes": exposed,
}
"""Every rule by its id, or the first of the ids of those that are found together."""
