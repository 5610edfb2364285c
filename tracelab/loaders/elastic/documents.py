"""Elastic APM's documents: transactions, spans and errors, nested or with dots in their names, found or sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tracelab.loaders.documents.flattening import field, flattened, only
from tracelab.loaders.elastic import intake
from tracelab.loaders.elastic.spans import add_span
from tracelab.loaders.report import problems

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracelab.loaders.columns.builder import Builder
    from tracelab.loaders.report.findings import Problem

TRANSACTION: Final = "transaction"
SPAN: Final = "span"
ERROR: Final = "error"
_KINDS: Final = (TRANSACTION, SPAN, ERROR)
_FIRST_KEYS: Final = ("processor", "processor.event", "trace", "trace.id", "error", "error.id", "transaction")
_MEASURES: Final = ("timestamp.us", "event.duration", "transaction.duration.us", "span.duration.us")
_ERRORS: Final = ("error.exception", "error.log.message", "error.culprit", "error.grouping_key")
_OF_A_HIT: Final = frozenset(("_id", "_index", "_score", "_type", "_version", "_ignored", "_tier", "_seq_no", "sort"))
_TEXT: Final = ".text"


def is_document(document: dict[str, Any]) -> bool:
    """Say whether an object is a transaction, a span or an error, or a line that an agent sends with these."""
    if intake.is_line(document):
        return True
    return kind_of(_content_of(document)) in _KINDS


def beside(document: dict[str, Any]) -> Problem | None:
    """Name Elastic APM's metrics, logs and profiles."""
    if intake.is_other_line(document):
        return problems.OTHER_SIGNALS
    kind = kind_of(_content_of(document))
    return problems.OTHER_SIGNALS if kind is not None and kind not in _KINDS else None


def kind_of(content: dict[str, Any]) -> str | None:
    """Say what a document is: what it says, or else what its fields say, for newer versions leave it to the index."""
    if all(name not in content for name in _FIRST_KEYS):
        return None
    said = only(field(content, "processor.event"))
    if isinstance(said, str):
        return said
    if field(content, "metricset.name") is not None or said is not None:
        return None
    if any(field(content, name) is not None for name in _ERRORS) and field(content, "parent.id") is not None:
        return ERROR
    if field(content, "trace.id") is None or all(field(content, name) is None for name in _MEASURES):
        return None
    if any(field(content, f"transaction.{name}") is not None for name in ("name", "type", "duration.us")):
        # A span may say the type of its transaction, but it has a type of its own.
        return TRANSACTION if field(content, "span.type") is None else SPAN
    return SPAN if field(content, "span.id") is not None else None


def _content_of(document: dict[str, Any]) -> dict[str, Any]:
    """Give the document in an object: a hit of a search may hold its fields only."""
    held = document.get("fields")
    return held if isinstance(held, dict) and not isinstance(document.get("_source"), dict) else document


@dataclass(slots=True)
class _Document:
    """A document by its fields' whole names."""

    kind: str
    fields: dict[str, Any]
    place: str

    @property
    def identity(self) -> str | None:
        """Give the id of a transaction or a span."""
        named = self.fields.get(f"{self.kind}.id")
        return named if isinstance(named, str) else None


def read_documents(contents: Iterable[tuple[dict[str, Any], str]], builder: Builder) -> None:
    """Add the spans of all documents of an input, for errors and what agents leave out stand in other documents."""
    documents = list(_documents(contents, builder))
    spans = [document for document in documents if document.kind != ERROR]
    intake.place_in_time([(document.kind, document.fields) for document in spans])
    errors: dict[str, list[_Document]] = {}
    for document in documents:
        if document.kind == ERROR:
            errors.setdefault(_owner(document.fields), []).append(document)
    for document in spans:
        own = _errors_of(document, errors)
        add_span(document.kind, document.fields, [(each.fields, each.place) for each in own], builder, document.place)
    for alone in errors.values():
        builder.findings.add(problems.ERRORS_ALONE, len(alone), place=alone[0].place, example=_owner(alone[0].fields))


def _documents(contents: Iterable[tuple[dict[str, Any], str]], builder: Builder) -> Iterable[_Document]:
    reader = intake.Reader()
    for document, place in contents:
        if intake.is_line(document):
            read = reader.read(document, builder, place)
            if read is not None:
                yield _Document(*read, place)
            continue
        content = _content_of(document)
        as_lists = content is not document or isinstance(field(content, "processor.event"), list)
        yield _Document(kind_of(content) or SPAN, _cleared(flattened(content), as_lists=as_lists), place)


def _cleared(fields: dict[str, Any], *, as_lists: bool) -> dict[str, Any]:
    """Leave out what searches add to a document: lists around values, copies of texts, what a hit is about."""
    fields = {name: value for name, value in fields.items() if name not in _OF_A_HIT}
    if not as_lists:
        return fields
    return {
        name: only(value)
        for name, value in fields.items()
        if not (name.endswith(_TEXT) and fields.get(name.removesuffix(_TEXT)) == value)
    }


def _owner(fields: dict[str, Any]) -> str:
    """Give the id of the span or the transaction in which an error happened."""
    ids = (fields.get(name) for name in ("parent.id", "span.id", "transaction.id"))
    return next((each for each in ids if isinstance(each, str)), "")


def _errors_of(document: _Document, errors: dict[str, list[_Document]]) -> list[_Document]:
    """Take the errors of a span out of all errors."""
    identity = document.identity
    if identity is None or identity not in errors:
        return []
    trace = document.fields.get("trace.id")
    own = [each for each in errors[identity] if each.fields.get("trace.id") in (None, trace)]
    rest = [each for each in errors.pop(identity) if each.fields.get("trace.id") not in (None, trace)]
    if rest:
        errors[identity] = rest
    return own
