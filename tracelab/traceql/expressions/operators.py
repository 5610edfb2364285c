"""What operators do to values: TraceQL's rules for types, put into polars expressions.

A comparison of values that do not go together is false, and so is one with a missing value; `!=` is no exception.
"""

from __future__ import annotations

from functools import partial, reduce
from typing import Final, cast

import polars as pl

from tracelab.errors import QueryError
from tracelab.go_regexes import anchored
from tracelab.traceql.expressions.values import ARRAY, TEXT, Value, as_number, as_whole, decided
from tracelab.traceql.syntax import nodes as n
from tracelab.traceql.syntax.folding import COMPARISONS, SUMS

_MIRRORED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_EQUALITY: Final = ("=", "!=")
_WHOLE: Final = (n.INT, n.DURATION)
_TRUTHS: Final = {"true": True, "false": False}


def compared(operator: str, left: Value, right: Value) -> Value:
    """Compare two values; where their types do not go together the answer is false."""
    if left.identifier or right.identifier:
        left, right = _without_zeros(left), _without_zeros(right)
    tests = []
    for a, left_expression in left.kinds.items():
        for b, right_expression in right.kinds.items():
            test = _test(operator, a, left_expression, b, right_expression, left, right)
            if test is not None:
                tests.append(test)
    return decided(reduce(pl.Expr.__or__, tests) if tests else pl.lit(False))


def negated(value: Value) -> Value:
    """`!value`; only a bool has an opposite, and what is missing stays missing."""
    if n.BOOL not in value.kinds:
        return Value()
    truth = value.truth
    return Value({n.BOOL: ~truth.fill_null(False) if value.settled else ~truth}, settled=value.settled)


def signed(value: Value) -> Value:
    """`-value`; only numbers have a negative."""
    return Value({kind: -expression for kind, expression in value.kinds.items() if kind in n.NUMERIC})


def either(operator: str, values: list[Value]) -> Value:
    """Join truths by `&&` or `||`: what is not true counts as false, on either side."""
    truths = [value.truth for value in values]
    join = pl.Expr.__and__ if operator == "&&" else pl.Expr.__or__
    while len(truths) > 1:  # pairs of pairs: polars is slow with expressions as deep as a chain is long
        pairs = zip(truths[::2], truths[1::2], strict=False)
        truths = [join(a, b) for a, b in pairs] + (truths[-1:] if len(truths) % 2 else [])
    return decided(truths[0])


def calculated(operator: str, left: Value, right: Value, *, where: pl.Expr | None = None) -> Value:
    """Calculate with two values: ints stay ints, any other mix of numbers is a float.

    Where the types do not go together the result is false, as it is for every operator. Dividing ints by zero ends the
    query, if it happens on a span for which `where` holds.
    """
    kinds: dict[str, list[pl.Expr]] = {}
    for a, left_expression in left.kinds.items():
        for b, right_expression in right.kinds.items():
            if a not in n.NUMERIC or b not in n.NUMERIC:
                continue
            if a == b == n.INT:
                result = _whole(operator, left_expression, right_expression, where)
                kinds.setdefault(n.INT, []).append(result)
            else:
                result = _float(operator, as_number(a, left_expression), as_number(b, right_expression))
                kinds.setdefault(n.FLOAT, []).append(result)
    merged = {kind: parts[0] if len(parts) == 1 else pl.coalesce(parts) for kind, parts in kinds.items()}
    missing = reduce(pl.Expr.__and__, [part.is_null() for part in merged.values()]) if merged else pl.lit(True)
    return Value({**merged, n.BOOL: pl.when(missing).then(False)})


def is_any_of(value: Value, literals: list[n.Static], *, negative: bool) -> Value:
    """`value = a || value = b ...` (or `!=` with `&&`), for literals of one type, at once."""
    kind = literals[0].type
    options = [literal.value for literal in literals]
    if value.identifier:
        value = _without_zeros(value)
        options = [str(option).lstrip("0") for option in options]
    tests = []
    for a, expression in value.kinds.items():
        if a == kind or (a in _WHOLE and kind in _WHOLE):
            found = as_whole(a, expression).is_in(options)
            tests.append(~found if negative else found)
        else:
            # Kinds that hardly ever occur: compare one by one.
            one = Value({a: expression})
            sign = "!=" if negative else "="
            parts = [compared(sign, one, _of(literal)).truth for literal in literals]
            tests.append(pl.all_horizontal(parts) if negative else pl.any_horizontal(parts))
    return decided(reduce(pl.Expr.__or__, tests) if tests else pl.lit(False))


