"""Redacted dumps: names, ids and values are replaced, and every answer stays what it was."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import numpy as np
import polars as pl

from tracelab.conforming import conform, takes_any_frame
from tracelab.errors import SchemaError, TracelabError
from tracelab.exporting.redaction.keeping import (
    COLUMNS,
    EVENTS,
    KNOWN_COLUMNS,
    VALUE,
    Keep,
    class_of,
    conventional_keys,
    is_code,
    keeps_value,
    listed_values,
    scoped,
    words_of,
)
from tracelab.exporting.redaction.pseudonyms import Pseudonyms
from tracelab.options import nanoseconds, shown
from tracelab.schema import (
    ATTRIBUTES,
    SPAN_SCHEMA,
    TYPE_SUFFIX,
    VALUE_TYPES,
    in_order,
    is_attribute,
    is_type_companion,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from tracelab.array_types import Ints

FrameT = TypeVar("FrameT", pl.DataFrame, pl.LazyFrame)

_SHORTEST_KEY: Final = 8
_LONGEST_KEY: Final = 64
_LARGEST_CODE: Final = 999
_ENTRIES: Final = pl.List(pl.Struct({"key": pl.String(), "value": pl.String()}))
_NUMBERS: Final = {"int": pl.Int64(), "double": pl.Float64()}
_SAMPLING: Final = (
    ("ot", (r"th:[0-9a-f]{1,14}", r"p:[0-9]{1,2}", r"r:[0-9]{1,2}", r"rv:[0-9a-f]{14}")),
    ("es", (r"s:[0-9.]{1,20}",)),
)
"""What trace states say of sampling."""


@takes_any_frame
def redact(
    spans: FrameT,
    *,
    keep: Any = (),
    key: str | bytes | None = None,
    shift_times: str | timedelta | None = None,
) -> FrameT:
    """Replace names, ids and values, the same by the same everywhere, so that a dump may leave the house.

    The names of services and operations, ids, attributes, messages, stack traces, the names of hosts: whatever is text
    becomes a pseudonym such as `service-3`, `operation-12` or `value-0417`. What is equal stays equal, also across
    columns: `peer.service` and the service it names, a link and the span that it leads to. So every answer is what it
    was, with other names in it: the same paths, latencies, graphs, and the same order, since pseudonyms are numbered in
    the order of what they stand for.

    What stays: times and durations, kinds, status codes, flags, the tree; the keys of attributes that OpenTelemetry's
    semantic conventions have; values that they list, such as methods, status codes and the names of database systems;
    numbers of versions; booleans; types of errors that are status codes, and of others and of messages that they speak
    of a timeout; what trace states and attributes say of how spans were sampled; texts of nothing but blanks,
    `localhost`, `unknown_service`, and events called `exception`. Of keys of one's own, and of columns of your own,
    words stay that conventions or many systems have: `order.id` does, `acme.tier` becomes `word-1.tier`. Whole or
    broken numbers become their rank among those of their attribute.

    What it does not hide: how many services, operations and values there are and in which order their names would
    stand, which are equal, how long things took, and when they happened, but for `shift_times`. Who knows your system
    may recognise it by its shape.

    Parameters
    ----------
    spans
        The spans.
    keep
        What stays as it is: names of columns (`"service_name"`, `"name"`, `"trace_id"`, `"span_id"`,
        `"status_message"`, `"event.name"`, columns of your own) and of attributes, with or without their scope
        (`"http.route"`, `"span.http.route"`, `"event.exception.type"`), `*` standing for any text. What stays in one
        place stays wherever a thing of its kind has that value.
    key
        A secret of 8 characters or more. Dumps that are redacted with one key have the same pseudonyms for the same
        things: hashes under the key, such as `service-5be0cd19137e2179`, that are in no order. Answers then choose
        otherwise where ids or names decide between equals. Whoever has the key can test guesses.
    shift_times
        How far to move all times back, such as `"1000d"`.

    Returns
    -------
    The frame with the same rows in the same order and its columns, those of attributes under the names that their keys
    have now. A LazyFrame is computed, and gives a LazyFrame.

    Raises
    ------
    TracelabError
        An option is none of these, or times would begin before 1970.
    SchemaError
        A column of your own holds what cannot be redacted.

    Warns
    -----
    QueryWarning
        `keep` names what no span has.

    Notes
    -----
    What rests on the texts themselves changes: samplers that decide by the digits of trace ids, sizes in bytes, queries
    that name what has been replaced, words that `findings` sees in values, and those rules of the audit that read names
    and values, such as that for secrets.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... web::GET /pay/ada   =====  http.request.method=GET user.id=ada
    ...   bank::charge      .===
    ...   web::GET /pay/ada ....=
    ... ''')
    >>> hidden = redact(spans, keep="user.*")
    >>> hidden.select("service_name", "name", "span.http.request.method", "span.user.id").rows()[:2]
    [('service-2', 'operation-1', 'GET', 'ada'), ('service-1', 'operation-2', None, None)]
    """
    wanted = Keep.of(keep)
    stands = Pseudonyms(_secret(key))
    back = 0 if shift_times is None else nanoseconds("shift_times", shift_times)
    lazy = isinstance(spans, pl.LazyFrame)
    frame = conform(spans).lazy().collect()
    if back and frame.height and int(frame["start_time"].to_physical().min() or 0) < back:  # type: ignore[arg-type]
        raise TracelabError(
            f"`shift_times` of {shown(shift_times)} puts the first span before 1970. Choose a shorter time."
        )
    plan = _Plan(wanted, stands, pl.duration(nanoseconds=back))
    plan.redacted(frame)
    stands.assign()
    found = plan.redacted(frame)
    wanted.warn()
    return cast("FrameT", found.lazy() if lazy else found)


class _Plan:
    """What is done to each column: the first time texts are only seen, the second time replaced."""

    def __init__(self, keep: Keep, stands: Pseudonyms, back: pl.Expr) -> None:
        self.keep = keep
        self.stands = stands
        self.back = back

    def redacted(self, frame: pl.DataFrame) -> pl.DataFrame:
        columns: list[pl.Series] = []
        for name in frame.columns:
            values = frame[name]
            if name in COLUMNS:
                columns.append(self._text(name, values))
            elif name in SPAN_SCHEMA:
                columns.append(self._fixed(name, values))
            elif is_type_companion(name) and name.removesuffix(TYPE_SUFFIX) in frame.columns and _are_types(values):
                continue
            elif is_attribute(name):
                types = frame[name + TYPE_SUFFIX] if name + TYPE_SUFFIX in frame.columns else None
                columns += self._attribute(name, values, types if types is not None and _are_types(types) else None)
            else:
                columns.append(self._own(name, values))
        found = pl.DataFrame(columns)
        return found.select(in_order(found.columns))

    def _text(self, name: str, values: pl.Series) -> pl.Series:
        kind = COLUMNS[name]
        kept = self.keep.column("span_id" if kind == "span" else name)
        return self.stands.stay(kind, values) if kept else self.stands.of(kind, values)

    def _fixed(self, name: str, values: pl.Series) -> pl.Series:
        """Replace what stands in the other columns that every span frame has."""
        if name == "start_time":
            return self._moved(values)
        if name == "events":
            return _each(values, self._events)
        if name == "links":
            return _each(values, self._links)
        if name == "more_attributes":
            return self._map(values, "")
        if name == "trace_state" and not self.keep.column(name):
            return _sampling_state(values)
        return values

    def _moved(self, times: pl.Series) -> pl.Series:
        return times.to_frame().select(pl.first() - self.back).to_series()

    def _events(self, events: pl.Series) -> pl.Series:
        fields = events.struct.unnest()
        names = fields["name"]
        own = ~names.is_in(list(EVENTS)).fill_null(value=True)
        if self.keep.column("event.name"):
            self.stands.stay("event", names)
        else:
            names = _where(own, names, lambda some: self.stands.of("event", some))
        moved = self._moved(fields["time"])
        return pl.DataFrame([moved, names, self._map(fields["attributes"], "event")]).to_struct("events")

    def _links(self, links: pl.Series) -> pl.Series:
        fields = links.struct.unnest()
        columns = [
            self._text("trace_id", fields["trace_id"]),
            self._text("span_id", fields["span_id"]),
            self._fixed("trace_state", fields["trace_state"]),
            self._map(fields["attributes"], "link"),
        ]
        return pl.DataFrame(columns).to_struct("links")

    def _attribute(self, name: str, values: pl.Series, types: pl.Series | None) -> list[pl.Series]:
        """Replace the values of an attribute's column, and give it the name that its key has now."""
        scope, key = scoped(name)
        called = f"{scope}.{self._key(scope, key)}"
        if types is not None:
            pairs = pl.DataFrame(
                {"key": pl.Series([name]).new_from_index(0, values.len()), "value": values, "type": types}
            )
            found = [self._values(pairs, scope), types.alias(called + TYPE_SUFFIX)]
        elif values.dtype == pl.String:
            pairs = pl.DataFrame({"key": pl.Series([name]).new_from_index(0, values.len()), "value": values})
            found = [self._values(pairs.with_columns(type=pl.lit(None, dtype=pl.String)), scope)]
        elif self.keep.attribute(scope, key):
            found = [values]
        elif keeps_value(key) and not values.dtype.is_nested():
            wrong = (values.abs() > _LARGEST_CODE) if is_code(key) and values.dtype.is_numeric() else None
            found = [values if wrong is None else _where(wrong, values, self.stands.of_numbers)]
        else:
            found = [self._plain(values, class_of(key))]
        return [found[0].alias(called), *found[1:]]

    def _plain(self, values: pl.Series, kind: str) -> pl.Series:
        """Replace values by what their dtype says they are."""
        dtype = values.dtype
        if isinstance(dtype, pl.List):
            return _each(values, lambda items: self._plain(items, kind))
        if isinstance(dtype, pl.String | pl.Categorical | pl.Enum):
            return self.stands.of(kind, values.cast(pl.String))
        if dtype.is_integer() or dtype.is_float():
            return self.stands.of_numbers(values)
        if dtype == pl.Datetime:
            return self._moved(values)
        if dtype in (pl.Boolean, pl.Duration, pl.Null):
            return values
        raise SchemaError(
            f"The column {values.name!r} holds {dtype}, of which nobody can say what it tells. Drop it, or name it in "
            "`keep`."
        )

    def _own(self, name: str, values: pl.Series) -> pl.Series:
        """Replace what stands in a column that is no span frame's."""
        if self.keep.column(name):
            return values
        if name in KNOWN_COLUMNS and (values.dtype.is_numeric() or isinstance(values.dtype, pl.Enum)):
            return values
        return self._plain(values, VALUE).alias(name if name in KNOWN_COLUMNS else self._words(name))

    def _key(self, scope: str, key: str) -> str:
        if self.keep.attribute(scope, key) or key in conventional_keys():
            return key
        return self._words(key)

    def _words(self, key: str) -> str:
        return "".join(part if stays else self.stands.of_one("word", part) for part, stays in words_of(key))

    def _map(self, maps: pl.Series, scope: str) -> pl.Series:
        """Replace the keys and values of text maps; without a scope their keys begin with one."""
        if maps.null_count() == maps.len():
            return maps
        pairs = (
            maps.alias("map")
            .to_frame()
            .with_row_index("row")
            .select("row", entry=pl.col("map").map.entries())
            .explode("entry")
            .drop_nulls()
            .unnest("entry")
            .with_row_index("place")
        )
        base = pl.col("key").str.strip_suffix(TYPE_SUFFIX)
        if scope:
            types, plain = pairs.clear(), pairs.with_columns(type=pl.lit(None, dtype=pl.String))
        else:
            typed = pl.col("key").str.ends_with(TYPE_SUFFIX) & pl.col("value").is_in(VALUE_TYPES)
            named = pairs.select("row", key="key")
            types = pairs.filter(typed).with_columns(key=base).join(named, on=["row", "key"], how="semi")
            plain = pairs.join(types, on="place", how="anti", maintain_order="left").join(
                types.select("row", "key", type="value"), on=["row", "key"], how="left", maintain_order="left"
            )
        called = self._called(pairs["key"].str.strip_suffix(TYPE_SUFFIX) if not scope else pairs["key"], plain, scope)
        plain = plain.with_columns(self._values(plain, scope))
        both = pl.concat(
            [
                plain.select("place", "row", "key", "value").with_columns(pl.col("key").replace(called)),
                types.with_columns(pl.col("key").replace(called) + TYPE_SUFFIX).select("place", "row", "key", "value"),
            ]
        ).sort("place")
        entries = both.group_by("row", maintain_order=True).agg(entry=pl.struct("key", "value"))
        rows = pl.DataFrame({"row": pl.int_range(maps.len(), dtype=pl.UInt32, eager=True), "map": maps})
        joined = rows.join(entries, on="row", how="left", maintain_order="left")["entry"]
        empty = pl.Series([[]], dtype=_ENTRIES)
        filled = pl.select(
            pl.when(pl.lit(maps).is_null()).then(None).otherwise(pl.lit(joined).fill_null(pl.lit(empty).first()))
        )
        return filled.to_series().cast(ATTRIBUTES).alias(maps.name)

    def _called(self, bases: pl.Series, plain: pl.DataFrame, scope: str) -> dict[str, str]:
        """Say what the keys of maps are called now."""
        found = {}
        for full in pl.concat([bases, plain["key"]]).unique().to_list():
            where, key = (scope, full) if scope else scoped(full)
            before = "" if scope or not where else f"{where}."
            found[full] = before + self._key(where, key)
        return found

    def _values(self, pairs: pl.DataFrame, scope: str) -> pl.Series:
        """Replace values that stand as text, by the key and the type of each."""
        keys, values = pairs["key"], pairs["value"]
        types = pairs["type"].fill_null("string")
        split = {full: (scope, full) if scope and not is_attribute(full) else scoped(full) for full in keys.unique()}
        kinds = keys.replace_strict({full: class_of(key) for full, (_, key) in split.items()}, return_dtype=pl.String)
        kept = keys.is_in([full for full, (where, key) in split.items() if self.keep.attribute(where, key)])
        here = ~kept & ~((types == "bool") & values.is_in(["true", "false"]).fill_null(value=False))
        for full, (_, key) in split.items():
            if keeps_value(key):
                here &= ~((keys == full) & values.str.contains(listed_values(key)).fill_null(value=False))
        for kind in kinds.unique(maintain_order=True).to_list():
            self.stands.stay(kind, values.filter(kept & (kinds == kind)))
            texts = here & (kinds == kind) & ~types.is_in(list(_NUMBERS))
            values = _where(texts, values, partial(self.stands.of, kind))
        for name, dtype in _NUMBERS.items():
            numbers = here & (types == name)
            group = keys.filter(numbers)
            values = _where(numbers, values, partial(self._number_texts, dtype=dtype, group=group))
        return _as_types(values, types, pairs["value"])

    def _number_texts(self, texts: pl.Series, *, dtype: pl.DataType, group: pl.Series) -> pl.Series:
        return self.stands.of_numbers(texts.cast(dtype, strict=False), group=group).cast(pl.String)


def _as_types(values: pl.Series, types: pl.Series, before: pl.Series) -> pl.Series:
    """Write pseudonyms as the type that a value has: bytes as base64, arrays and maps as JSON."""
    value, kind = pl.lit(values), pl.lit(types)
    changed = pl.lit(values != before).fill_null(value=False)
    text = (
        pl.when(changed & (kind == "bytes"))
        .then(value.str.encode("base64"))
        .when(changed & (kind == "array"))
        .then(pl.lit('["') + value + pl.lit('"]'))
        .when(changed & (kind == "kvlist"))
        .then(pl.lit('{"value":"') + value + pl.lit('"}'))
        .otherwise(value)
    )
    return pl.select(text.alias("value")).to_series() if values.len() else values.alias("value")


def _sampling_state(states: pl.Series) -> pl.Series:
    """Leave what a trace state says of sampling, and nothing else."""
    members = []
    for vendor, fields in _SAMPLING:
        member = pl.first().str.extract(rf"(?:^|,)\s*{vendor}=([^,]*)")
        kept = [member.str.extract(rf"(?:^|;)\s*({field})\s*(?:;|$)") for field in fields]
        told = pl.concat_str(kept, separator=";", ignore_nulls=True)
        members.append(pl.when(told != "").then(pl.lit(f"{vendor}=") + told))
    whole = pl.concat_str(members, separator=",", ignore_nulls=True)
    return states.to_frame().select(pl.when(whole != "").then(whole)).to_series().alias(states.name)


def _each(lists: pl.Series, change: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """Change the items of all lists at once; those that are null or empty stay."""
    lengths = lists.list.len().fill_null(0).to_numpy()
    full = np.flatnonzero(lengths > 0)
    if not full.size:
        return lists
    items = change(lists.gather(full).explode().alias("item")).alias("item")
    owners: Ints = np.repeat(np.arange(full.size), lengths[full])
    grouped = pl.DataFrame({"owner": owners, "item": items}).group_by("owner", maintain_order=True).agg("item")["item"]
    place = np.full(lists.len(), full.size, dtype=np.int64)
    place[full] = np.arange(full.size)
    changed = grouped.extend_constant(None, 1).gather(place)
    whole = pl.select(pl.when(pl.lit(lengths > 0)).then(pl.lit(changed)).otherwise(pl.lit(lists)))
    return whole.to_series().alias(lists.name)


def _where(mask: pl.Series, values: pl.Series, change: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """Change some values of a column."""
    places = mask.arg_true()
    if not places.len():
        return values
    return values.clone().scatter(places, change(values.gather(places)).cast(values.dtype))


def _are_types(values: pl.Series) -> bool:
    return values.dtype == pl.String and bool(values.drop_nulls().is_in(list(VALUE_TYPES)).all())


def _secret(key: str | bytes | None) -> bytes | None:
    if key is None:
        return None
    text: Any = key.encode() if isinstance(key, str) else key
    if isinstance(text, bytes) and _SHORTEST_KEY <= len(text) <= _LONGEST_KEY:
        return text
    raise TracelabError(f"`key` must be a text of {_SHORTEST_KEY} to {_LONGEST_KEY} bytes that nobody can guess.")
