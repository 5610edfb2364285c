"""How to make spans say in one way, by their status, that they failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tracelab.auditing.fixes.table import Fixes

_SET_STATUS: Final = {
    "python": "`span.set_status(Status(StatusCode.ERROR, str(error)))`",
    "java": "`span.setStatus(StatusCode.ERROR)`",
    "nodejs": "`span.setStatus({ code: SpanStatusCode.ERROR })`",
    "webjs": "`span.setStatus({ code: SpanStatusCode.ERROR })`",
    "go": "`span.SetStatus(codes.Error, err.Error())`",
    "dotnet": "`activity.SetStatus(ActivityStatusCode.Error, message)`",
    "php": "`$span->setStatus(StatusCode::STATUS_ERROR)`",
    "ruby": "`span.status = OpenTelemetry::Trace::Status.error(message)`",
    "rust": "`span.set_status(Status::error(message))`",
    "cpp": "`span->SetStatus(trace::StatusCode::kError, message)`",
}
_SET_TYPE: Final = {
    "python": '`span.set_attribute("error.type", type(error).__qualname__)`',
    "java": '`span.setAttribute("error.type", error.getClass().getName())`',
    "nodejs": '`span.setAttribute("error.type", error.name)`',
    "webjs": '`span.setAttribute("error.type", error.name)`',
    "go": "`span.SetAttributes(semconv.ErrorType(err))`",
    "dotnet": '`activity.SetTag("error.type", exception.GetType().FullName)`',
}
_RECORDED: Final = {
    "go": "`span.RecordError(err)` does not set the status: add `span.SetStatus(codes.Error, err.Error())`",
    "java": "`span.recordException(error)` does not set the status: add `span.setStatus(StatusCode.ERROR)`",
    "nodejs": "`span.recordException(error)` does not set the status: add "
    "`span.setStatus({ code: SpanStatusCode.ERROR })`",
    "python": "`span.record_exception(error)` does not set the status: add "
    "`span.set_status(Status(StatusCode.ERROR, str(error)))`, or let the exception leave the `with` block of "
    "`start_as_current_span`, which does both",
    "dotnet": "`activity.AddException(exception)` does not set the status: add "
    "`activity.SetStatus(ActivityStatusCode.Error, exception.Message)`",
}
_HANDLED: Final = "; record an exception that you handle as a log record"

FAILURES: Final[Fixes] = {
    "error-attribute-without-status": {
        "": "Set the span's status to Error; the attribute `error` is OpenTracing's and nothing reads it.",
        **{
            language: f"Set the status with {call} instead of the attribute `error`, which is OpenTracing's."
            for language, call in _SET_STATUS.items()
        },
    },
    "server-error-without-status": {
        "": "Set the span's status to Error where the code says that the request failed (servers: HTTP from 500 on; "
        "clients: from 400 on; gRPC as the conventions list), or update the library that makes these spans.",
        **{
            language: f"Where you make these spans yourself, set the status with {call} when the code says that the "
            "request failed; else update the library, and look for what resets the status."
            for language, call in _SET_STATUS.items()
        },
    },
    "exception-without-error": {
        "": f"Set the status to Error where the exception is not handled{_HANDLED}.",
        **{language: f"{said}{_HANDLED}." for language, said in _RECORDED.items()},
    },
    "error-without-type": {
        "": "Set `error.type` when a span fails: the type of the exception, or the status code; few different values.",
        **{
            language: f"Set it when a span fails: {call}, or the status code; few different values."
            for language, call in _SET_TYPE.items()
        },
    },
    "error-type-on-success": {
        "": "Set `error.type` only together with the status Error; where the operation failed, set the status.",
        **{
            language: f"Set `error.type` only together with the status: {call} where the operation failed."
            for language, call in _SET_STATUS.items()
        },
    },
}
