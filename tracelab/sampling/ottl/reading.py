"""What paths name, read out of a span frame."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from tracelab.sampling.ottl.columns import (
    BOOL,
    DOUBLE,
    DTYPES,
    IDENTIFIERS,
    INT,
    OTHER,
    STRING,
    TIME,
    Cells,
    Column,
    Constant,
    Failure,
    Unknown,
    column_of,
    first_of,
)
from tracelab.sampling.ottl.values import Structure
from tracelab.schema import KINDS, STATUS_CODES, TYPE_SUFFIX, is_attribute, is_type_companion

if TYPE_CHECKING:
    from collections.abc import Callable

_SCOPES: Final = {"span": "span", "resource": "resource", "scope": "instrumentation"}
_NO_SERVICE: Final = "unknown_service"
_NO_ID: Final = {"trace": 16, "span": 8}
_HEX: Final = {name: rf"^[0-9a-f]{{{2 * count}}}$" for name, count in _NO_ID.items()}
_UNCLEAR: Final = r"^(?:[-+]?[0-9.]|true$|false$|NaN$|[-+]?Infinity$|[\[{])"
_MEMBER_KEY: Final = re.compile(
    r"[a-z][_0-9a-z*/-]{0,255}|[a-z0-9][_0-9a-z*/-]{0,240}@[a-z][_0-9a-z*/-]{0,13}", re.ASCII
)
_MEMBER_VALUE: Final = re.compile(r"[ -+\--<>-~]{0,255}[!-+\--<>-~]", re.ASCII)
_MOST_MEMBERS: Final = 32


class Rows:
    """The rows that conditions are about: spans, or their events; what was read once is kept."""

    def __init__(self, spans: pl.DataFrame, context: str) -> None:
        self.spans = spans
        self.events: pl.DataFrame | None = None
        self.read: dict[tuple[str, str, str | None], Cells] = {}
        if context == "spanevent":
            rows = pl.DataFrame(
                {"span": pl.int_range(spans.height, dtype=pl.UInt32, eager=True), "event": spans["events"]}
            )
            rows = rows.filter(pl.col("event").list.len() > 0).explode("event")
            self.events = rows.drop_nulls("event").unnest("event")

    @property
    def height(self) -> int:
        return self.spans.height if self.events is None else self.events.height

    def value(self, context: str, name: str, key: str | None = None) -> Cells:
        """Read what a path names; of attributes those under a key, or else the whole map."""
        known = (context, name, key)
        if known not in self.read:
            self.read[known] = self._value(context, name, key)
        return self.read[known]

    def _value(self, context: str, name: str, key: str | None) -> Cells:
        if name == "cache":
            return Constant(None if key is not None else {})
        if context == "spanevent":
            if self.events is None:
                raise AssertionError(name)
            return _of_event(self.events, name, key)
        found = (
            _attributes(self.spans, context, key) if name == "attributes" else _field(self.spans, context, name, key)
        )
        if self.events is None or isinstance(found, Constant):
            return found
        return found.gather(self.events["span"])

    def roots(self) -> pl.Series:
        """Tell which spans have no parent."""
        parents = self.spans["parent_span_id"]
        return parents.is_null() | (parents == "0" * 16).fill_null(value=False)

    def count_attributes(self, context: str) -> pl.Series:
        """Count the attributes of a scope."""
        if context == "spanevent":
            events = pl.DataFrame() if self.events is None else self.events
            return events.select(pl.col("attributes").map.keys().list.len().fill_null(0).cast(pl.Int64)).to_series()
        counts = _count(self.spans, _SCOPES[context])
        return counts if self.events is None else counts.gather(self.events["span"])

    def part(self, rows: pl.Series) -> PartOfRows:
        """Take some rows only."""
        return PartOfRows(self, rows)


class PartOfRows:
    """Some of the rows, for what needs no answer on the others."""

    def __init__(self, whole: Rows, rows: pl.Series) -> None:
        self.whole = whole
        self.rows = rows

    @property
    def height(self) -> int:
        return self.rows.len()

    def value(self, context: str, name: str, key: str | None = None) -> Cells:
        """Read what a path names; whole maps are put together for these rows only."""
        if name == "attributes" and key is None and self.whole.events is None:
            return Rows(self.whole.spans[self.rows], "span").value(context, name)
        found = self.whole.value(context, name, key)
        return found if isinstance(found, Constant) else found.gather(self.rows)

    def roots(self) -> pl.Series:
        """Tell which spans have no parent."""
        return self.whole.roots().gather(self.rows)

    def count_attributes(self, context: str) -> pl.Series:
        """Count the attributes of a scope."""
        return self.whole.count_attributes(context).gather(self.rows)

    def part(self, rows: pl.Series) -> PartOfRows:
        """Take some of these rows only."""
        return PartOfRows(self.whole, self.rows.gather(rows))


def _field(spans: pl.DataFrame, context: str, name: str, key: str | None) -> Cells:
    """Read what every span has."""
    if context == "scope":
        return _whole(STRING, spans[f"scope_{name}"].fill_null(""))
    match name.split("."):
        case ["trace_id" | "span_id" | "parent_span_id" as which, *text]:
            return _identifiers(spans[which], "trace" if which == "trace_id" else "span", as_text=bool(text))
        case ["name"]:
            return _whole(STRING, spans["name"])
        case ["kind", *form]:
            return _kinds(spans["kind"], form[0] if form else "")
        case ["start_time" | "start_time_unix_nano" as which]:
            return _whole(INT if "unix" in which else TIME, spans["start_time"].to_physical())
        case ["end_time" | "end_time_unix_nano" as which]:
            end = spans["start_time"].to_physical() + spans["duration"].to_physical()
            return _whole(INT if "unix" in which else TIME, end)
        case ["trace_state"]:
            return _trace_states(spans["trace_state"], key)
        case ["status", "code"]:
            return _whole(INT, _numbers(spans["status_code"], STATUS_CODES))
        case ["status", "message"]:
            return _whole(STRING, spans["status_message"].fill_null(""))
        case ["status"]:
            return Constant(Structure("status"))
        case ["flags"]:
            return _whole(INT, spans["flags"].fill_null(0).cast(pl.Int64))
        case ["events" | "links" as which]:
            counts = spans[which].list.len().fill_null(0)
            return _different(counts, lambda count: Structure(which, count))
    raise AssertionError(name)


def _whole(kind: str, values: pl.Series) -> Column:
    return Column(values.len(), {kind: values.cast(DTYPES[kind]).alias(kind)})


def _different(values: pl.Series, made: Callable[[Any], Any]) -> Column:
    """Make something of each different value."""
    different = values.unique(maintain_order=True)
    codes = values.replace_strict(
        different, pl.int_range(different.len(), dtype=pl.UInt32, eager=True), return_dtype=pl.UInt32
    )
    return column_of([None if value is None else made(value) for value in different.to_list()], codes)


def _numbers(values: pl.Series, names: tuple[str, ...]) -> pl.Series:
    if values.dtype == pl.Enum(names):
        return values.to_physical().cast(pl.Int64)
    return values.cast(pl.String).replace_strict(
        {name: place for place, name in enumerate(names)}, return_dtype=pl.Int64
    )


def _kinds(kinds: pl.Series, form: str) -> Cells:
    if not form:
        return _whole(INT, _numbers(kinds, KINDS))
    texts = kinds.cast(pl.String)
    if form == "string":
        return _whole(STRING, texts.str.to_titlecase())
    return _whole(STRING, "SPAN_KIND_" + texts.str.to_uppercase())


def _identifiers(ids: pl.Series, of: str, *, as_text: bool) -> Cells:
    """Read ids; those that are no hex of the right length are not what a Collector would have got."""
    texts = ids.fill_null("00" * _NO_ID[of]) if ids.null_count() else ids
    short = texts.str.len_bytes() == 16
    if of == "trace" and short.any():
        # 64 bits of a trace id are written as 128 by whoever hands them on.
        texts = ("0" * 16 + texts).zip_with(short, texts)
    wrong = texts.unique()
    wrong = wrong.filter(~wrong.str.contains(_HEX[of]))
    unknown = texts.is_in(wrong.implode()) if wrong.len() else None
    kind = STRING if as_text else IDENTIFIERS[of]
    return Column(texts.len(), {kind: texts if unknown is None else texts.set(unknown, None)}, unknown=unknown)


def _trace_states(texts: pl.Series, key: str | None) -> Cells:
    texts = texts.fill_null("")
    return _whole(STRING, texts) if key is None else _different(texts, lambda text: _member(text, key))


def _member(text: str, key: str) -> str | None:
    """Find a member of a W3C trace state: empty where there is none, nil where the text is no trace state."""
    members: dict[str, str] = {}
    if not text:
        return ""
    for part in text.split(","):
        stripped = part.strip(" \t")
        if not stripped:
            continue
        name, equals, value = stripped.partition("=")
        if not equals or not _MEMBER_KEY.fullmatch(name) or not _MEMBER_VALUE.fullmatch(value) or name in members:
            return None
        members[name] = value
    return None if len(members) > _MOST_MEMBERS else members.get(key, "")


def _attributes(spans: pl.DataFrame, context: str, key: str | None) -> Cells:
    scope = _SCOPES[context]
    if key is None:
        return _all_attributes(spans, scope)
    if (scope, key) == ("resource", "service.name"):
        services = spans["service_name"]
        return _whole(STRING, services.set((services == _NO_SERVICE).fill_null(False), None))
    name = f"{scope}.{key}"
    found = []
    if name in spans.columns and not _is_companion(name, spans.columns):
        types = spans[name + TYPE_SUFFIX] if name + TYPE_SUFFIX in spans.columns else None
        found.append(_typed(spans[name], types))
    if spans["more_attributes"].null_count() < spans.height and not _is_companion(name, spans.columns):
        held = pl.col("more_attributes").map
        text = held.get(name)
        if name.endswith(TYPE_SUFFIX):
            # Where there is an attribute of the shorter name, this is its type.
            text = pl.when(held.get(name.removesuffix(TYPE_SUFFIX)).is_null()).then(text)
        more = spans.select(text=text, kind=held.get(name + TYPE_SUFFIX))
        if more["text"].null_count() < spans.height:
            found.append(_typed(more["text"], more["kind"]))
    if not found:
        return Constant(None)
    return found[0] if len(found) == 1 else first_of(found[0], found[1])


def _is_companion(name: str, columns: list[str]) -> bool:
    return is_type_companion(name) and name.removesuffix(TYPE_SUFFIX) in columns


def _typed(values: pl.Series, types: pl.Series | None) -> Column:
    """Read an attribute's column; of a mix the text is read as what it was."""
    if types is not None:
        return _mixed(values, types)
    dtype = values.dtype
    if isinstance(dtype, pl.List):
        lists = values.to_list()
        codes = pl.int_range(values.len(), dtype=pl.UInt32, eager=True).set(values.is_null(), None)
        return Column(values.len(), {OTHER: codes}, lists)
    if dtype == pl.Boolean:
        return _whole(BOOL, values)
    if dtype.is_integer():
        return _whole(INT, values)
    if dtype.is_float():
        return _whole(DOUBLE, values)
    return _whole(STRING, values.cast(pl.String))


