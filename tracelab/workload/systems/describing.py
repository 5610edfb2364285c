"""What spans say of themselves: names, kinds, status, events, and attributes of the semantic conventions 1.44."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from tracelab.schema import ATTRIBUTES, KIND, STATUS_CODE
from tracelab.workload.ids import hex_ids, uuids
from tracelab.workload.systems.endpoints import CLIENT, CONSUMER, NOWHERE, PRODUCER, SERVER
from tracelab.workload.systems.landscape import DATABASE, HTTP, QUEUE, RPC, WORK

if TYPE_CHECKING:
    from tracelab.array_types import Ints
    from tracelab.workload.systems.landscape import System
    from tracelab.workload.systems.traffic import Nodes, Traffic

_INTEGERS: Final = ("server.port", "http.request.resend_count")
_RPC_CODES: Final = {
    500: "INTERNAL",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    404: "NOT_FOUND",
    400: "INVALID_ARGUMENT",
    409: "ALREADY_EXISTS",
    403: "PERMISSION_DENIED",
}


def describe(
    system: System, nodes: Nodes, traffic: Traffic, rng: np.random.Generator
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Give every span the columns of a span frame that do not tell of its place in a trace; and a table of events."""
    node = pl.Series(traffic.node)
    fixed = _by_node(nodes)[node]
    place = _by_instance(system, rng)[pl.Series(traffic.instance)]
    said = _Said(system, nodes, traffic, rng)
    return pl.DataFrame([*fixed.get_columns(), *place.get_columns(), *said.columns()]), said.events()


def _by_node(nodes: Nodes) -> pl.DataFrame:
    """List what all spans of a node have in common."""
    keys = sorted({key for node in nodes.nodes for key in node.attributes})
    columns: dict[str, pl.Series] = {
        "name": pl.Series([node.name for node in nodes.nodes]),
        "kind": pl.Series([node.kind for node in nodes.nodes], dtype=pl.UInt8).cat.to(KIND),
        "scope_name": pl.Series([node.scope[0] for node in nodes.nodes]),
        "scope_version": pl.Series([node.scope[1] for node in nodes.nodes], dtype=pl.String),
    }
    for key in keys:
        dtype = pl.Int64 if key in _INTEGERS else pl.String
        columns[f"span.{key}"] = pl.Series([node.attributes.get(key) for node in nodes.nodes], dtype=dtype)
    return pl.DataFrame(columns)


def _by_instance(system: System, rng: np.random.Generator) -> pl.DataFrame:
    """List the resources: one per instance of each service."""
    rows: list[dict[str, Any]] = []
    versions = [f"{rng.integers(1, 5)}.{rng.integers(20)}.{rng.integers(9)}" for _ in system.services]
    pods, containers = uuids(rng, len(system.instance_service)), hex_ids(rng, len(system.instance_service), 32)
    revision = hex_ids(rng, 1, 20)[0]
    for instance, (number, host) in enumerate(zip(system.instance_service, system.instance_host, strict=True)):
        service = system.services[number]
        row: dict[str, Any] = {
            "service_name": service.name,
            "resource.telemetry.sdk.language": service.language.name if service.language else service.sdk,
            "resource.telemetry.sdk.name": "opentelemetry",
            "resource.telemetry.sdk.version": service.language.sdk_version if service.language else "2.9.0",
            "resource.service.version": versions[number],
            "resource.deployment.environment.name": "production",
            "resource.service.instance.id": pods[instance],
        }
        if host >= 0:
            row["resource.host.name"] = system.hosts[host]
            row["resource.vcs.ref.head.revision"] = revision
            if system.kubernetes:
                row["resource.k8s.pod.name"] = system.hosts[host]
                row["resource.k8s.pod.uid"] = pods[instance]
                row["resource.container.id"] = containers[instance]
        rows.append(row)
    return pl.DataFrame(rows, infer_schema_length=None)


