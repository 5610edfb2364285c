"""Which explanation fits spans that are missing, the most certain first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tracelab.auditing.explanations.exposures import Presence, Window, gathered_by
from tracelab.auditing.explanations.losses import lost_for_a_while
from tracelab.auditing.explanations.samplers import sampled_alone
from tracelab.auditing.explanations.spans_dropped import dropped_one_by_one
from tracelab.auditing.explanations.windows import cut_by_window

if TYPE_CHECKING:
    from tracelab.array_types import Ints
    from tracelab.auditing.evidence import Evidence
    from tracelab.auditing.explanations.exposures import Exposures

EXPLANATIONS: Final = (None, "sampling", "window", "lost-export", "sampling")
"""What each number of `explained` stands for."""

UNEXPLAINED, SAMPLING, WINDOW, LOST, DROPPED = range(len(EXPLANATIONS))
_MOST_SERVICES: Final = 300


def explained(evidence: Evidence, exposures: Exposures) -> Ints:
    """Give the number of the explanation of each one that misses something; 0 where there is none."""
    result = np.zeros(exposures.rows.size, dtype=np.int64)
    if not exposures.absent.any():
        return result
    if dropped_one_by_one(evidence):
        result[exposures.absent] = DROPPED
        return result
    result[cut_by_window(evidence, exposures)] = WINDOW
    window = Window.of(evidence)
    missed = exposures.absent & (exposures.hidden >= 0)
    counts = np.bincount(exposures.hidden[missed], minlength=evidence.services.len())
    services = np.argsort(-counts, kind="stable")[:_MOST_SERVICES]
    services = services[counts[services] > 0]
    presence = Presence.of(evidence, services)
    known = np.flatnonzero((exposures.hidden >= 0) & (result == UNEXPLAINED))
    order, bounds = gathered_by(exposures.hidden[known], evidence.services.len())
    order = known[order]
    for service in services.tolist():
        spans = presence.spans(service)
        here = order[bounds[service] : bounds[service + 1]]
        result[here[lost_for_a_while(evidence, exposures.of(here), spans, window)]] = LOST
        here = here[result[here] == UNEXPLAINED]
        result[here[sampled_alone(evidence, exposures.of(here), spans)]] = SAMPLING
    return result
