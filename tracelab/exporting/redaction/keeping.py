"""What stays of a dump that is redacted, and what kind of thing each text is that does not.

Keys of attributes stay where the semantic conventions of OpenTelemetry have them, or answers of tracelab read them
(`conventional_keys.txt`). Of other keys those words stay that occur in these, or that many systems have: `order.id`
stays, and `acme.tier` names a customer. Values stay where the conventions list what they may be, and they are on the
list.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, Final

from tracelab.errors import QueryWarning, TracelabError, warn_caller
from tracelab.options import shown
from tracelab.schema import is_attribute

_CODES: Final = (
    "db.response.status_code", "grpc.status_code", "http.response.status_code", "http.status_code",
    "rpc.connect_rpc.error_code", "rpc.grpc.status_code", "rpc.response.status_code", "rpc.status_code",
)  # fmt: skip
_VERSIONS: Final = (
    "http.flavor", "net.protocol.version", "network.protocol.version", "process.runtime.version",
    "telemetry.distro.version", "telemetry.sdk.version",
)  # fmt: skip
_NAMES: Final = (
    "cloud.platform", "cloud.provider", "db.system", "db.system.name", "exception.escaped", "faas.trigger", "host.arch",
    "http.method", "http.request.method", "http.scheme", "messaging.operation", "messaging.operation.type",
    "messaging.system", "net.protocol.name", "net.sock.family", "net.transport", "network.protocol.name",
    "network.transport", "network.type", "os.type", "otel.status_code", "process.runtime.name", "rpc.system",
    "rpc.system.name", "span.kind", "status.code", "telemetry.sdk.language", "telemetry.sdk.name", "url.scheme",
)  # fmt: skip
_SAMPLING: Final = (
    # How spans were sampled, without which nobody can tell how many they stand for.
    "SampleRate", "_MS.sampleRate", "_dd.agent_psr", "_dd.limit_psr", "_dd.p.dm", "_dd.rule_psr",
    "_sampling_priority_v1", "microsoft.sample_rate", "sampleRate", "sampler.param", "sampler.type",
    "sampling.priority", "sampling.probability",
)  # fmt: skip
ENUMERATED: Final = frozenset((*_CODES, *_VERSIONS, *_NAMES, *_SAMPLING))
"""Keys whose values the conventions list."""

_LISTED: Final = (
    # methods, schemes and protocols
    "CONNECT DELETE GET HEAD OPTIONS PATCH POST PUT TRACE QUERY _OTHER PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK "
    "REPORT SEARCH PURGE http https ws wss h2 h2c h3 ftp grpc amqp mqtt spdy quic SPDY QUIC tcp udp pipe unix inet "
    "inet6 ipv4 ipv6 ip_tcp ip_udp IP.TCP IP.UDP inproc other dns tls "
    # databases
    "postgresql postgres mysql mariadb mssql oracle db2 sqlite redis mongodb memcached cassandra couchdb couchbase "
    "cosmosdb dynamodb elasticsearch opensearch hbase hive neo4j h2database hsqldb derby clickhouse cockroachdb "
    "coldfusion cache edb filemaker firebird firstsql geode hanadb informix ingres instantdb interbase maxdb "
    "mssqlcompact netezza other_sql pervasive pointbase progress redshift spanner sybase teradata trino vertica "
    "valkey influxdb snowflake bigquery adabas cloudscape actian.ingres aws.dynamodb aws.redshift azure.cosmosdb "
    "gcp.spanner ibm.db2 ibm.informix ibm.netezza microsoft.sql_server oracle.db sap.hana sap.maxdb "
    "softwareag.adabas sql etcd "
    # queues and remote calls
    "kafka rabbitmq activemq rocketmq pulsar nats jms aws_sqs aws.sqs aws.sns aws_sns sqs sns AmazonSQS eventgrid "
    "eventhubs servicebus gcp_pubsub pubsub celery create send publish receive process deliver settle ack nack "
    "aws-api apache_dubbo dubbo connect_rpc dotnet_wcf java_rmi jsonrpc onc_rpc "
    # clouds, functions, machines
    "aws azure gcp alibaba_cloud heroku ibm_cloud oracle_cloud tencent_cloud aws_ec2 aws_ecs aws_eks aws_lambda "
    "aws_elastic_beanstalk aws_app_runner aws_openshift azure_vm azure_aks azure_functions azure_app_service "
    "azure_container_apps azure_container_instances azure_openshift azure.vm azure.aks azure.functions "
    "azure.app_service azure.container_apps azure.container_instances azure.openshift gcp_compute_engine "
    "gcp_cloud_run gcp_kubernetes_engine gcp_cloud_functions gcp_app_engine gcp_bare_metal_solution gcp_openshift "
    "datasource pubsub timer amd64 arm32 arm64 ia64 ppc32 ppc64 s390x x86 x86_64 aarch64 aix darwin dragonflybsd "
    "freebsd hpux linux netbsd openbsd solaris windows z_os zos "
    # languages and runtimes
    "cpp dotnet erlang go java nodejs php python ruby rust swift webjs opentelemetry node browser gc gccgo cpython "
    "pypy CPython PyPy graalvm BEAM jruby "
    # states, kinds, samplers
    "OK ERROR UNSET Ok Error Unset ok error unset client server producer consumer internal unspecified CLIENT SERVER "
    "PRODUCER CONSUMER INTERNAL true false True False const probabilistic ratelimiting rateLimiting lowerbound remote "
    # codes in words
    "CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED "
    "RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED UNAVAILABLE DATA_LOSS UNAUTHENTICATED "
    "cancelled unknown invalid_argument deadline_exceeded not_found already_exists permission_denied "
    "resource_exhausted failed_precondition aborted out_of_range unimplemented unavailable data_loss unauthenticated"
)
_ANY_LISTED: Final = f"^(?:{'|'.join(map(re.escape, sorted(set(_LISTED.split()))))})$"
_CODE: Final = "^-?[0-9]{1,3}$"
_NUMBER: Final = r"^-?[0-9]{1,20}(?:\.[0-9]{1,20})?(?:[eE]-?[0-9]{1,3})?$"


def is_code(key: str) -> bool:
    """Say whether a key that conventions have holds codes of at most three digits, where it holds numbers."""
    return key in _CODES


def listed_values(key: str) -> str:
    """Give what the values look like that the conventions list for a key, as a regular expression.

    What does not is a name that somebody chose, or a mistake, and is replaced.
    """
    if key in _SAMPLING:
        return f"{_ANY_LISTED}|{_NUMBER}"
    if key == "db.response.status_code":  # a code of SQL, such as 42P01, or of Oracle
        return rf"{_ANY_LISTED}|{_CODE}|^[0-9][0-9A-Z]{{4}}$|^ORA-[0-9]{{5}}$"
    if key in _VERSIONS:
        return rf"{_ANY_LISTED}|^(?:v|go|HTTP/)?[0-9]{{1,4}}(?:\.[0-9]{{1,5}}){{0,4}}(?:[+_-][0-9]{{1,4}})?$"
    return f"{_ANY_LISTED}|{_CODE}"


ALWAYS: Final = (
    r"^\s*$|^(?:localhost|127\.0\.0\.1|::1|0\.0\.0\.0)$"
    r"|^unknown_service(?::(?:java|node|python[0-9.]*|dotnet|go|ruby|php|bash|uwsgi|gunicorn))?$"
)
"""Texts that stay wherever they stand: none at all, one's own machine, and a service without a name."""

