"""Traits that the same units have are one: aliases, and what follows from something else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from tracelab.differences.attributes.traits import CALL_PATH, OPERATION, PRESENCE, SERVICE, VALUE

if TYPE_CHECKING:
    from tracelab.differences.attributes.traits import Label, Traits


_SEED: Final = 20_260_501
_ORDER: Final = {SERVICE: 0, VALUE: 1, OPERATION: 2, PRESENCE: 3, CALL_PATH: 4}
"""What names a group of traits that the same units have: the first kind of these."""


_RELEASES: Final = re.compile(r"version|release|deploy|commit|flag|feature|experiment|canary|region|zone|tenant")
_INCIDENTAL: Final = re.compile(
    r"\.(?:server|client|rpc|network|net|peer|host|process|thread|telemetry|os|container|otel|sampler|internal|messag\w*|url)\."
)


@dataclass(frozen=True)
class Folded:
    """One trait of each group.

    Attributes
    ----------
    traits
        The traits that stand for their groups.
    also
        What else the same units have, or what exactly the others have, each in words.
    """

    traits: Traits
    also: list[list[str]]


def folded(
    traits: Traits, units: int, over: npt.NDArray[np.bool_], *, ahead: npt.NDArray[np.bool_] | None = None
) -> Folded:
    """Fold traits that the same units have, or exactly the other units.

    Parameters
    ----------
    traits
        The traits.
    units
        How many units there are.
    over
        Which traits have the larger share in the selection; of two that exclude each other, one that has stands for
        both.
    ahead
        Which traits stand for their group rather than others; None: no matter.
    """
    rng = np.random.default_rng(_SEED)
    # The sum of random numbers of 64 bits tells sets of units apart; sums wrap around, which does no harm.
    marks = rng.integers(0, 2**64 - 1, units, dtype=np.uint64)
    sums = traits.sums(marks).astype(np.uint64)
    others = marks.sum(dtype=np.uint64) - sums
    keys = np.minimum(sums, others)
    _, group = np.unique(keys, return_inverse=True)
    turned = sums != keys
    behind = np.zeros(group.size, dtype=bool) if ahead is None else ~ahead
    kind = np.array([_ORDER[label.kind] for label in traits.labels], dtype=np.int64)
    said = np.array([_telling(label) for label in traits.labels], dtype=np.int64)
    # Of each group the first stands for all; what comes earlier in the traits goes before.
    order = np.lexsort((np.arange(group.size), said, kind, behind, ~over, group))
    first = order[np.flatnonzero(np.diff(group[order], prepend=-1))]
    also: dict[int, list[str]] = {int(group[number]): [] for number in first.tolist()}
    chosen = {int(group[number]): number for number in first.tolist()}
    for number in order.tolist():
        of = int(group[number])
        if number != chosen[of]:
            words = str(traits.labels[number])
            also[of].append(f"no {words}" if turned[number] != turned[chosen[of]] else words)
    kept = np.sort(first)
    return Folded(traits.kept(kept), [also[int(group[number])] for number in kept.tolist()])


def _telling(label: Label) -> int:
    """Say how well a label names a cause, 0 being best: a release better than the port that came with it."""
    name = label.attribute or ""
    cause = 0 if _RELEASES.search(name) else 4 if _INCIDENTAL.search(name) else 2
    # A resource is one service's own; what all services hand on is better named without one.
    return cause + (label.service is not None and not name.startswith("resource."))
