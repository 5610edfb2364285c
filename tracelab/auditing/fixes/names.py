"""How to name spans so that they can be grouped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tracelab.auditing.fixes.table import Fixes

_GENERAL: Final = (
    "Name spans by what they do (`{method} {http.route}`, `{db.operation.name} {db.collection.name}`), and write what "
    "differs from request to request into attributes"
)

NAMES: Final[Fixes] = {
    "unbounded-span-names": {
        "": f"{_GENERAL}.",
        "python": f"{_GENERAL}. Where a framework does not know the route, name the span in a hook with "
        "`span.update_name(...)`; in your own code give `start_as_current_span` a constant.",
        "java": f"{_GENERAL}: `span.updateName(...)`, or for servers `HttpServerRoute.update(...)`, which also sets "
        "http.route.",
        "nodejs": f"{_GENERAL}: `span.updateName(...)`, in the `requestHook` of the instrumentation; its packages for "
        "express, fastify, koa and the like set the route.",
        "go": f"{_GENERAL}: give `otelhttp.NewHandler` an operation and `otelhttp.WithSpanNameFormatter`, or use the "
        "instrumentation of your router (otelgin, otelmux, otelecho).",
        "dotnet": f"{_GENERAL}: set `activity.DisplayName`, in EnrichWithHttpRequest for what the library makes.",
    },
}
