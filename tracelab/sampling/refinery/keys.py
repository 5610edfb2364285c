"""The keys by which dynamic samplers count traces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.forest import numbered
from tracelab.sampling.refinery.samplers import ROOT_PREFIX

if TYPE_CHECKING:
    from tracelab.array_types import Ints
    from tracelab.sampling.refinery.fields import Events
    from tracelab.sampling.refinery.samplers import Key

_MOST_VALUES: Final = 99
_AFTER_VALUE: Final = "•"


def trace_keys(events: Events, key: Key, traces: Ints) -> pl.Series:
    """Build the keys of some traces.

    A key is made of the different values that each field has in the trace, in the order of text, up to 99 of all
    fields together; then of the root span's values of fields with `root.`, and of the number of events. A field that a
    trace does not have leaves no mark.
    """
    chosen = pl.DataFrame({"trace": traces})
    own = sorted(field for field in key.fields if not field.startswith(ROOT_PREFIX))
    texts = [_values_of(events, own, chosen)]
    for field in sorted(field.removeprefix(ROOT_PREFIX) for field in key.fields if field.startswith(ROOT_PREFIX)):
        roots = pl.Series(events.root[traces])
        values = events.field(field).take(roots.to_numpy()).text()
        texts.append((values + ",").fill_null(""))
    if key.trace_length:
        texts.append(pl.Series(events.counts[traces]).cast(pl.String))
    return pl.DataFrame({str(place): text for place, text in enumerate(texts)}).select(key=pl.concat_str(pl.all()))[
        "key"
    ]


def _values_of(events: Events, fields: list[str], chosen: pl.DataFrame) -> pl.Series:
    """Write the values of the fields that any event of a trace may have."""
    is_chosen = np.zeros(events.traces.count, dtype=np.bool_)
    is_chosen[chosen["trace"].to_numpy()] = True
    rows = np.flatnonzero(is_chosen[events.trace])
    parts = [part for place, field in enumerate(fields) if (part := _different(events, field, rows, place)) is not None]
    if not parts:
        return pl.Series([""]).new_from_index(0, chosen.height)
    values = pl.concat(parts)
    if values["trace"].value_counts()["count"].max() > _MOST_VALUES:  # type: ignore[operator]
        values = values.sort("trace", "field", "arrival", "text").filter(
            pl.int_range(pl.len()).over("trace") < _MOST_VALUES
        )
    written = (
        values.lazy()
        .sort("trace", "field", "text")
        # Go's loop takes the empty text for one that it has written already.
        .with_columns(pl.when(pl.col("text") != "").then(pl.col("text") + _AFTER_VALUE).otherwise(pl.lit("")))
        .group_by("trace", "field", maintain_order=True)
        .agg(pl.col("text").str.join())
        .group_by("trace", maintain_order=True)
        .agg((pl.col("text") + ",").str.join())
    )
    return chosen.lazy().join(written, on="trace", how="left", maintain_order="left").collect()["text"].fill_null("")


def _different(events: Events, field: str, rows: Ints, place: int) -> pl.DataFrame | None:
    """Give the different values of a field in each trace, and when each came first; None where there are none."""
    values = events.field(field) if rows.size == events.height else events.field(field).take(rows)
    texts = values.text()
    codes = numbered(texts)
    there = np.flatnonzero(codes >= 0)
    if not there.size:
        return None
    example = np.zeros(int(codes.max()) + 1, dtype=np.int64)
    example[codes[there]] = there
    pairs = pl.DataFrame(
        {"trace": events.trace[rows[there]], "code": codes[there], "arrival": events.arrival[rows[there]]}
    )
    by_code = texts.gather(pl.Series(example))
    found = pairs.group_by("trace", "code").agg(pl.col("arrival").min())
    return found.select("trace", "arrival", text=by_code.gather(found["code"]), field=pl.lit(place))