def _compare(operator: str, a: pl.Expr, b: pl.Expr) -> pl.Expr:
    test: pl.Expr = COMPARISONS[operator](a, b)
    return test


def _of(literal: n.Static) -> Value:
    return Value({literal.type: pl.lit(literal.value)}, literal=literal)


def _test(
    operator: str, a: str, left: pl.Expr, b: str, right: pl.Expr, left_value: Value, right_value: Value
) -> pl.Expr | None:
    """Compare one kind with another; None where they do not go together."""
    if a.endswith(ARRAY) or b.endswith(ARRAY):
        if a.endswith(ARRAY) and b.endswith(ARRAY):
            return None
        if a.endswith(ARRAY):
            return _any_element(operator, a.removesuffix(ARRAY), left, b, right, right_value)
        return _any_element(_MIRRORED.get(operator, operator), b.removesuffix(ARRAY), right, a, left, left_value)
    if TEXT in (a, b):
        return _loose(operator, a, left, b, right, left_value, right_value)
    if operator in ("=~", "!~"):
        return _matched(operator, left, right_value) if a == b == n.STRING else None
    if a in n.NUMERIC and b in n.NUMERIC:
        return _numbers(operator, a, left, b, right, left_value.literal, right_value.literal)
    if a != b or (operator not in _EQUALITY and a != n.STRING):
        return None
    if a == n.BOOL:  # a settled bool is false, not missing, where its expression is null
        left = left.fill_null(False) if left_value.settled else left
        right = right.fill_null(False) if right_value.settled else right
    return _compare(operator, left, right)


def _numbers(
    operator: str,
    a: str,
    left: pl.Expr,
    b: str,
    right: pl.Expr,
    left_literal: n.Static | None,
    right_literal: n.Static | None,
) -> pl.Expr:
    """Compare numbers: whole ones exactly, others as floats."""
    if a in _WHOLE and b in _WHOLE:
        if a == b:
            return _compare(operator, left, right)
        return _compare(operator, _whole_as(a, left, left_literal, b), _whole_as(b, right, right_literal, a))
    test = _compare(operator, as_number(a, left), as_number(b, right))
    # To polars NaN equals NaN and is larger than any number; to TraceQL it compares with nothing.
    for kind, expression, literal in ((a, left, left_literal), (b, right, right_literal)):
        if kind == n.FLOAT and literal is None:
            test = test & expression.is_not_nan()
    return test


def _whole_as(kind: str, expression: pl.Expr, literal: n.Static | None, other: str) -> pl.Expr:
    """Bring an int and a duration together: a literal takes the type of the column, so that parquet can skip."""
    if literal is not None:
        return pl.lit(literal.value, dtype=pl.Duration("ns") if other == n.DURATION else pl.Int64())
    if other == n.DURATION and kind == n.INT:
        return expression.cast(pl.Duration("ns"))
    return expression


def _matched(operator: str, text: pl.Expr, pattern: Value) -> pl.Expr | None:
    if pattern.literal is None or not isinstance(pattern.literal.value, str):
        return None
    matches = text.str.contains(anchored(pattern.literal.value))
    return matches if operator == "=~" else ~matches


def _any_element(
    operator: str, element: str, array: pl.Expr, kind: str, scalar: pl.Expr, scalar_value: Value
) -> pl.Expr | None:
    """Compare a list with one value: any element will do, but for `!=` and `!~`, which all must satisfy."""
    if scalar_value.literal is not None:
        one = Value({element: pl.element()})
        test = _test(operator, element, pl.element(), kind, scalar, one, scalar_value)
        if test is None:
            return None
        tested = array.list.eval(test.fill_null(False))
        if operator in ("!=", "!~"):
            return tested.list.all() & (array.list.len() > 0)
        return tested.list.any()
    if element != kind and not (element in n.NUMERIC and kind in n.NUMERIC):
        return None
    if element != kind:
        array, scalar = array.cast(pl.List(pl.Float64)), as_number(kind, scalar)
    match operator:
        case "=":
            return array.list.contains(scalar) & scalar.is_not_null()
        case "!=":
            return ~array.list.contains(scalar) & (array.list.len() > 0) & scalar.is_not_null()
        case "<" | "<=":
            return _compare(operator, array.list.min(), scalar) if element != n.BOOL else None
        case ">" | ">=":
            return _compare(operator, array.list.max(), scalar) if element != n.BOOL else None
    return None


