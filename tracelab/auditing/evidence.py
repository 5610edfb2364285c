"""What the rules read: a frame's spans as numbers, made once for all of them.

Texts are slow to compare, so services, kinds, libraries and traces are numbers here. Attributes are read when a rule
asks for them, and kept, since several rules read the same ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from threading import RLock
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from tracelab.clocks.hosts import HOST_KEYS
from tracelab.forest import Forest, build_forest, cut_cycles
from tracelab.numbering import SEED, coded, first_places, gathered, renumbered
from tracelab.schema import KINDS, STATUS_CODES, TYPE_SUFFIX, attribute_names, attribute_value

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from tracelab.array_types import Flags, Ints

Bytes: TypeAlias = npt.NDArray[np.uint8]
Measured = TypeVar("Measured")
UNSPECIFIED, INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = range(len(KINDS))
UNSET, OK, ERROR = range(len(STATUS_CODES))

LANGUAGE: Final = "resource.telemetry.sdk.language"
HTTP_KEYS: Final = ("span.http.request.method", "span.http.method", "span.http.route", "span.http.url", "span.url.full")
RPC_KEYS: Final = ("span.rpc.system.name", "span.rpc.system", "span.rpc.method", "span.rpc.service")
QUEUE_KEYS: Final = ("span.messaging.system", "span.messaging.destination.name", "span.messaging.destination")
DATABASE_KEYS: Final = ("span.db.system.name", "span.db.system")


class shared(Generic[Measured]):  # noqa: N801  (a property, as `functools.cached_property` is)
    """A property that is found out once, when it is first asked for, however many threads ask at the same time."""

    def __init__(self, measure: Callable[[Any], Measured]) -> None:
        self._measure = measure
        self.__doc__ = measure.__doc__

    def __get__(self, evidence: Evidence, owner: type[Evidence]) -> Measured:
        """Give what was found out."""
        return evidence.kept(self._measure, partial(self._measure, evidence))


@dataclass(frozen=True)
class Evidence:
    """The spans of a frame, in places: trace after trace, and in a trace depth first.

    Attributes
    ----------
    spans
        The spans as they were given, for what does not depend on their order, and need not wait for the places.
    """

    spans: pl.DataFrame = field(repr=False)
    _measured: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    _locks: dict[Hashable, RLock] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def count(self) -> int:
        """How many spans there are."""
        return self.spans.height

    @shared
    def _placed(self) -> tuple[pl.DataFrame, Forest]:
        others = [name for name in self.spans.columns if name not in {"depth", "tree_left", "tree_right"}]
        return build_forest(self.spans, *others)

    @property
    def frame(self) -> pl.DataFrame:
        """The spans with all their columns, in the order of places."""
        return self._placed[0]

    @property
    def forest(self) -> Forest:
        """Who is below whom; `forest.parent` is the place of the parent, -1 where there is none in the frame."""
        return self._placed[1]

    @property
    def parent(self) -> Ints:
        """Place of the parent, -1 where it is not in the frame."""
        return self.forest.parent

    @shared
    def named_parent(self) -> Flags:
        """Mark the spans that name a parent, be it in the frame or not."""
        named: Flags = self.frame["parent_span_id"].is_not_null().to_numpy()
        return named

    @shared
    def on_cut_cycle(self) -> Flags:
        """Mark the spans at which the forest cut a cycle: each names a span below it, or itself, as its parent."""
        return cut_cycles(self.frame, self.forest)

    @shared
    def orphan(self) -> Flags:
        """Mark the spans that name a parent that is not in the frame."""
        return self.named_parent & (self.parent < 0) & ~self.on_cut_cycle

    @shared
    def true_root(self) -> Flags:
        """Mark the spans that name no parent."""
        return ~self.named_parent

    @shared
    def trace(self) -> Ints:
        """Number of the trace, from 0 in the order of places."""
        return self.forest.trace

    @shared
    def kind(self) -> Bytes:
        """Kind of the span, in the order of `schema.KINDS`; in bytes, which are much faster to compare."""
        return self.frame["kind"].to_physical().to_numpy().astype(np.uint8, copy=False)

    def of_kinds(self, rows: Ints, *kinds: int) -> Flags:
        """Mark those of some spans that are of one of these kinds."""
        asked = np.zeros(len(KINDS), dtype=bool)
        asked[list(kinds)] = True
        marked: Flags = asked[self.kind[rows]]
        return marked

    @shared
    def kinds_of_services(self) -> Flags:
        """Mark which services (in rows) have spans of which kinds (in columns)."""
        number = (self.service + 1) * len(KINDS) + self.kind
        counts = np.bincount(number, minlength=(self.services.len() + 1) * len(KINDS))
        return counts.reshape(-1, len(KINDS))[1:] > 0

    @shared
    def status(self) -> Bytes:
        """Status of the span, in the order of `schema.STATUS_CODES`; in bytes, as kinds are."""
        return self.frame["status_code"].to_physical().to_numpy().astype(np.uint8, copy=False)

    @shared
    def start(self) -> Ints:
        """Start, in nanoseconds since 1970."""
        return self.frame["start_time"].to_physical().to_numpy()

    @shared
    def duration(self) -> Ints:
        """Duration, in nanoseconds."""
        return self.frame["duration"].to_physical().to_numpy()

    @shared
    def end(self) -> Ints:
        """End, in nanoseconds since 1970."""
        return self.start + self.duration

    @shared
    def _services(self) -> tuple[Ints, pl.Series]:
        return coded(self.frame["service_name"])

    @property
    def service(self) -> Ints:
        """Number of the service."""
        return self._services[0]

    @property
    def services(self) -> pl.Series:
        """Names of the services by their numbers."""
        return self._services[1]

    @shared
    def _names(self) -> tuple[Ints, pl.Series]:
        return coded(self.frame["name"])

    @property
    def name(self) -> Ints:
        """Number of the span's name."""
        return self._names[0]

    @property
    def names(self) -> pl.Series:
        """Names of spans by their numbers."""
        return self._names[1]

    @shared
    def distinct_names(self) -> pl.Series:
        """Names of spans, each once, in any order: half the price of numbering them."""
        names = self.spans["name"]
        return names.gather(names.hash(SEED).arg_unique())

    @shared
    def parent_service(self) -> Ints:
        """Number of the service of the parent, -1 where there is no parent in the frame."""
        return np.where(self.parent >= 0, self.service[self.parent], -1)

    @shared
    def crossing(self) -> Flags:
        """Mark the spans whose parent is in the frame and in another service."""
        found: Flags = (self.parent >= 0) & (self.parent_service != self.service)
        return found

    @shared
    def childless(self) -> Flags:
        """Mark the spans that are nobody's parent in the frame."""
        depth = self.forest.depth
        return np.append(depth[1:] <= depth[:-1], [True] * bool(depth.size))  # a first child comes right behind

    @shared
    def _libraries(self) -> tuple[Ints, pl.DataFrame]:
        name, names = coded(self.frame["scope_name"])
        version, versions = coded(self.frame["scope_version"])
        if versions.len() == 1 and not (name.min() < 0 or version.min() < 0):
            return name, pl.DataFrame([names, versions.gather([0] * names.len())])
        number, distinct = renumbered((name + 1) * (versions.len() + 1) + version + 1)
        name_of, version_of = distinct // (versions.len() + 1) - 1, distinct % (versions.len() + 1) - 1
        table = pl.DataFrame(
            {"scope_name": gathered(names, name_of), "scope_version": gathered(versions, version_of)},
            schema={"scope_name": pl.String, "scope_version": pl.String},
        )
        return number, table

    @property
    def library(self) -> Ints:
        """Number of the instrumentation library (its name and version)."""
        return self._libraries[0]

    @property
    def libraries(self) -> pl.DataFrame:
        """Names and versions of instrumentation libraries by their numbers: `scope_name`, `scope_version`."""
        return self._libraries[1]

    @shared
    def host(self) -> Ints:
        """Number of the host that a span was made on, -1 where it is not known."""
        return self.numbers(*HOST_KEYS)[0]

    @shared
    def hosts(self) -> pl.Series:
        """Names of hosts by their numbers."""
        return self.numbers(*HOST_KEYS)[1]

    def hops(self, rows: Ints) -> Ints:
        """Tell how some spans talk to others: numbers of `findings.HOPS`, -1 where their attributes do not say."""
        kind = self.kind[rows]
        hop = np.full(rows.size, -1, dtype=np.int64)
        hop[self.has_at(rows, *HTTP_KEYS)] = 0
        rpc = np.flatnonzero(self.has_at(rows, *RPC_KEYS))
        if rpc.size:
            system = self.text("span.rpc.system.name", "span.rpc.system").gather(rows[rpc]).str.to_lowercase()
            hop[rpc] = np.where((system == "grpc").fill_null(value=False).to_numpy(), 1, 2)
        hop[self.has_at(rows, *QUEUE_KEYS) | (kind == PRODUCER) | (kind == CONSUMER)] = 3
        hop[self.has_at(rows, *DATABASE_KEYS)] = 4
        return hop

    @shared
    def attributes(self) -> frozenset[str]:
        """List the attributes that any span has, by their full names."""
        return frozenset(name for name in self._columns | self._rare if not name.endswith(TYPE_SUFFIX))

    def knows(self, *keys: str) -> bool:
        """Say whether any span may have one of these attributes (keys with their scope)."""
        return any(name in self._columns for key in keys for name in attribute_names(key)) or any(
            name in self._rare for key in keys for name in attribute_names(key)
        )

    def carries(self, name: str) -> pl.Series:
        """Mark the spans that have one attribute (of full name), as a column: a tenth of the price of `has`."""
        if name in self._columns:
            return self.frame[name].is_not_null()
        if name in self._rare:
            return self.text(name).is_not_null()
        return pl.repeat(value=False, n=self.count, dtype=pl.Boolean, eager=True).alias(name)

    def has(self, *keys: str) -> Flags:
        """Mark the spans that have one of these attributes."""
        found = np.zeros(self.count, dtype=bool)
        for key in keys:
            for name in attribute_names(key):
                if name in self._columns:
                    found |= self.frame[name].is_not_null().to_numpy()
                elif name in self._rare:
                    found |= self.text(name).is_not_null().to_numpy()
        return found

    def has_at(self, rows: Ints, *keys: str) -> Flags:
        """Mark those of some spans that have one of these attributes."""
        found = np.zeros(rows.size, dtype=bool)
        for name in (name for key in keys for name in attribute_names(key)):
            if name in self._columns:
                found |= self.frame[name].is_not_null().gather(rows).to_numpy()
            elif name in self._rare:
                found |= self.text(name).is_not_null().gather(rows).to_numpy()
        return found

    def text(self, *keys: str) -> pl.Series:
        """Read the first of these attributes that a span has, as text; null where it has none."""
        return self._kept_series(keys, pl.String())

    def number(self, *keys: str, dtype: pl.DataType | None = None) -> pl.Series:
        """Read the first of these attributes that a span has, as a whole number (or `dtype`); null where it is none."""
        return self._kept_series(keys, pl.Int64() if dtype is None else dtype)

    def numbers(self, *keys: str) -> tuple[Ints, pl.Series]:
        """Give numbers to the distinct texts of the first of these attributes that a span has; -1 where it has none."""
        return self.kept(("numbers", keys), lambda: coded(self.text(*keys)))

    def kept(self, name: Hashable, measure: Callable[[], Measured]) -> Measured:
        """Give what several rules measure: found out once, when it is first asked for.

        Rules run side by side, so that a second one that asks waits for what the first one has begun.
        """
        if name not in self._measured:
            with self._locks.setdefault(name, RLock()):
                if name not in self._measured:
                    self._measured[name] = measure()
        measured: Measured = self._measured[name]
        return measured

    def language(self, service: str | None) -> str | None:
        """Give the language of a service's SDK, where its spans say it."""
        return self._languages.get(service) if service is not None else None

    @shared
    def _languages(self) -> Mapping[str, str]:
        if not self.knows(LANGUAGE):
            return {}
        languages = self.text(LANGUAGE)
        # One process says the same of all its spans, so that the first one tells, if it tells anything.
        first = first_places(self.service, self.services.len(), self.services.len() + 1)[:-1]
        told = languages.gather(first)
        if told.null_count():
            rows = np.flatnonzero(languages.is_not_null().to_numpy())
            first[self.service[rows[::-1]]] = rows[::-1]
            told = languages.gather(first)
        return {name: said for name, said in zip(self.services.to_list(), told.to_list(), strict=True) if said}

    @shared
    def _columns(self) -> frozenset[str]:
        """List the attribute columns that hold anything."""
        return frozenset(
            name for name in self.spans.columns if "." in name and self.spans[name].null_count() < self.count
        )

    @shared
    def _rare(self) -> frozenset[str]:
        """List the attributes that live in `more_attributes`."""
        more = self.spans["more_attributes"]
        if more.null_count() == self.count:
            return frozenset()
        keys = more.drop_nulls().map.keys().explode().unique().drop_nulls()
        return frozenset(keys.to_list())

    def _kept_series(self, keys: tuple[str, ...], dtype: pl.DataType) -> pl.Series:
        return self.kept(("values", str(dtype), keys), lambda: self._read(keys, dtype))

    def _read(self, keys: tuple[str, ...], dtype: pl.DataType) -> pl.Series:
        there = [key for key in keys if self.knows(key)]
        if not there:
            return pl.repeat(None, self.count, dtype=dtype, eager=True).alias(keys[0])
        if len(there) == 1 and there[0] in self._columns and self.frame[there[0]].dtype == dtype:
            return self.frame[there[0]]
        return self.frame.select(
            pl.coalesce(*(attribute_value(key, dtype=dtype) for key in there)).alias(keys[0])
        ).to_series()
