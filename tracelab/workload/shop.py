"""A made-up system under load: what `tracelab.synthetic.generate` draws from.

A dozen services answer a handful of endpoints. Every endpoint is a call tree that is drawn once; every trace is one of
these trees with durations, faults and attributes of its own. All arrays hold one item per span.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from tracelab.schema import ATTRIBUTES, EVENTS, KIND, LINKS, STATUS_CODE, TIME
from tracelab.workload.ids import hex_ids

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Floats, Ints

SERVICES: Final = (
    "frontend", "catalogue", "cart", "checkout", "search", "payment",
    "shipping", "recommendation", "inventory", "currency", "accounts", "mail",
)  # fmt: skip
_INTERNAL, _SERVER, _CLIENT, _PRODUCER, _CONSUMER = 1, 2, 3, 4, 5
_HTTP, _RPC, _DATABASE, _QUEUE, _WORK = range(5)
_VERBS: Final = ("list", "get", "add", "update", "check", "price", "rank", "reserve", "notify", "render")
_TABLES: Final = ("orders", "products", "users", "baskets", "payments", "stock")
_FAULTS: Final = (
    ("TimeoutError", "deadline of 250 ms exceeded", 504),
    ("ConnectionResetError", "connection reset by peer", 502),
    ("ValueError", "quantity must be positive, got -{n}", 500),
    ("KeyError", "no product with id {n}", 404),
)
_FRAMES: Final = 6
_ENDPOINTS: Final = 24
_DEEPEST: Final = 14
_LARGE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Spans:
    """Structure and times of all spans, in depth-first order, trace after trace."""

    trace: Ints
    parent: Ints
    endpoint: Ints
    service: Ints
    kind: Ints
    flavour: Ints
    operation: Ints
    start: Ints
    duration: Ints
    origin: Flags
    error: Flags


@dataclass(frozen=True, slots=True)
class _Endpoint:
    """One call tree, in depth-first order; `parent` is -1 at its root."""

    parent: Ints
    depth: Ints
    service: Ints
    kind: Ints
    flavour: Ints
    operation: Ints
    work: Floats
    parallel: Flags
    fault: Floats


def simulate(count: int, rng: np.random.Generator, *, spans_per_trace: int, start: int, span_of_time: int) -> Spans:
    """Run the system until `count` spans exist; the last trace is cut short to meet the count."""
    # What is beyond the count is cut off in the end, so that larger trees would be grown in vain.
    largest = max(count, _LARGE)
    endpoints = [_endpoint(rng, min(size, largest)) for size in _sizes(rng, spans_per_trace).tolist()]
    sizes = np.array([tree.parent.size for tree in endpoints])
    popularity = 1 / np.arange(1, _ENDPOINTS + 1) ** 0.6
    weights = popularity / popularity.sum()
    traces = int(count / (sizes * weights).sum() * 1.2) + 20
    chosen = rng.choice(_ENDPOINTS, size=traces, p=weights)
    while sizes[chosen].sum() < count:
        chosen = np.concatenate([chosen, rng.choice(_ENDPOINTS, size=traces, p=weights)])
    chosen = chosen[: int(np.searchsorted(np.cumsum(sizes[chosen]), count)) + 1]
    firsts = np.cumsum(sizes[chosen]) - sizes[chosen]
    trace = np.repeat(np.arange(chosen.size), sizes[chosen])[:count]
    place = np.concatenate([[0], np.cumsum(sizes)])[chosen[trace]] + np.arange(count) - firsts[trace]

    def gather(name: str) -> npt.NDArray[Any]:
        found: npt.NDArray[Any] = np.concatenate([getattr(tree, name) for tree in endpoints])[place]
        return found

    local = gather("parent")
    parent = np.where(local >= 0, local + firsts[trace], -1)
    depth, work = gather("depth"), gather("work")
    begin = start + np.sort(rng.integers(0, max(span_of_time, 1), chosen.size))[trace]
    times, durations = _timed(parent, depth, work, gather("parallel"), begin, rng)
    origin, error = _failed(parent, depth, gather("fault"), rng)
    return Spans(
        trace, parent, chosen[trace], gather("service"), gather("kind"), gather("flavour"), gather("operation"),
        times, durations, origin, error,
    )  # fmt: skip


def columns(spans: Spans, rng: np.random.Generator) -> pl.DataFrame:
    """Give every span its names, ids, status, events and attributes, in the columns of a span frame."""
    count, traces = spans.trace.size, int(spans.trace[-1]) + 1 if spans.trace.size else 0
    span_ids, trace_ids = hex_ids(rng, count, 8), hex_ids(rng, traces, 16)
    number = pl.Series(rng.integers(1, 5000, count))
    flavour, kind = pl.Series(spans.flavour), pl.Series(spans.kind)
    service = pl.Series(SERVICES).gather(spans.service)
    table = pl.Series(_TABLES).gather(spans.operation % len(_TABLES))
    # A call speaks of what it calls: of the service, the operation and the number of the span that answers it.
    answer = _answers(spans)
    callee = service.gather(answer)
    verb = pl.Series(_VERBS).gather(spans.operation[answer] % len(_VERBS))
    route = pl.select("/" + callee + "/" + verb + pl.lit("/{id}")).to_series()
    fault = pl.Series(spans.operation % len(_FAULTS))
    user = pl.Series(rng.zipf(1.3, traces) % 2000).gather(spans.trace)
    frame = pl.DataFrame(
        {
            "trace_id": trace_ids.gather(spans.trace),
            "span_id": span_ids,
            "parent_span_id": span_ids.gather(np.maximum(spans.parent, 0)),
            "orphan": spans.parent < 0,
            "flavour": flavour, "number": number, "verb": verb, "table": table, "route": route,
            "service_name": service, "callee": callee, "id": number.gather(answer),
            "kind": kind.cast(pl.UInt8).cat.to(KIND),
            "start_time": pl.Series(spans.start).cast(TIME),
            "duration": pl.Series(spans.duration).cast(pl.Duration("ns")),
            "failed": spans.error, "origin": spans.origin,
            "type": pl.Series([name for name, _, _ in _FAULTS]).gather(fault),
            "message": pl.Series([text for _, text, _ in _FAULTS]).gather(fault),
            "http_status": pl.Series([status for _, _, status in _FAULTS]).gather(fault),
            "user": user,
            "host": pl.Series(rng.integers(0, 3, count)),
        }
    )  # fmt: skip
    named = frame.lazy().with_columns(
        message=pl.col("message").str.replace("{n}", pl.col("number").cast(pl.String), literal=True)
    )
    return named.select(*_fixed_columns(), *_attribute_columns()).collect()


def _sizes(rng: np.random.Generator, mean: int) -> Ints:
    drawn = rng.lognormal(0, 0.7, _ENDPOINTS)
    sizes: Ints = np.maximum(1, (drawn / drawn.mean() * mean).astype(np.int64))
    return sizes


def _endpoint(rng: np.random.Generator, size: int) -> _Endpoint:
    """Grow a call tree: servers do work and call; a client call meets a server, a database or a queue."""
    rows: list[tuple[int, int, int, int, int]] = [(-1, 0, 0, _SERVER, _HTTP)]
    answered: set[int] = set()
    while len(rows) < size:
        # Places, callees and flavours are drawn in blocks: one draw at a time would take ten times as long.
        places, callees = rng.random(size), rng.zipf(1.4, size) % len(SERVICES)
        flavours = rng.choice([_HTTP, _RPC, _DATABASE, _QUEUE, _WORK], size, p=[0.2, 0.14, 0.3, 0.03, 0.33])
        for place, callee, drawn in zip(places.tolist(), callees.tolist(), flavours.tolist(), strict=True):
            above = int(place * len(rows))
            _, depth, service, kind, flavour = rows[above]
            if kind in (_CLIENT, _PRODUCER) and flavour != _DATABASE and above not in answered:
                answered.add(above)
                rows.append((above, depth + 1, callee, _CONSUMER if kind == _PRODUCER else _SERVER, flavour))
            elif kind not in (_CLIENT, _PRODUCER) and depth < _DEEPEST:
                kind = {_WORK: _INTERNAL, _QUEUE: _PRODUCER}.get(drawn, _CLIENT)
                rows.append((above, depth + 1, service, kind, drawn))
    del rows[size:]
    order = _depth_first([row[0] for row in rows])
    rank = {old: new for new, old in enumerate(order)}
    table = np.array([(rank.get(rows[old][0], -1), *rows[old][1:]) for old in order], dtype=np.int64)
    scale = np.array([3.0, 2.0, 4.0, 1.0, 1.5])[table[:, 4]]
    return _Endpoint(
        parent=table[:, 0],
        depth=table[:, 1],
        service=table[:, 2],
        kind=table[:, 3],
        flavour=table[:, 4],
        operation=rng.integers(0, 60, size) + table[:, 2] * 60,
        work=scale * rng.lognormal(0, 0.8, size),
        parallel=rng.random(size) < 0.3,
        fault=np.where(table[:, 4] == _WORK, 0.0, rng.choice([0.0002, 0.004], size, p=[0.9, 0.1])),
    )


def _depth_first(parents: list[int]) -> list[int]:
    children: dict[int, list[int]] = {}
    for row, parent in enumerate(parents):
        children.setdefault(parent, []).append(row)
    order, stack = [], [0]
    while stack:
        row = stack.pop()
        order.append(row)
        stack.extend(reversed(children.get(row, [])))
    return order


def _timed(
    parent: Ints, depth: Ints, work: Floats, parallel: Flags, begin: Ints, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """Let durations add up from the leaves, then place every child inside its parent."""
    slow = np.where(rng.random(parent.size) < 0.01, 8.0, 1.0)
    own = (work * rng.lognormal(0, 0.5, parent.size) * slow * 1e6).astype(np.int64) + 2_000
    below = np.zeros(parent.size, dtype=np.int64)
    levels = [np.flatnonzero(depth == level) for level in range(int(depth.max(initial=0)) + 1)]
    for level in levels[:0:-1]:
        above, total = parent[level], own[level] + below[level]
        at_once = parallel[above]
        np.maximum.at(below, above[at_once], total[at_once])
        np.add.at(below, above[~at_once], total[~at_once])
    duration = own + below
    siblings = np.argsort(parent, kind="stable")
    running = np.cumsum(duration[siblings]) - duration[siblings]
    first = np.searchsorted(parent[siblings], parent[siblings])
    before = np.empty_like(duration)
    before[siblings] = running - running[first]
    start = begin.copy()
    for level in levels[1:]:
        above = parent[level]
        start[level] = start[above] + own[above] // 3 + np.where(parallel[above], 0, before[level])
    return start, duration


def _failed(parent: Ints, depth: Ints, fault: Floats, rng: np.random.Generator) -> tuple[Flags, Flags]:
    """Draw where failures start, and let four of five climb to the span above."""
    origin = rng.random(parent.size) < fault
    error, climbs = origin.copy(), rng.random(parent.size) < 0.8
    for level in range(int(depth.max(initial=0)), 0, -1):
        rows = np.flatnonzero((depth == level) & error & climbs)
        error[parent[rows]] = True
    return origin, error


def _answers(spans: Spans) -> Ints:
    """Give the span that answers each call, and every other span itself."""
    answer = np.arange(spans.trace.size)
    calls = (spans.kind == _CLIENT) | (spans.kind == _PRODUCER)
    answers = np.flatnonzero((spans.parent >= 0) & ((spans.kind == _SERVER) | (spans.kind == _CONSUMER)))
    answers = answers[calls[spans.parent[answers]]]
    answer[spans.parent[answers]] = answers
    return answer


def _is(*flavours: int) -> pl.Expr:
    return pl.col("flavour").is_in(flavours)


def _where(condition: pl.Expr, value: pl.Expr) -> pl.Expr:
    return pl.when(condition).then(value)


def _fixed_columns() -> list[pl.Expr | str]:
    name = (
        pl.when(_is(_HTTP) & (pl.col("kind") == "server"))
        .then(pl.lit("GET ") + pl.col("route"))
        .when(_is(_HTTP))
        .then(pl.lit("GET"))
        .when(_is(_RPC))
        .then(pl.format("shop.{}/{}", "callee", "verb"))
        .when(_is(_DATABASE))
        .then(pl.lit("SELECT ") + pl.col("table"))
        .when(_is(_QUEUE))
        .then(pl.format("{} {}", "table", "kind"))
        .otherwise(pl.col("verb"))
    )
    return [
        "trace_id", "span_id",
        _where(~pl.col("orphan"), pl.col("parent_span_id")).alias("parent_span_id"),
        name.alias("name"), "kind", "service_name", "start_time", "duration",
        pl.when("failed").then(pl.lit("error")).otherwise(pl.lit("unset")).cast(STATUS_CODE).alias("status_code"),
        _where(pl.col("failed"), pl.col("message")).alias("status_message"),
        pl.when("origin").then(_exception()).otherwise(pl.lit([], dtype=EVENTS)).alias("events"),
        pl.lit([], dtype=LINKS).alias("links"),
        pl.format("shop.{}", "service_name").alias("scope_name"), pl.lit("1.4.0").alias("scope_version"),
        pl.lit(1, dtype=pl.UInt32).alias("flags"),
    ]  # fmt: skip


def _exception() -> pl.Expr:
    """Give the event that an SDK records for a raised exception, stack trace and all."""
    line = '  File "/app/{}/{}.py", line {}, in {}\n'
    frames = [pl.format(line, "service_name", "verb", pl.col("number") + step, "verb") for step in range(_FRAMES)]
    last = pl.format("{}: {}\n", "type", "message")
    attributes = {
        "exception.type": pl.col("type"),
        "exception.message": pl.col("message"),
        "exception.stacktrace": pl.concat_str([pl.lit("Traceback (most recent call last):\n"), *frames, last]),
    }
    entries = pl.concat_list([pl.struct(key=pl.lit(key), value=value) for key, value in attributes.items()])
    event = pl.struct(
        time=pl.col("start_time") + pl.col("duration"),
        name=pl.lit("exception"),
        attributes=entries.cast(ATTRIBUTES),
    )
    return pl.concat_list([event]).cast(EVENTS)


def _attribute_columns() -> list[pl.Expr]:
    http, server, client = _is(_HTTP), pl.col("kind") == "server", pl.col("kind") == "client"
    rpc, database, queue, work = _is(_RPC), _is(_DATABASE), _is(_QUEUE), _is(_WORK)
    path = pl.col("route").str.replace("{id}", pl.col("id").cast(pl.String), literal=True)
    status = pl.when("failed").then("http_status").otherwise(pl.lit(200))
    query = pl.format("SELECT * FROM {} WHERE id = $1 AND region = $2", "table")
    host = pl.format("{}-{}", "service_name", "host")
    tier = pl.when(pl.col("user") % 10 == 0).then(pl.lit("gold")).otherwise(pl.lit("free"))
    values = {
        "span.http.request.method": _where(http, pl.lit("GET")),
        "span.http.response.status_code": _where(http, status.cast(pl.Int64)),
        "span.http.route": _where(http & server, pl.col("route")),
        "span.url.path": _where(http & server, path),
        "span.url.scheme": _where(http & server, pl.lit("http")),
        "span.url.full": _where(http & client, pl.format("http://{}.shop{}", "callee", path)),
        "span.user_agent.original": _where(http & server, pl.lit("Mozilla/5.0 (X11; Linux x86_64)")),
        "span.server.address": _where(client, pl.format("{}.shop", "callee")),
        "span.server.port": _where(client, pl.when(database).then(pl.lit(5432)).otherwise(pl.lit(8080)).cast(pl.Int64)),
        "span.rpc.system": _where(rpc, pl.lit("grpc")),
        "span.rpc.service": _where(rpc, pl.format("shop.{}", "callee")),
        "span.rpc.method": _where(rpc, pl.col("verb")),
        "span.db.system.name": _where(database, pl.lit("postgresql")),
        "span.db.collection.name": _where(database, pl.col("table")),
        "span.db.query.text": _where(database, query),
        "span.messaging.system": _where(queue, pl.lit("rabbitmq")),
        "span.messaging.destination.name": _where(queue, pl.col("table")),
        "span.code.function.name": _where(work, pl.col("verb")),
        "span.cart.value": _where(work, pl.col("number") / 100),
        "span.cache.hit": _where(work, pl.col("number") % 5 > 0),
        "span.user.id": _where(server, pl.format("user-{}", "user")),
        "span.customer.tier": _where(server, tier),
        "span.thread.id": (pl.col("number") % 64).cast(pl.Int64),
        "resource.host.name": host,
        "resource.service.instance.id": host,
        "resource.service.version": pl.lit("2.3.1"),
        "resource.deployment.environment.name": pl.lit("production"),
        "resource.telemetry.sdk.language": pl.lit("python"),
    }  # fmt: skip
    return [value.alias(name) for name, value in values.items()]
