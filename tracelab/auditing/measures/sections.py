"""Which kind of span, of those that the conventions describe, each span is: told by its attributes and its kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tracelab.auditing.conventions.requirements import SECTIONS
from tracelab.auditing.evidence import CLIENT, CONSUMER, INTERNAL, PRODUCER, SERVER

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Ints
    from tracelab.auditing.evidence import Evidence

NAMES: Final = tuple(SECTIONS)
_HTTP: Final = (
    "span.http.request.method",
    "span.http.method",
    "span.http.response.status_code",
    "span.http.status_code",
    "span.url.full",
    "span.http.url",
)
_DATABASE: Final = ("span.db.system.name", "span.db.system", "span.db.query.text", "span.db.statement")
_RPC: Final = ("span.rpc.system.name", "span.rpc.system")
_QUEUE: Final = ("span.messaging.system",)
_OPERATION: Final = ("span.messaging.operation.type", "span.messaging.operation")
_GENAI: Final = (
    "span.gen_ai.operation.name",
    "span.gen_ai.provider.name",
    "span.gen_ai.system",
    "span.gen_ai.request.model",
    "span.gen_ai.response.model",
    "span.gen_ai.agent.name",
    "span.gen_ai.tool.name",
)
_MODEL: Final = ("span.gen_ai.request.model", "span.gen_ai.response.model")
_OPERATIONS: Final = {
    "create": "create",
    "publish": "send",
    "send": "send",
    "receive": "receive",
    "deliver": "process",
    "process": "process",
    "settle": "settle",
    "ack": "settle",
}
_AGENTS: Final = ("invoke_agent", "create_agent", "invoke_workflow")


def sections_of(evidence: Evidence) -> Ints:
    """Give each span the number of its kind in `NAMES`; what is most particular about a span decides."""
    found = np.full(evidence.count, NAMES.index("other"), dtype=np.int64)
    kind = evidence.kind
    if evidence.knows(*_HTTP):
        http = evidence.has(*_HTTP)
        _put(found, http & (kind == CLIENT), "http client")
        _put(found, http & (kind == SERVER), "http server")
    if evidence.knows("span.graphql.operation.name", "span.graphql.document", "span.graphql.operation.type"):
        graphql = evidence.has("span.graphql.operation.name", "span.graphql.document", "span.graphql.operation.type")
        _put(found, graphql & (kind == SERVER), "graphql")
    if evidence.knows(*_RPC):
        rpc = evidence.has(*_RPC)
        _put(found, rpc & (kind == CLIENT), "rpc client")
        _put(found, rpc & (kind == SERVER), "rpc server")
    if evidence.knows(*_QUEUE):
        _queues(evidence, found)
    if evidence.knows(*_DATABASE):
        _put(found, evidence.has(*_DATABASE) & ((kind == CLIENT) | (kind == INTERNAL)), "db")
    if evidence.knows(*_GENAI):
        _genai(evidence, found)
    return found


def _put(found: Ints, marks: Flags, name: str) -> None:
    found[marks] = NAMES.index(name)


def _queues(evidence: Evidence, found: Ints) -> None:
    queue, kind = evidence.has(*_QUEUE), evidence.kind
    _put(found, queue & (kind == PRODUCER), "send producer")
    _put(found, queue & (kind == CLIENT), "send client")
    _put(found, queue & (kind == CONSUMER), "process")
    operation, operations = evidence.numbers(*_OPERATION)
    for number, text in enumerate(operations.str.to_lowercase().to_list()):
        name = _OPERATIONS.get(text)
        if name is None or name == "send":
            continue
        marks = queue & (operation == number) & (kind != SERVER)
        _put(found, marks & ((kind == PRODUCER) if name == "create" else (kind != PRODUCER)), name)


def _genai(evidence: Evidence, found: Ints) -> None:
    genai, operation = evidence.has(*_GENAI), evidence.text("span.gen_ai.operation.name")
    agent = operation.is_in(_AGENTS).fill_null(value=False).to_numpy()
    tool = operation.eq("execute_tool").fill_null(value=False).to_numpy()
    unsaid = operation.is_null().to_numpy()
    model = evidence.has(*_MODEL)
    _put(found, genai, "inference")
    _put(found, genai & (agent | (unsaid & ~model & evidence.has("span.gen_ai.agent.name"))), "agent")
    _put(found, genai & (tool | (unsaid & ~model & evidence.has("span.gen_ai.tool.name"))), "tool")
