"""What an expression gives on each span, as polars expressions.

An attribute's type is known only span by span: `retries` may be an int here and a text there. So a value is one polars
expression for each type that it may have, each null where the value is missing or of another type. Where the frame's
columns tell the type, there is just one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce
from typing import Final

import polars as pl

from tracelab.traceql.syntax import nodes as n
from tracelab.traceql.syntax.literals import duration_text

TEXT: Final = "text"
"""A value kept as text that may have been anything: those of events and links."""

ARRAY: Final = "[]"
"""Ends the name of a kind that is a list: `int[]`."""

ELEMENTS: Final = (n.INT, n.FLOAT, n.STRING, n.BOOL)
NANOSECONDS: Final = pl.Duration("ns")


@dataclass(frozen=True, slots=True)
class Value:
    """An expression for every kind of value that may occur.

    Attributes
    ----------
    kinds
        Kind (`int`, `string`, `duration`, `int[]`, ...) to expression.
    settled
        The bool is never missing: where its expression is null, it is false. So are all comparisons.
    literal
        The literal that this is, if it is one.
    identifier
        An id in hex, which is compared without leading zeros.
    """

    kinds: dict[str, pl.Expr] = field(default_factory=dict)
    settled: bool = False
    literal: n.Static | None = None
    identifier: bool = False

    @property
    def present(self) -> pl.Expr:
        """Tell where there is a value."""
        if self.settled or self.literal is not None:
            return pl.lit(True)
        tests = [_present(kind, expression) for kind, expression in self.kinds.items()]
        return reduce(pl.Expr.__or__, tests) if tests else pl.lit(False)

    @property
    def truth(self) -> pl.Expr:
        """Tell where the value is true; null counts as not."""
        return self.kinds.get(n.BOOL, pl.lit(False))


def decided(expression: pl.Expr) -> Value:
    """Make a value of a test that is never missing."""
    return Value({n.BOOL: expression}, settled=True)


def literal_value(static: n.Static) -> Value:
    """Make a value of a literal."""
    if static.type == n.DURATION:
        return Value({n.DURATION: pl.lit(static.value, dtype=NANOSECONDS)}, literal=static)
    if static.type == n.INT:
        return Value({n.INT: pl.lit(static.value, dtype=pl.Int64)}, literal=static)
    return Value({static.type: pl.lit(static.value)}, literal=static)


def column_value(expression: pl.Expr, dtype: pl.DataType) -> Value:
    """Make a value of a column with one type."""
    if isinstance(dtype, pl.Boolean):
        return Value({n.BOOL: expression})
    if dtype.is_integer():
        return Value({n.INT: expression if dtype == pl.Int64() else expression.cast(pl.Int64)})
    if dtype.is_float():
        return Value({n.FLOAT: expression if dtype == pl.Float64() else expression.cast(pl.Float64)})
    if isinstance(dtype, pl.Duration):
        return Value({n.DURATION: expression if dtype == NANOSECONDS else expression.cast(NANOSECONDS)})
    if isinstance(dtype, pl.String):
        return Value({n.STRING: expression})
    if isinstance(dtype, pl.List):
        inner = column_value(pl.element(), dtype.inner if isinstance(dtype.inner, pl.DataType) else dtype.inner())
        kind = next(iter(inner.kinds), "")
        return Value({kind + ARRAY: expression} if kind in ELEMENTS else {})
    return Value({n.STRING: expression.cast(pl.String)})


def mixed_value(text: pl.Expr, kind: pl.Expr) -> Value:
    """Make a value of a text beside which its type is written; null there means text."""

    def of(*names: str) -> pl.Expr:
        return pl.when(kind.is_in(names)).then(text)

    arrays = of("array")
    return Value(
        {
            n.STRING: pl.when(kind.is_null() | kind.is_in(["string", "bytes", "kvlist"])).then(text),
            n.INT: of("int").cast(pl.Int64, strict=False),
            n.FLOAT: of("double").cast(pl.Float64, strict=False),
            n.BOOL: of("bool") == "true",
            **{element + ARRAY: _parsed_array(arrays, element) for element in ELEMENTS},
        }
    )


def first_of(values: list[Value]) -> Value:
    """Bring values together of which each is there only where those before are missing."""
    kinds: dict[str, list[pl.Expr]] = {}
    for value in values:
        for kind, expression in value.kinds.items():
            kinds.setdefault(kind, []).append(expression)
    return Value({kind: parts[0] if len(parts) == 1 else pl.coalesce(parts) for kind, parts in kinds.items()})


def where(condition: pl.Expr, value: Value) -> Value:
    """Take a value only where a condition holds."""
    return Value({kind: pl.when(condition).then(expression) for kind, expression in value.kinds.items()})


def as_number(kind: str, expression: pl.Expr) -> pl.Expr:
    """Read a numeric kind as a float; durations in nanoseconds."""
    return as_whole(kind, expression).cast(pl.Float64) if kind != n.FLOAT else expression


def as_whole(kind: str, expression: pl.Expr) -> pl.Expr:
    """Read an int or a duration as an int; durations in nanoseconds."""
    return expression.to_physical() if kind == n.DURATION else expression


def as_text(value: Value) -> pl.Expr:
    """Write a value as text, as it would stand in a query but for the quotes."""
    parts = []
    for kind, expression in value.kinds.items():
        if kind == n.DURATION:
            parts.append(expression.map_batches(_durations_as_text, return_dtype=pl.String, is_elementwise=True))
        elif kind.endswith(ARRAY):
            parts.append(pl.lit("[") + expression.cast(pl.List(pl.String)).list.join(", ") + pl.lit("]"))
        else:
            parts.append(expression.cast(pl.String))
    return pl.coalesce(parts) if parts else pl.lit(None, dtype=pl.String)


def one_column(kinds: dict[str, pl.Series], height: int) -> pl.Series:
    """Bring the kinds of a value together: one that stands alone keeps its dtype, several become text."""
    if len(kinds) == 1:
        return next(iter(kinds.values()))
    return texts_of(kinds) if kinds else pl.Series([None] * height, dtype=pl.String)


def texts_of(kinds: dict[str, pl.Series]) -> pl.Series:
    """Write the values in these columns as text."""
    value = Value({kind: pl.col(kind) for kind in kinds})
    return pl.DataFrame(kinds).select(as_text(value).alias("text")).to_series()


def _durations_as_text(durations: pl.Series) -> pl.Series:
    """Write durations as Go does, each different one once."""
    nanoseconds = durations.to_physical()
    different = nanoseconds.drop_nulls().unique()
    texts = pl.Series([duration_text(one) for one in different], dtype=pl.String)
    return nanoseconds.replace_strict(different, texts, default=None, return_dtype=pl.String)


def _present(kind: str, expression: pl.Expr) -> pl.Expr:
    """Tell where a value of this kind is; an empty list counts as none."""
    return (expression.list.len() > 0).fill_null(False) if kind.endswith(ARRAY) else expression.is_not_null()


def _parsed_array(text: pl.Expr, element: str) -> pl.Expr:
    """Read JSON text as a list, where its items are of this kind."""
    pattern, dtype = _ARRAYS[element]
    return pl.when(text.str.contains(pattern)).then(text).str.json_decode(pl.List(dtype))


_NUMBER: Final = r"-?\d+"
_DECIMAL: Final = r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
_STRING: Final = r'"(?:[^"\\]|\\.)*"'


def _list_of(item: str) -> str:
    return rf"^\s*\[\s*{item}(?:\s*,\s*{item})*\s*\]\s*$"


_ARRAYS: Final[dict[str, tuple[str, pl.DataType]]] = {
    n.INT: (_list_of(_NUMBER), pl.Int64()),
    n.FLOAT: (rf"{_list_of(_DECIMAL)}", pl.Float64()),
    n.STRING: (_list_of(_STRING), pl.String()),
    n.BOOL: (_list_of("(?:true|false)"), pl.Boolean()),
}
