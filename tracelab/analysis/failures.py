"""Which spans have failed: their status, and the codes of HTTP and gRPC, wherever and however they were written.

Whole frames are asked for failures, and most spans have no code at all. So every distinct text is read once, and none
where there is none.
"""

from __future__ import annotations

from functools import partial, reduce
from operator import or_
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from tracelab import status_codes as failing
from tracelab.schema import attribute_value
from tracelab.status_codes import (
    CALLERS,
    GRPC_CODES,
    GRPC_SERVER_ERRORS,
    GRPC_STATUS,
    HTTP_ERROR,
    HTTP_REFUSAL,
    HTTP_STATUS,
    RPC_SYSTEM,
    SHARED_KEYS,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tracelab.analysis.grouping import Spans

CODE_KEYS: Final = (*HTTP_STATUS, *GRPC_STATUS, *RPC_SYSTEM)
"""The attributes that are read here, all of them the span's own."""

GRPC_NAMES: Final = {code: name for name, code in GRPC_CODES.items()}

_CODE: Final = pl.Int64()


def has_failed(spans: Spans) -> pl.Expr:
    """Give the expression that is true where a span has failed, as `error_rates` tells it."""
    by_code = (pl.col("status_code") == "unset") & failed_by_code(spans)
    return ((pl.col("status_code") == "error") | by_code).alias("has_failed")


def failed_by_code(spans: Spans) -> pl.Expr:
    """Give the expression that is true where the codes of a span say that it failed, whatever its status is."""
    return http_failed(spans) | grpc_failed(spans)


def http_code(spans: Spans) -> pl.Expr:
    """Give the expression for the HTTP status code of a span: Int64, null where it has none."""
    return pl.coalesce(*_http_codes(spans), pl.lit(None, dtype=pl.Int64))


def http_failed(spans: Spans) -> pl.Expr:
    """Give the expression that is true where the HTTP status code is a failure: from 500, for callers from 400 on."""
    code, caller = http_code(spans), pl.col("kind").is_in(CALLERS)
    return ((code >= HTTP_ERROR) | (caller & (code >= HTTP_REFUSAL))).fill_null(value=False)


def grpc_code(spans: Spans) -> pl.Expr:
    """Give the expression for the gRPC status code of a span: Int64, null where it has none; a failure comes first."""
    codes = _grpc_codes(spans)
    return pl.coalesce(*(pl.when(code != 0).then(code) for code in codes), *codes, pl.lit(None, dtype=pl.Int64))


def grpc_failed(spans: Spans) -> pl.Expr:
    """Give the expression that is true where the gRPC status code is a failure.

    For servers it is where the fault is theirs; for clients, and spans of other kinds that carry one, unless it is 0.
    """
    client = pl.col("kind") != "server"
    return _any(code.is_in(sorted(GRPC_SERVER_ERRORS)) | (client & (code != 0)) for code in _grpc_codes(spans))


def refused(spans: Spans) -> pl.Expr:
    """Give the expression that is true where a code says that the caller did not get what it asked for.

    That is HTTP from 400 on, and every code of gRPC but 0, whoever is to blame.
    """
    return _any([http_code(spans) >= HTTP_REFUSAL, *(code != 0 for code in _grpc_codes(spans))])


def _any(conditions: Iterable[pl.Expr]) -> pl.Expr:
    return reduce(or_, (condition.fill_null(value=False) for condition in conditions), pl.lit(value=False))


def _http_codes(spans: Spans) -> list[pl.Expr]:
    keys = _there(spans, HTTP_STATUS)
    return [_whole(key, spans) if _is_numeric(key, spans) else _read(key, failing.http_code) for key in keys]


def _grpc_codes(spans: Spans) -> list[pl.Expr]:
    """Give the codes of each key that spans may have; a number in the shared key is one where the system is gRPC."""
    codes = []
    for key in _there(spans, GRPC_STATUS):
        numeric = _is_numeric(key, spans)
        code = _known(_whole(key, spans)) if numeric else _read(key, failing.grpc_code)
        systems = _there(spans, RPC_SYSTEM) if key in SHARED_KEYS else []
        if systems:
            said = [_read(name, failing.is_grpc, pl.Boolean()) for name in systems]
            code = pl.when(pl.coalesce(*said, pl.lit(value=True))).then(code)
            code = code if numeric else pl.coalesce(code, _read(key, failing.named_grpc_code))
        codes.append(code)
    return codes


def _known(number: pl.Expr) -> pl.Expr:
    return pl.when(number.is_between(0, max(GRPC_NAMES))).then(number)


def _read(key: str, reader: Callable[[Any], Any], dtype: pl.DataType = _CODE) -> pl.Expr:
    """Let a reader of single values read the texts of a key."""
    text = attribute_value(f"span.{key}")
    return text.map_batches(partial(_read_texts, reader, dtype), return_dtype=dtype, is_elementwise=True)


def _read_texts(reader: Callable[[Any], Any], dtype: pl.DataType, texts: pl.Series) -> pl.Series:
    if texts.null_count() == texts.len():
        return pl.Series(texts.name, [None], dtype=dtype).new_from_index(0, texts.len())
    distinct = texts.drop_nulls().unique()
    meanings = pl.Series([reader(text) for text in distinct.to_list()], dtype=dtype)
    return texts.replace_strict(distinct, meanings, default=None, return_dtype=dtype)


def _whole(key: str, spans: Spans) -> pl.Expr:
    """Read a column of numbers as whole ones; what is none is null."""
    column = pl.col(f"span.{key}")
    if spans.lazy().collect_schema()[f"span.{key}"].is_integer():
        return column.cast(pl.Int64, strict=False)
    number = column.cast(pl.Float64)
    return pl.when(number == number.floor()).then(number).cast(pl.Int64, strict=False)


def _is_numeric(key: str, spans: Spans) -> bool:
    """Tell whether all values of a key are in a column of numbers."""
    schema = spans.lazy().collect_schema()
    return f"span.{key}" in schema and schema[f"span.{key}"].is_numeric()


def _there(spans: Spans, keys: tuple[str, ...]) -> list[str]:
    """List the keys that spans may have."""
    schema = spans.lazy().collect_schema()
    more = "more_attributes" in schema and not (
        isinstance(spans, pl.DataFrame) and spans["more_attributes"].null_count() == spans.height
    )
    return [key for key in keys if more or f"span.{key}" in schema]
