"""AnyValue messages of protobuf, as values."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from tracelab.loaders.documents.values import any_value

if TYPE_CHECKING:
    from tracelab.loaders.documents.values import Value
    from tracelab.loaders.report.findings import Findings


def message_value(content: bytes, findings: Findings, place: str) -> Value | None:
    """Read an AnyValue message; None where it is empty.

    Raises
    ------
    google.protobuf.message.DecodeError
        The bytes are no such message.
    RecursionError
        It is nested too deep.
    """
    return any_value(as_json(AnyValue.FromString(content)), findings, place)


def as_json(value: AnyValue) -> Any:
    """Write a decoded value as OTLP JSON has it, which is the form that values are read from."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return {"arrayValue": {"values": [as_json(item) for item in value.array_value.values]}}
    if kind == "kvlist_value":
        pairs = [{"key": pair.key, "value": as_json(pair.value)} for pair in value.kvlist_value.values]
        return {"kvlistValue": {"values": pairs}}
    if kind == "bytes_value":
        return {"bytesValue": base64.b64encode(value.bytes_value).decode("ascii")}
    return {} if kind is None else {kind: getattr(value, kind)}
