// The public door of the shop.
"use strict";

const { trace } = require("@opentelemetry/api");
const express = require("express");
const { catalogue, cache, orderStates, urls, NOT_FOUND } = require("./backends");

const RECOMMENDATION_LIMIT_MS = 450;
const BESTSELLERS = [1, 2, 3];

const tracer = trace.getTracer("shop.gateway", "3.2.0");
const app = express();
app.use(express.json());

function identity(request) {
  const names = ["x-user-id", "x-customer-kind", "x-order-id"].filter((name) => request.get(name));
  return Object.fromEntries(names.map((name) => [name, request.get(name)]));
}

function post(url, request) {
  const headers = { "content-type": "application/json", ...identity(request) };
  return fetch(url, { method: "POST", headers, body: JSON.stringify(request.body) });
}

async function passOn(response, answer) {
  response.status(answer.status).json(await answer.json());
}

app.get("/api/products", async (request, response) => {
  const category = request.query.category;
  response.json(await catalogue("ListProducts", category.length, { category }));
});

// A product comes from the cache, or from the catalogue and then into the cache.
function lookUp(id) {
  return tracer.startActiveSpan("product.lookup", { attributes: { "product.id": id } }, async (span) => {
    try {
      const cached = await cache.get(`product:${id}`);
      span.setAttribute("cache.hit", cached !== null);
      if (cached !== null) return JSON.parse(cached);
      const product = await catalogue("GetProduct", id, { id });
      await cache.set(`product:${id}`, JSON.stringify(product));
      return product;
    } finally {
      span.end();
    }
  });
}

app.get("/api/products/:id", async (request, response) => {
  try {
    response.json(await lookUp(Number(request.params.id)));
  } catch (error) {
    if (error.code !== NOT_FOUND) throw error;
    response.status(404).json({ error: "no such product" });
  }
});

app.get("/api/recommendations", async (request, response) => {
  const session = encodeURIComponent(request.query.session);
  try {
    const answer = await fetch(`${urls.recommender}/recommendations?session=${session}`, {
      headers: identity(request),
      signal: AbortSignal.timeout(RECOMMENDATION_LIMIT_MS),
    });
    if (!answer.ok) throw new Error(`the recommender answered ${answer.status}`);
    response.json(await answer.json());
  } catch {
    // Better something than nothing: the user never learns that the recommender failed.
    trace.getActiveSpan()?.setAttribute("recommendations.fallback", true);
    response.json({ products: BESTSELLERS });
  }
});

app.post("/api/orders", async (request, response) => {
  const { product_id: id, quantity } = request.body;
  await catalogue("Reserve", id, { id, quantity });
  await passOn(response, await post(`${urls.orders}/orders`, request));
});

app.get("/api/orders/:id", async (request, response) => {
  const state = await orderStates.get(`order:${request.params.id}`);
  response.json({ state: state ?? "accepted" });
});

app.post("/api/reviews", async (request, response) => {
  await passOn(response, await post(`${urls.content}/analyze`, request));
});

// For the operator: send orders to another version from now on.
app.put("/admin/orders", (request, response) => {
  urls.orders = request.body.url;
  response.json(urls);
});

app.listen(Number(process.env.GATEWAY_PORT), "127.0.0.1");
