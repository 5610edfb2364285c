"""How to keep secrets and personal data out of traces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tracelab.auditing.fixes.table import Fixes

_COLLECTOR: Final = (
    "Until then let the Collector remove it: the `redaction` processor (`allow_all_keys: true`, `blocked_values`), or "
    "the `attributes` processor with `action: delete`"
)
_TURN: Final = "Replace this secret, since it has been seen, and do not record it. "
_LEAVE_OUT: Final = "Do not record it: write an id that says nothing outside of your systems, such as user.id. "
_HEADERS: Final = {
    "python": "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SANITIZE_FIELDS masks headers that are captured (such as "
    "`.*authorization.*,.*api-key.*,set-cookie`); in your own spans leave it out. ",
    "java": "Take it out of `otel.instrumentation.http.server.capture-request-headers` (and `client`); statements of "
    "databases are sanitised unless `otel.instrumentation.common.db-statement-sanitizer.enabled` is false. ",
    "nodejs": "Take it out of `headersToSpanAttributes` of @opentelemetry/instrumentation-http, or remove it in its "
    "`requestHook`; `redactedQueryParams` of it masks parameters of URLs. ",
    "dotnet": "Leave it out in `EnrichWithHttpRequest` and the like; .NET redacts queries of URLs unless "
    "OTEL_DOTNET_EXPERIMENTAL_HTTPCLIENT_DISABLE_URL_QUERY_REDACTION is true. ",
    "go": "Leave it out where the span is made (`span.SetAttributes`), or wrap the exporter so that it masks values. ",
}

SECRETS: Final[Fixes] = {
    "secret-in-attributes": {
        "": f"{_TURN}{_COLLECTOR}.",
        **{language: f"{_TURN}{said}{_COLLECTOR}." for language, said in _HEADERS.items()},
    },
    "personal-data-in-attributes": {
        "": f"{_LEAVE_OUT}{_COLLECTOR}, or `action: hash`.",
        **{language: f"{_LEAVE_OUT}{said}{_COLLECTOR}, or `action: hash`." for language, said in _HEADERS.items()},
    },
}
