"""Colours that stay with a service, whatever else is on the plot."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

ERROR: Final = "#c62828"
CRITICAL_PATH: Final = "#111111"

# Twenty-four tints that stay apart, each with a contrast of 3 and more to white and to #111111; reds are for errors.
_PALETTE: Final = (
    "#3366cc", "#0f8b8d", "#7a5195", "#cb62ad", "#2e8b57", "#5b8ff9", "#b8860b", "#8c6bb1",
    "#1f9ed1", "#6b8e23", "#a05195", "#d1791f", "#2a9d8f", "#4f6d7a", "#9a7d0a", "#5d5fef",
    "#4aa139", "#b46bd6", "#1b6ca8", "#8a9a5b", "#93808d", "#7d5f4f", "#8f4fd0", "#6f7bd9",
)  # fmt: skip


_KEPT: Final[dict[str, int]] = {}
"""The colours that services were given, for as long as the interpreter runs."""


def service_colors(services: Iterable[str], *, among: Iterable[str] = ()) -> dict[str, str]:
    """Give each service its colour.

    A service's first choice follows from its name. Where two choose alike, the one that is later in the alphabet moves
    on to the next free colour. What a service was given once it keeps for the session, whatever part of a frame is
    drawn later, unless another one on the same plot has that colour, as it may where there are more services than
    colours.

    Parameters
    ----------
    services
        The services on a plot.
    among
        All services of the frame, which are given their colours now so that later plots of it agree with this one.

    Examples
    --------
    >>> service_colors(["cart", "checkout"]) == service_colors(["checkout", "cart", "cart"])
    True
    """
    drawn, known = set(services), set(among)
    if len(known) <= len(_PALETTE):
        _chosen(known | drawn)
    return {service: _PALETTE[place] for service, place in _chosen(drawn).items()}


def _chosen(services: set[str]) -> dict[str, int]:
    """Choose colours that are all different as long as there are enough."""
    chosen: dict[str, int] = {}
    taken: set[int] = set()
    kept = set(_KEPT.values())
    for service in sorted(services, key=lambda service: (service not in _KEPT, service)):
        first = _KEPT.get(service, _first_choice(service))
        steps = [place % len(_PALETTE) for place in range(first, first + len(_PALETTE))]
        free = [place for place in steps if place not in taken]
        unused = free if service in _KEPT else [place for place in free if place not in kept]
        chosen[service] = (unused or free or steps)[0]
        taken.add(chosen[service])
    if len(services) <= len(_PALETTE):
        for service, place in chosen.items():
            _KEPT.setdefault(service, place)
    return dict(sorted(chosen.items()))


def _first_choice(service: str) -> int:
    return int.from_bytes(hashlib.blake2b(service.encode("utf-8", "replace"), digest_size=4).digest())
