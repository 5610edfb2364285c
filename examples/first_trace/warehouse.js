// A warehouse that says what it has in stock and packs orders: node warehouse.js
"use strict";

const { getNodeAutoInstrumentations } = require("@opentelemetry/auto-instrumentations-node");
const { NodeSDK } = require("@opentelemetry/sdk-node");

// Spans go to OTEL_EXPORTER_OTLP_ENDPOINT, else to port 4318. The SDK starts first, since it wraps what is loaded later.
const sdk = new NodeSDK({ serviceName: "warehouse", instrumentations: [getNodeAutoInstrumentations()] });
sdk.start();

const http = require("node:http");
const { json } = require("node:stream/consumers");
const { setTimeout: pause } = require("node:timers/promises");
const { context, propagation, ROOT_CONTEXT, SpanKind, trace } = require("@opentelemetry/api");

const tracer = trace.getTracer("warehouse");
const parcels = [];

// The shop's context came in the headers, and the instrumentation of http took it from there.
async function stock(item) {
  return tracer.startActiveSpan("count shelves", async (span) => {
    span.setAttribute("item", item);
    await pause(20);
    span.end();
    return { item, stock: item.length };
  });
}

// An order waits in a queue, where no instrumentation sees it. So its context travels in it, put in and taken out by hand.
async function pack(order) {
  const parent = propagation.extract(ROOT_CONTEXT, order.context);
  return tracer.startActiveSpan("pack order", { kind: SpanKind.CONSUMER }, parent, async (span) => {
    await pause(30);
    const parcel = { item: order.item, context: {} };
    propagation.inject(context.active(), parcel.context);
    span.end();
    return parcel;
  });
}

async function answer(request) {
  const [, place, item] = request.url.split("/");
  if (place === "stock") return stock(item);
  if (place === "parcels") return parcels.shift();
  parcels.push(pack(await json(request)));
  return { taken: true };
}

const server = http.createServer(async (request, response) => {
  const found = await answer(request).catch((error) => ({ error: String(error) }));
  response.writeHead(found?.error ? 400 : 200, { "Content-Type": "application/json" });
  response.end(JSON.stringify(found ?? null));
});
server.listen(process.argv[2] ?? 8080, "127.0.0.1", () => console.log(`port ${server.address().port}`));

// Whoever stops it waits for the last spans to be sent.
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => sdk.shutdown().finally(() => process.exit(0)));
}
