"""How to bring attributes up to the semantic conventions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tracelab.auditing.fixes.table import Fixes

_THEN: Final = "; when dashboards and alerts ask for the new names, leave `/dup` away."

_OLD: Final[Fixes] = {
    "": {
        "": "Rename them where they are set: in your own code, in `OTEL_RESOURCE_ATTRIBUTES`, or on the way with the "
        "Collector's `schema` or `transform` processor. Update the library that writes them.",
    },
    "http": {
        "": "Set OTEL_SEMCONV_STABILITY_OPT_IN=http/dup, so that the HTTP instrumentation writes old and new names"
        + _THEN,
        "python": "Set OTEL_SEMCONV_STABILITY_OPT_IN=http/dup; the packages (opentelemetry-instrumentation-requests, "
        "-httpx, -flask, -fastapi, -django, -aiohttp-client and others) know it since 0.50b0, some later: "
        "update them" + _THEN,
        "java": "Update to the OpenTelemetry Java agent 2.0 or newer, which writes the new HTTP names only; in 1.x set "
        "OTEL_SEMCONV_STABILITY_OPT_IN=http/dup (`-Dotel.semconv-stability.opt-in=http/dup`) first.",
        "nodejs": "Set OTEL_SEMCONV_STABILITY_OPT_IN=http/dup with @opentelemetry/instrumentation-http 0.54 or newer"
        + _THEN
        + " Its newest versions write the new names only.",
        "go": "Update otelhttp (go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp) and its siblings: newer "
        "versions write the new names only; those between know OTEL_SEMCONV_STABILITY_OPT_IN=http/dup.",
        "dotnet": "Update OpenTelemetry.Instrumentation.AspNetCore and OpenTelemetry.Instrumentation.Http to 1.7 or "
        "newer, which write the new names only; 1.6 knows OTEL_SEMCONV_STABILITY_OPT_IN=http/dup.",
    },
    "database": {
        "": "Set OTEL_SEMCONV_STABILITY_OPT_IN=database/dup, so that the database instrumentation writes old and new "
        "names" + _THEN,
        "python": "Set OTEL_SEMCONV_STABILITY_OPT_IN=database/dup and update the package of the driver "
        "(opentelemetry-instrumentation-sqlalchemy, -psycopg, -redis and others); where the newest one does not know "
        "it yet, rename on the way with the Collector's `transform` processor.",
        "java": "With the Java agent 2.x set OTEL_SEMCONV_STABILITY_OPT_IN=database/dup "
        "(`-Dotel.semconv-stability.opt-in=database/dup`)" + _THEN,
        "nodejs": "Set OTEL_SEMCONV_STABILITY_OPT_IN=database/dup and update the driver's package "
        "(@opentelemetry/instrumentation-pg, -mysql2, -mongodb, -ioredis and others)" + _THEN,
        "go": "Update the driver's instrumentation (such as github.com/XSAM/otelsql, otelpgx, otelmongo); several know "
        "OTEL_SEMCONV_STABILITY_OPT_IN=database/dup, the newest write the new names only.",
        "dotnet": "For OpenTelemetry.Instrumentation.SqlClient, .EntityFrameworkCore and .StackExchangeRedis set "
        "OTEL_SEMCONV_STABILITY_OPT_IN=database/dup, with their newest versions" + _THEN,
    },
    "rpc": {
        "": "Update the RPC instrumentation and set OTEL_SEMCONV_STABILITY_OPT_IN=rpc/dup. The RPC conventions are a "
        "release candidate: where the library does not know it yet, ask for both names until it does "
        "(`tracelab.modernise` renames them in a frame).",
    },
    "queue": {
        "": "Update the messaging instrumentation. The messaging conventions are in development: where its newest "
        "version still has old names, rename them on the way with the Collector's `transform` processor.",
        "python": "Update the package (opentelemetry-instrumentation-pika, -kafka-python, -celery and others). The "
        "messaging conventions are in development: where its newest version still has old names, rename them on the "
        "way with the Collector's `transform` processor.",
    },
}

CONVENTIONS: Final[Fixes] = {
    **{f"old-attribute-names:{hop}" if hop else "old-attribute-names": texts for hop, texts in _OLD.items()},
    "mixed-attribute-names": {
        "": "Bring the libraries of the service, and all its instances, to one generation: update those that write old "
        "names, or set OTEL_SEMCONV_STABILITY_OPT_IN alike everywhere (http/dup, database/dup, rpc/dup). Until then "
        "ask for both names, or rename with the Collector's `transform` processor or `tracelab.modernise`.",
    },
    "attribute-at-wrong-level": {
        "": "Set what describes the service on the resource (OTEL_RESOURCE_ATTRIBUTES, OTEL_SERVICE_NAME, or "
        "`Resource` in code), and what describes one operation on its span (`set_attribute`).",
        "python": "Set what describes the service with `Resource.create({...})` of the TracerProvider or "
        "OTEL_RESOURCE_ATTRIBUTES, and what describes one operation with `span.set_attribute`.",
        "java": "Set what describes the service with OTEL_RESOURCE_ATTRIBUTES (`-Dotel.resource.attributes`), and what "
        "describes one operation with `Span.setAttribute`.",
        "nodejs": "Set what describes the service with `resourceFromAttributes({...})` of the NodeSDK or "
        "OTEL_RESOURCE_ATTRIBUTES, and what describes one operation with `span.setAttribute`.",
        "go": "Set what describes the service with `resource.New` and `sdktrace.WithResource`, or "
        "OTEL_RESOURCE_ATTRIBUTES, and what describes one operation with `span.SetAttributes`.",
        "dotnet": "Set what describes the service with `ConfigureResource(r => r.AddAttributes(...))` or "
        "OTEL_RESOURCE_ATTRIBUTES, and what describes one operation with `Activity.SetTag`.",
    },
    "missing-service-name": {
        "": "Set OTEL_SERVICE_NAME for every process (or service.name in OTEL_RESOURCE_ATTRIBUTES).",
        "python": "Set OTEL_SERVICE_NAME, or give `Resource.create({SERVICE_NAME: ...})` to the TracerProvider.",
        "java": "Set OTEL_SERVICE_NAME (`-Dotel.service.name=...`).",
        "nodejs": "Set OTEL_SERVICE_NAME, or `serviceName` of the NodeSDK.",
        "go": "Set OTEL_SERVICE_NAME, or give `semconv.ServiceName(...)` to `resource.New` with `resource.Default()` "
        "merged, and pass it with `sdktrace.WithResource`.",
        "dotnet": "Set OTEL_SERVICE_NAME, or call `ConfigureResource(r => r.AddService(name))`.",
    },
}  # fmt: skip
