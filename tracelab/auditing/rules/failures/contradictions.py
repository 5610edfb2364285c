"""Spans whose status, codes, attributes and exceptions contradict each other about whether they failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.auditing.evidence import CLIENT
from tracelab.auditing.findings import Group, Symptom, findings_of
from tracelab.auditing.rules.failures.marks import Marks
from tracelab.numbering import renumbered
from tracelab.status_codes import HTTP_ERROR

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Ints
    from tracelab.auditing.evidence import Evidence
    from tracelab.auditing.findings import Severity, Words

_NEW_KEYS: Final = (
    "span.http.request.method",
    "span.url.full",
    "span.db.system.name",
    "span.rpc.system.name",
    "span.messaging.operation.name",
)
"""Attributes of the conventions that came with `error.type`."""

_OLD_KEYS: Final = (
    "span.http.method",
    "span.http.url",
    "span.db.system",
    "span.rpc.system",
    "span.messaging.operation",
)

_CODES: Final = (
    "servers that answered HTTP 5xx",
    "clients that were answered HTTP 5xx",
    "clients that were answered HTTP 4xx",
    "servers whose gRPC status is their own fault",
    "clients whose gRPC call failed",
)
_SEVERITIES: Final[tuple[Severity, Severity]] = ("warning", "info")
_HTTP, _GRPC = 0, 1
# An exception that is caught, and after which work goes on, lies before the end of its span.
_WENT_ON: Final = 0.01
_WENT_ON_FOR: Final = 2_000_000
_WRITES: Final = 0.5
_USUAL: Final = 0.9
_SOME: Final = 1 / 3
_SORTS: Final = 8
_NO_FAULTS: Final = (
    r"(?:^|[.:/$])(?:CancelledError|CanceledError|CancellationException|OperationCanceledException|AbortError"
    r"|TaskCanceledException|GeneratorExit|StopIteration|StopAsyncIteration|KeyboardInterrupt|SystemExit)$"
)


def contradicting_failures(evidence: Evidence) -> pl.DataFrame:
    """Find spans that say that they failed, or did not, in one place and not in the other."""
    marks = Marks(evidence)
    return pl.concat(
        [
            _error_attribute_without_status(evidence, marks),
            _server_error_without_status(evidence, marks),
            _exception_without_error(evidence, marks),
            _error_without_type(evidence, marks),
            _error_type_on_success(evidence, marks),
        ]
    )


def _error_attribute_without_status(evidence: Evidence, marks: Marks) -> pl.DataFrame:
    rows = np.flatnonzero(marks.tagged)
    return findings_of(
        evidence,
        Symptom(
            "error-attribute-without-status",
            "warning",
            lambda group: (
                f"{group['said_count']} that {group['service']} marks as failed by an attribute have no "
                "status error, so that nothing counts them as errors."
            ),
            shown=~marks.failed[rows],
            rows=rows,
            by_library=True,
        ),
    )


def _server_error_without_status(evidence: Evidence, marks: Marks) -> pl.DataFrame:
    rows = np.flatnonzero((marks.http_fault | marks.grpc_fault) & (marks.failed | (marks.unset & ~marks.tagged)))
    http, client = marks.http_fault[rows], evidence.kind[rows] == CLIENT
    code = np.where(client & (marks.http[rows] < HTTP_ERROR), 2, np.where(client, 1, 0))
    code = np.where(http, code, np.where(client, 4, 3))

    def says(group: Group) -> str:
        return (
            f"{group['said_count']} of {group['service']} for {_CODES[group['_detail']]} have no status: they count as "
            "successes."
        )

    return findings_of(
        evidence,
        Symptom(
            "server-error-without-status",
            "warning",
            says,
            shown=marks.unset[rows],
            rows=rows,
            hop=np.where(http, _HTTP, _GRPC),
            detail=code,
            details=_CODES,
            by_library=True,
        ),
    )


def _exception_without_error(evidence: Evidence, marks: Marks) -> pl.DataFrame:
    """Find spans that recorded an exception and are not failed.

    The conventions have exceptions recorded where they remain unhandled and fail the span; older ones let handled ones
    be recorded too. So what was handled, as far as one can see, refused a caller, or is no fault, is only worth
    to know. That an exception did not escape says nothing: Python's SDK wrote that of every exception.
    """
    table = marks.exceptions.group_by("row", maintain_order=True).agg(
        pl.col("time").max(),
        pl.col("escaped").any(),
        pl.col("type").fill_null("").str.contains(_NO_FAULTS).all().alias("harmless"),
    )
    rows = table["row"].to_numpy()
    quiet = ~marks.failed[rows] & ~marks.untold[rows]
    rest = evidence.end[rows] - table["time"].to_numpy()
    went_on = rest > np.maximum(_WENT_ON * evidence.duration[rows], _WENT_ON_FOR)
    escaped, harmless = (table[name].fill_null(value=False).to_numpy() for name in ("escaped", "harmless"))
    got_out = marks.unset[rows] & ~marks.refused[rows] & ~harmless & (escaped | ~went_on)
    found = ((quiet & got_out, _unhandled), (quiet & ~got_out, _handled))
    return _either(evidence, "exception-without-error", rows, *found)


def _unhandled(group: Group) -> str:
    return (
        f"{group['said_count']} of {group['service']} with an exception end with it and have no status error: nothing "
        "counts them as errors."
    )


def _handled(group: Group) -> str:
    return (
        f"{group['said_count']} of {group['service']} with an exception are not failed; it seems to have been handled, "
        "or is no fault."
    )


def _error_without_type(evidence: Evidence, marks: Marks) -> pl.DataFrame:
    """Find failed spans without `error.type`.

    It is a fault where the library writes it on other spans of this kind, and with attributes of this generation; or
    where other services write it on nearly all of theirs, so that it is what one is used to here.
    """
    rows = np.flatnonzero(marks.failed)
    has = marks.error_type[rows]
    new = evidence.has_at(rows, *_NEW_KEYS)
    alike = renumbered((evidence.library[rows] * _SORTS + evidence.kind[rows]) * 2 + new)[0]
    written = np.bincount(alike, weights=has) >= _WRITES * np.bincount(alike)
    older = ~new & evidence.has_at(rows, *_OLD_KEYS)
    expected = written[alike] | (~older & _usual_elsewhere(evidence.service[rows], has))
    return _either(evidence, "error-without-type", rows, (~has & expected, _missing), (~has & ~expected, _unsaid))


def _usual_elsewhere(service: Ints, has: Flags) -> Flags:
    """Mark the failed spans of services where a third of the others write `error.type` on nearly all of theirs."""
    number, services = renumbered(service)
    if not services.size:
        return np.zeros(0, dtype=bool)
    writes = np.bincount(number, weights=has) >= _USUAL * np.bincount(number)
    others = np.count_nonzero(writes) - writes
    usual: Flags = (others > 0) & (others >= _SOME * (services.size - 1))
    return usual[number]


def _missing(group: Group) -> str:
    return (
        f"{group['said_count']} of {group['service']} with status error have no error.type, which other failed "
        "spans here have."
    )


def _unsaid(group: Group) -> str:
    return f"{group['said_count']} of {group['service']} with status error have no error.type."


def _error_type_on_success(evidence: Evidence, marks: Marks) -> pl.DataFrame:
    """Find spans with `error.type` that did not fail; where a code says that the caller was refused, they half did."""
    rows = np.flatnonzero(marks.error_type)
    succeeded = ~marks.failed[rows] & ~marks.untold[rows]
    refused = marks.refused[rows] | _with_exception(evidence, marks)[rows]
    found = ((succeeded & ~refused, _typed), (succeeded & refused, _typed_refusal))
    return _either(evidence, "error-type-on-success", rows, *found)


def _either(evidence: Evidence, rule: str, rows: Ints, *found: tuple[Flags, Words]) -> pl.DataFrame:
    """Report the first of what was found as a warning, and the second as worth to know."""
    return pl.concat(
        [
            findings_of(evidence, Symptom(rule, severity, says, shown=shown, rows=rows, by_library=True))
            for severity, (shown, says) in zip(_SEVERITIES, found, strict=True)
        ]
    )


def _with_exception(evidence: Evidence, marks: Marks) -> Flags:
    found = np.zeros(evidence.count, dtype=bool)
    found[marks.exceptions["row"].to_numpy()] = True
    return found


def _typed(group: Group) -> str:
    return (
        f"{group['said_count']} of {group['service']} with error.type have no status error: they did not fail, or it "
        "is missing."
    )


def _typed_refusal(group: Group) -> str:
    return (
        f"{group['said_count']} of {group['service']} with error.type are no failures of their own: a request was "
        "refused, or an exception handled."
    )
