"""The span frame: its columns, and the expressions that read them.

A span frame is a plain polars frame with one row per span. `SPAN_SCHEMA` names the columns that every one has; columns
named `span.<key>`, `resource.<key>` and `instrumentation.<key>` hold the frequent attributes, one dtype each, and
`more_attributes` holds the rest as text. Where a key's values are of several types, its column is text and a companion
column `<column>:type` says for each row which type the value had.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl
import polars.selectors as cs

from tracelab.errors import QueryWarning, SchemaError, warn_caller
from tracelab.options import shown

if TYPE_CHECKING:
    from collections.abc import Callable

KINDS: Final = ("unspecified", "internal", "server", "client", "producer", "consumer")
"""Span kinds in the order of OTLP's numbers 0 to 5."""

STATUS_CODES: Final = ("unset", "ok", "error")
"""Status codes in the order of OTLP's numbers 0 to 2."""

SCOPES: Final = ("span", "resource", "instrumentation")
"""The prefixes of attribute columns, which are TraceQL's scopes."""

VALUE_TYPES: Final = ("string", "bool", "int", "double", "bytes", "array", "kvlist")
"""What a `:type` companion may say: OTLP's kinds of value."""

TYPE_SUFFIX: Final = ":type"
_VALUE: Final = "__value"
_TEXTUAL: Final = (pl.Boolean, pl.String, pl.Categorical, pl.Binary)

KIND: Final = pl.Enum(KINDS)
STATUS_CODE: Final = pl.Enum(STATUS_CODES)
TIME: Final = pl.Datetime("ns", "UTC")
DURATION: Final = pl.Duration("ns")
ATTRIBUTES: Final = pl.Map(pl.String(), pl.String())
EVENT: Final = pl.Struct({"time": TIME, "name": pl.String(), "attributes": ATTRIBUTES})
LINK: Final = pl.Struct(
    {"trace_id": pl.String(), "span_id": pl.String(), "trace_state": pl.String(), "attributes": ATTRIBUTES}
)
EVENTS: Final = pl.List(EVENT)
LINKS: Final = pl.List(LINK)

SPAN_SCHEMA: Final = pl.Schema(
    {
        "trace_id": pl.String(),
        "span_id": pl.String(),
        "parent_span_id": pl.String(),
        "name": pl.String(),
        "kind": KIND,
        "service_name": pl.String(),
        "start_time": TIME,
        "duration": DURATION,
        "status_code": STATUS_CODE,
        "status_message": pl.String(),
        "trace_state": pl.String(),
        "scope_name": pl.String(),
        "scope_version": pl.String(),
        "flags": pl.UInt32(),
        "events": EVENTS,
        "links": LINKS,
        "depth": pl.UInt32(),
        "tree_left": pl.UInt32(),
        "tree_right": pl.UInt32(),
        "entry": pl.Boolean(),
        "more_attributes": ATTRIBUTES,
    }
)
"""The columns that every span frame has, in their order (attribute columns stand before `more_attributes`)."""

TREE_COLUMNS: Final = ("depth", "tree_left", "tree_right", "entry")

INTRINSIC_ATTRIBUTES: Final = {
    "resource.service.name": "service_name",
    "instrumentation.name": "scope_name",
    "instrumentation.version": "scope_version",
}
"""Attributes that have a column of their own, under another name."""


def is_attribute(column: str) -> bool:
    """Say whether a column of this name holds an attribute (or the types of one)."""
    scope, dot, key = column.partition(".")
    return bool(dot and key) and scope in SCOPES


def is_type_companion(column: str) -> bool:
    """Say whether a column of this name holds the types of the values of another."""
    return is_attribute(column) and column.endswith(TYPE_SUFFIX)


def in_order(columns: list[str]) -> list[str]:
    """Put column names into the order of a span frame; those that are not its own come last, as they stood."""
    fixed = [name for name in SPAN_SCHEMA if name in columns and name != "more_attributes"]
    attributes = sorted((name for name in columns if is_attribute(name)), key=_attribute_order)
    rest = ["more_attributes"] if "more_attributes" in columns else []
    known = {*fixed, *attributes, *rest}
    return [*fixed, *attributes, *rest, *(name for name in columns if name not in known)]


def attribute_names(key: str) -> list[str]:
    """Give the full names that an attribute key may stand for: itself if it has a scope, else one per scope."""
    return [key] if is_attribute(key) else [f"{scope}.{key}" for scope in SCOPES]


def attr(key: str, *, dtype: pl.DataType | type[pl.DataType] | None = None) -> pl.Expr:
    """Read an attribute wherever it lives: in a column of its own or among `more_attributes`.

    Where it has no column and no span at hand has it, a `QueryWarning` says so. A LazyFrame is computed part by part,
    and the part is what is at hand then.

    Parameters
    ----------
    key
        The attribute's key, such as `http.route`. A bare key is looked up among the span's attributes, then the
        resource's, then the instrumentation scope's; a key with a scope (`resource.host.name`) only there.
    dtype
        The dtype to give it. Without one the values are text, whatever their column holds; values that do not fit
        are null.

    Returns
    -------
    An expression, named `key`: String, or `dtype`; null where a span has no such attribute.

    Raises
    ------
    SchemaError
        `key` is no text, or `dtype` is none that an attribute can have.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw("api ===== http.route=/pay retries=2")
    >>> spans.select(attr("http.route"), attr("retries", dtype=pl.Int64)).row(0)
    ('/pay', 2)
    """
    _check_reading(key, dtype)
    columns = [INTRINSIC_ATTRIBUTES.get(name, name) for name in attribute_names(key)]
    value = attribute_value(key, dtype=dtype)
    # As fields of one struct the columns cost nothing, and whoever looks knows whether there are any.
    seen = pl.struct(cs.by_name(columns, require_all=False), value.alias(_VALUE))
    return seen.map_batches(
        _warning_of_none(key), return_dtype=pl.String if dtype is None else dtype, is_elementwise=True
    ).alias(key)


