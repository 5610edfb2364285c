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
from tracelab.auditing.rules.structure.missing_parents import missing_parent

Rule: TypeAlias = Callable[[Evidence], pl.DataFrame]

RULES: Final[dict[str, Rule]] = {
    "error-attribute-without-status": contradicting_failures,
    "missing-parent": missing_parent,
    "parentless-consumer": parentless_consumer,
}
"""Every rule by its id, or the first of the ids of those that are found together."""