ALWAYS_ERRORS: Final = (
    r"^[1-5][0-9]{2}$|^1?[0-9]$|^_OTHER$|^timeout$|^(?:CANCELLED|UNKNOWN|INVALID_ARGUMENT|DEADLINE_EXCEEDED|NOT_FOUND"
    r"|ALREADY_EXISTS|PERMISSION_DENIED|RESOURCE_EXHAUSTED|FAILED_PRECONDITION|ABORTED|OUT_OF_RANGE|UNIMPLEMENTED"
    r"|INTERNAL|UNAVAILABLE|DATA_LOSS|UNAUTHENTICATED)$"
)
"""Types of errors that are status codes, or words of the conventions."""

EVENTS: Final = frozenset(("exception", "message", "log", "rpc.message"))
"""Names of events that conventions have."""

_CLASSES: Final = {
    "service": ("peer.service", "service.peer.name", "service.name"),
    "host": (
        "client.address", "host.name", "http.host", "http.server_name", "net.host.ip", "net.host.name", "net.peer.ip",
        "net.peer.name", "net.sock.host.addr", "net.sock.peer.addr", "net.sock.peer.name", "network.local.address",
        "network.peer.address", "server.address", "source.address", "destination.address",
    ),
    "route": ("http.route", "url.template"),
    "error": ("error.type", "exception.type"),
    "message": ("error.message", "exception.message", "otel.status_description"),
    "destination": ("messaging.destination", "messaging.destination.name"),
    "database": ("db.name", "db.namespace"),
}  # fmt: skip
_CLASS_OF: Final = {key: name for name, keys in _CLASSES.items() for key in keys}
VALUE: Final = "value"

