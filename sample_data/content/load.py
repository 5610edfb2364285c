"""A seeded minute of users: the same requests in the same order at the same times in every run."""

from __future__ import annotations

import asyncio
import random
import sys
from collections import Counter

import aiohttp

SEED = 20
REQUESTS = 420
SECONDS = 60
USERS = [f"user-{number:03}" for number in range(1, 41)]
TYPES = {"article": 60, "image": 27, "video": 13}
# How a piece of content behaves is written in its address, so that the worker need not roll dice of its own.
BEHAVIOUR = {"": 864, "gone-": 32, "garbled-": 14, "stalled-": 36, "slowcdn-": 54}


def plan() -> list[tuple[float, str, str, dict[str, str]]]:
    """Give (time, user, path, body) of every request; a few users and fresh pages get most of them."""
    rng = random.Random(SEED)
    weights = [1 / rank for rank in range(1, len(USERS) + 1)]
    requests = []
    for number in range(REQUESTS):
        moment = rng.uniform(0, SECONDS)
        user = rng.choices(USERS, weights)[0]
        content_type = rng.choices(list(TYPES), TYPES.values())[0]
        behaviour = rng.choices(list(BEHAVIOUR), BEHAVIOUR.values())[0]
        if rng.random() < 0.15:
            # Mostly an analysis that is done by then; the newest ones may still be on their way (404).
            newest = max(2, int(moment * REQUESTS / SECONDS * 0.85))
            requests.append((moment, user, f"/api/analyses/{rng.randrange(1, newest)}", {}))
        else:
            url = f"https://content.example/{content_type}s/{behaviour}{number:04}"
            requests.append((moment, user, "/api/analyze", {"url": url, "type": content_type}))
    return sorted(requests, key=lambda request: request[0])


async def send(session: aiohttp.ClientSession, moment: float, user: str, path: str, body: dict[str, str]) -> int:
    await asyncio.sleep(moment)
    method = "POST" if body else "GET"
    async with session.request(method, path, json=body or None, headers={"x-user-id": user}) as response:
        await response.read()
        return response.status


async def main(gateway: str) -> None:
    async with aiohttp.ClientSession(gateway) as session:
        statuses = await asyncio.gather(*(send(session, *request) for request in plan()))
    print("answers by status:", dict(sorted(Counter(statuses).items())))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
