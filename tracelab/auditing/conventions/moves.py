"""How the value of each old attribute becomes that of a new one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from tracelab.auditing.conventions.renames import EARLIER, RENAMED, SUCCESSORS
from tracelab.auditing.conventions.values import (
    DATABASES,
    GRPC_CODES,
    HTTP_VERSIONS,
    OPERATIONS,
    PROVIDERS,
    RPC_SYSTEMS,
    TRANSPORTS,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import polars as pl

CALLERS: Final = ("client", "producer", "consumer")
"""Kinds of spans whose peer is a server: one that is called, or a broker."""

CALLED: Final = ("server",)


class Part(NamedTuple):
    """What becomes of an old attribute's value.

    Attributes
    ----------
    new
        The name that it gets.
    convert
        Makes the new value of the old one, as text; None takes it as it is.
    kinds
        The kinds of spans where it is so; none for all.
    """

    new: str
    convert: Callable[[pl.Expr], pl.Expr] | None = None
    kinds: tuple[str, ...] = ()


def _renamed(values: Mapping[str, str]) -> Callable[[pl.Expr], pl.Expr]:
    return lambda value: value.replace(dict(values))


def _port(value: pl.Expr) -> pl.Expr:
    return value.str.extract(r"^(?:\[[^\]]*\]|[^:]*):(\d{1,5})$")


def _address(value: pl.Expr) -> pl.Expr:
    return value.str.extract(r"^(\[[^\]]*\]|[^:/]+)(?::\d{1,5})?$").str.strip_chars("[]")


def _version(value: pl.Expr) -> pl.Expr:
    return value.str.extract(r"^(?i:HTTP/)?(\d+(?:\.\d+)?)$").replace(dict(HTTP_VERSIONS))


def _protocol(value: pl.Expr) -> pl.Expr:
    return value.str.extract(r"^((?i:quic|spdy))$").str.to_lowercase()


def _grpc(value: pl.Expr) -> pl.Expr:
    return _known({str(number): name for number, name in enumerate(GRPC_CODES)})(value)


def _known(values: Mapping[str, str]) -> Callable[[pl.Expr], pl.Expr]:
    return lambda value: value.replace_strict(dict(values), default=None)


def _text(value: pl.Expr) -> pl.Expr:
    return value


_CONVERTED: Final[dict[str, tuple[Part, ...]]] = {
    "db.cosmosdb.status_code": (Part("db.response.status_code", _text),),
    "db.redis.database_index": (Part("db.namespace", _text),),
    "db.system": (Part("db.system.name", _renamed(DATABASES)),),
    "gen_ai.system": (Part("gen_ai.provider.name", _renamed(PROVIDERS)),),
    "http.flavor": (Part("network.protocol.version", _version), Part("network.protocol.name", _protocol)),
    "http.host": (
        Part("server.address", _address, (*CALLERS, *CALLED)),
        Part("server.port", _port, (*CALLERS, *CALLED)),
    ),
    "http.target": (
        Part("url.path", lambda value: value.str.extract(r"^([^?#]+)")),
        Part("url.query", lambda value: value.str.extract(r"^[^?#]*\?([^#]+)")),
    ),
    "messaging.kafka.destination.partition": (Part("messaging.destination.partition.id", _text),),
    "messaging.kafka.partition": (Part("messaging.destination.partition.id", _text),),
    "messaging.operation": (Part("messaging.operation.type", _renamed(OPERATIONS)),),
    "messaging.rocketmq.client_group": (Part("messaging.consumer.group.name", None, ("consumer",)),),
    "net.peer.name": (Part("server.address", None, CALLERS), Part("client.address", None, CALLED)),
    "net.peer.port": (Part("server.port", None, CALLERS), Part("client.port", None, CALLED)),
    "net.protocol.version": (Part("network.protocol.version", _renamed(HTTP_VERSIONS)),),
    "net.sock.family": (
        Part("network.type", _known({"inet": "ipv4", "inet6": "ipv6"})),
        Part("network.transport", _known({"unix": "unix"})),
    ),
    "net.transport": (
        Part("network.transport", _known(TRANSPORTS | {name: name for name in ("pipe", "tcp", "udp", "quic", "unix")})),
    ),
    "rpc.grpc.status_code": (Part("rpc.status_code", _grpc),),
    "rpc.jsonrpc.error_code": (Part("rpc.status_code", _text),),
    "rpc.system": (Part("rpc.system.name", _renamed(RPC_SYSTEMS)),),
}
_AS_THEY_ARE: Final = (
    "db.sql.table",
    "gen_ai.openai.request.seed",
    "gen_ai.openai.request.service_tier",
    "gen_ai.openai.response.service_tier",
    "gen_ai.openai.response.system_fingerprint",
    "gen_ai.usage.completion_tokens",
    "gen_ai.usage.prompt_tokens",
)
_FIRST: Final = ("http.client_ip", "net.host.name", "net.host.port", "net.peer.name", "net.peer.port", "db.name")
"""Where several old names have one new name, these are believed first."""

MOVES: Final[dict[str, tuple[Part, ...]]] = {
    old: _CONVERTED.get(old, tuple(Part(new) for new in SUCCESSORS[old]))
    for old in sorted(SUCCESSORS, key=lambda name: (name not in _FIRST, name))
    if old in _CONVERTED or old in RENAMED or old in EARLIER or old in _AS_THEY_ARE
}
"""Each old attribute whose successors its value and the kind of its span tell, in the order of trust."""