def attribute_value(key: str, *, dtype: pl.DataType | type[pl.DataType] | None = None) -> pl.Expr:
    """Read an attribute as `attr` does, without a word where there is none: for answers that try several keys."""
    columns = [(INTRINSIC_ATTRIBUTES.get(name, name), name) for name in attribute_names(key)]
    if isinstance(dtype, pl.List):
        lists = [(cs.by_name(column, require_all=False) & cs.list()).cast(dtype, strict=False) for column, _ in columns]
        return pl.coalesce([*lists, pl.lit(None, dtype=dtype)]).alias(key)
    places = [place for column, name in columns for place in (*_as_text(column), _in_more_attributes(name))]
    # The null is for frames that have none of the places.
    value = pl.coalesce([*places, pl.lit(None, dtype=pl.String)]).alias(key)
    if dtype is None or dtype == pl.String:
        return value
    if dtype == pl.Boolean:
        return value.replace_strict({"true": True, "false": False}, default=None, return_dtype=pl.Boolean)
    return value.cast(dtype, strict=False)


def is_error() -> pl.Expr:
    """Tell whether a span's status is error.

    Returns
    -------
    An expression, named `is_error`: Boolean.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> draw("api ==!").select(is_error()).item()
    True
    """
    return (pl.col("status_code") == "error").alias("is_error")


def is_root() -> pl.Expr:
    """Tell whether a span has no parent, so that its trace began there.

    Returns
    -------
    An expression, named `is_root`: Boolean.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> draw('''
    ... api  =====
    ...   db .==
    ... ''').select(is_root()).to_series().to_list()
    [True, False]
    """
    return pl.col("parent_span_id").is_null().alias("is_root")


def is_entry() -> pl.Expr:
    """Tell whether the request enters its service with this span.

    It does in a span without a parent, with a missing parent or with a parent in another service, or of kind server or
    consumer. These are the spans whose latency and errors a service answers for.

    Returns
    -------
    An expression, named `is_entry`: Boolean.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> draw('''
    ... web::GET /     =====
    ...   web::render  .==
    ...   db::SELECT   ...=
    ... ''').select(is_entry()).to_series().to_list()
    [True, False, True]
    """
    return pl.col("entry").alias("is_entry")


def end_time() -> pl.Expr:
    """Give the expression for the instant at which a span ended."""
    return (pl.col("start_time") + pl.col("duration")).alias("end_time")


def _check_reading(key: Any, dtype: Any) -> None:
    if not (isinstance(key, str) and key):
        raise SchemaError(f"An attribute's key is a text such as 'http.route', got {shown(key)}.")
    if not (dtype is None or _is_readable(dtype)):
        raise SchemaError(
            f"`dtype` must be polars.Int64 or another number, Boolean, String, Categorical, Enum, Binary or a List of "
            f"these, got {shown(dtype)}. Read a time as Int64 or String, and convert it."
        )


def _is_readable(dtype: Any) -> bool:
    """Say whether text can be read as a dtype."""
    if isinstance(dtype, pl.List):
        return _is_readable(dtype.inner)
    if isinstance(dtype, pl.Decimal | pl.Enum):
        return True
    plain = isinstance(dtype, pl.DataType) or (isinstance(dtype, type) and issubclass(dtype, pl.DataType))
    return plain and dtype not in (pl.Decimal, pl.Enum) and (dtype.is_numeric() or dtype in _TEXTUAL)


def _warning_of_none(key: str) -> Callable[[pl.Series], pl.Series]:
    def check(seen: pl.Series) -> pl.Series:
        values = seen.struct.field(_VALUE)
        if len(seen.struct.fields) == 1 and 0 < values.len() == values.null_count():
            warn_caller(
                f"No span here has an attribute {key!r}: the column is null. tracelab.attributes(spans) lists them.",
                QueryWarning,
            )
        return values

    return check


def _as_text(column: str) -> tuple[pl.Expr, ...]:
    """Read a column as text if it is there; a list as a JSON array. Selectors match nothing where it is not."""
    named = cs.by_name(column, require_all=False)
    texts, lists = named & cs.list(cs.string()), named & cs.list() & ~cs.list(cs.string())
    quoted = pl.element().str.replace_all("\\", "\\\\", literal=True).str.replace_all('"', '\\"', literal=True)
    return (
        (named - cs.list()).cast(pl.String),
        pl.lit("[") + lists.cast(pl.List(pl.String)).list.join(", ") + pl.lit("]"),
        pl.lit("[") + texts.list.eval(pl.lit('"') + quoted + pl.lit('"')).list.join(", ") + pl.lit("]"),
    )


def _in_more_attributes(name: str) -> pl.Expr:
    return cs.by_name("more_attributes", require_all=False).map.get(name)


def _attribute_order(column: str) -> tuple[int, str, bool]:
    """Sort by scope, then key; a type companion directly follows its column."""
    return SCOPES.index(column.partition(".")[0]), column.removesuffix(TYPE_SUFFIX), column.endswith(TYPE_SUFFIX)
