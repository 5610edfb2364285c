// The gateway's neighbours: two catalogue shards over gRPC, two Redis databases, three HTTP services.
"use strict";

const path = require("node:path");
const grpc = require("@grpc/grpc-js");
const protoLoader = require("@grpc/proto-loader");
const Redis = require("ioredis");

const { shop } = grpc.loadPackageDefinition(protoLoader.loadSync(path.join(__dirname, "../proto/catalogue.proto")));
const shards = process.env.CATALOGUES.split(",").map(
  (address) => new shop.Catalogue(address, grpc.credentials.createInsecure()),
);

// Odd products live on the first shard, even ones on the second.
function catalogue(method, key, request) {
  const client = shards[(key + 1) % shards.length];
  return new Promise((resolve, reject) => {
    client[method](request, (error, answer) => (error ? reject(error) : resolve(answer)));
  });
}

const redis = { host: "127.0.0.1", port: Number(process.env.REDIS_PORT) };

module.exports = {
  catalogue,
  NOT_FOUND: grpc.status.NOT_FOUND,
  cache: new Redis({ ...redis, db: 0 }),
  orderStates: new Redis({ ...redis, db: 1 }),
  urls: {
    orders: process.env.ORDERS_URL,
    recommender: process.env.RECOMMENDER_URL,
    content: process.env.CONTENT_URL,
  },
};
