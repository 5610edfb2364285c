"""Services that write the same thing under its old name here and under its new name there."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import polars as pl

from tracelab.auditing.conventions.renames import SAME_THING
from tracelab.auditing.findings import Group, Symptom, Words, findings_of, nothing
from tracelab.display.words import format_number

if TYPE_CHECKING:
    from tracelab.array_types import Flags
    from tracelab.auditing.evidence import Evidence

_SHARED: Final = ("server.", "client.", "network.", "user_agent.", "service.", "error.")
"""What spans of all sorts carry: the HTTP library may have the old name and the database library the new one, and
that is no mixture. Only what one library writes is compared."""

_MOST_NAMES: Final = 4


def mixed_attribute_names(evidence: Evidence) -> pl.DataFrame:
    """Find services that write old and new names of the same thing, on different spans or on the same ones."""
    pairs = [
        (scope, old, new)
        for scope in ("span", "resource")
        for old, new in sorted(SAME_THING.items())
        if f"{scope}.{old}" in evidence.attributes and f"{scope}.{new}" in evidence.attributes
    ]
    if not pairs:
        return nothing()
    apart, twice = _Pairs(evidence), _Pairs(evidence)
    for scope, old, new in pairs:
        has_old, has_new = (evidence.carries(f"{scope}.{name}").to_numpy() for name in (old, new))
        by_library = scope == "span" and new.startswith(_SHARED)
        mixing = _mixing(evidence, has_old & ~has_new, has_new & ~has_old, by_library=by_library)
        apart.add(mixing & ~has_new, mixing, (old, new))
        twice.add(has_old & has_new, has_old & has_new, (old, new))
    return pl.concat([apart.found(evidence, "warning", _says), twice.found(evidence, "info", _says_twice)])


def _mixing(evidence: Evidence, only_old: Flags, only_new: Flags, *, by_library: bool) -> Flags:
    """Mark the spans with one of two names whose service (or whose library in a service) writes both."""
    if not (only_old.any() and only_new.any()):
        return np.zeros(evidence.count, dtype=bool)
    group = evidence.service * evidence.libraries.height + evidence.library if by_library else evidence.service
    writes = np.zeros((2, int(group.max()) + 1), dtype=bool)
    writes[0, group[only_old]] = True
    writes[1, group[only_new]] = True
    found: Flags = (writes[0] & writes[1])[group] & (only_old | only_new)
    return found


@dataclass
class _Pairs:
    """Spans that show a mixture, and the pairs of names by the number of the service."""

    evidence: Evidence
    shown: Flags = field(init=False)
    among: Flags = field(init=False)
    names: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        self.shown, self.among = (np.zeros(self.evidence.count, dtype=bool) for _ in range(2))

    def add(self, shown: Flags, among: Flags, pair: tuple[str, str]) -> None:
        if not shown.any():
            return
        self.shown |= shown
        self.among |= among
        for service in np.flatnonzero(np.bincount(self.evidence.service[shown])).tolist():
            self.names[service].append(" and ".join(pair))

    def found(self, evidence: Evidence, severity: Literal["warning", "info"], says: Words) -> pl.DataFrame:
        rows = np.flatnonzero(self.among)
        return findings_of(
            evidence,
            Symptom("mixed-attribute-names", severity, says, shown=self.shown[rows], rows=rows, judge=self._with_names),
        )

    def _with_names(self, groups: pl.DataFrame) -> pl.DataFrame:
        said = [_listed(self.names[service]) for service in groups["_service"].to_list()]
        return groups.with_columns(pl.Series("names", said, dtype=pl.String))


def _listed(pairs: list[str]) -> str:
    more = len(pairs) - _MOST_NAMES
    return "; ".join(pairs[:_MOST_NAMES]) + (f"; and {more} more pairs" if more > 0 else "")


def _says(group: Group) -> str:
    return (
        f"{group['service']} writes the same thing under two names, on different spans: {group['names']}. "
        f"{group['said_count']} of these have the old name, and who asks for the new one misses them."
    )


def _says_twice(group: Group) -> str:
    return (
        f"{format_number(group['count'])} spans of {group['service']} carry old and new names side by side, as in a "
        f"migration with OTEL_SEMCONV_STABILITY_OPT_IN=.../dup: {group['names']}."
    )
