"""The worker's HTTP side."""

from __future__ import annotations

import os

import telemetry
from aiohttp import web

provider = telemetry.start()

from analysis import Content, ContentUnavailableError, analyze_content  # noqa: E402 - tracers come after the SDK

routes = web.RouteTableDef()
finished: list[dict[str, object]] = []


@routes.post("/analyze")
async def analyze(request: web.Request) -> web.Response:
    body = await request.json()
    content = Content(body["url"], body["type"], request.headers["x-user-id"])
    try:
        result = await analyze_content(content)
    except ContentUnavailableError as error:
        return web.json_response({"error": str(error)}, status=502)
    except Exception as error:  # noqa: BLE001 - the user gets an answer whatever happened
        return web.json_response({"error": str(error)}, status=500)
    finished.append(result)
    return web.json_response({"id": len(finished)} | result)


@routes.get("/analyses/{id}")
async def stored_analysis(request: web.Request) -> web.Response:
    number = int(request.match_info["id"])
    if not 0 < number <= len(finished):
        return web.json_response({"error": "no such analysis"}, status=404)
    return web.json_response(finished[number - 1])


async def flush(_app: web.Application) -> None:
    provider.shutdown()


if __name__ == "__main__":
    app = web.Application()
    app.add_routes(routes)
    app.on_cleanup.append(flush)
    web.run_app(app, host="127.0.0.1", port=int(os.environ["WORKER_PORT"]), print=None)
