"""Values of a field on every event, each of its own type, as Go has them; and their texts, as Go prints them."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Ints

TEXT, INT, FLOAT, BOOL = "text", "int", "float", "bool"
NIL: Final = "<nil>"
"""What Go prints for a field that is not there."""

_DTYPES: Final[dict[str, pl.DataType]] = {
    TEXT: pl.String(),
    INT: pl.Int64(),
    FLOAT: pl.Float64(),
    BOOL: pl.Boolean(),
}
_PLAIN: Final = (1e-4, 1e6)
_PLAIN_IN_JSON: Final = (1e-6, 1e21)
_TRUE: Final = ("1", "t", "T", "TRUE", "true", "True")
_GO_INT: Final = r"^[+-]?[0-9]{1,19}$"
_GO_FLOAT: Final = r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"
_GO_NO_NUMBER: Final = r"^(?i:[+-]?inf(?:inity)?|nan)$"
_LEAST_INT: Final = -(2**63)
_JSON_ESCAPES: Final = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
_DEEPEST: Final = 5


@dataclass(frozen=True)
class Values:
    """The values of one field: a column per type, of which each row has one at most.

    Attributes
    ----------
    height
        How many rows there are.
    kinds
        The columns by type; a type that no value has is left out.
    """

    height: int
    kinds: dict[str, pl.Series]

    @classmethod
    def of(cls, kind: str, column: pl.Series) -> Values:
        """Take a column of one type."""
        return cls(column.len(), {kind: column} if column.null_count() < column.len() else {})

    @property
    def exists(self) -> Flags:
        """Mark the rows that have a value."""
        found = np.zeros(self.height, dtype=np.bool_)
        for column in self.kinds.values():
            found |= column.is_not_null().to_numpy()
        return found

    def where(self, mask: Flags) -> Values:
        """Keep the values of the marked rows."""
        if not self.kinds or mask.all():
            return self
        kept = pl.Series(mask)
        return self._each(
            lambda column: column.zip_with(kept, pl.Series([None], dtype=column.dtype).new_from_index(0, self.height))
        )

    def take(self, rows: Ints) -> Values:
        """Take the values of some rows; -1 is none."""
        if not self.kinds:
            return Values(rows.size, {})
        picks = pl.Series(np.where(rows < 0, 0, rows))
        taken = Values(rows.size, {kind: column.gather(picks) for kind, column in self.kinds.items()})
        return taken.where(rows >= 0)

    def _each(self, change: Any) -> Values:
        return Values(self.height, {kind: change(column) for kind, column in self.kinds.items()})

    def text(self) -> pl.Series:
        """Give every value as Go prints it; null where there is none."""
        texts = pl.Series([None], dtype=pl.String).new_from_index(0, self.height)
        for kind, column in self.kinds.items():
            printed = printed_floats(column) if kind == FLOAT else column.cast(pl.String)
            texts = printed if texts.null_count() == self.height else texts.zip_with(texts.is_not_null(), printed)
        return texts

    def ints(self) -> pl.Series:
        """Give every value as Refinery converts it to a whole number; null where it cannot."""
        found = []
        for kind, column in self.kinds.items():
            if kind == INT:
                found.append(column)
            elif kind == FLOAT:
                whole = column.cast(pl.Int64, strict=False)
                # What does not fit 64 bits becomes the least number on the processors that Refinery runs on.
                outside = column.is_not_null() & whole.is_null()
                found.append(whole.zip_with(~outside, pl.Series([_LEAST_INT]).new_from_index(0, self.height)))
            elif kind == TEXT:
                digits = column.to_frame("t").select(pl.when(pl.col("t").str.contains(_GO_INT)).then("t")).to_series()
                found.append(digits.str.strip_prefix("+").cast(pl.Int64, strict=False))
        return _first(found, pl.Int64(), self.height)

    def floats(self) -> pl.Series:
        """Give every value as Refinery converts it to a float; null where it cannot."""
        found = []
        for kind, column in self.kinds.items():
            if kind in (INT, FLOAT):
                found.append(column.cast(pl.Float64))
            elif kind == TEXT:
                found.append(read_floats(column))
        return _first(found, pl.Float64(), self.height)

    def bools(self) -> pl.Series:
        """Give every value as Refinery converts it to a boolean: false where none is clear, null where none is."""
        return self.text().is_in(_TRUE)


def first_of(height: int, candidates: list[Values]) -> Values:
    """Give the first value that a row has."""
    there = [values for values in candidates if values.kinds]
    if len(there) <= 1:
        return there[0] if there else Values(height, {})
    taken = there[0].exists
    found = dict(there[0].kinds)
    for values in there[1:]:
        rest = values.where(~taken)
        for kind, column in rest.kinds.items():
            found[kind] = found[kind].zip_with(found[kind].is_not_null(), column) if kind in found else column
        taken = taken | values.exists
    return Values(height, found)


def stacked(parts: list[Values]) -> Values:
    """Put the rows of several below each other."""
    if len(parts) == 1:
        return parts[0]
    height = sum(part.height for part in parts)
    kinds = [kind for kind in _DTYPES if any(kind in part.kinds for part in parts)]
    columns = {
        kind: pl.concat(
            [
                part.kinds.get(kind, pl.Series([None], dtype=_DTYPES[kind]).new_from_index(0, part.height)).alias(kind)
                for part in parts
                if part.height
            ]
        )
        for kind in kinds
    }
    return Values(height, columns)


def constant(kind: str, value: Any, height: int) -> Values:
    """Give every row the same value."""
    return Values.of(kind, pl.Series([value], dtype=_DTYPES[kind]).new_from_index(0, height))


def typed_texts(texts: pl.Series, types: pl.Series | None) -> Values:
    """Read texts whose types stand beside them (OTLP's words); without types they are text."""
    if types is None or types.null_count() == types.len():
        return Values.of(TEXT, texts)
    pairs = pl.DataFrame({"text": texts, "type": types.fill_null("string")})

    def of(*names: str) -> pl.Expr:
        return pl.when(pl.col("type").is_in(names)).then(pl.col("text"))

    columns = pairs.select(
        plain=of("string"),
        coded=of("bytes", "array"),
        whole=of("int").cast(pl.Int64, strict=False),
        real=of("double"),
        flag=of("bool").replace_strict({"true": True, "false": False}, default=None, return_dtype=pl.Boolean),
    )
    coded = columns["coded"]
    if coded.null_count() < coded.len():
        is_bytes = pairs["type"] == "bytes"
        as_bytes = _mapped(coded.zip_with(is_bytes, _nothing(coded)), lambda text: f'"{text}"\n')
        as_array = _mapped(coded.zip_with(~is_bytes, _nothing(coded)), _array_text)
        coded = as_bytes.zip_with(is_bytes, as_array)
    parts = [
        Values.of(TEXT, columns["plain"]),
        Values.of(TEXT, coded),
        Values.of(INT, columns["whole"]),
        Values.of(FLOAT, read_floats(columns["real"])),
        Values.of(BOOL, columns["flag"]),
    ]
    return first_of(texts.len(), parts)


def list_texts(column: pl.Series) -> pl.Series:
    """Write lists as Honeycomb's translation of OTLP does: JSON, and a line break."""
    known: dict[Any, str] = {}
    rows = [None if items is None else tuple(items) for items in column.to_list()]
    texts = []
    for row in rows:
        if row is not None and (key := (row, tuple(map(type, row)))) not in known:
            known[key] = go_json(list(row)) + "\n"
        texts.append(None if row is None else known[row, tuple(map(type, row))])
    return pl.Series(column.name, texts, dtype=pl.String)


def flattened(texts: pl.Series, key: str) -> Values:
    """Look into maps (JSON text): the value whose path, joined by dots, is `key`."""
    distinct = texts.drop_nulls().unique()
    found = {text: _flat(text).get(key) for text in distinct.to_list()}
    candidates = []
    kinds: tuple[tuple[str, type], ...] = ((BOOL, bool), (INT, int), (FLOAT, float), (TEXT, str))
    for kind, python in kinds:
        values = {text: value for text, value in found.items() if type(value) is python and _fits(value)}
        if values:
            column = texts.replace_strict(
                list(values),
                pl.Series(list(values.values()), dtype=_DTYPES[kind]),
                default=None,
                return_dtype=_DTYPES[kind],
            )
            candidates.append(Values.of(kind, column))
    return first_of(texts.len(), candidates)


def printed_floats(values: pl.Series) -> pl.Series:
    """Write floats as Go prints them: without `.0`, and with an exponent where it is below -4 or above 5."""
    distinct = values.unique()
    size = distinct.abs()
    plain = (size >= _PLAIN[0]) & (size < _PLAIN[1])
    texts = distinct.cast(pl.String).str.strip_suffix(".0")
    if not (plain | distinct.is_null()).all():
        odd = (~plain.fill_null(value=True)).arg_true()
        texts = texts.scatter(odd, [printed(value) for value in distinct.gather(odd).to_list()])
    if distinct.len() == values.len():
        return values.to_frame("v").join(
            pl.DataFrame({"v": distinct, "t": texts}), on="v", how="left", maintain_order="left", nulls_equal=True
        )["t"]
    return values.replace_strict(distinct, texts, return_dtype=pl.String)


def printed(value: Any) -> str:
    """Write one value as Go's `%v` does.

    Examples
    --------
    >>> [printed(value) for value in (1.0, 1e6, 0.00001, True, None, "a", [1, "b"], float("inf"))]
    ['1', '1e+06', '1e-05', 'true', '<nil>', 'a', '[1 b]', '+Inf']
    """
    if value is None:
        return NIL
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _printed_float(value, _PLAIN)
    if isinstance(value, list):
        return f"[{' '.join(map(printed, value))}]"
    return str(value)


def go_json(value: Any) -> str:
    """Write a value as Honeycomb's JSON encoder does: no spaces, sorted keys, `<`, `>` and `&` escaped."""
    if isinstance(value, float):
        return _printed_float(value, _PLAIN_IN_JSON) if math.isfinite(value) else "null"
    if isinstance(value, list):
        return f"[{','.join(map(go_json, value))}]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{go_json(key)}:{go_json(value[key])}" for key in sorted(value)) + "}"
    text = json.dumps(value, ensure_ascii=False)
    return re.sub("[<>&\u2028\u2029]", lambda found: _JSON_ESCAPES[found[0]], text) if isinstance(value, str) else text


