"""Whose clock a span was timed by: its host, as far as its resource names one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.numbering import coded
from tracelab.schema import attribute_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracelab.array_types import Ints

HOST_KEYS: Final = ("resource.host.id", "resource.host.ip", "resource.host.name", "resource.k8s.node.name")
"""What names a machine, the first that a span has."""

CLOCK_KEYS: Final = (
    *HOST_KEYS,
    "resource.hostname", "resource.ip",  # as Jaeger's own clients call them
    "resource.k8s.pod.uid", "resource.k8s.pod.name", "resource.container.id", "resource.service.instance.id",
)  # fmt: skip
"""What names a clock: a machine, else what runs on one machine only; the first that a span has."""

SERVICE: Final = "service.name"
"""What a clock is named by where no attribute does."""


def host_columns(spans: pl.DataFrame | pl.LazyFrame) -> list[str]:
    """List the columns that may name a host, which a frame needs that is asked for them."""
    schema = spans.columns if isinstance(spans, pl.DataFrame) else spans.collect_schema().names()
    there = set(schema)
    return [name for name in (*CLOCK_KEYS, "more_attributes") if name in there]


def machines(frame: pl.DataFrame) -> tuple[Ints, pl.Series, int]:
    """Give every span the number of its host, its instance or at least its service; their names; how many have one.

    The numbers of those that only their service names come last.
    """
    keys = _present(frame)
    services = coded(frame["service_name"])
    if not keys:
        return *services, 0
    texts = frame.select(pl.coalesce(*map(_name, keys)).alias("host"))
    number, names = coded(texts.to_series())
    return *with_services(number, names, *services), names.len()


def with_services(number: Ints, names: pl.Series, service: Ints, services: pl.Series) -> tuple[Ints, pl.Series]:
    """Give spans the number of their service where no host is known (-1), behind those of hosts."""
    unknown = number < 0
    if not unknown.any():
        return number, names
    return np.where(unknown, names.len() + service, number), pl.concat([names.alias("host"), services.alias("host")])


def named_by(frame: pl.DataFrame, number: Ints, count: int) -> pl.Series:
    """Tell which attribute names each host, null where no span has its number."""
    keys = _present(frame)
    first = np.full(count, -1, dtype=np.int64)
    first[number[::-1]] = np.arange(number.size - 1, -1, -1)  # the last that is written stays
    told = [pl.when(_name(key).is_not_null()).then(pl.lit(_bare(key))) for key in keys]
    some = frame[np.maximum(first, 0)] if number.size else frame
    names = some.select(pl.coalesce(*told, pl.lit(SERVICE)).alias("named_by")).to_series()
    return names.set(pl.Series(first < 0), None)


def grains(start: Ints, host: Ints, hosts: int) -> Ints:
    """Tell how coarse the clock of each host is written: in nanoseconds, microseconds or milliseconds."""
    grain = np.ones(hosts, dtype=np.int64)
    for size in (1_000, 1_000_000):
        coarse = np.ones(hosts, dtype=bool)
        coarse[host[start % size != 0]] = False
        if not coarse.any():
            break
        grain[coarse] = size
    return grain


def _present(frame: pl.DataFrame) -> Sequence[str]:
    """List the keys that any span has."""
    columns = set(frame.columns)
    rare: set[str] = set()
    if "more_attributes" in columns and (more := frame["more_attributes"]).null_count() < frame.height:
        rare = set(more.drop_nulls().map.keys().explode().unique().drop_nulls().to_list())
    return [key for key in CLOCK_KEYS if key in rare or (key in columns and frame[key].null_count() < frame.height)]


def _name(key: str) -> pl.Expr:
    """Read the name of a host; an empty one is none."""
    text = attribute_value(key, dtype=pl.String)
    return pl.when(text != "").then(text)


def _bare(key: str) -> str:
    return key.removeprefix("resource.")
