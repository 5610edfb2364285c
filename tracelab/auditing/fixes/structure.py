"""How to mend trees of spans that are not whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tracelab.auditing.fixes.table import Fixes

STRUCTURE: Final[Fixes] = {
    "missing-parent": {
        "": "Look for what makes the parent and does not export it: a proxy or a library whose spans are dropped, an "
        "exporter that is not flushed before the process ends, or a queue of the batch processor that overflows "
        "(OTEL_BSP_MAX_QUEUE_SIZE).",
        "python": "Look for what makes the parent and does not export it: call `provider.shutdown()` before the "
        "process ends, and with gunicorn or uWSGI set up the TracerProvider after the fork (a post_fork hook).",
    },
}
