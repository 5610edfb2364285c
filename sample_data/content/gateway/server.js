// The public door: checks the request, asks the worker, passes its answer on. It knows nothing of tracing.
"use strict";

const express = require("express");

const WORKER = `http://127.0.0.1:${process.env.WORKER_PORT}`;
const app = express();
app.use(express.json());

async function passOn(response, answer) {
  response.status(answer.status).json(await answer.json());
}

app.post("/api/analyze", async (request, response) => {
  const answer = await fetch(`${WORKER}/analyze`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-user-id": request.get("x-user-id") },
    body: JSON.stringify(request.body),
  });
  await passOn(response, answer);
});

app.get("/api/analyses/:id", async (request, response) => {
  await passOn(response, await fetch(`${WORKER}/analyses/${encodeURIComponent(request.params.id)}`));
});

app.listen(Number(process.env.GATEWAY_PORT), "127.0.0.1");