COLUMNS: Final = {
    "trace_id": "trace",
    "span_id": "span",
    "parent_span_id": "span",
    "service_name": "service",
    "name": "operation",
    "status_message": "message",
    "scope_name": "scope",
    "scope_version": "version",
}
"""The columns of texts that every span frame has, and what kind of thing each holds."""

KNOWN_COLUMNS: Final = frozenset(
    (
        "raw_start_time", "skew_correction", "skew_note", "sampling_weight", "self_time", "slack_optimistic",
        "slack_pessimistic", "drag_optimistic", "drag_pessimistic",
    )
)  # fmt: skip
"""Columns that functions of tracelab add, with times and numbers of theirs in them."""

_WORDS: Final = frozenset(
    (
        "account", "app", "basket", "billing", "booking", "canary", "card", "cart", "category", "checkout", "commit",
        "cost", "currency", "customer", "deploy", "deployment", "enduser", "experiment", "feature", "flag", "fallback",
        "hit", "id", "ids", "invoice", "item", "items", "kind", "latency", "member", "miss", "mode", "order", "page",
        "partial", "password", "path", "payment", "phone", "pid", "plan", "price", "priority", "product", "quantity",
        "rank", "region", "release", "result", "retries", "retry", "rows", "score", "sessions", "shipment", "shop",
        "skew", "stage", "step", "tenant", "ticket", "tier", "token", "total", "transaction", "url", "user", "uuid",
        "value", "visitor", "zone",
    )
)  # fmt: skip
_BETWEEN_WORDS: Final = re.compile(r"([._\-/: ]+)")
_CAMEL: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^A-Za-z]+")


@cache
def conventional_keys() -> frozenset[str]:
    """Give the keys that stay."""
    return frozenset((Path(__file__).parent / "conventional_keys.txt").read_text(encoding="utf-8").split())


@cache
def _vocabulary() -> frozenset[str]:
    return _WORDS | {word for key in conventional_keys() for word in _BETWEEN_WORDS.split(key) if word.isalpha()}


def words_of(key: str) -> list[tuple[str, bool]]:
    """Cut a key into words and what stands between them, and say of each whether it stays."""
    return [
        (part, bool(place % 2) or not part or all(map(_is_common, _CAMEL.findall(part))))
        for place, part in enumerate(_BETWEEN_WORDS.split(key))
    ]


def _is_common(word: str) -> bool:
    low, known = word.lower(), _vocabulary()
    return low in known or (low.removesuffix("id") in known and low.endswith("id"))


def class_of(key: str) -> str:
    """Say what kind of thing an attribute holds: values of one kind are alike wherever they stand."""
    return _CLASS_OF.get(key, VALUE)


@dataclass(slots=True)
class Keep:
    """What the user wants to keep: names of columns and attributes, with `*` for any text."""

    patterns: tuple[str, ...]
    used: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, wanted: Any) -> Keep:
        """Read the option.

        Raises
        ------
        TracelabError
            It is no list of names.
        """
        names = [wanted] if isinstance(wanted, str) else wanted
        try:
            patterns = tuple(names)
        except TypeError:
            patterns = (None,)
        for name in patterns:
            if not isinstance(name, str) or not name.strip():
                raise TracelabError(
                    f"`keep` must list names such as 'service_name' or 'span.http.*', got {shown(wanted)}."
                )
        return cls(patterns)

    def column(self, name: str) -> bool:
        """Say whether a column stays as it is."""
        return self._any(name)

    def attribute(self, scope: str, key: str) -> bool:
        """Say whether an attribute stays as it is, key and value; the scope may be left out."""
        return self._any(key, f"{scope}.{key}")

    def warn(self) -> None:
        """Say which names kept nothing."""
        for pattern in self.patterns:
            if pattern in self.used:
                continue
            near = get_close_matches(pattern, sorted(self.seen), n=1, cutoff=0.6)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            warn_caller(f"`keep` names {pattern!r}, and the spans have nothing of that name.{hint}", QueryWarning)

    def _any(self, *names: str) -> bool:
        self.seen.update(names)
        found = {pattern for pattern in self.patterns for name in names if fnmatchcase(name, pattern)}
        self.used |= found
        return bool(found)


def scoped(name: str) -> tuple[str, str]:
    """Split the full name of an attribute into scope and key."""
    scope, _, key = name.partition(".")
    return (scope, key) if is_attribute(name) else ("", name)


def keeps_value(key: str) -> bool:
    """Say whether conventions list the values of a key."""
    return key in ENUMERATED
