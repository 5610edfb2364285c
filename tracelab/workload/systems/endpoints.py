"""Call trees: what a request of each kind would leave behind if everything in it happened."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tracelab.workload.systems.landscape import DATABASE, HTTP, QUEUE, RPC, WORK, Operation, Service, Step, System
from tracelab.workload.systems.libraries import BROWSER_FETCH, BROWSER_LOAD, PROXY, Scope

if TYPE_CHECKING:
    import numpy as np

INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = 1, 2, 3, 4, 5
NOWHERE: Final = -1
CALLED, POOLED, QUEUED, LINKED = range(4)
_ENDINGS: Final = (
    "",
    "/details",
    "/history",
    "/preview",
    "/summary",
    "/status",
    "/export",
    "/items",
    "/totals",
    "/tags",
)
_PATH: Final = "/{}"
_WORKS: Final = {HTTP: 1.2, RPC: 0.8, DATABASE: 2.5, QUEUE: 0.7, WORK: 3.0}


@dataclass(slots=True)
class Node:
    """A span of a call tree. `parent` counts within the tree; `mode` says how it hangs on its parent.

    `operation` numbers what is called or done (the same number in caller and callee), `retry_of` is the attempt before
    this one, `path` has a place for the request's number.
    """

    parent: int
    depth: int
    service: int
    kind: int
    hop: int
    callee: int
    name: str
    scope: Scope
    attributes: dict[str, Any]
    operation: tuple[int, int]
    mode: int = CALLED
    work: float = 1.0
    parallel: bool = False
    chance: float = 1.0
    fault: float = 0.0
    refused: float = 0.0
    timeout: float = 0.0
    lost: float = 0.0
    code: int = 500
    refusal: int = 404
    retry_of: int = NOWHERE
    path: str | None = None
    uuid: bool = False
    exception: tuple[str, str] = ("Exception", "failed")
    trace: str = ""
    events: bool = False
    outside: bool = False


@dataclass(slots=True)
class Grower:
    """Grows the tree of one kind of request, depth first."""

    system: System
    rng: np.random.Generator
    nodes: list[Node] = field(default_factory=list)

    def entry(self, operation: Operation) -> list[Node]:
        """Grow the tree of requests that begin with an operation."""
        service = self.system.services[operation.service]
        if service.language is None:
            self._browser(operation)
        elif operation.origin == "poll":
            key = (operation.service, operation.number)
            self._query(NOWHERE, operation.service, operation.steps[0], key)
        elif operation.origin == "cron":
            root = self._add(
                NOWHERE,
                operation.service,
                INTERNAL,
                WORK,
                f"nightly_{operation.name}",
                _own(service),
                {},
                (operation.service, operation.number),
            )
            self._steps(root, operation.steps)
        else:
            self._serve(NOWHERE, operation)
        return self.nodes

    def _add(
        self,
        parent: int,
        service: int,
        kind: int,
        hop: int,
        name: str,
        scope: Scope,
        attributes: dict[str, Any],
        operation: tuple[int, int],
        callee: int = NOWHERE,
        **rest: Any,
    ) -> int:
        depth = self.nodes[parent].depth + 1 if parent >= 0 else 0
        work = rest.pop("work", _WORKS[hop] * float(self.rng.lognormal(0, 0.5)))
        language = self.system.services[service].language
        if language is not None:
            rest.setdefault("exception", language.exceptions[len(self.nodes) % len(language.exceptions)])
            rest.setdefault("trace", language.trace.replace("{}", self.system.services[service].name))
        self.nodes.append(
            Node(parent, depth, service, kind, hop, callee, name, scope, attributes, operation, work=work, **rest)
        )
        return len(self.nodes) - 1

    def _browser(self, operation: Operation) -> None:
        key = (operation.service, operation.number)
        target = operation.steps[0].operation
        if target is None:
            raise ValueError("A page asks somebody.")
        if operation.origin == "load":
            root = self._add(
                NOWHERE, operation.service, INTERNAL, WORK, "documentLoad", BROWSER_LOAD, {}, key, work=20.0
            )
            self._client(root, Step(HTTP, target.name, target), target, BROWSER_FETCH)
        else:
            self._client(NOWHERE, Step(HTTP, target.name, target), target, BROWSER_FETCH, service=operation.service)

    def _serve(self, parent: int, operation: Operation, mode: int = CALLED) -> None:
        """Add the span of the side that is called, and what it does."""
        service = self.system.services[operation.service]
        language = service.language
        if language is None:
            raise ValueError("Nobody calls a browser.")
        key = (operation.service, operation.number)
        rest: dict[str, Any] = {
            "mode": mode,
            "parallel": operation.parallel and all(step.attempts == 1 for step in operation.steps),
            "fault": operation.fault,
            "refused": operation.refused,
            "code": operation.code,
            "refusal": operation.refusal,
            "uuid": operation.uuid,
        }
        if operation.hop == HTTP:
            route = _route(operation, service)
            attributes: dict[str, Any] = {
                "http.request.method": operation.method,
                "http.route": route,
                "url.scheme": "http",
                "server.address": _address(self.system, service),
                "server.port": 8080,
                "network.protocol.version": "1.1",
                "user_agent.original": "okhttp/5.3.0",
            }
            place = self._add(
                parent,
                operation.service,
                SERVER,
                HTTP,
                f"{operation.method} {route}",
                language.server,
                attributes,
                key,
                path=_path(operation),
                **rest,
            )
            if language.framework is not None:
                attributes = {"code.function.name": f"{operation.name}.handle"}
                self._add(
                    place,
                    operation.service,
                    INTERNAL,
                    WORK,
                    f"{operation.name}.handle",
                    language.framework,
                    attributes,
                    key,
                    work=0.3,
                )
        elif operation.hop == RPC:
            attributes = {
                **_rpc(operation, service),
                "server.address": _address(self.system, service),
                "server.port": 9090,
            }
            place = self._add(
                parent,
                operation.service,
                SERVER,
                RPC,
                attributes["rpc.method"],
                language.rpc_server,
                attributes,
                key,
                **rest,
            )
        else:
            attributes = {
                **_message(self.system, operation, "process", "process"),
                "messaging.consumer.group.name": service.name,
            }
            place = self._add(
                parent,
                operation.service,
                CONSUMER,
                QUEUE,
                f"process {_topic(operation)}",
                language.queue,
                attributes,
                key,
                **rest,
            )
        self._steps(place, operation.steps)

    def _steps(self, parent: int, steps: list[Step] | tuple[Step, ...]) -> None:
        service = self.system.services[self.nodes[parent].service]
        language = service.language
        if language is None:
            raise ValueError("A browser has no steps.")
        key = self.nodes[parent].operation
        number = self.nodes[parent].service
        for step in steps:
            if step.operation is not None and step.hop == QUEUE:
                attributes = _message(self.system, step.operation, "send", "send")
                name = f"send {_topic(step.operation)}"
                there = (step.operation.service, step.operation.number)
                place = self._add(
                    parent,
                    number,
                    PRODUCER,
                    QUEUE,
                    name,
                    language.queue,
                    attributes,
                    there,
                    step.operation.service,
                    chance=step.chance,
                )
                self._serve(place, step.operation, LINKED if step.operation.linked else QUEUED)
            elif step.operation is not None:
                earlier = NOWHERE
                for attempt in range(step.attempts):
                    scope = language.client if step.hop == HTTP else language.rpc_client
                    earlier = self._client(parent, step, step.operation, scope, retry_of=earlier, attempt=attempt)
            elif step.hop == HTTP:
                address, port, noun = step.target
                attributes = {
                    "http.request.method": "POST",
                    "server.address": address,
                    "server.port": port,
                    "network.protocol.version": "1.1",
                }
                self._add(
                    parent,
                    number,
                    CLIENT,
                    HTTP,
                    "POST",
                    language.client,
                    attributes,
                    key,
                    chance=step.chance,
                    fault=step.fault,
                    code=503,
                    path=f"/v1/{noun}/{{}}",
                    work=15.0,
                    outside=True,
                )
            elif step.hop == DATABASE:
                self._query(parent, number, step, key)
            else:
                place = self._add(
                    parent,
                    number,
                    INTERNAL,
                    WORK,
                    step.name,
                    _own(service),
                    {"code.function.name": f"{service.name}.{step.name}"},
                    key,
                    chance=step.chance,
                    fault=step.fault,
                    mode=POOLED if step.pooled else CALLED,
                    events=step.events,
                    work=(12.0 if step.pooled else 3.0) * float(self.rng.lognormal(0, 0.4)),
                )
                self._steps(place, step.steps)

    def _client(
        self,
        parent: int,
        step: Step,
        operation: Operation,
        scope: Scope,
        *,
        retry_of: int = NOWHERE,
        attempt: int = 0,
        service: int = NOWHERE,
    ) -> int:
        """Add a call to an instrumented service, both sides of it."""
        callee = self.system.services[operation.service]
        attributes: dict[str, Any] = {"server.address": _address(self.system, callee)}
        if self.system.names_peers:
            attributes["service.peer.name"] = callee.name
        path = None
        if step.hop == HTTP:
            attributes |= {
                "server.port": 8080,
                "http.request.method": operation.method,
                "network.protocol.version": "1.1",
            }
            if attempt:
                attributes["http.request.resend_count"] = attempt
            name, path = operation.method, _path(operation)
        else:
            attributes |= {"server.port": 9090, **_rpc(operation, callee)}
            name = attributes["rpc.method"]
        place = self._add(
            parent,
            self.nodes[parent].service if parent >= 0 else service,
            CLIENT,
            step.hop,
            name,
            scope,
            attributes,
            (operation.service, operation.number),
            operation.service,
            chance=step.chance if not attempt else 1.0,
            timeout=step.timeout,
            retry_of=retry_of,
            path=path,
            uuid=operation.uuid,
            code=operation.code,
            refusal=operation.refusal,
        )
        self._serve(self._proxied(place, step, operation), operation)
        return place

    def _proxied(self, place: int, step: Step, operation: Operation) -> int:
        """Add the span of the proxy before a service, if it has one, and give what its server hangs on."""
        proxy = self.system.proxies.get(operation.service)
        if proxy is None or step.hop != HTTP or step.attempts > 1:
            return place
        address = _address(self.system, self.system.services[operation.service])
        attributes = {
            "component": "proxy",
            "upstream_cluster": "inbound|8080||",
            "http.request.method": operation.method,
            "url.scheme": "http",
            "server.address": address,
            "server.port": 8080,
        }
        return self._add(
            place,
            proxy,
            SERVER,
            HTTP,
            f"{address}:8080/*",
            PROXY,
            attributes,
            (operation.service, operation.number),
            work=0.2,
            path=_path(operation),
            uuid=operation.uuid,
            code=operation.code,
            refusal=operation.refusal,
        )

    def _query(self, parent: int, service: int, step: Step, key: tuple[int, int]) -> None:
        language = self.system.services[service].language
        if language is None:
            raise ValueError("A browser has no database.")
        address, port, table = step.target
        system, verb = self.system.services[service].database[0], step.name.split(" ")[0]
        attributes: dict[str, Any] = {
            "db.system.name": system,
            "db.operation.name": verb,
            "server.address": address,
            "server.port": port,
        }
        if system == "redis":
            attributes |= {"db.query.text": f"{verb} {table}:?", "db.namespace": "0"}
            name = verb
        else:
            attributes |= {"db.collection.name": table, "db.namespace": "shop", "db.query.summary": step.name}
            name = step.name
            if system != "mongodb":
                attributes["db.query.text"] = _SQL[verb].replace("{}", table)
        self._add(
            parent,
            service,
            CLIENT,
            DATABASE,
            name,
            language.database,
            attributes,
            key,
            fault=step.fault,
            chance=step.chance,
            exception=("ConnectionError", "server closed the connection unexpectedly"),
        )


_SQL: Final = {
    "SELECT": "SELECT * FROM {} WHERE id = ? AND region = ?",
    "INSERT": "INSERT INTO {} (id, total) VALUES (?, ?)",
    "UPDATE": "UPDATE {} SET total = ? WHERE id = ?",
}


def _own(service: Service) -> Scope:
    return f"shop.{service.name}", "2.3.1"


def _address(system: System, service: Service) -> str:
    return f"{service.name}.shop.svc.cluster.local" if system.kubernetes else f"{service.name}.internal"


def _route(operation: Operation, service: Service) -> str:
    if service.language is None:
        raise ValueError("A browser has no routes.")
    return f"/api/{operation.name}/{service.language.route}{_ending(operation)}"


def _path(operation: Operation) -> str:
    return f"/api/{operation.name}{_PATH}{_ending(operation)}"


def _ending(operation: Operation) -> str:
    return _ENDINGS[operation.number % len(_ENDINGS)]


def _rpc(operation: Operation, service: Service) -> dict[str, Any]:
    word = service.name.title().replace("-", "")
    return {"rpc.system.name": "grpc", "rpc.method": f"shop.{word}/{operation.name}{operation.number or ''}"}


def _topic(operation: Operation) -> str:
    return f"{operation.name}.{('created', 'changed', 'paid', 'sent')[operation.number % 4]}"


def _message(system: System, operation: Operation, name: str, kind: str) -> dict[str, Any]:
    return {
        "messaging.system": system.queue[0],
        "messaging.operation.name": name,
        "messaging.operation.type": kind,
        "messaging.destination.name": _topic(operation),
        "server.address": f"{system.queue[0]}.internal",
        "server.port": system.queue[1],
    }
