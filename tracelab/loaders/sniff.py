"""What a document or a file of columns is, by what stands in it: never by the name of its file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import msgspec

from tracelab.errors import LoadError
from tracelab.loaders.documents.envelopes import is_action
from tracelab.loaders.formats import BY_NAME, JSON_FORMATS, NAMES, PARQUET_FORMATS, WRAPPERS, ParquetFormat
from tracelab.loaders.input.cutting import BLANK, closed
from tracelab.loaders.otlp.otap import is_attributes
from tracelab.loaders.otlp.tolerant import OTHER_SIGNALS
from tracelab.loaders.report import problems
from tracelab.loaders.rows.names import columns_of_ids, missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tracelab.loaders.input.columnar import ColumnarFile
    from tracelab.loaders.report.findings import Problem

OTHER: Final = "other"
SUPPORTED: Final = ", ".join(NAMES)

_TOLD_BY: Final = tuple(keys for each in JSON_FORMATS for keys in each.told_by)
_BEGINNING: Final = 1 << 16
_DEPTH: Final = 10
_UNKNOWN: Final = 100


class Probe(msgspec.Struct, gc=False):
    """The keys that tell OTLP JSON; decoding into it looks at the text but makes no objects."""

    resourceSpans: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET  # noqa: N815 - OTLP's names
    batches: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    scopeSpans: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET  # noqa: N815
    instrumentationLibrarySpans: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET  # noqa: N815

    def is_bare(self) -> bool:
        """Say whether the document is a ResourceSpans itself."""
        return self.scopeSpans is not msgspec.UNSET or self.instrumentationLibrarySpans is not msgspec.UNSET

    def is_otlp(self) -> bool:
        """Say whether the document holds spans as OTLP has them."""
        return self.is_bare() or self.resourceSpans is not msgspec.UNSET or self.batches is not msgspec.UNSET


_DECODER: Final = json.JSONDecoder()
_PROBE: Final = msgspec.json.Decoder(Probe)


def probed(text: bytes) -> Probe | None:
    """Look at a document without decoding it; None if it is no JSON object."""
    try:
        return _PROBE.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def format_of(document: Any, depth: int = _DEPTH) -> str | None:
    """Name the format of a document; `other` for logs and metrics; None where it holds no spans that we know."""
    if isinstance(document, str | list):
        known = next((each.name for each in JSON_FORMATS if each.holds_other and each.holds_other(document)), None)
        return known or (_first_known(document, depth) if isinstance(document, list) else None)
    if not isinstance(document, dict):
        return None
    known = next((each.name for each in JSON_FORMATS if each.holds(document)), None)
    if known is not None:
        return known
    if beside(document, 0) is problems.OTHER_SIGNALS:
        return OTHER
    return _first_known((document[key] for key in WRAPPERS if isinstance(document.get(key), list | dict)), depth)


def _first_known(items: Iterable[Any], depth: int) -> str | None:
    """Name the first format among items that holds spans; logs and metrics may stand before them in any number."""
    found = None
    unknown = 0
    for item in items if depth else ():
        name = format_of(item, depth - 1)
        if name not in (None, OTHER):
            return name
        found = found or name
        unknown += name is None
        if unknown == _UNKNOWN:
            break
    return found


def beside(document: Any, depth: int = _DEPTH) -> Problem | None:
    """Name what an object is that stands beside spans, is none, and is no loss; None for all else."""
    if not isinstance(document, dict):
        return None
    if is_action(document):
        return problems.BULK_ACTIONS
    if not document.keys().isdisjoint(OTHER_SIGNALS):
        return problems.OTHER_SIGNALS
    known = next((found for each in JSON_FORMATS if each.beside and (found := each.beside(document))), None)
    if known is not None or not depth:
        return known
    inner = (document[key] for key in WRAPPERS if isinstance(document.get(key), dict))
    return next((found for held in inner if (found := beside(held, depth - 1))), None)


def is_told_by_values(document: Any) -> bool:
    """Say whether a document may be of a format, or none, by its values, and not by its keys and their types alone."""
    waiting = [document]
    while waiting:
        content = waiting.pop()
        if isinstance(content, dict):
            if any(keys <= content.keys() for keys in _TOLD_BY):
                return True
            waiting.extend(content.values())
        elif isinstance(content, list):
            waiting.extend(content)
    return False


def level_of(head: bytes) -> int | None:
    """Find how many objects deep those objects stand that hold spans, in the beginning of a large document.

    None where the names of the keys say it as well, or nothing is known in it.
    """
    if is_marked(head):
        return None
    document = _decoded(head)
    if document is None:
        document = _first_document(closed(head))
    name = format_of(document)
    if name == OTHER:
        # Spans may come after more metrics than are looked at here.
        return _level(document, lambda held: any(each.beside and each.beside(held) for each in JSON_FORMATS))
    return None if name is None or BY_NAME[name].marked else _level(document, BY_NAME[name].holds)


def is_marked(content: bytes) -> bool:
    """Say whether the very beginning of a document tells a format that the names of its keys tell anywhere."""
    if len(content) <= _BEGINNING:
        return False
    name = format_of(_first_document(closed(content[:_BEGINNING])))
    return name is not None and name in BY_NAME and BY_NAME[name].marked


def _first_document(text: bytes) -> Any:
    """Decode the first of the documents that stand one after another; None if it is no JSON."""
    document = _decoded(text)
    if document is not None:
        return document
    try:
        return _DECODER.raw_decode(text.lstrip(BLANK).decode("utf-8", "replace"))[0]
    except (ValueError, RecursionError):
        return None


def _decoded(text: bytes) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _level(content: Any, holds: Callable[[dict[str, Any]], bool], depth: int = _DEPTH) -> int | None:
    if not depth or not isinstance(content, list | dict):
        return None
    if isinstance(content, list):
        return next((found for item in content if (found := _level(item, holds, depth - 1)) is not None), None)
    if holds(content):
        return 1
    inner = (content[key] for key in WRAPPERS if isinstance(content.get(key), list | dict))
    return next((found + 1 for held in inner if (found := _level(held, holds, depth - 1)) is not None), None)


def parquet_format_of(file: ColumnarFile) -> ParquetFormat:
    """Give the format of a file of columns.

    Raises
    ------
    LoadError
        It holds no spans that we know.
    """
    known = next((each for each in PARQUET_FORMATS if each.holds(file.columns)), None)
    if known is not None:
        return known
    if is_attributes(file.columns):
        raise LoadError(
            f"{file.name}: no trace dump: it looks like attributes of OTel-Arrow without their spans; read the folder "
            "that all of its tables are in, unpacked if they are in an archive."
        )
    names = tuple(file.frame.collect_schema().names())
    nothing = f"it is a file of columns without spans (its columns: {', '.join(names[:8])})"
    looks = missing(names) if columns_of_ids(names) else nothing
    raise LoadError(f"{file.name}: no trace dump: {looks}. Supported: {SUPPORTED}.")


def refusal(document: Any) -> str:
    """Say what a document that holds no spans looks like, and what to do."""
    if isinstance(document, list):
        if not document:
            return "it is an empty list"
        return f"it is a list of which the first item is no span: {refusal(document[0])}"
    if not isinstance(document, dict):
        return f"it is JSON, but only a {type(document).__name__}"
    keys = document.keys()
    for needed, text in _LOOKS:
        if needed <= keys:
            return text
    if columns_of_ids(tuple(keys)):
        return missing(tuple(keys))
    shown = ", ".join(list(map(str, keys))[:6]) or "none"
    return f"it is a JSON object without spans (its keys: {shown})"


_LOOKS: Final[list[tuple[set[str], str]]] = [
    (
        {"traces", "metrics"},
        (
            "it looks like the answer of Tempo's search, which has summaries of traces but not their spans; "
            "fetch the traces themselves (/api/v2/traces/<id>)"
        ),
    ),
    (
        {"blockID", "tenantID"},
        "it looks like the meta.json of a block of Tempo, which has no spans; read its folder, or data.parquet in it",
    ),
    (
        {"summaries"},
        "it looks like Jaeger's trace summaries, which have no spans; fetch the traces (/api/v3/traces/<id>)",
    ),
    (
        {"TraceSummaries"},
        "it looks like X-Ray's trace summaries, which have no spans; fetch the traces (aws xray batch-get-traces)",
    ),
    ({"metadata", "trace_id_tag_name"}, "it looks like a schema of SkyWalking's BanyanDB, which has no spans"),
    (
        {"hits"},
        "it looks like the answer to a search in Elasticsearch, but no spans that tracelab knows are among its hits",
    ),
    (
        {"_index", "_source"},
        "it looks like documents of an Elasticsearch index, but no spans that tracelab knows are among them",
    ),
    ({"index"}, "it looks like an Elasticsearch bulk file, but no spans that tracelab knows are in it"),
    ({"create"}, "it looks like an Elasticsearch bulk file, but no spans that tracelab knows are in it"),
    ({"mappings"}, "it looks like the mapping of an Elasticsearch index, which has no spans"),
]
