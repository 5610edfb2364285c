// Makes spans with the Node SDK, a provider and a sampler per service: calls and recipes come in as JSON, and the
// span ids of those that are recorded go out, a line each.
"use strict";
const sdk = require("@opentelemetry/sdk-trace-base");
const { ROOT_CONTEXT, trace } = require("@opentelemetry/api");

const DELEGATES = {
  remote_parent_sampled: "remoteParentSampled",
  remote_parent_not_sampled: "remoteParentNotSampled",
  local_parent_sampled: "localParentSampled",
  local_parent_not_sampled: "localParentNotSampled",
};

function made(recipe) {
  if (recipe.kind === "on") return new sdk.AlwaysOnSampler();
  if (recipe.kind === "off") return new sdk.AlwaysOffSampler();
  if (recipe.kind === "ratio") return new sdk.TraceIdRatioBasedSampler(recipe.ratio);
  const config = { root: made(recipe.root) };
  for (const [name, option] of Object.entries(DELEGATES)) {
    if (recipe[name]) config[option] = made(recipe[name]);
  }
  return new sdk.ParentBasedSampler(config);
}

const { calls, fleet } = JSON.parse(require("fs").readFileSync(0, "utf8"));
const next = {};
const idGenerator = { generateTraceId: () => next.trace_id, generateSpanId: () => next.span_id };
const tracers = {};
for (const [service, recipe] of Object.entries(fleet)) {
  tracers[service] = new sdk.BasicTracerProvider({ sampler: made(recipe), idGenerator }).getTracer("test");
}
const spans = [];
for (const call of calls) {
  Object.assign(next, call);
  let context = ROOT_CONTEXT;
  if (call.parent !== null) {
    const above = spans[call.parent];
    context = call.remote
      ? trace.setSpanContext(context, { ...above.spanContext(), isRemote: true })
      : trace.setSpan(context, above);
  }
  const span = tracers[call.service].startSpan("call", {}, context);
  spans.push(span);
  if (span.isRecording()) process.stdout.write(call.span_id + "\n");
}
