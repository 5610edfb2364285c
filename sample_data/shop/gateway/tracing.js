// Loaded before the program (node --require), so that the instrumentations can wrap http, express, grpc and ioredis.
"use strict";

const { getNodeAutoInstrumentations } = require("@opentelemetry/auto-instrumentations-node");
const { OTLPTraceExporter } = require("@opentelemetry/exporter-trace-otlp-proto");
const { envDetector } = require("@opentelemetry/resources");
const { NodeSDK } = require("@opentelemetry/sdk-node");

// Who asks, and for which order: the load program says it in headers, as a login and a basket would.
const HEADER_ATTRIBUTES = {
  "x-user-id": "user.id",
  "x-customer-kind": "customer.kind",
  "x-order-id": "order.id",
};

function nameTheUser(span, request) {
  for (const [header, attribute] of Object.entries(HEADER_ATTRIBUTES)) {
    const value = request.headers?.[header];
    if (value !== undefined) span.setAttribute(attribute, value);
  }
}

const sdk = new NodeSDK({
  // Only OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES: the other detectors would record the paths
  // and the host name of the machine that happened to run this.
  resourceDetectors: [envDetector],
  traceExporter: new OTLPTraceExporter(),
  instrumentations: [
    getNodeAutoInstrumentations({
      "@opentelemetry/instrumentation-dns": { enabled: false },
      "@opentelemetry/instrumentation-fs": { enabled: false },
      "@opentelemetry/instrumentation-net": { enabled: false },
      // Express 5 is built on the package "router": with both on, every layer would be a span twice.
      "@opentelemetry/instrumentation-router": { enabled: false },
      "@opentelemetry/instrumentation-http": {
        // Whoever has no user (the operator who switches versions) is no request of the shop.
        ignoreIncomingRequestHook: (request) => request.headers["x-user-id"] === undefined,
        requestHook: nameTheUser,
      },
    }),
  ],
});

sdk.start();
process.on("SIGTERM", () => sdk.shutdown().finally(() => process.exit(0)));