def read_floats(texts: pl.Series) -> pl.Series:
    """Read texts that Go takes for floats; null where it does not."""
    text = pl.col("t")
    number = pl.when(text.str.contains(_GO_FLOAT)).then(text.str.strip_prefix("+")).cast(pl.Float64, strict=False)
    word = text.str.to_lowercase()
    other = (
        pl.when(word == "nan")
        .then(float("nan"))
        .when(word.str.starts_with("-"))
        .then(float("-inf"))
        .otherwise(float("inf"))
    )
    return (
        texts.to_frame("t")
        .select(pl.when(text.str.contains(_GO_NO_NUMBER)).then(other).when(number.is_finite()).then(number))
        .to_series()
    )


def _printed_float(value: float, plain: tuple[float, float]) -> str:
    """Write the shortest digits that mean a float: as they are within some bounds, else with a power of ten."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    sign, digits, exponent = Decimal(repr(value)).as_tuple()
    text = "".join(map(str, digits)).rstrip("0")
    power = int(exponent) + len(digits) - 1
    if plain[0] <= abs(value) < plain[1]:
        return f"{Decimal(repr(value)).normalize():f}"
    fraction = f".{text[1:]}" if len(text) > 1 else ""
    return f"{'-' * sign}{text[0]}{fraction}e{'-' if power < 0 else '+'}{abs(power):02d}"


def _flat(text: str) -> dict[str, Any]:
    """Take a map apart into paths joined by dots; what lies deeper than Honeycomb looks stays JSON."""
    try:
        top = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    flat: dict[str, Any] = {}
    pending: list[tuple[str, Any, int]] = [("", top, 0)]
    while pending:
        path, value, depth = pending.pop()
        if isinstance(value, dict) and depth <= _DEEPEST:
            pending += [(f"{path}.{key}" if path else key, item, depth + 1) for key, item in value.items()]
        elif isinstance(value, dict | list):
            flat[path] = go_json(value) + "\n"
        elif value is not None:
            flat[path] = value
    return flat


def _fits(value: Any) -> bool:
    return not isinstance(value, int) or _LEAST_INT <= value < -_LEAST_INT


def _array_text(text: str) -> str:
    try:
        return go_json(json.loads(text)) + "\n"
    except (ValueError, RecursionError):
        return text


def _mapped(texts: pl.Series, change: Any) -> pl.Series:
    """Change every different text."""
    distinct = texts.drop_nulls().unique()
    if not distinct.len():
        return texts
    changed = [change(text) for text in distinct.to_list()]
    return texts.replace_strict(distinct, pl.Series(changed, dtype=pl.String), default=None, return_dtype=pl.String)


def _nothing(column: pl.Series) -> pl.Series:
    return pl.Series([None], dtype=column.dtype).new_from_index(0, column.len())


def _first(found: list[pl.Series], dtype: pl.DataType, height: int) -> pl.Series:
    if not found:
        return pl.Series([None], dtype=dtype).new_from_index(0, height)
    first = found[0]
    for column in found[1:]:
        first = first.zip_with(first.is_not_null(), column)
    return first
