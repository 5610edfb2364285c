"""Spans that are missing because something drops them one by one, whatever trace they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tracelab.numbering import renumbered

if TYPE_CHECKING:
    from tracelab.auditing.evidence import Evidence

_EXPECTED: Final = 8
_LEAST: Final = 0.02
_MOST: Final = 0.98
_SERVICES: Final = 3
_NEARLY_ALL: Final = 0.8
_SIGMAS: Final = 4.0
_ROOM: Final = 0.05
_WIDEST: Final = 0.7


def dropped_one_by_one(evidence: Evidence) -> bool:
    """Tell whether parents are missing everywhere alike: of every service, within it and between services.

    Where each span is kept by a throw of dice of its own, every kind of span misses its parent as often as any other.
    Neither a service that samples traces for itself nor a fault does that to the spans within a service as well.
    """
    return evidence.kept("dropped one by one", lambda: _dropped_one_by_one(evidence))


def _dropped_one_by_one(evidence: Evidence) -> bool:
    children = np.flatnonzero(evidence.named_parent & ~evidence.on_cut_cycle)
    missing = evidence.parent[children] < 0
    if not _LEAST < missing.mean() < _MOST:
        return False
    service, kind = evidence.service[children], evidence.kind[children]
    number, _ = renumbered((service * 8 + kind) * (evidence.names.len() + 1) + evidence.name[children] + 1)
    sizes, missed = np.bincount(number), np.bincount(number, weights=missing)
    services = np.zeros(sizes.size, dtype=np.int64)
    services[number] = service
    share = missing.mean()
    # Groups that are large enough for it to show that they miss none.
    telling = sizes * share >= _EXPECTED
    off = np.abs(missed / sizes - share)
    room = np.maximum(_ROOM * share, _SIGMAS * np.sqrt(share * (1 - share) / sizes))
    alike = telling & (off <= np.minimum(room, _WIDEST * share))
    enough = np.unique(services[alike]).size >= min(_SERVICES, evidence.services.len())
    return bool(enough and sizes[alike].sum() >= _NEARLY_ALL * max(sizes[telling].sum(), sizes.sum() / 2))
