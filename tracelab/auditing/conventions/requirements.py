"""Which attributes the semantic conventions want on which spans, how much they want them, and when."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, TypeAlias

Level: TypeAlias = Literal["required", "conditionally required", "recommended", "opt-in"]
When: TypeAlias = Literal[
    "always",
    "available",
    "failed",
    "answered",
    "single",
    "other method",
    "with network.peer.address",
    "with server.address",
    "never",
]
"""Which spans should have it: all; all, unless there is nothing to tell ("available"); those that failed; those that
did not fail, since an answer came; those about a single message; those with another attribute ("with server.address");
or, where spans do not show whether the condition holds, none can be said to ("never")."""


class Requirement(NamedTuple):
    """An attribute of a kind of span.

    Attributes
    ----------
    attribute, level, stability, type
        As the conventions have them.
    when
        Which spans should have it, as far as spans show.
    condition
        The condition, in a few words.
    """

    attribute: str
    level: Level
    stability: str
    type: str
    when: When = "always"
    condition: str = ""


class Section(NamedTuple):
    """A kind of span that the conventions describe."""

    domain: str
    name: str
    requirements: tuple[Requirement, ...]


def _without(requirements: tuple[Requirement, ...], *attributes: str) -> tuple[Requirement, ...]:
    return tuple(each for each in requirements if each.attribute not in attributes)


_HTTP_CLIENT: Final = (
    Requirement("http.request.method", "required", "stable", "string"),
    Requirement("server.address", "required", "stable", "string"),
    Requirement("server.port", "required", "stable", "int"),
    Requirement("url.full", "required", "stable", "string"),
    Requirement("error.type", "conditionally required", "stable", "string", "failed", "if it failed"),
    Requirement(
        "http.request.method_original",
        "conditionally required",
        "stable",
        "string",
        "other method",
        "if the method is none of the known ones",
    ),
    Requirement(
        "http.response.status_code", "conditionally required", "stable", "int", "answered", "if an answer came"
    ),
    Requirement(
        "network.protocol.name",
        "conditionally required",
        "stable",
        "string",
        "never",
        "if it is not http, and the version is set",
    ),
    Requirement("http.request.resend_count", "recommended", "stable", "int", "never", "if it was sent again"),
    Requirement("network.peer.address", "recommended", "stable", "string"),
    Requirement(
        "network.peer.port",
        "recommended",
        "stable",
        "int",
        "with network.peer.address",
        "if `network.peer.address` is set",
    ),
    Requirement("network.protocol.version", "recommended", "stable", "string"),
    Requirement("http.request.body.content", "opt-in", "development", "any", "never"),
    Requirement("http.request.body.size", "opt-in", "development", "int", "never"),
    Requirement("http.request.header.<key>", "opt-in", "stable", "string[]", "never"),
    Requirement("http.request.size", "opt-in", "development", "int", "never"),
    Requirement("http.response.body.content", "opt-in", "development", "any", "never"),
    Requirement("http.response.body.size", "opt-in", "development", "int", "never"),
    Requirement("http.response.header.<key>", "opt-in", "stable", "string[]", "never"),
    Requirement("http.response.size", "opt-in", "development", "int", "never"),
    Requirement("network.transport", "opt-in", "stable", "string", "never"),
    Requirement("url.scheme", "opt-in", "stable", "string", "never"),
    Requirement("url.template", "opt-in", "development", "string", "never"),
    Requirement("user_agent.original", "opt-in", "stable", "string", "never"),
    Requirement("user_agent.synthetic.type", "opt-in", "development", "string", "never"),
)
_HTTP_SERVER: Final = (
    Requirement("http.request.method", "required", "stable", "string"),
    Requirement("url.path", "required", "stable", "string"),
    Requirement("url.scheme", "required", "stable", "string"),
    Requirement("error.type", "conditionally required", "stable", "string", "failed", "if it failed"),
    Requirement(
        "http.request.method_original",
        "conditionally required",
        "stable",
        "string",
        "other method",
        "if the method is none of the known ones",
    ),
    Requirement(
        "http.response.status_code", "conditionally required", "stable", "int", "answered", "if an answer came"
    ),
    Requirement("http.route", "conditionally required", "stable", "string", "available", "if available"),
    Requirement(
        "network.protocol.name",
        "conditionally required",
        "stable",
        "string",
        "never",
        "if it is not http, and the version is set",
    ),
    Requirement(
        "server.port",
        "conditionally required",
        "stable",
        "int",
        "with server.address",
        "if available and `server.address` is set",
    ),
    Requirement("url.query", "conditionally required", "stable", "string", "never", "if there is one"),
    Requirement("client.address", "recommended", "stable", "string"),
    Requirement("network.peer.address", "recommended", "stable", "string"),
    Requirement(
        "network.peer.port",
        "recommended",
        "stable",
        "int",
        "with network.peer.address",
        "if `network.peer.address` is set",
    ),
    Requirement("network.protocol.version", "recommended", "stable", "string"),
    Requirement("server.address", "recommended", "stable", "string"),
    Requirement("user_agent.original", "recommended", "stable", "string"),
    Requirement("client.port", "opt-in", "stable", "int", "never"),
    Requirement("http.request.body.content", "opt-in", "development", "any", "never"),
    Requirement("http.request.body.size", "opt-in", "development", "int", "never"),
    Requirement("http.request.header.<key>", "opt-in", "stable", "string[]", "never"),
    Requirement("http.request.size", "opt-in", "development", "int", "never"),
    Requirement("http.response.body.content", "opt-in", "development", "any", "never"),
    Requirement("http.response.body.size", "opt-in", "development", "int", "never"),
    Requirement("http.response.header.<key>", "opt-in", "stable", "string[]", "never"),
    Requirement("http.response.size", "opt-in", "development", "int", "never"),
    Requirement("network.local.address", "opt-in", "stable", "string", "never"),
    Requirement("network.local.port", "opt-in", "stable", "int", "never"),
    Requirement("network.transport", "opt-in", "stable", "string", "never"),
    Requirement("user_agent.synthetic.type", "opt-in", "development", "string", "never"),
)
_DATABASE: Final = (
    Requirement("db.system.name", "required", "stable", "string"),
    Requirement(
        "db.collection.name", "conditionally required", "stable", "string", "available", "if available, and it is one"
    ),
    Requirement("db.namespace", "conditionally required", "stable", "string", "available", "if available"),
    Requirement(
        "db.operation.name", "conditionally required", "stable", "string", "available", "if available, and it is one"
    ),
    Requirement(
        "db.response.status_code",
        "conditionally required",
        "stable",
        "string",
        "failed",
        "if it failed and a code came back",
    ),
    Requirement("error.type", "conditionally required", "stable", "string", "failed", "if it failed"),
    Requirement(
        "server.port",
        "conditionally required",
        "stable",
        "int",
        "never",
        "if it is not the default port, and `server.address` is set",
    ),
    Requirement("db.operation.batch.size", "recommended", "stable", "int", "never", "for batches"),
    Requirement("db.query.summary", "recommended", "stable", "string", "available", "if available"),
    Requirement("db.query.text", "recommended", "stable", "string", "available", "if it holds no secrets"),
    Requirement("db.stored_procedure.name", "recommended", "stable", "string", "never", "for stored procedures"),
    Requirement("network.peer.address", "recommended", "stable", "string", "available", "if applicable"),
    Requirement(
        "network.peer.port",
        "recommended",
        "stable",
        "int",
        "with network.peer.address",
        "if `network.peer.address` is set",
    ),
    Requirement("server.address", "recommended", "stable", "string"),
    Requirement("db.query.parameter.<key>", "opt-in", "development", "string", "never"),
    Requirement("db.response.returned_rows", "opt-in", "development", "int", "never"),
)
_RPC_CLIENT: Final = (
    Requirement("rpc.system.name", "required", "release candidate", "string"),
    Requirement("error.type", "conditionally required", "stable", "string", "failed", "if it failed"),
    Requirement("rpc.method", "conditionally required", "release candidate", "string", "available", "if available"),
    Requirement(
        "rpc.method_original",
        "conditionally required",
        "release candidate",
        "string",
        "never",
        "if it differs from `rpc.method`",
    ),
    Requirement(
        "rpc.status_code", "conditionally required", "release candidate", "string", "available", "if available"
    ),
    Requirement("server.address", "conditionally required", "stable", "string", "available", "if available"),
    Requirement(
        "server.port",
        "conditionally required",
        "stable",
        "int",
        "with server.address",
        "if available and `server.address` is set",
    ),
    Requirement("network.peer.address", "recommended", "stable", "string"),
    Requirement(
        "network.peer.port",
        "recommended",
        "stable",
        "int",
        "with network.peer.address",
        "if `network.peer.address` is set",
    ),
)
_RPC_SERVER: Final = (
    Requirement("rpc.system.name", "required", "release candidate", "string"),
    Requirement("error.type", "conditionally required", "stable", "string", "failed", "if it failed"),
    Requirement("rpc.method", "conditionally required", "release candidate", "string", "available", "if available"),
    Requirement(
        "rpc.method_original",
        "conditionally required",
        "release candidate",
        "string",
        "never",
        "if it differs from `rpc.method`",
    ),
    Requirement(
        "rpc.status_code", "conditionally required", "release candidate", "string", "available", "if available"
    ),
    Requirement(
        "server.port",
        "conditionally required",
        "stable",
        "int",
        "with server.address",
        "if available and `server.address` is set",
    ),
    Requirement("network.peer.address", "recommended", "stable", "string"),
    Requirement(
        "network.peer.port",
        "recommended",
        "stable",
        "int",
        "with network.peer.address",
        "if `network.peer.address` is set",
    ),
    Requirement("server.address", "recommended", "stable", "string", "available", "if available"),
)
_SEND: Final = (
    Requirement("messaging.operation.name", "required", "development", "string"),
    Requirement("messaging.system", "required", "development", "string"),
    Requirement("error.type", "conditionally required", "stable", "string", "failed", "if it failed"),
    Requirement(
        "messaging.batch.message_count", "conditionally required", "development", "int", "never", "for batches"
    ),
    Requirement(
        "messaging.destination.name", "conditionally required", "development", "string", "available", "if it is one"
    ),
    Requirement(
        "messaging.destination.template", "conditionally required", "development", "string", "never", "if there is one"
    ),
    Requirement(
        "messaging.operation.type", "conditionally required", "development", "string", "available", "if applicable"
    ),
    Requirement("messaging.client.id", "recommended", "development", "string"),
    Requirement(
        "messaging.destination.partition.id", "recommended", "development", "string", "never", "when applicable"
    ),
    Requirement("messaging.message.conversation_id", "recommended", "development", "string"),
    Requirement(
        "messaging.message.id", "recommended", "development", "string", "single", "if it is about a single message"
    ),
    Requirement("network.peer.address", "recommended", "stable", "string", "available", "if applicable"),
    Requirement(
        "network.peer.port",
        "recommended",
        "stable",
        "int",
        "with network.peer.address",
        "if `network.peer.address` is set",
    ),
    Requirement("server.address", "recommended", "stable", "string"),
    Requirement("server.port", "recommended", "stable", "int"),
    Requirement("messaging.message.body.size", "opt-in", "development", "int", "never"),
    Requirement("messaging.message.envelope.size", "opt-in", "development", "int", "never"),
)
_GRAPHQL: Final = (
    Requirement("graphql.operation.name", "recommended", "development", "string"),
    Requirement("graphql.operation.type", "recommended", "development", "string"),
    Requirement("graphql.document", "opt-in", "development", "string", "never"),
)
_EXCEPTION: Final = (
    Requirement("exception.message", "conditionally required", "stable", "string", "never", "if there is no type"),
    Requirement("exception.type", "conditionally required", "stable", "string", "never", "if there is no message"),
    Requirement("exception.escaped", "recommended", "deprecated", "boolean", "never"),
    Requirement("exception.stacktrace", "recommended", "stable", "string", "never"),
)

_CREATE: Final = _without(
    _SEND, "messaging.batch.message_count", "messaging.client.id", "network.peer.address", "network.peer.port"
)
_PROCESS: Final = _without(_SEND, "network.peer.address", "network.peer.port")
_SETTLE: Final = _without(_SEND, "messaging.message.body.size", "messaging.message.envelope.size")

# From the repository that the conventions on generative AI have moved to; all of them are in development.
_INFERENCE: Final = (
    Requirement("gen_ai.operation.name", "required", "development", "string"),
    Requirement("gen_ai.provider.name", "required", "development", "string"),
    Requirement("error.type", "conditionally required", "stable", "string", "failed", "if it failed"),
    Requirement(
        "gen_ai.conversation.id", "conditionally required", "development", "string", "available", "if available"
    ),
    Requirement("gen_ai.request.model", "conditionally required", "development", "string", "available", "if available"),
    Requirement("gen_ai.request.max_tokens", "recommended", "development", "int", "available", "if it is set"),
    Requirement("gen_ai.request.temperature", "recommended", "development", "double", "available", "if it is set"),
    Requirement(
        "gen_ai.response.finish_reasons", "recommended", "development", "string[]", "answered", "if an answer came"
    ),
    Requirement("gen_ai.response.id", "recommended", "development", "string", "answered", "if an answer came"),
    Requirement("gen_ai.response.model", "recommended", "development", "string", "answered", "if an answer came"),
    Requirement("gen_ai.usage.input_tokens", "recommended", "development", "int", "answered", "if an answer came"),
    Requirement("gen_ai.usage.output_tokens", "recommended", "development", "int", "answered", "if an answer came"),
    Requirement("server.address", "recommended", "stable", "string"),
)
_AGENT: Final = (
    Requirement("gen_ai.operation.name", "required", "development", "string"),
    Requirement("error.type", "conditionally required", "stable", "string", "failed", "if it failed"),
    Requirement("gen_ai.agent.name", "conditionally required", "development", "string", "available", "if available"),
    Requirement(
        "gen_ai.conversation.id", "conditionally required", "development", "string", "available", "if available"
    ),
    Requirement("gen_ai.request.model", "conditionally required", "development", "string", "available", "if available"),
    Requirement("gen_ai.usage.input_tokens", "recommended", "development", "int", "available", "if available"),
    Requirement("gen_ai.usage.output_tokens", "recommended", "development", "int", "available", "if available"),
)
_TOOL: Final = (
    Requirement("gen_ai.operation.name", "required", "development", "string"),
    Requirement("error.type", "conditionally required", "stable", "string", "failed", "if it failed"),
    Requirement("gen_ai.tool.call.id", "recommended", "development", "string", "available", "if available"),
    Requirement("gen_ai.tool.name", "recommended", "development", "string"),
    Requirement("gen_ai.tool.type", "recommended", "development", "string", "available", "if available"),
)
_OTHER: Final = (Requirement("error.type", "conditionally required", "stable", "string", "failed", "if it failed"),)

SECTIONS: Final = {
    "http client": Section("http", "HTTP client span", _HTTP_CLIENT),
    "http server": Section("http", "HTTP server span", _HTTP_SERVER),
    "db": Section("db", "Span definition", _DATABASE),
    "rpc client": Section("rpc", "RPC client span", _RPC_CLIENT),
    "rpc server": Section("rpc", "RPC server span", _RPC_SERVER),
    "create": Section("messaging", "Create span", _CREATE),
    "send producer": Section("messaging", "Send span (producer)", _SEND),
    "send client": Section("messaging", "Send span (client)", _SEND),
    "receive": Section("messaging", "Receive span", _SEND),
    "process": Section("messaging", "Process span", _PROCESS),
    "settle": Section("messaging", "Settle span", _SETTLE),
    "graphql": Section("graphql", "Semantic conventions for GraphQL server spans", _GRAPHQL),
    "inference": Section("genai", "Inference", _INFERENCE),
    "agent": Section("genai", "Agent", _AGENT),
    "tool": Section("genai", "Execute tool", _TOOL),
    "other": Section("other", "Recording errors", _OTHER),
}
"""The kinds of spans that can be told from each other by their attributes and their kind."""

EVENTS: Final = {"exception": Section("exceptions", "Exception event", _EXCEPTION)}
"""Kinds of events that the conventions describe."""
