"""How to mend clocks, and times that are not those of what happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tracelab.auditing.fixes.table import Fixes

CLOCKS: Final[Fixes] = {
    "clock-skew": {
        "": "Let the host follow the same time servers as the others (`chronyc tracking` or `timedatectl "
        "timesync-status` tells how far it is off); containers have the clock of their host. Until then let the "
        "backend correct it (Jaeger: `max_clock_skew_adjust` of `jaeger_query`).",
    },
}
