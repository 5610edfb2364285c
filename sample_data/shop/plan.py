"""The seeded plan of what the shop's users do: the same requests at the same times in every run."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

SEED = 7
REQUESTS = 3000
SECONDS = 180
NEW_VERSION_AT = 0.5 * SECONDS
CACHE_FLUSH_AT = 0.7 * SECONDS
BURSTS = ((0.25 * SECONDS, 6), (0.85 * SECONDS, 6))  # begin and length in seconds
BURST_SHARE = 0.2

PRODUCTS = 80
USERS = [f"user-{number:03}" for number in range(1, 61)]
CATEGORIES = ("books", "garden", "toys", "music", "kitchen", "bicycles")
ROUTES = {"product": 40, "list": 14, "order": 18, "recommendations": 12, "review": 9, "order state": 7}

# How a request goes is written in the ids it carries: the services read it there and roll no dice of their own.
ORDERS = {"ok": 82, "flaky": 7, "jam": 4, "declined": 3, "down": 2, "slow": 2}
SESSIONS = {"ok": 90, "stuck": 6, "broken": 4}
CONTENT = {"": 84, "slowcdn-": 6, "stalled-": 4, "gone-": 3, "garbled-": 3}
CONTENT_TYPES = {"article": 55, "image": 33, "video": 12}


@dataclass(frozen=True)
class Request:
    moment: float
    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, object] | None = field(default=None)


def pick(rng: random.Random, weights: dict[str, int]) -> str:
    return rng.choices(list(weights), weights.values())[0]


def skewed(rng: random.Random, count: int) -> int:
    """Pick from 1 to count; number n is n times rarer than number 1."""
    return rng.choices(range(1, count + 1), [1 / rank for rank in range(1, count + 1)])[0]


def moment_of(rng: random.Random) -> float:
    if rng.random() < BURST_SHARE:
        begin, length = rng.choice(BURSTS)
        return begin + rng.uniform(0, length)
    return rng.uniform(0, SECONDS)


def plan() -> list[Request]:
    rng = random.Random(SEED)
    orders: list[str] = []
    moments = sorted(moment_of(rng) for _ in range(REQUESTS))
    return [one_request(rng, number, moment, orders) for number, moment in enumerate(moments)]


def one_request(rng: random.Random, number: int, moment: float, orders: list[str]) -> Request:
    user = skewed(rng, len(USERS))
    headers = {"x-user-id": USERS[user - 1], "x-customer-kind": "business" if user % 4 == 2 else "consumer"}
    product = skewed(rng, PRODUCTS)
    match pick(rng, ROUTES):
        case "product":
            unknown = rng.random() < 0.02
            return Request(moment, "GET", f"/api/products/{999 if unknown else product}", headers)
        case "list":
            return Request(moment, "GET", f"/api/products?category={rng.choice(CATEGORIES)}", headers)
        case "order":
            order = f"{pick(rng, ORDERS)}-{number:05}"
            orders.append(order)
            body = {"order_id": order, "product_id": product, "quantity": rng.randrange(1, 5)}
            return Request(moment, "POST", "/api/orders", headers | {"x-order-id": order}, body)
        case "recommendations":
            return Request(moment, "GET", f"/api/recommendations?session={pick(rng, SESSIONS)}-{number:05}", headers)
        case "review":
            content_type = pick(rng, CONTENT_TYPES)
            url = f"https://content.example/{content_type}s/{pick(rng, CONTENT)}{number:05}"
            return Request(moment, "POST", "/api/reviews", headers, {"url": url, "type": content_type})
        case _:
            order = rng.choice(orders[-20:] or ["ok-00000"])
            return Request(moment, "GET", f"/api/orders/{order}", headers | {"x-order-id": order})