def _mixed(texts: pl.Series, types: pl.Series) -> Column:
    frame = pl.DataFrame({"text": texts.cast(pl.String), "kind": types.cast(pl.String).fill_null("string")})
    text, kind = pl.col("text"), pl.col("kind")
    plain = frame.select(
        pl.when(~kind.is_in(["int", "double", "bool", "bytes", "array", "kvlist"])).then(text).alias(STRING),
        pl.when(kind == "int").then(text).cast(pl.Int64, strict=False).alias(INT),
        pl.when(kind == "double").then(text).cast(pl.Float64, strict=False).alias(DOUBLE),
        (pl.when(kind == "bool").then(text) == "true").alias(BOOL),
    )
    parts = {part.name: part for part in plain if part.null_count() < part.len()}
    nested = frame.filter(kind.is_in(["bytes", "array", "kvlist"]) & text.is_not_null()).unique(maintain_order=True)
    if not nested.height:
        return Column(texts.len(), parts)
    codes = frame.join(nested.with_row_index("code"), on=["text", "kind"], how="left", maintain_order="left")["code"]
    rare = column_of([_parsed(*row) for row in nested.iter_rows()], codes)
    return first_of(Column(texts.len(), parts), rare)


def _parsed(text: str, kind: str) -> Any:
    """Read the text of a value that is no text."""
    try:
        return base64.b64decode(text, validate=True) if kind == "bytes" else json.loads(text)
    except (ValueError, RecursionError):
        return Unknown()