class _Said:
    """What differs from request to request."""

    def __init__(self, system: System, nodes: Nodes, traffic: Traffic, rng: np.random.Generator) -> None:
        self.system, self.nodes, self.traffic, self.rng = system, nodes, traffic, rng
        self.kind, self.hop = nodes.column("kind")[traffic.node], nodes.column("hop")[traffic.node]
        self.service = nodes.column("service")[traffic.node]
        self.requests = int(traffic.trace.max(initial=0)) + 1

    def columns(self) -> list[pl.Series]:
        return [*self._status(), *self._http(), *self._messages(), *self._people(), *self._threads()]

    def _status(self) -> list[pl.Series]:
        traffic, kind, hop = self.traffic, self.kind, self.hop
        # A caller that is refused failed; whoever refuses did not.
        failed = traffic.failed | traffic.refused & (kind == CLIENT)
        sets_ok = (
            np.array([service.sets_ok for service in self.system.services])[self.service] & (hop == WORK) & ~failed
        )
        status = np.where(failed, 2, sets_ok.astype(np.int64))
        code = self._code()
        exception = pl.Series([node.exception[0] for node in self.nodes.nodes]).gather(traffic.node)
        message = pl.Series([node.exception[1] for node in self.nodes.nodes]).gather(traffic.node)
        rpc = pl.Series([_RPC_CODES.get(int(value), "OK") for value in code.tolist()])
        by_code = pl.Series(code).cast(pl.String)
        return (
            pl.DataFrame(
                {
                    "exception": exception,
                    "message": message,
                    "rpc": rpc,
                    "code": code,
                    "by_code": by_code,
                    "failed": failed,
                    "raised": traffic.origin & (kind != CLIENT),
                    "http": hop == HTTP,
                    "grpc": hop == RPC,
                    "database": hop == DATABASE,
                    "timeout": traffic.timed_out,
                    "called": (kind == CLIENT) | (kind == SERVER),
                    "status_code": pl.Series(status, dtype=pl.UInt8).cat.to(STATUS_CODE),
                }
            )
            .select(
                "status_code",
                pl.when("failed")
                .then(
                    pl.when("raised")
                    .then("message")
                    .when(pl.col("timeout"))
                    .then(pl.lit("timed out"))
                    .when("database")
                    .then("message")
                )
                .alias("status_message"),
                pl.when("failed")
                .then(
                    pl.when("timeout")
                    .then(pl.lit("timeout"))
                    .when(pl.col("raised") & ~pl.col("grpc"))
                    .then("exception")
                    .when(pl.col("http") & (pl.col("code") > 0))
                    .then("by_code")
                    .when("grpc")
                    .then("rpc")
                    .otherwise("exception")
                )
                .alias("span.error.type"),
                pl.when(pl.col("http") & pl.col("called") & (pl.col("code") > 0))
                .then("code")
                .alias("span.http.response.status_code"),
                pl.when(pl.col("grpc") & pl.col("called"))
                .then(pl.when("timeout").then(pl.lit("DEADLINE_EXCEEDED")).otherwise("rpc"))
                .alias("span.rpc.status_code"),
                pl.when(pl.col("database") & pl.col("failed"))
                .then(pl.lit("08006"))
                .alias("span.db.response.status_code"),
            )
            .get_columns()
        )

    def _code(self) -> Ints:
        """Give what was answered, in HTTP's numbers; 0 where nothing was."""
        traffic, nodes = self.traffic, self.nodes
        code, refusal = nodes.column("code")[traffic.node], nodes.column("refusal")[traffic.node]
        fine = np.where(nodes.column("operation")[traffic.node][:, 1] % 3 == 1, 201, 200)
        answered: Ints = np.where(traffic.failed, code, np.where(traffic.refused, refusal, fine))
        return np.where(traffic.timed_out, 0, answered)

    def events(self) -> pl.DataFrame:
        """Tell of what was raised, and of what some work met; `after` counts from the start of the span."""
        traffic, nodes = self.traffic, self.nodes
        raised = traffic.origin & (self.kind != CLIENT)
        noted = nodes.column("events")[traffic.node] & ~raised & (self.rng.random(traffic.node.size) < 0.7)
        rows = np.flatnonzero(raised | noted)
        middle = (traffic.duration[rows] * self.rng.random(rows.size)).astype(np.int64)
        texts = {
            "exception.type": [node.exception[0] for node in nodes.nodes],
            "exception.message": [node.exception[1] for node in nodes.nodes],
            "exception.stacktrace": [f"{node.exception[0]}: {node.exception[1]}\n{node.trace}" for node in nodes.nodes],
        }
        frame = pl.DataFrame(
            {"row": rows, "after": np.where(raised[rows], traffic.duration[rows], middle), "raised": raised[rows]}
        ).with_columns(pl.Series(key, values).gather(traffic.node[rows]) for key, values in texts.items())
        exception = pl.concat_list([pl.struct(key=pl.lit(key), value=pl.col(key)) for key in texts]).cast(ATTRIBUTES)
        note = pl.concat_list([pl.struct(key=pl.lit("cache.tier"), value=pl.lit("local"))]).cast(ATTRIBUTES)
        return frame.select(
            "row",
            "after",
            name=pl.when("raised").then(pl.lit("exception")).otherwise(pl.lit("cache.miss")),
            attributes=pl.when("raised").then(exception).otherwise(note),
        )

    def _http(self) -> list[pl.Series]:
        traffic, nodes = self.traffic, self.nodes
        numbers = pl.Series(self.rng.integers(1, 90_000, self.requests)).cast(pl.String)
        unique = uuids(self.rng, self.requests)
        template = pl.Series([node.path for node in nodes.nodes], dtype=pl.String).gather(traffic.node)
        uuid = pl.Series(nodes.column("uuid")[traffic.node])
        frame = pl.DataFrame(
            {
                "template": template,
                "uuid": uuid,
                "number": numbers.gather(traffic.trace),
                "unique": unique.gather(traffic.trace),
                "client": self.kind == CLIENT,
                "outside": nodes.column("outside")[traffic.node],
                "address": self._fixed("server.address"),
                "page": self.rng.integers(1, 9, traffic.node.size)
                * (self.rng.random(self.requests)[traffic.trace] < 0.3),
                "entry": traffic.parent == NOWHERE,
                "ip": pl.Series(_addresses(self.rng, self.requests)).gather(traffic.trace),
            }
        )
        path = pl.col("template").str.replace("{}", pl.when("uuid").then("unique").otherwise("number"), literal=True)
        return (
            frame.lazy()
            .with_columns(path=path)
            .select(
                pl.when(~pl.col("client")).then("path").alias("span.url.path"),
                pl.when("client")
                .then(
                    pl.when("outside")
                    .then(pl.format("https://{}{}", "address", "path"))
                    .otherwise(pl.format("http://{}:8080{}", "address", "path"))
                )
                .alias("span.url.full"),
                pl.when(~pl.col("client") & pl.col("path").is_not_null() & (pl.col("page") > 0) & pl.col("entry"))
                .then(pl.format("page={}&sort=price", "page"))
                .alias("span.url.query"),
                pl.when(~pl.col("client") & pl.col("path").is_not_null() & pl.col("entry"))
                .then("ip")
                .alias("span.client.address"),
            )
            .collect()
            .get_columns()
        )

    def _messages(self) -> list[pl.Series]:
        traffic = self.traffic
        producer = self.kind == PRODUCER
        rows = np.where(self.kind == CONSUMER, traffic.parent, np.arange(traffic.node.size))
        queue = (self.hop == QUEUE) & (producer | (self.kind == CONSUMER))
        if not queue.any():
            return []
        ids = uuids(self.rng, traffic.node.size).gather(np.maximum(rows, 0))
        offset = pl.Series(10_000 + np.cumsum(producer))
        return (
            pl.DataFrame({"queue": queue, "consumer": self.kind == CONSUMER, "ids": ids, "offset": offset})
            .select(
                pl.when("queue").then("ids").alias("span.messaging.message.id"),
                *(
                    [pl.when("consumer").then("offset").alias("span.messaging.kafka.offset")]
                    if self.system.queue[0] == "kafka"
                    else []
                ),
            )
            .get_columns()
        )

    def _people(self) -> list[pl.Series]:
        """Say who asked, by ids that tell nobody who that is, and other values that only look like secrets."""
        traffic, rng = self.traffic, self.rng
        front = (self.kind == SERVER) & (self.hop == HTTP) & (traffic.parent == NOWHERE)
        users = pl.format("user-{}", pl.Series("u", rng.zipf(1.3, self.requests) % 2000))
        numbers = pl.Series("n", rng.integers(10**15, 10**16, self.requests)).cast(pl.String)
        work = (self.hop == WORK) & (rng.random(traffic.node.size) < 0.5)
        table = pl.DataFrame({"session": hex_ids(rng, self.requests, 16), "order": numbers}).with_columns(
            user=pl.select(users).to_series()
        )
        return (
            table[pl.Series(traffic.trace)]
            .with_columns(
                front=pl.Series(front),
                work=pl.Series(work),
                total=pl.Series(rng.integers(100, 90_000, traffic.node.size) / 100),
            )
            .select(
                pl.when("front").then("user").alias("span.user.id"),
                pl.when("front").then("session").alias("span.session.id"),
                pl.when("work").then("order").alias("span.order.number"),
                pl.when("work").then("total").alias("span.basket.total"),
            )
            .get_columns()
        )

    def _threads(self) -> list[pl.Series]:
        """Let Java's agent name threads."""
        java = np.array(
            [service.language is not None and service.language.name == "java" for service in self.system.services]
        )
        if not java.any():
            return []
        pooled = self.nodes.column("mode")[self.traffic.node] == 1
        number = self.rng.integers(20, 60, self.traffic.node.size)
        frame = pl.DataFrame({"java": java[self.service], "number": number, "pooled": pooled})
        word = pl.when("pooled").then(pl.lit("pool-2-thread-")).otherwise(pl.lit("http-nio-8080-exec-"))
        return frame.select(
            pl.when("java").then("number").alias("span.thread.id"),
            pl.when("java").then(pl.concat_str(word, pl.col("number").cast(pl.String))).alias("span.thread.name"),
        ).get_columns()

    def _fixed(self, key: str) -> pl.Series:
        values = [node.attributes.get(key) for node in self.nodes.nodes]
        return pl.Series(values, dtype=pl.String).gather(self.traffic.node)


def _addresses(rng: np.random.Generator, count: int) -> list[str]:
    return [f"198.51.{high}.{low}" for high, low in rng.integers(1, 255, (count, 2)).tolist()]
