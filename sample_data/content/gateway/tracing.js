// Loaded before the program (node --require), so that the instrumentations can wrap http and express.
"use strict";

const { getNodeAutoInstrumentations } = require("@opentelemetry/auto-instrumentations-node");
const { OTLPTraceExporter } = require("@opentelemetry/exporter-trace-otlp-proto");
const { envDetector } = require("@opentelemetry/resources");
const { NodeSDK } = require("@opentelemetry/sdk-node");

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
        // Visitors without a user are no requests of the system.
        ignoreIncomingRequestHook: (request) => request.headers["x-user-id"] === undefined,
        requestHook: (span, request) => span.setAttribute("user.id", request.headers["x-user-id"]),
      },
    }),
  ],
});

sdk.start();
process.on("SIGTERM", () => sdk.shutdown().finally(() => process.exit(0)));
