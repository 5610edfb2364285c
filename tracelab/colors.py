"""Colours that stay with a service, whatever else is on the plot."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

ERROR: Final = "#c62828"
CRITICAL_PATH: Final = "#111111"

# Twenty-four tints that stay apart on white and on dark grey; reds are left to errors.
_PALETTE: Final = (
    "#3366cc", "#0f8b8d", "#7a5195", "#ef8e19", "#2e8b57", "#5b8ff9", "#b8860b", "#8c6bb1",
    "#1f9ed1", "#6b8e23", "#a05195", "#d1791f", "#2a9d8f", "#4f6d7a", "#9a7d0a", "#5d5fef",
    "#3b9c5a", "#b46bd6", "#1b6ca8", "#8a9a5b", "#607d8b", "#c08457", "#008ea8", "#6f7bd9",
)  # fmt: skip


def service_colors(services: Iterable[str], *, among: Iterable[str] = ()) -> dict[str, str]:
    """Give each service its colour.

    A service's first choice follows from its name alone; only where two services choose alike does the one that is
    later in the alphabet move on to the next free colour. Those of `among`, all services of a frame, choose first, so
    that a service keeps its colour from plot to plot whatever else is drawn; not where they are more than the colours,
    since then it is worth more that the few on one plot can be told apart.

    Examples
    --------
    >>> service_colors(["cart", "checkout"]) == service_colors(["checkout", "cart", "cart"])
    True
    """
    chosen: dict[str, str] = {}
    taken: set[int] = set()
    known, drawn = set(among), set(services)
    if len(known) > len(_PALETTE):
        known = set()
    for service in (*sorted(known), *sorted(drawn - known)):
        first = int.from_bytes(hashlib.blake2b(service.encode("utf-8", "replace"), digest_size=4).digest())
        steps = (place % len(_PALETTE) for place in range(first, first + len(_PALETTE)))
        place = next((step for step in steps if step not in taken), first % len(_PALETTE))
        taken.add(place)
        chosen[service] = _PALETTE[place]
    return {service: color for service, color in chosen.items() if service in drawn}
