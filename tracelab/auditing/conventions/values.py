"""Values that the conventions write otherwise than they did, with or without a new name for their attribute."""

from __future__ import annotations

from typing import Final

DATABASES: Final = {
    "adabas": "softwareag.adabas",
    "cache": "intersystems.cache",
    "cloudscape": "other_sql",
    "cosmosdb": "azure.cosmosdb",
    "db2": "ibm.db2",
    "dynamodb": "aws.dynamodb",
    "firebird": "firebirdsql",
    "h2": "h2database",
    "hanadb": "sap.hana",
    "informix": "ibm.informix",
    "ingres": "actian.ingres",
    "intersystems_cache": "intersystems.cache",
    "maxdb": "sap.maxdb",
    "mssql": "microsoft.sql_server",
    "netezza": "ibm.netezza",
    "oracle": "oracle.db",
    "redshift": "aws.redshift",
    "spanner": "gcp.spanner",
}
"""From `db.system` to `db.system.name`; others are called as they were."""

RPC_SYSTEMS: Final = {"apache_dubbo": "dubbo", "connect_rpc": "connectrpc"}
"""From `rpc.system` to `rpc.system.name`."""

OPERATIONS: Final = {"deliver": "process", "publish": "send"}
"""From `messaging.operation` to `messaging.operation.type`."""

PROVIDERS: Final = {
    "az.ai.inference": "azure.ai.inference",
    "az.ai.openai": "azure.ai.openai",
    "gemini": "gcp.gemini",
    "vertex_ai": "gcp.vertex_ai",
    "xai": "x_ai",
}
"""From `gen_ai.system` to `gen_ai.provider.name`."""

TRANSPORTS: Final = {"ip_tcp": "tcp", "ip_udp": "udp"}
"""From `net.transport` to `network.transport`."""

HTTP_VERSIONS: Final = {"2.0": "2", "3.0": "3"}
"""From `http.flavor` to `network.protocol.version`."""

GRPC_CODES: Final = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)
"""gRPC's status codes by their numbers: from `rpc.grpc.status_code` to `rpc.status_code`."""
