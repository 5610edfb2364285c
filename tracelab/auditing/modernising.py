"""Modernising: old attribute names renamed to those of the semantic conventions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np
import polars as pl

from tracelab.auditing.conventions.moves import MOVES
from tracelab.auditing.conventions.requirements import SECTIONS
from tracelab.conforming import takes_any_frame
from tracelab.schema import ATTRIBUTES, TYPE_SUFFIX, attribute_value, in_order

if TYPE_CHECKING:
    from tracelab.auditing.conventions.moves import Part

FrameT = TypeVar("FrameT", pl.DataFrame, pl.LazyFrame)

_SCOPES: Final = ("span", "resource")
_WHOLE_NUMBERS: Final = frozenset(
    wanted.attribute for section in SECTIONS.values() for wanted in section.requirements if wanted.type == "int"
)
_REST: Final = "more_attributes"


@takes_any_frame
def modernise(spans: FrameT) -> FrameT:
    """Rename old attributes to what the semantic conventions 1.44.0 call them.

    Attributes of spans and resources are renamed wherever they live, as columns and among `more_attributes`. Values
    are converted where the conventions write them otherwise: `db.system` mssql becomes `db.system.name`
    microsoft.sql_server, `rpc.grpc.status_code` 5 `rpc.status_code` NOT_FOUND, `http.target` is split into `url.path`
    and `url.query`, `http.host` into `server.address` and `server.port`, `rpc.service` and `code.namespace` go before
    what they qualify, and `net.peer.name` is `server.address` on calls and `client.address` on servers' spans.

    A value that stands under a new name already is never overwritten. Where it says something else than the old one,
    the old one stays where it is; so does everything without a successor (`db.user`), everything whose successor the
    span does not tell (`net.peer.name` on an internal span, `http.flavor` that is no version, `enduser.role`,
    `db.connection_string`, lengths of HTTP messages), and a column whose values are of several types, unless it can be
    renamed as a whole. `audit` and `attribute_coverage` tell what is left. Not touched are span names, statuses,
    events, links, attributes of instrumentation scopes, and values under names that did not change. Doing it twice
    changes nothing.

    Parameters
    ----------
    spans
        The spans.

    Returns
    -------
    The same spans, in the same order of rows, with new names for old ones; columns that nothing is left in are gone. A
    LazyFrame gives a LazyFrame.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw("web::GET ===== kind=server http.method=GET http.target=/pay?user=7")
    >>> modernise(spans).select("span.http.request.method", "span.url.path", "span.url.query").row(0)
    ('GET', '/pay', 'user=7')
    """
    frame = spans.lazy().collect()
    workshop = _Workshop(frame)
    for scope in _SCOPES:
        workshop.join(scope, "rpc.service", "/", "rpc.method", "rpc.method")
        workshop.join(scope, "code.namespace", ".", "code.function", "code.function.name")
        for old, parts in MOVES.items():
            workshop.move(scope, old, [part for part in parts if scope == "span" or not part.kinds])
    modern = workshop.finished()
    if isinstance(spans, pl.LazyFrame):
        return modern.lazy()
    return modern


@dataclass
class _Workshop:
    """A frame whose attributes are being renamed.

    Attributes
    ----------
    frame
        The spans as they were.
    columns
        Attributes that have a column, as they are by now.
    rest
        Attributes among the rest that were looked at (and their types, as `key:type`), as text, as they are by now.
    """

    frame: pl.DataFrame
    columns: dict[str, pl.Series] = field(init=False)
    rest: dict[str, pl.Series] = field(default_factory=dict)

    def __post_init__(self) -> None:
        scopes = tuple(f"{scope}." for scope in _SCOPES)
        self.columns = {name: self.frame[name] for name in self.frame.columns if name.startswith(scopes)}
        more = self.frame[_REST]
        keys = more.drop_nulls().map.keys().explode().unique().drop_nulls()
        self._keys = frozenset(keys.to_list())

    def move(self, scope: str, old: str, parts: list[Part]) -> None:
        """Give an old attribute its new names, wherever it lives and as far as it can be."""
        name, news = f"{scope}.{old}", [f"{scope}.{part.new}" for part in parts]
        if not parts:
            return
        if any(new + TYPE_SUFFIX in self.columns for new in news):
            return
        # Types may stand there without their attribute, where somebody has dropped it.
        typed = {name, name + TYPE_SUFFIX} <= self.columns.keys()
        if typed and not self._is_typed_anew(scope, name, parts):
            if len(parts) == 1 and not parts[0].kinds:
                self._rename_whole(name, news[0])
        elif name in self.columns:
            left = self._moved(scope, self.columns[name], parts)
            self.columns[name] = left
            if name + TYPE_SUFFIX in self.columns:
                self.columns[name + TYPE_SUFFIX] = _where(left.is_not_null(), self.columns[name + TYPE_SUFFIX])
        if name in self._keys:
            types = self._of_rest(name + TYPE_SUFFIX)
            left = self._moved(scope, self._of_rest(name), parts, types=types)
            self.rest[name] = left
            self.rest[name + TYPE_SUFFIX] = _where(left.is_not_null(), types)

    def join(self, scope: str, first: str, between: str, second: str, new: str) -> None:
        """Put what qualifies a name before it."""
        names = [f"{scope}.{key}" for key in (first, second, new)]
        sources = [name for name in names[:2] if name in self.columns or name in self._keys]
        if not sources or any(name + TYPE_SUFFIX in self.columns for name in names):
            return
        before, after, known = (self._text(name) for name in names)
        table = pl.DataFrame([before.alias("before"), after.alias("after"), known.alias("known")])
        qualified = pl.col("before") + between + pl.col("after")
        whole = pl.col("before").is_null() | pl.col("after").str.starts_with(pl.col("before") + between)
        joined = table.select(pl.when(whole).then("after").otherwise(qualified)).to_series()
        in_place = second == new
        # In place the second one has the new name already, and is what it has to be once it is qualified.
        unqualified = before.is_not_null() & ~after.str.contains(between, literal=True)
        free = unqualified if in_place else known.is_null()
        fill = (free & joined.is_not_null()).fill_null(value=False)
        same = (joined == known).fill_null(value=False) & (before.is_not_null() | (not in_place))
        if fill.any():
            self._fill(names[2], _where(fill, joined), over=in_place, as_column=any(n in self.columns for n in sources))
        for name in names[:1] if in_place else names[:2]:
            self._clear(name, fill | same)

    def finished(self) -> pl.DataFrame:
        """Put the frame together again, without columns that everything has left."""
        emptied = [
            name
            for name, values in self.columns.items()
            if values.null_count() == values.len()
            and (name not in self.frame.columns or self.frame[name].null_count() < values.len())
        ]
        kept = [values.alias(name) for name, values in self.columns.items() if name not in emptied]
        frame = self.frame.drop(emptied, strict=False).with_columns(kept)
        gone = [name for name in frame.columns if name.startswith(("span.", "resource.")) and name not in self.columns]
        frame = frame.drop(gone)
        if self.rest:
            frame = frame.with_columns(self._more())
        return frame.select(in_order(frame.columns))

    def _moved(self, scope: str, values: pl.Series, parts: list[Part], *, types: pl.Series | None = None) -> pl.Series:
        """Fill new attributes from an old one's values; give what is left of the old one."""
        settled = pl.repeat(value=False, n=values.len(), dtype=pl.Boolean, eager=True)
        refused = settled
        for part in parts:
            value, new = self._converted(values, part), f"{scope}.{part.new}"
            if value is None:
                return values
            dtype = self.columns[new].dtype if new in self.columns else _dtype(part.new, value)
            if dtype != value.dtype and (isinstance(dtype, pl.List) or isinstance(value.dtype, pl.List)):
                return values
            fitting, known, there = value.cast(dtype, strict=False), self._text(new), value.is_not_null()
            same = there & (_as_text(fitting) == known).fill_null(value=False)
            fill = fitting.is_not_null() & known.is_null()
            settled = settled | fill | same
            refused = refused | (there & ~fill & ~same)
            if fill.any():
                self._fill(new, _where(fill, fitting), over=False, as_column=types is None)
                if types is not None and part.convert is None and new not in self.columns:
                    moved = _where(fill, types)
                    self.rest[new + TYPE_SUFFIX] = _first(self._of_rest(new + TYPE_SUFFIX), moved)
        return _where(~settled | refused, values)

    def _converted(self, values: pl.Series, part: Part) -> pl.Series | None:
        """Make the new values of old ones; None where that cannot be done."""
        if part.convert is not None and isinstance(values.dtype, pl.List):
            return None
        value = pl.col("value")
        if part.convert is not None:
            value = part.convert(value.cast(pl.String))
        if part.kinds:
            value = pl.when(pl.col("kind").is_in(part.kinds)).then(value)
        return pl.DataFrame([values.alias("value"), self.frame["kind"]]).select(value.alias("value")).to_series()

    def _fill(self, name: str, fresh: pl.Series, *, over: bool, as_column: bool) -> None:
        """Write values where there are some: where nothing is yet, or over what is."""
        if name in self.columns:
            own = self.columns[name]
            fresh = fresh.cast(own.dtype)
            self.columns[name] = _first(fresh, own) if over else _first(own, fresh)
            if over:
                self._clear_rest(name, fresh.is_not_null())
        elif as_column and not (over and name in self._keys):
            self.columns[name] = fresh
        else:
            own, text = self._of_rest(name), _as_text(fresh)
            self.rest[name] = _first(text, own) if over else _first(own, text)

    def _is_typed_anew(self, scope: str, old: str, parts: list[Part]) -> bool:
        """Say whether the new attributes of a column of several types are of one type each."""
        return all(
            part.convert is not None
            or (self.columns.get(f"{scope}.{part.new}", _of_dtype(part.new, self.columns[old])).dtype != pl.String)
            for part in parts
        )

    def _rename_whole(self, old: str, new: str) -> None:
        """Rename a column with its types, if there is nothing under the new name."""
        if new in self.columns or new in self._keys or new + TYPE_SUFFIX in self.columns:
            return
        for suffix in ("", TYPE_SUFFIX):
            if old + suffix in self.columns:
                self.columns[new + suffix] = self.columns.pop(old + suffix)

    def _text(self, name: str) -> pl.Series:
        """Read an attribute as text, wherever it lives."""
        columns = [_as_text(self.columns[name])] if name in self.columns else []
        return _first(*columns, self._of_rest(name)) if columns or name in self._keys else self._of_rest(name)

    def _of_rest(self, name: str) -> pl.Series:
        """Read an attribute among the rest."""
        if name in self.rest:
            return self.rest[name]
        if name in self._keys:
            return self.frame.select(pl.col(_REST).map.get(name)).to_series()
        return _nulls(self.frame.height)

    def _clear(self, name: str, rows: pl.Series) -> None:
        """Take an attribute away from some rows."""
        if name in self.columns:
            self.columns[name] = _where(~rows, self.columns[name])
        self._clear_rest(name, rows)

    def _clear_rest(self, name: str, rows: pl.Series) -> None:
        for each in (name, name + TYPE_SUFFIX):
            if each in self._keys or each in self.rest:
                self.rest[each] = _where(~rows, self._of_rest(each))

    def _more(self) -> pl.Series:
        """Write the rest of the attributes anew, where any of them changed."""
        more = self.frame[_REST]
        changed = pl.repeat(value=False, n=more.len(), dtype=pl.Boolean, eager=True)
        for name, values in self.rest.items():
            changed |= values.ne_missing(more.map.get(name) if name in self._keys else _nulls(more.len()))
        rows = changed.arg_true()
        if not rows.len():
            return more
        pairs = (
            pl.DataFrame({"row": rows, "pair": more.gather(rows).map.entries()})
            .drop_nulls()
            .explode("pair")
            .unnest("pair")
            .filter(~pl.col("key").is_in(list(self.rest)))
        )
        added = [
            pl.DataFrame({"row": rows, "key": pl.repeat(name, rows.len(), eager=True), "value": values.gather(rows)})
            for name, values in sorted(self.rest.items())
        ]
        written = (
            pl.concat([pairs, *(each.drop_nulls("value") for each in added)])
            .group_by("row", maintain_order=True)
            .agg(pl.struct("key", "value").alias("pairs"))
        )
        index = pl.DataFrame({"row": rows}).join(written, on="row", how="left", maintain_order="left")["pairs"]
        fresh = index.cast(ATTRIBUTES)
        return pl.concat([more, fresh]).gather(_places(more.len(), rows)).alias(_REST)


