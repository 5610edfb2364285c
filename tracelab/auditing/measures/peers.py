"""Whom a call is meant for: the service behind the address that a client span names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.auditing.evidence import CLIENT, SERVER
from tracelab.auditing.measures.chance import sampled
from tracelab.auditing.measures.some_rows import texts_at
from tracelab.numbering import coded, gathered, renumbered

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Ints
    from tracelab.auditing.evidence import Evidence

_NAMES: Final = ("span.service.peer.name", "span.peer.service")
_ADDRESSES: Final = ("span.server.address", "span.net.peer.name", "span.net.sock.peer.name")
_URLS: Final = ("span.url.full", "span.http.url")
_HOSTS: Final = ("span.http.host", "span.network.peer.address", "span.net.peer.ip", "span.net.sock.peer.addr")
_PORTS: Final = ("span.server.port", "span.net.peer.port", "span.network.peer.port")
_OWN_ADDRESSES: Final = ("span.server.address", "span.net.host.name", "span.http.server_name")
_OWN_PORTS: Final = ("span.server.port", "span.net.host.port")
_OWN_HOSTS: Final = ("resource.host.name", "resource.k8s.pod.name", "resource.k8s.pod.ip", "resource.host.ip")
LOOPBACK: Final = r"^(localhost|127\.|0\.0\.0\.0|\[?::1?\]?$|host\.docker\.internal)"
NUMERIC: Final = r"^[\d.]+(:\d+)?$|:.*:"
_PUBLIC: Final = (
    r"\.(com|net|org|io|dev|co|ai|app|cloud|eu|us|uk|de|fr)$"
    r"|^[^.]+\.[^.]+\..*[a-z]$"
)
_INTERNAL: Final = r"\.(local|internal|svc|cluster|lan|corp|intra|localdomain|consul|test|docker|home|mesh)(\.|$)"
_EVERY_SERVICE: Final = r"(service|svc|server|api|app)$"
_ANSWERS: Final = 5_000
_PLACES: Final = 1_000


def addresses(evidence: Evidence, clients: Ints) -> tuple[Ints, pl.Series]:
    """Give numbers to the addresses that client spans name (`host:port`, or the name of a service); -1 for none."""
    named, host = texts_at(evidence, clients, *_NAMES), texts_at(evidence, clients, *_ADDRESSES)
    if host.null_count() and named.null_count():
        host = _hosts_of_urls(evidence, clients, host)
    parts = [coded(text) for text in (named, host, texts_at(evidence, clients, *_PORTS))]
    number = np.zeros(clients.size, dtype=np.int64)
    for code, texts in parts:
        number = number * (texts.len() + 1) + code + 1
    number, distinct = renumbered(number)
    # Different addresses are few, so that what is written is put together for these alone.
    columns = []
    for _, texts in reversed(parts):
        distinct, code = np.divmod(distinct, texts.len() + 1)
        columns.append(gathered(texts, code - 1))
    port, host, named = columns
    written, texts = coded(pl.select(pl.coalesce(named, _with_port(host, port))).to_series())
    return written[number], texts


def _hosts_of_urls(evidence: Evidence, clients: Ints, host: pl.Series) -> pl.Series:
    """Take the host from the URL, or from what else names one, where there is no address."""
    rows = np.flatnonzero(host.is_null())
    url = texts_at(evidence, clients[rows], *_URLS).str.extract(r"^[\w+.-]+://(?:[^/@?#]*@)?([^/?#]+)", 1)
    found = pl.select(pl.coalesce(url, texts_at(evidence, clients[rows], *_HOSTS))).to_series()
    return host.scatter(rows, found) if rows.size < host.len() else found


def are_public(texts: pl.Series) -> Flags:
    """Mark the addresses that stand for hosts of the internet, as their domains say."""
    host = texts.str.replace(r":\d+$", "")
    public: Flags = (host.str.contains(_PUBLIC) & ~host.str.contains(_INTERNAL)).to_numpy()
    return public


def meant(evidence: Evidence, texts: pl.Series) -> tuple[Ints, Ints]:
    """Tell which services addresses stand for: by what they are called, where they run, and who has answered there.

    Parameters
    ----------
    evidence
        The spans.
    texts
        Different addresses.

    Returns
    -------
    Pairs of the number of an address and that of a service; an address that nothing is known of is in none.
    """
    order = texts.arg_sort().to_numpy().astype(np.int64)
    ordered = texts.gather(order)
    # Several rules ask, and mostly about the same addresses.
    place, service = evidence.kept(("meant", tuple(ordered.to_list())), lambda: _meant(evidence, ordered))
    address = order[place]
    by_address = np.lexsort((service, address))
    return address[by_address], service[by_address]


def _meant(evidence: Evidence, texts: pl.Series) -> tuple[Ints, Ints]:
    asked = (
        pl.DataFrame({"text": texts})
        .with_row_index("address")
        .with_columns(pl.col("address").cast(pl.Int64), _host(pl.col("text")).alias("host"))
    )
    found = pl.concat(_numbers(known) for known in (_by_name(evidence, asked), _by_place(evidence, asked)))
    unknown = asked.join(found, on="address", how="anti")
    if unknown.height:
        found = pl.concat([found, _numbers(_by_answers(evidence, unknown))])
    found = found.unique().sort("address", "service")
    return found["address"].to_numpy(), found["service"].to_numpy()


def _by_name(evidence: Evidence, asked: pl.DataFrame) -> pl.DataFrame:
    """Find services that are called as a host is, or as the first part of its name is."""
    services = pl.DataFrame({"name": evidence.services}).with_row_index("service")
    last = pl.col("name").str.extract(r"([^./:]+)$", 1)
    called = pl.concat([services.select("service", _core(name).alias("core")) for name in (pl.col("name"), last)])
    first = pl.col("host").str.split(".").list.first()
    named = asked.filter(~pl.col("host").str.contains(NUMERIC))
    hosts = pl.concat([named.select("address", _core(name).alias("core")) for name in (pl.col("host"), first)])
    return hosts.filter(pl.col("core") != "").join(called, on="core").select("address", "service")


def _by_place(evidence: Evidence, asked: pl.DataFrame) -> pl.DataFrame:
    """Find services whose server spans say that they were reached at an address, or that run on that host."""
    at_port, at_host = evidence.kept("places", lambda: _places(evidence))
    return pl.concat(
        [
            asked.join(at_port, left_on="text", right_on="reached").select("address", "service"),
            asked.join(at_host, on="host").select("address", "service"),
        ]
    )


def _places(evidence: Evidence) -> tuple[pl.DataFrame, pl.DataFrame]:
    """List where server spans say that their services are: addresses with a port, and hosts."""
    servers = np.flatnonzero(evidence.kind == SERVER)
    servers = servers[sampled(evidence.service[servers], _PLACES)]
    reached, port = texts_at(evidence, servers, *_OWN_ADDRESSES), texts_at(evidence, servers, *_OWN_PORTS)
    host, service = texts_at(evidence, servers, *_OWN_HOSTS), evidence.service[servers]
    own = pl.DataFrame({"reached": reached, "port": port, "host": host, "service": service}).unique()
    own = own.with_columns(_with_port(own["reached"], own["port"]).alias("reached")).unique()
    at_port = own.filter(pl.col("reached").str.contains(":")).select("reached", "service")
    at_host = pl.concat(
        [
            own.select(_host(pl.col("reached")).alias("host"), "service"),
            own.select(pl.col("host").str.to_lowercase(), "service"),
        ]
    )
    return at_port, at_host.filter(~pl.col("host").str.contains(LOOPBACK)).unique()


def _by_answers(evidence: Evidence, asked: pl.DataFrame) -> pl.DataFrame:
    """Find services whose server spans are children of other client spans that name an address."""
    answers = np.flatnonzero(evidence.crossing)
    answers = answers[(evidence.kind[answers] == SERVER) & (evidence.kind[evidence.parent[answers]] == CLIENT)]
    answers = answers[:: max(1, answers.size // _ANSWERS)]
    code, names = addresses(evidence, evidence.parent[answers])
    known = pl.DataFrame({"code": code, "service": evidence.service[answers]}).unique().filter(pl.col("code") >= 0)
    known = known.with_columns(names.gather(known["code"]).alias("text"))
    return asked.join(known, on="text").select("address", "service")


def _numbers(known: pl.DataFrame) -> pl.DataFrame:
    return known.select(pl.col("address", "service").cast(pl.Int64))


def _with_port(host: pl.Series, port: pl.Series) -> pl.Series:
    """Write an address with its port, where it is known and not there yet."""
    table = pl.DataFrame({"host": host, "port": port})
    has_one = pl.col("host").str.contains(r":\d+$") | pl.col("port").is_null()
    return table.select(
        pl.when(has_one).then("host").otherwise(pl.col("host") + ":" + pl.col("port")).str.to_lowercase()
    ).to_series()


def _host(address: pl.Expr) -> pl.Expr:
    return address.str.replace(r":\d+$", "").str.to_lowercase()


def _core(name: pl.Expr) -> pl.Expr:
    """Leave what distinguishes a service: `Payment-Service`, `payment_svc` and `payment` are called alike."""
    letters = name.str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}]", "")
    return letters.str.replace(r"(.)" + _EVERY_SERVICE, "$1")
