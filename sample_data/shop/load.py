"""Send the planned requests at the planned times, switch the version half way, flush the cache later."""

from __future__ import annotations

import argparse
import asyncio
from collections import Counter

import aiohttp
import redis
from shop.plan import CACHE_FLUSH_AT, NEW_VERSION_AT, Request, plan


async def send(session: aiohttp.ClientSession, request: Request) -> tuple[str, int]:
    await asyncio.sleep(request.moment)
    async with session.request(request.method, request.path, json=request.body, headers=request.headers) as response:
        await response.read()
        return request.path.split("?")[0].split("/")[2], response.status


async def switch_version(session: aiohttp.ClientSession, url: str) -> None:
    await asyncio.sleep(NEW_VERSION_AT)
    async with session.put("/admin/orders", json={"url": url}) as response:
        response.raise_for_status()


async def flush_cache(port: int) -> None:
    await asyncio.sleep(CACHE_FLUSH_AT)
    redis.Redis(port=port, db=0).flushdb()


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("gateway")
    parser.add_argument("new_orders", help="where the second half of the orders goes")
    parser.add_argument("redis_port", type=int)
    options = parser.parse_args()
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(options.gateway, connector=connector) as session:
        operator = asyncio.gather(switch_version(session, options.new_orders), flush_cache(options.redis_port))
        answers = await asyncio.gather(*(send(session, request) for request in plan()))
        await operator
    for (route, status), count in sorted(Counter(answers).items()):
        print(f"  {count:6} {route} {status}")


if __name__ == "__main__":
    asyncio.run(main())
