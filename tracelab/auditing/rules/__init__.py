"""The rules: what each one looks for, by the subject that it is about.

A rule is a function that is given the evidence and gives back findings. The names here are those that `rule` has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import polars as pl

from tracelab.auditing.evidence import Evidence
from tracelab.auditing.rules.failures.contradictions import contradicting_failures
from tracelab.auditing.rules.splits.parentless_consumers import parentless_consumer
from tracelab.auditing.rules.structure.crossings import internal_across_services, missing_client_span
from tracelab.auditing.rules.structure.cycles import span_cycle
from tracelab.auditing.rules.structure.doubles import double_instrumentation
from tracelab.auditing.rules.structure.missing_parents import missing_parent
from tracelab.auditing.rules.structure.roots import client_root, several_roots

Rule: TypeAlias = Callable[[Evidence], pl.DataFrame]

RULES: Final[dict[str, Rule]] = {
    "error-attribute-without-status": contradicting_failures,
    "missing-parent": missing_parent,
    "parentless-consumer": parentless_consumer,
    "several-roots": several_roots,
    "client-root": client_root,
    "missing-client-span": missing_client_span,
    "internal-across-services": internal_across_services,
    "double-instrumentation": double_instrumentation,
    "span-cycle": span_cycle,
}
"""Every rule by its id, or the first of the ids of those that are found together."""
