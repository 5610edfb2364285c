"""The status codes of HTTP and gRPC that spans carry, wherever and however they were written.

Whole frames are asked for failures, and most spans have no code at all. So nothing here compares texts: an Enum turns
them into numbers, which costs nothing where there are none.
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Final

import polars as pl

from tracelab.failing import GRPC_CODES, GRPC_SERVER_ERRORS, GRPC_STATUS, HTTP_STATUS
from tracelab.schema import attribute_value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracelab.analysis.grouping import Spans

RPC_SYSTEM: Final = ("rpc.system.name", "rpc.system")
CODE_KEYS: Final = (*HTTP_STATUS, *GRPC_STATUS, *RPC_SYSTEM)
"""The attributes that are read here, all of them the span's own."""

GRPC_NAMES: Final = {code: name for name, code in GRPC_CODES.items()}

_SHARED: Final = "rpc.response.status_code"
"""Other RPC systems use this key too, with numbers that mean something else there."""

_PREFIXES: Final = ("", "StatusCode.", "StatusCode::", "Status.", "Code.", "codes.", "grpc.StatusCode.")


def _spellings(name: str) -> list[str]:
    """Spell a name as senders do: DEADLINE_EXCEEDED, deadline_exceeded, DeadlineExceeded, codes.DeadlineExceeded."""
    words = name.split("_")
    titles = [word.title() for word in words]
    forms = [joint.join(some) for joint in ("_", "-", " ", "") for some in (words, name.lower().split("_"), titles)]
    forms.append(words[0].lower() + "".join(titles[1:]))
    return [prefix + form for prefix in _PREFIXES for form in dict.fromkeys(forms)]


# What is no failure comes first, then what is one for clients, then what is one for servers too: to ask for failures
# is to compare two numbers. Go says Canceled where others say CANCELLED.
_BY_GRAVITY: Final = sorted(
    [*GRPC_CODES.items(), ("CANCELED", GRPC_CODES["CANCELLED"])],
    key=lambda named: (named[1] in GRPC_SERVER_ERRORS, named[1] != 0),
)
_CODE_OF: Final = {text: code for name, code in _BY_GRAVITY for text in _spellings(name)}
_NAMES: Final = pl.Enum(list(_CODE_OF))
_CODES: Final = pl.Series(list(_CODE_OF.values()), dtype=pl.Int64)
_FOR_CLIENTS: Final = sum(code == 0 for code in _CODE_OF.values())
_FOR_SERVERS: Final = sum(code not in GRPC_SERVER_ERRORS for code in _CODE_OF.values())


def http_code(spans: Spans) -> pl.Expr:
    """Give the expression for the HTTP status code of a span: Int64, null where it has none."""
    return pl.coalesce(*_http_codes(spans), pl.lit(None, dtype=pl.Int64))


def http_failed(spans: Spans) -> pl.Expr:
    """Give the expression that is true where the HTTP status code says that the server failed: from 500 on."""
    return _any(code >= 500 for code in _http_codes(spans))


def grpc_code(spans: Spans) -> pl.Expr:
    """Give the expression for the gRPC status code of a span: Int64, null where it has none; a failure comes first."""
    codes: list[pl.Expr] = []
    for key in _there(spans, GRPC_STATUS):
        number = pl.when(_number(key, spans).is_in(list(GRPC_NAMES)) & _is_grpc(key, spans)).then(_number(key, spans))
        codes += [number] if _is_numeric(key, spans) else [number, pl.lit(_CODES).gather(_named(key))]
    failing = [pl.when(code != 0).then(code) for code in codes]
    return pl.coalesce(*failing, *codes, pl.lit(None, dtype=pl.Int64))


def grpc_failed(spans: Spans) -> pl.Expr:
    """Give the expression that is true where the gRPC status code is a failure.

    For servers it is where the fault is theirs; for clients, and spans of other kinds that carry one, unless it is 0.
    """
    client = pl.col("kind") != "server"
    failed = []
    for key in _there(spans, GRPC_STATUS):
        number = _number(key, spans)
        fault = _any(number == code for code in sorted(GRPC_SERVER_ERRORS))
        failed.append((fault | (client & (number > 0) & (number <= max(GRPC_NAMES)))) & _is_grpc(key, spans))
        if not _is_numeric(key, spans):
            failed.append((_named(key) >= _FOR_SERVERS) | (client & (_named(key) >= _FOR_CLIENTS)))
    return _any(failed)


def refused(spans: Spans) -> pl.Expr:
    """Give the expression that is true where a code says that the caller did not get what it asked for.

    That is HTTP from 400 on, and every code of gRPC but 0, whoever is to blame.
    """
    refusals = [code >= 400 for code in _http_codes(spans)]
    for key in _there(spans, GRPC_STATUS):
        number = _number(key, spans)
        refusals.append((number > 0) & (number <= max(GRPC_NAMES)) & _is_grpc(key, spans))
        if not _is_numeric(key, spans):
            refusals.append(_named(key) >= _FOR_CLIENTS)
    return _any(refusals)


def _any(conditions: Iterable[pl.Expr]) -> pl.Expr:
    return reduce(or_, (condition.fill_null(value=False) for condition in conditions), pl.lit(value=False))


def _http_codes(spans: Spans) -> list[pl.Expr]:
    return [_number(key, spans) for key in _there(spans, HTTP_STATUS)]


def _named(key: str) -> pl.Expr:
    """Give the place of a code's name among all names; null where it is not written as one."""
    return _text(key).cast(_NAMES, strict=False).to_physical()


def _is_grpc(key: str, spans: Spans) -> pl.Expr:
    """Tell where a number is one of gRPC: the RPC system is gRPC, or not said, or the key is not shared."""
    systems = [_text(name) for name in _there(spans, RPC_SYSTEM) if key == _SHARED]
    said = [pl.when(system != "").then((system == "grpc") | (system == "gRPC")) for system in systems]
    return pl.coalesce(*said, pl.lit(value=True))


def _number(key: str, spans: Spans) -> pl.Expr:
    """Read a whole number, also from a double, which is what JavaScript sends, or from text."""
    number = pl.col(f"span.{key}") if _is_numeric(key, spans) else _text(key).cast(pl.Float64, strict=False)
    return number.cast(pl.Int64, strict=False)


def _text(key: str) -> pl.Expr:
    return attribute_value(f"span.{key}")


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