def _loose(
    operator: str, a: str, left: pl.Expr, b: str, right: pl.Expr, left_value: Value, right_value: Value
) -> pl.Expr | None:
    """Compare a text that may have been anything with a value: it is read as the value's type."""
    if a == TEXT and b == TEXT:
        return _test(operator, n.STRING, left, n.STRING, right, left_value, right_value)
    if a == TEXT:
        return _test(operator, b, _read_as(b, left), b, right, Value(), right_value)
    return _test(operator, a, left, a, _read_as(a, right), left_value, Value())


def _read_as(kind: str, text: pl.Expr) -> pl.Expr:
    if kind == n.BOOL:
        return text.replace_strict(_TRUTHS, default=None, return_dtype=pl.Boolean)
    if kind in (n.INT, n.FLOAT):
        return text.cast(pl.Int64 if kind == n.INT else pl.Float64, strict=False)
    if kind == n.DURATION:
        return text.cast(pl.Int64, strict=False).cast(pl.Duration("ns"))
    return text if kind == n.STRING else pl.lit(None)


def _without_zeros(value: Value) -> Value:
    """Strip the zeros before an id."""
    if value.literal is not None and isinstance(value.literal.value, str):
        stripped = value.literal.value.lstrip("0")
        return Value({n.STRING: pl.lit(stripped)}, literal=n.Static(stripped, n.STRING))
    kinds = {k: e.str.strip_chars_start("0") if k == n.STRING else e for k, e in value.kinds.items()}
    return Value(kinds)


def _whole(operator: str, a: pl.Expr, b: pl.Expr, where: pl.Expr | None) -> pl.Expr:
    """Calculate with ints as Go does: division cuts towards zero and the rest has the sign of what is divided."""
    if operator in SUMS:
        return cast("pl.Expr", SUMS[operator](a, b))
    if operator == "^":
        power = a.cast(pl.Float64).pow(b.cast(pl.Float64))
        return power.clip(n.MIN_INT, float(n.MAX_INT)).cast(pl.Int64, strict=False)
    # Each side is named once: an expression that repeats its operands doubles with every division of a chain.
    asked = pl.lit(True) if where is None else where
    parts = pl.struct(a.alias("divided"), b.alias("divisor"), asked.alias("asked"))
    return parts.map_batches(partial(_divided, operator=operator), return_dtype=pl.Int64, is_elementwise=True)


def _divided(parts: pl.Series, *, operator: str) -> pl.Series:
    """Divide ints, and end the query if one is divided by zero."""
    frame = parts.struct.unnest()
    a, b = pl.col("divided"), pl.col("divisor")
    zero = (b == 0) & a.is_not_null() & pl.col("asked")
    if frame.select(zero.any()).item():
        raise QueryError("this query divides an int by zero; keep zeros out first, as in { .b != 0 && .a / .b > 1 }")
    floor = a // b
    rest = a - floor * b
    quotient = floor + ((rest != 0) & ((a < 0) != (b < 0))).cast(pl.Int64)
    return frame.select(quotient if operator == "/" else a - quotient * b).to_series()


def _float(operator: str, a: pl.Expr, b: pl.Expr) -> pl.Expr:
    if operator in SUMS:
        return cast("pl.Expr", SUMS[operator](a, b))
    if operator == "/":
        return a / b
    if operator == "^":
        return a.pow(b)
    parts = pl.struct(a.alias("divided"), b.alias("divisor"))
    return parts.map_batches(_float_rest, return_dtype=pl.Float64, is_elementwise=True)


def _float_rest(parts: pl.Series) -> pl.Series:
    """Give the rest of a division of floats, with the sign of what is divided."""
    a, b = pl.col("divided"), pl.col("divisor")
    rest = a.abs() % b.abs()
    return parts.struct.unnest().select(pl.when(a < 0).then(-rest).otherwise(rest)).to_series()
