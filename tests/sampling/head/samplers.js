// Decides as the Node SDK does: ids, one a line, come in; for each ratio a line of 0 and 1, an id each, goes out.
"use strict";
const { TraceIdRatioBasedSampler } = require("@opentelemetry/sdk-trace-base");
const { ROOT_CONTEXT } = require("@opentelemetry/api");

const ids = require("fs").readFileSync(0, "utf8").trim().split("\n");
for (const ratio of process.argv.slice(2)) {
  const sampler = new TraceIdRatioBasedSampler(Number(ratio));
  const sampled = ids.map((id) => (sampler.shouldSample(ROOT_CONTEXT, id).decision === 2 ? "1" : "0"));
  process.stdout.write(sampled.join("") + "\n");
}
