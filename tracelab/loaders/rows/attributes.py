"""Attributes of rows: columns, objects and text with types to be guessed, as long tables for each scope."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from tracelab.loaders.columns import long_tables
from tracelab.loaders.columns.chunk import BOOL, BYTES, DOUBLE, INT, STRING
from tracelab.loaders.columns.text import as_text
from tracelab.loaders.documents.values import plain_value
from tracelab.loaders.report import problems
from tracelab.loaders.rows import nested
from tracelab.loaders.rows.ids import NO_WORDS
from tracelab.loaders.rows.names import OBJECTS
from tracelab.loaders.rows.table import dense, text_of_scalars
from tracelab.schema import SCOPES, TYPE_SUFFIX, VALUE_TYPES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracelab.loaders.columns.chunk import Entries, Rows
    from tracelab.loaders.report.findings import Findings
    from tracelab.loaders.rows.names import Roles
    from tracelab.loaders.rows.table import Column, Table

_EXACT: Final = 16
SPAN: Final = "attributes"
RESOURCE: Final = "resource_attributes"
INSTRUMENTATION: Final = "scope_attributes"
_SCOPES: Final = dict(zip(SCOPES, (SPAN, RESOURCE, INSTRUMENTATION), strict=True))
_DOUBLE: Final = r"^-?(\d+\.\d+|\d+(\.\d+)?[eE][+-]?\d+|NaN|-?inf)$"
_KINDS: Final[dict[Any, int]] = {pl.String(): STRING, pl.Boolean(): BOOL, pl.Int64(): INT, pl.Float64(): DOUBLE}


class Attributes:
    """The attributes of all rows of a table."""

    def __init__(self, table: Table, findings: Findings) -> None:
        self.table = table
        self.findings = findings
        self.scopes = {scope: long_tables.LongTables() for scope in _SCOPES.values()}
        self.guessed = 0

    def texts_of(self, key: str) -> pl.Series:
        """Give the text values of an attribute of spans."""
        tables = self.scopes[SPAN]
        code = tables.codes.get(key)
        held = [
            (rows.astype(np.uint32), values)
            for rows, codes, values in tables.lists.get(STRING, [])
            if codes.size and codes[0] == code
        ]
        return dense(held, self.table.height, pl.String())

    def add_texts(self, key: str, scope: str, rows: Rows, values: pl.Series) -> None:
        """Add text."""
        self._add(key, scope, STRING, rows, values)

    def has(self, scope: str) -> bool:
        """Say whether any row has attributes of this scope."""
        return bool(self.scopes[scope].lists)

    def entries(self, scope: str) -> Entries:
        """Give all attributes of a scope."""
        return self.scopes[scope].finish()

    def add_all(self, roles: Roles, but: Mapping[str, object]) -> None:
        """Add what is no field, and what stands in columns of objects; `but` are columns of something else."""
        for key in OBJECTS:
            for name in roles.fields.get(key, []):
                found, rest = nested.attributes(self.table.columns[name])
                for inner, column in found.items():
                    scope, short = _scope_of(inner) if key == "more_attributes" else (key, inner)
                    self.add_column(short, scope, column, typed=True)
                if rest.count():
                    self.add_column(name, "attributes", rest)
        companions = {name for name in roles.attributes if self._is_companion(name)}
        for name, (scope, key) in roles.attributes.items():
            if name in companions or name not in self.table.columns or name in but:
                continue
            types = name + TYPE_SUFFIX
            if types in companions:
                self._add_with_types(key, scope, self.table.columns[name], self.table.columns[types])
            else:
                self.add_column(key, scope, self.table.columns[name])

    def _add(self, key: str, scope: str, kind: int, rows: Rows, values: pl.Series) -> None:
        nowhere = np.zeros(0, dtype=np.int64)
        self.scopes[scope].add(long_tables.Attributes(rows.astype(np.int64), nowhere, key, kind, values))

    def _is_companion(self, name: str) -> bool:
        if not name.endswith(TYPE_SUFFIX) or name.removesuffix(TYPE_SUFFIX) not in self.table.columns:
            return False
        column = self.table.columns.get(name)
        scalars = column.scalars if column is not None and not column.objects else []
        return bool(scalars) and all(
            values.dtype == pl.String and bool(values.is_in(VALUE_TYPES).all()) for _, values in scalars
        )

    def _add_with_types(self, key: str, scope: str, column: Column, types: Column) -> None:
        """Add values of a column of which another one says the types."""
        texts, kinds = column.texts(self.table.height), types.texts(self.table.height)
        for word in kinds.drop_nulls().unique().to_list():
            rows = np.flatnonzero(((kinds == word) & texts.is_not_null()).fill_null(value=False).to_numpy())
            values = texts.gather(pl.Series(rows))
            self._add_word(key, scope, word, rows.astype(np.uint32), values)
        untold = np.flatnonzero((kinds.is_null() & texts.is_not_null()).to_numpy()).astype(np.uint32)
        self._add(key, scope, STRING, untold, texts.gather(pl.Series(untold)))

    def _add_word(self, key: str, scope: str, word: str, rows: Rows, values: pl.Series) -> None:
        kind = VALUE_TYPES.index(word)
        if kind == BOOL:
            read = values.replace_strict({"true": True, "false": False}, default=None, return_dtype=pl.Boolean)
        elif kind in (INT, DOUBLE):
            read = values.cast(pl.Int64 if kind == INT else pl.Float64, strict=False)
        elif kind in (STRING, BYTES):
            read = values
        else:
            self._add_items(key, scope, rows, nested.contents(values))
            return
        known = read.is_not_null()
        if not known.all():
            wrong = ~known
            self.findings.add(problems.BAD_VALUE, int(wrong.sum()), place=key, example=values.filter(wrong)[0])
            self._add(key, scope, STRING, rows[wrong.to_numpy()], values.filter(wrong))
        self._add(key, scope, kind, rows[known.to_numpy()], read.filter(known))

    def add_column(self, key: str, scope: str, column: Column, *, typed: bool | None = None) -> None:
        """Add the values of a column under a key; those of text have types of their own or are to be guessed."""
        for rows, values in column.scalars:
            if values.dtype == pl.String and not (self.table.typed if typed is None else typed):
                kind, kept, read = _typed(values)
                self.guessed += kind != STRING
                self._add(key, scope, kind, rows[kept], read)
            elif values.dtype == pl.Binary:
                self._add_bytes(key, scope, rows, values)
            elif values.dtype in _KINDS:
                self._add(key, scope, _KINDS[values.dtype], rows, values)
            else:
                self._add(key, scope, STRING, rows, text_of_scalars(values))
        for rows, items in column.objects:
            self._add_items(key, scope, rows, items)

    def _add_bytes(self, key: str, scope: str, rows: Rows, values: pl.Series) -> None:
        """Add bytes as text if they all are: parquet does not always say which is which."""
        try:
            self._add(key, scope, STRING, rows, values.cast(pl.String))
        except pl.exceptions.PolarsError:
            self._add(key, scope, BYTES, rows, values.bin.encode("base64"))

    def _add_items(self, key: str, scope: str, rows: Rows, items: list[Any]) -> None:
        """Add lists and objects, value by value."""
        lists: dict[int, tuple[list[int], list[Any]]] = {}
        for row, item in zip(rows.tolist(), items, strict=True):
            value = plain_value(item, self.findings, self.table.place(row)) if item is not None else None
            if value is None:
                self.findings.add(problems.EMPTY_VALUES, place=self.table.place(row), example=key)
                continue
            owners, values = lists.setdefault(value[0], ([], []))
            owners.append(row)
            values.append(value[1])
        for kind, (owners, values) in lists.items():
            self._add(key, scope, kind, np.array(owners, dtype=np.uint32), pl.Series(values, dtype=_dtype(kind)))


def _dtype(kind: int) -> pl.DataType:
    return next((dtype for dtype, known in _KINDS.items() if known == kind), pl.String())


def _scope_of(name: str) -> tuple[str, str]:
    """Take the scope off the full name of an attribute."""
    scope, dot, key = name.partition(".")
    return (_SCOPES[scope], key) if dot and scope in SCOPES else ("attributes", name)


def _typed(values: pl.Series) -> tuple[int, Any, pl.Series]:
    """Give text the type that all of its values have, if it is written as that type is; and which are values at all."""
    every = np.ones(values.len(), dtype=bool)
    first = values[0]
    if not values.len() or len(first) > 40:
        return STRING, every, values
    lower = values.str.to_lowercase()
    kept = ~lower.is_in(NO_WORDS)
    said = values if kept.all() else values.filter(kept)
    if not said.len():
        return STRING, every, values
    if bool(lower.filter(kept).is_in(["true", "false"]).all()):
        return BOOL, kept.to_numpy(), lower.filter(kept) == "true"
    for kind, dtype in ((INT, pl.Int64), (DOUBLE, pl.Float64)):
        read = said.cast(dtype, strict=False)
        if (
            not read.null_count()
            and (kind == INT or bool(said.str.contains(_DOUBLE).all()))
            and _is_written_so(said, read, kind)
        ):
            return kind, kept.to_numpy(), read
    whole = said.cast(pl.Float64, strict=False)
    if (
        not whole.null_count()
        and bool(said.str.contains(r"^-?(0|[1-9]\d*)(\.\d+)?$").all())
        and _is_written_so(said, whole, DOUBLE)
    ):
        return DOUBLE, kept.to_numpy(), whole
    return STRING, every, values


def _is_written_so(text: pl.Series, read: pl.Series, kind: int) -> bool:
    """Say whether nothing of the text is lost: no zeros in front, and behind the point as many digits everywhere."""
    back = as_text(read, kind)
    same = (back == text) | (back == text + ".0")
    if same.all():
        return True
    if kind == INT:
        return False
    decimals = text.str.extract(r"\.(\d+)$").str.len_bytes()
    as_wide = not decimals.null_count() and decimals.n_unique() == 1
    exact = text.str.contains(r"^-?(0|[1-9]\d{0,14})\.\d+$") & (text.str.len_bytes() <= _EXACT)
    return bool((same | text.str.contains("[eE]") | (exact & as_wide)).all())
