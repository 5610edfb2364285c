"""How spans say that they failed, other than by their status: attributes, codes and exceptions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.analysis.failures import grpc_code, http_code
from tracelab.auditing.evidence import CLIENT, ERROR, SERVER, UNSET
from tracelab.status_codes import GRPC_SERVER_ERRORS, GRPC_STATUS, HTTP_ERROR, HTTP_REFUSAL, HTTP_STATUS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracelab.array_types import Flags, Ints
    from tracelab.auditing.evidence import Evidence

ERROR_TYPE: Final = "span.error.type"
_NO_CODE: Final = -1
_ERROR_KEYS: Final = ("span.error", "span.otel.status_code")
_NO_ERROR: Final = ("", "0", "false", "f", "n", "no", "none", "null", "nil", "undefined", "unset", "ok")
_GRPC_CANCELLED: Final = 1
_EXCEPTIONS: Final = pl.Schema(
    {"row": pl.Int64(), "time": pl.Int64(), "type": pl.String(), "escaped": pl.Boolean()},
)


@dataclass(frozen=True)
class Marks:
    """What else than their status says of the spans that they failed."""

    evidence: Evidence

    @cached_property
    def failed(self) -> Flags:
        """Mark the spans whose status is error."""
        failed: Flags = self.evidence.status == ERROR
        return failed

    @cached_property
    def unset(self) -> Flags:
        """Mark the spans whose status is unset, which is no judgement."""
        unset: Flags = self.evidence.status == UNSET
        return unset

    @cached_property
    def tagged(self) -> Flags:
        """Mark the spans that have the attribute `error`, or the status error as an attribute."""
        marked = np.zeros(self.evidence.count, dtype=bool)
        for key in _ERROR_KEYS:
            if self.evidence.knows(key):
                text = self.evidence.text(key)
                denied = text.str.strip_chars().str.to_lowercase().is_in(_NO_ERROR)
                marked |= (~denied).fill_null(value=False).to_numpy()
        return marked

    @cached_property
    def http(self) -> Ints:
        """Status code of HTTP, -1 where there is none."""
        return self._codes(HTTP_STATUS, http_code)

    @cached_property
    def grpc(self) -> Ints:
        """Status code of gRPC, -1 where there is none."""
        return self._codes(GRPC_STATUS, grpc_code)

    @cached_property
    def http_fault(self) -> Flags:
        """Mark servers that answered from 500 on, and clients that were answered from 400 on."""
        kind, code = self.evidence.kind, self.http
        found: Flags = ((kind == SERVER) & (code >= HTTP_ERROR)) | ((kind == CLIENT) & (code >= HTTP_REFUSAL))
        return found

    @cached_property
    def grpc_fault(self) -> Flags:
        """Mark servers with a code that is their own fault, and clients whose call failed.

        A client that cancels its call may have meant to.
        """
        kind, code = self.evidence.kind, self.grpc
        if not (code > 0).any():
            return np.zeros(self.evidence.count, dtype=bool)
        own = (kind == SERVER) & np.isin(code, sorted(GRPC_SERVER_ERRORS))
        found: Flags = own | ((kind == CLIENT) & (code > 0) & (code != _GRPC_CANCELLED))
        return found

    @cached_property
    def refused(self) -> Flags:
        """Mark the spans with a code that says that the caller did not get what it asked for, whoever is to blame."""
        found: Flags = (self.http >= HTTP_REFUSAL) | (self.grpc > 0)
        return found

    @cached_property
    def untold(self) -> Flags:
        """Mark the spans whose attributes or codes say that they failed, where their status does not."""
        return (~self.failed & self.tagged) | (self.unset & (self.http_fault | self.grpc_fault))

    @cached_property
    def error_type(self) -> Flags:
        """Mark the spans that have `error.type`."""
        return self.evidence.has(ERROR_TYPE)

    @cached_property
    def exceptions(self) -> pl.DataFrame:
        """The exceptions that spans recorded: `row`, `time` (in nanoseconds), `type`, `escaped`."""
        events = self.evidence.frame["events"]
        having = np.flatnonzero((events.list.len() > 0).fill_null(value=False).to_numpy())
        if not having.size:
            # Also because polars 2.1 panics when it explodes no events at all whose maps come from Arrow.
            return pl.DataFrame(schema=_EXCEPTIONS)
        event = pl.col("events").struct
        said = event.field("attributes").map
        return (
            pl.DataFrame({"row": having, "events": events.gather(having)})
            .explode("events", empty_as_null=False)
            .filter((event.field("name") == "exception") | said.get("exception.type").is_not_null())
            .select(
                "row",
                event.field("time").cast(pl.Int64).alias("time"),
                said.get("exception.type").alias("type"),
                (said.get("exception.escaped").str.to_lowercase() == "true").alias("escaped"),
            )
        )

    def _codes(self, keys: tuple[str, ...], reader: Callable[[pl.DataFrame], pl.Expr]) -> Ints:
        if not self.evidence.knows(*(f"span.{key}" for key in keys)):
            return np.full(self.evidence.count, _NO_CODE, dtype=np.int64)
        codes: Ints = self.evidence.frame.select(reader(self.evidence.frame)).to_series().fill_null(_NO_CODE).to_numpy()
        return codes
