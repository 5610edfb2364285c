"""A system: its services, the instances that they run as, and the operations with which they call each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tracelab.workload.systems.libraries import LANGUAGES, Language

if TYPE_CHECKING:
    import numpy as np

HTTP, RPC, DATABASE, QUEUE, WORK = range(5)
HOPS: Final = ("http", "grpc", "database", "queue", "in-process")
_NAMES: Final = (
    "catalogue",
    "cart",
    "checkout",
    "search",
    "payments",
    "shipping",
    "recommender",
    "inventory",
    "currency",
    "accounts",
    "mailer",
    "reviews",
    "pricing",
    "fulfilment",
    "invoices",
    "loyalty",
    "fraud-check",
    "media",
    "stock",
    "quotes",
    "notifications",
    "identity",
    "reports",
    "ledger",
)
_ENTRIES: Final = ("gateway", "frontend", "api", "bff")
_NOUNS: Final = (
    "orders",
    "products",
    "users",
    "baskets",
    "payments",
    "parcels",
    "reviews",
    "prices",
    "coupons",
    "media",
)
_VERBS: Final = ("load", "validate", "rank", "render", "merge", "compute", "resolve", "price", "check", "encode")
_METHODS: Final = ("Get", "List", "Reserve", "Update", "Check", "Quote")
_DATABASES: Final = (
    ("postgresql", 5432, ("SELECT", "INSERT", "UPDATE")),
    ("mysql", 3306, ("SELECT", "INSERT", "UPDATE")),
    ("redis", 6379, ("GET", "SET", "HGETALL")),
    ("mongodb", 27017, ("find", "insert", "aggregate")),
)
_QUEUES: Final = (("kafka", 9092), ("rabbitmq", 5672))
_EXTERNAL: Final = ("api.stripe.com", "maps.googleapis.com", "hooks.slack.com", "api.sendgrid.com")


@dataclass(frozen=True, slots=True)
class Step:
    """Something that an operation does: work, a query, a call.

    `operation` is what is called, None where nobody there is instrumented; `pooled` work runs in a thread pool and may
    outlast who started it; `attempts` is how often a call is tried.
    """

    hop: int
    name: str
    operation: Operation | None = None
    steps: tuple[Step, ...] = ()
    chance: float = 1.0
    attempts: int = 1
    pooled: bool = False
    events: bool = False
    fault: float = 0.0
    timeout: float = 0.0
    target: tuple[str, int, str] = ("", 0, "")


@dataclass(slots=True)
class Operation:
    """What a service does when it is called in one way."""

    service: int
    hop: int
    name: str
    number: int
    method: str = "GET"
    uuid: bool = False
    linked: bool = False
    parallel: bool = False
    fault: float = 0.0
    refused: float = 0.0
    code: int = 500
    refusal: int = 404
    weight: float = 1.0
    origin: str = "server"
    steps: list[Step] = field(default_factory=list)


@dataclass(slots=True)
class Service:
    """A service, and where it runs."""

    name: str
    language: Language | None
    tier: int
    instances: list[int] = field(default_factory=list)
    database: tuple[str, int, tuple[str, ...]] = _DATABASES[0]
    sets_ok: bool = False
    flags: int = 1
    sdk: str = "webjs"
    operations: list[Operation] = field(default_factory=list)


@dataclass(slots=True)
class System:
    """Everything that does not change from request to request."""

    services: list[Service]
    hosts: list[str]
    instance_service: list[int]
    instance_host: list[int]
    kubernetes: bool
    queue: tuple[str, int]
    threshold: str | None
    xray: bool
    entries: list[Operation]
    names_peers: bool
    proxies: dict[int, int] = field(default_factory=dict)


def draw_system(rng: np.random.Generator) -> System:
    """Draw the services, let every one be called by another, and give all of them something to do."""
    count = int(rng.integers(3, 13))
    fronts = 1 if count < 6 else int(rng.integers(1, 3))
    names = [*rng.permutation(_ENTRIES)[:fronts].tolist(), *rng.permutation(_NAMES)[: count - fronts].tolist()]
    tiers = [0] * fronts + sorted(rng.integers(1, 4, count - fronts).tolist())
    mix = rng.permutation(len(LANGUAGES))[: int(rng.integers(2, 6))]
    services = [
        _service(rng, name, tier, LANGUAGES[int(rng.choice(mix))]) for name, tier in zip(names, tiers, strict=True)
    ]
    system = System(
        services,
        [],
        [],
        [],
        kubernetes=bool(rng.random() < 0.6),
        queue=_QUEUES[int(rng.integers(2))],
        threshold=str(rng.choice(["0", "8", "c"])) if rng.random() < 0.3 else None,
        xray=bool(rng.random() < 0.1),
        entries=[],
        names_peers=bool(rng.random() < 0.5),
    )
    _place(rng, system)
    _connect(rng, system, fronts)
    _begin(rng, system, fronts)
    if system.kubernetes and rng.random() < 0.2:
        _mesh(rng, system, fronts)
    return system


def _service(rng: np.random.Generator, name: str, tier: int, language: Language) -> Service:
    return Service(
        name,
        language,
        tier,
        database=_DATABASES[int(rng.integers(len(_DATABASES)))],
        sets_ok=bool(rng.random() < 0.2),
        flags=int(rng.choice([1, 1 | 0x100, 3])),
    )


def _place(rng: np.random.Generator, system: System) -> None:
    """Give every service its instances, on hosts of their own (pods) or on a few that all share."""
    shared = [f"node-{number}" for number in range(1, int(rng.integers(4, 9)))]
    if not system.kubernetes:
        system.hosts.extend(shared)
    for number, service in enumerate(system.services):
        for _ in range(int(rng.integers(1, 4))):
            service.instances.append(len(system.instance_service))
            system.instance_service.append(number)
            if system.kubernetes:
                system.instance_host.append(len(system.hosts))
                tail = "".join(rng.choice(list("bcdfghjklmnpqrstvwxz2456789"), 5))
                system.hosts.append(f"{service.name}-{rng.integers(16**8):08x}-{tail}")
            else:
                system.instance_host.append(int(rng.integers(len(shared))))


def _connect(rng: np.random.Generator, system: System, fronts: int) -> None:
    for front in range(fronts):
        for _ in range(int(rng.integers(2, 5))):
            system.entries.append(_operation(rng, system, front, HTTP))
    for number in range(fronts, len(system.services)):
        callers = [other for other in range(number) if system.services[other].tier < system.services[number].tier]
        chosen = rng.permutation(callers)[: 1 + int(rng.random() < 0.5)]
        for caller in chosen.tolist():
            _call(rng, system, caller, number, int(rng.choice([HTTP, RPC, QUEUE], p=[0.5, 0.3, 0.2])))
    for service in system.services:
        for operation in service.operations:
            _work(rng, system, operation)


def _operation(rng: np.random.Generator, system: System, service: int, hop: int) -> Operation:
    noun, number = str(rng.choice(_NOUNS)), len(system.services[service].operations)
    operation = Operation(
        service,
        hop,
        name=f"{rng.choice(_METHODS)}{noun.capitalize()}" if hop == RPC else noun,
        number=number,
        method=str(rng.choice(["GET", "GET", "POST", "PUT"])),
        uuid=bool(rng.random() < 0.4),
        linked=bool(hop == QUEUE and rng.random() < 0.35),
        parallel=bool(rng.random() < 0.3),
        fault=float(rng.choice([0.0, 0.01, 0.06, 0.12], p=[0.5, 0.2, 0.2, 0.1])),
        refused=float(rng.choice([0.0, 0.02, 0.1], p=[0.5, 0.3, 0.2])) if hop != QUEUE else 0.0,
        code=int(rng.choice([500, 503, 502])),
        refusal=int(rng.choice([404, 400, 409, 403])),
        weight=float(rng.choice([1.0, 0.7, 0.4])),
    )
    system.services[service].operations.append(operation)
    return operation


def _call(rng: np.random.Generator, system: System, caller: int, callee: int, hop: int) -> None:
    """Let some of the caller's operations call one or two of the callee's."""
    ours = system.services[caller].operations
    for _ in range(1 + int(rng.random() < 0.3)):
        there = [operation for operation in system.services[callee].operations if operation.hop == hop]
        operation = there[0] if there and rng.random() < 0.4 else _operation(rng, system, callee, hop)
        for place in rng.permutation(len(ours))[: int(rng.integers(1, 3))].tolist():
            retries = hop in (HTTP, RPC) and rng.random() < 0.25
            ours[place].steps.append(
                Step(
                    hop,
                    operation.name,
                    operation,
                    chance=float(rng.choice([1.0, 0.8, 0.5])),
                    attempts=3 if retries else 1,
                    timeout=float(rng.choice([0.0, 0.03])) if hop != QUEUE else 0.0,
                )
            )


def _work(rng: np.random.Generator, system: System, operation: Operation) -> None:
    """Give an operation something to do besides calling others: work, queries, calls to the world outside."""
    service = system.services[operation.service]
    kind, port, verbs = service.database
    own: list[Step] = []
    for _ in range(int(rng.integers(1, 4))):
        drawn = rng.random()
        if drawn < 0.5:
            own.append(_query(rng, service.name, (kind, port), verbs))
        elif drawn < 0.58:
            outside = str(rng.choice(_EXTERNAL))
            own.append(Step(HTTP, "external", chance=0.6, fault=0.03, target=(outside, 443, str(rng.choice(_NOUNS)))))
        else:
            inner = (_query(rng, service.name, (kind, port), verbs),) if rng.random() < 0.5 else ()
            own.append(
                Step(
                    WORK,
                    f"{rng.choice(_VERBS)}_{rng.choice(_NOUNS)}",
                    steps=inner,
                    chance=float(rng.choice([1.0, 0.9])),
                    pooled=bool(rng.random() < 0.35),
                    events=bool(rng.random() < 0.4),
                    fault=float(rng.choice([0.0, 0.05], p=[0.7, 0.3])),
                )
            )
    calls = operation.steps
    # Some calls are made from inside of a piece of work rather than by the handler itself.
    if calls and rng.random() < 0.4:
        wrapped = Step(
            WORK, f"{rng.choice(_VERBS)}_{rng.choice(_NOUNS)}", steps=(calls[0],), pooled=bool(rng.random() < 0.4)
        )
        calls = [wrapped, *calls[1:]]
    mixed = [*own, *calls]
    operation.steps = [mixed[place] for place in rng.permutation(len(mixed)).tolist()]


def _query(rng: np.random.Generator, service: str, server: tuple[str, int], verbs: tuple[str, ...]) -> Step:
    table, verb = str(rng.choice(_NOUNS)), str(rng.choice(verbs))
    return Step(
        DATABASE,
        f"{verb} {table}",
        fault=float(rng.choice([0.0, 0.02], p=[0.7, 0.3])),
        target=(f"{server[0]}.{service}.internal", server[1], table),
    )


def _begin(rng: np.random.Generator, system: System, fronts: int) -> None:
    """Let some requests begin in a browser, some at a scheduler or a poller, and some come to inner services."""
    inner = [
        operation
        for service in system.services[fronts:]
        for operation in service.operations
        if operation.hop in (HTTP, RPC)
    ]
    if inner and rng.random() < 0.3:
        system.entries.append(inner[int(rng.integers(len(inner)))])
    if rng.random() < 0.35:
        browser = Service("web", None, -1)
        number = len(system.services)
        system.services.append(browser)
        browser.instances.append(len(system.instance_service))
        system.instance_service.append(number)
        system.instance_host.append(-1)
        for entry in [entry for entry in system.entries if rng.random() < 0.5]:
            page = Operation(
                number, WORK, entry.name, len(browser.operations), origin=str(rng.choice(["load", "fetch"]))
            )
            page.steps.append(Step(HTTP, entry.name, entry))
            browser.operations.append(page)
            system.entries.append(page)
    if rng.random() < 0.2:
        poller = int(rng.integers(fronts, len(system.services)))
        if system.services[poller].language is not None:
            kind, port, verbs = system.services[poller].database
            outbox = _operation(rng, system, poller, WORK)
            outbox.origin, outbox.weight, outbox.fault = "poll", 0.4, 0.0
            outbox.steps.append(_query(rng, system.services[poller].name, (kind, port), verbs))
            system.entries.append(outbox)
    if rng.random() < 0.35:
        service = int(rng.integers(fronts, max(len(system.services), fronts + 1)))
        if service < len(system.services) and system.services[service].language is not None:
            job = _operation(rng, system, service, WORK)
            job.origin, job.weight, job.fault = "cron", 0.3, 0.0
            _work(rng, system, job)
            system.entries.append(job)


def _mesh(rng: np.random.Generator, system: System, fronts: int) -> None:
    """Put a proxy before some services, on their hosts, that records what comes in."""
    for number in range(fronts, len(system.services)):
        service = system.services[number]
        if service.language is not None and rng.random() < 0.4:
            system.proxies[number] = len(system.services)
            system.services.append(Service(f"{service.name}.shop", None, service.tier, flags=service.flags, sdk="cpp"))
            for instance in service.instances:
                system.services[-1].instances.append(len(system.instance_service))
                system.instance_service.append(system.proxies[number])
                system.instance_host.append(system.instance_host[instance])