def _places(count: int, rows: pl.Series) -> pl.Series:
    """List where each row is found: some are replaced by what stands behind all the others."""
    place = np.arange(count)
    place[rows.to_numpy()] = count + np.arange(rows.len())
    return pl.Series(place)


def _dtype(new: str, value: pl.Series) -> pl.DataType:
    """Give the dtype of a column that is yet to be made: whole numbers where the conventions want them."""
    if new in _WHOLE_NUMBERS and value.dtype == pl.String:
        numbers = value.cast(pl.Int64, strict=False)
        if numbers.null_count() == value.null_count():
            return pl.Int64()
    return value.dtype


def _of_dtype(new: str, value: pl.Series) -> pl.Series:
    """Give an empty column of the dtype that a new attribute would have."""
    return pl.Series(dtype=_dtype(new, value))


def _as_text(values: pl.Series) -> pl.Series:
    """Write values as text; lists as JSON, as `attr` does."""
    return pl.DataFrame([values.alias("span.value")]).select(attribute_value("span.value")).to_series()


def _where(rows: pl.Series, values: pl.Series) -> pl.Series:
    """Keep the values of some rows, and nothing in the others."""
    table = pl.DataFrame([values.alias("value"), rows.alias("rows")])
    return table.select(pl.when("rows").then("value").alias(values.name)).to_series()


def _first(*choices: pl.Series) -> pl.Series:
    """Take the first value that is there."""
    table = pl.DataFrame([values.alias(str(number)) for number, values in enumerate(choices)])
    return table.select(pl.coalesce(pl.all()).alias(choices[0].name)).to_series()


def _nulls(count: int) -> pl.Series:
    return pl.repeat(None, count, dtype=pl.String, eager=True)