def _count(spans: pl.DataFrame, scope: str) -> pl.Series:
    columns = [name for name in spans.columns if is_attribute(name) and name.startswith(f"{scope}.")]
    present = [pl.col(name).is_not_null() for name in columns if not _is_companion(name, spans.columns)]
    if scope == "resource":
        present.append(pl.col("service_name") != _NO_SERVICE)
    if spans["more_attributes"].null_count() < spans.height:
        # A key stands twice where its type is written beside it.
        own = pl.element().str.starts_with(f"{scope}.") & ~pl.element().str.ends_with(TYPE_SUFFIX)
        present.append(pl.col("more_attributes").map.keys().list.eval(own).list.sum().fill_null(0))
    if not present:
        return pl.Series([0], dtype=pl.Int64()).new_from_index(0, spans.height)
    return spans.select(pl.sum_horizontal(each.cast(pl.Int64) for each in present)).to_series()


def _all_attributes(spans: pl.DataFrame, scope: str) -> Cells:
    """Read all attributes of one scope as maps."""
    maps: list[dict[str, Any]] = [{} for _ in range(spans.height)]
    keys = [
        name.removeprefix(f"{scope}.") for name in spans.columns if is_attribute(name) and name.startswith(f"{scope}.")
    ]
    keys = [key for key in keys if not _is_companion(f"{scope}.{key}", spans.columns)]
    more = spans["more_attributes"].drop_nulls()
    if more.len():
        held = more.to_frame("map").select(pl.col("map").map.keys().explode(empty_as_null=False).unique()).to_series()
        named = [name.removeprefix(f"{scope}.") for name in held.drop_nulls().sort() if name.startswith(f"{scope}.")]
        keys += [key for key in named if not (key.endswith(TYPE_SUFFIX) and key.removesuffix(TYPE_SUFFIX) in named)]
    if scope == "resource":
        keys.append("service.name")
    for key in dict.fromkeys(keys):
        context = {"instrumentation": "scope"}.get(scope, scope)
        found = _attributes(spans, context, key)
        if isinstance(found, Column):
            for kind, part in found.parts.items():
                rows = part.is_not_null().arg_true()
                for row, value in zip(rows, part.gather(rows).to_list(), strict=True):
                    maps[row][key] = found.others[value] if kind == OTHER else value
    return Column(spans.height, {OTHER: pl.int_range(spans.height, dtype=pl.UInt32, eager=True)}, maps)


def _of_event(events: pl.DataFrame, name: str, key: str | None) -> Cells:
    """Read what an event has. Of its attributes only texts are kept, which may have been numbers."""
    match name:
        case "name":
            return _whole(STRING, events["name"].fill_null(""))
        case "time" | "time_unix_nano":
            return _whole(TIME if name == "time" else INT, events["time"].to_physical())
        case "event_index":
            return Constant(Failure("the tail sampler gives events no index"))
        case "attributes" if key is not None:
            texts = events.select(pl.col("attributes").map.get(key)).to_series().cast(pl.String)
            unclear = texts.str.contains(_UNCLEAR).fill_null(False)
            if not unclear.any():
                return _whole(STRING, texts)
            return Column(texts.len(), {STRING: texts.set(unclear, None)}, unknown=unclear)
        case "attributes":
            pairs = [_unclear_map(each) for each in events["attributes"].to_list()]
            return column_of(pairs)
    raise AssertionError(name)


def _unclear_map(pairs: Any) -> Any:
    found = dict(pairs) if not isinstance(pairs, list) else {pair["key"]: pair["value"] for pair in pairs}
    return Unknown() if any(re.match(_UNCLEAR, str(value)) for value in found.values()) else found
