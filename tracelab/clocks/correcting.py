"""correct_skew: times as they would be if the clocks of all hosts agreed."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import coo_array, csgraph

from tracelab.clocks.drifts import drifts
from tracelab.clocks.hosts import host_columns
from tracelab.clocks.jaeger import adjusted, jaeger_columns
from tracelab.clocks.pairs import measured
from tracelab.clocks.seen import seen_of
from tracelab.clocks.wrong import corrections
from tracelab.conforming import FrameT, takes_any_frame, with_tree
from tracelab.errors import SkewWarning, TracelabError, warn_caller
from tracelab.forest import build_forest
from tracelab.options import choice, nanoseconds, shown
from tracelab.schema import DURATION, TIME
from tracelab.units import format_duration

if TYPE_CHECKING:
    from datetime import timedelta

    from tracelab.array_types import Flags, Ints
    from tracelab.clocks.pairs import Pairs
    from tracelab.clocks.seen import Seen

Method: TypeAlias = Literal["estimate", "jaeger"]

RAW: Final = "raw_start_time"
CORRECTION: Final = "skew_correction"
NOTE: Final = "skew_note"
NOTES: Final = pl.Enum(["too_far", "drifts", "no_host", "missing_parent", "repeated_id", "in_a_cycle"])

_ADDED: Final[dict[str, Any]] = {RAW: TIME, CORRECTION: DURATION, NOTE: NOTES}
_TOO_FAR, _DRIFTS, _NO_HOST, _MISSING_PARENT, _REPEATED_ID, _IN_A_CYCLE = range(len(NOTES.categories))
_NOTHING: Final = -1
_ROW: Final = "__row"
_LATEST: Final = 2**63 - 1


@dataclass(frozen=True)
class _Options:
    method: str
    reference: str | None
    most: int | None


@takes_any_frame
def correct_skew(
    spans: FrameT,
    *,
    method: Method = "estimate",
    reference: str | None = None,
    max_delta: str | timedelta | None = None,
) -> FrameT:
    """Set the times of spans right where the clocks of their hosts disagree.

    Parameters
    ----------
    spans
        The spans. What `correct_skew` changed before is taken back first.
    method
        `"estimate"`: all spans of a host are moved by the offset that `clock_skew` estimates for its clock (its
        `correction`); hosts whose clocks may agree stay as they are. A host that disagrees with most that it talks to
        is the one that is wrong; of two that are alone with each other the one that is called.

        `"jaeger"`: what Jaeger's query service does, trace by trace, without any idea of clocks: a span on another host
        than its parent that lies outside of it, and would fit, is put in its middle; one that is longer and begins
        before its parent is moved to its start; and what is below on the same host moves along. Hosts are told apart by
        `host.id`, `host.ip`, `host.name` only. The same host is moved by another length in every trace.
    reference
        With `"estimate"`: a host whose clock is right. Those that calls tie to it are set by it.
    max_delta
        Leave a span as it is rather than move it further than that: text such as `250ms`, or a timedelta. Without, as
        far as it takes. Jaeger's own default is `0s`, which corrects nothing.

    Returns
    -------
    The frame in its old order of rows, its tree computed anew, with `start_time` and the times of `events` moved, and
    at its end `raw_start_time` (Datetime, as it was recorded), `skew_correction` (Duration, what has been added to it
    and to the times of events; 0 where nothing was) and `skew_note` (Enum, null where there is nothing to say):
    `too_far` (left as it is, for it would have been moved too far), `drifts` (the clock drifts or was set meanwhile, so
    that no single offset is right at all times), `no_host` (no attribute names its host, so that its service stands for
    it); with `"jaeger"` `missing_parent`, `repeated_id` (an earlier span has its id), `in_a_cycle` (the last two are
    left as they are). Durations stay. A LazyFrame is computed when it is collected.

    Raises
    ------
    TracelabError
        There is no such method, no such host, or `max_delta` is no length of time.

    Warns
    -----
    SkewWarning
        A clock drifts, or was set meanwhile.

    Notes
    -----
    Jaeger's rules are those of `CorrectClockSkew` in the query service of Jaeger 2, whose option is
    `max_clock_skew_adjust`. Version 1 of its API knew hosts by the tag `ip` alone, up to 2.13: where that is missing,
    as in what OpenTelemetry sends, every span is put in the middle of its parent. Drop `resource.host.*` to see that.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> call = '''
    ... web::GET    ....==========  kind=client
    ...   db::query .======         kind=server
    ... '''
    >>> spans = correct_skew(draw(chr(10).join([call] * 3)))
    >>> spans.group_by("name").agg(pl.col("skew_correction").first().dt.total_milliseconds()).sort("name").rows()
    [('GET', 0), ('query', 5)]
    """
    known = choice("method", method, get_args(Method))
    if reference is not None and (known != "estimate" or not isinstance(reference, str)):
        raise TracelabError('`reference` is the name of a host, with method="estimate".')
    most = None if max_delta is None else nanoseconds("max_delta", max_delta)
    options = _Options(known, reference, most)
    if isinstance(spans, pl.LazyFrame):
        schema = {name: dtype for name, dtype in spans.collect_schema().items() if name not in _ADDED}
        return spans.map_batches(
            partial(_corrected, options=options),
            predicate_pushdown=False,
            projection_pushdown=False,
            slice_pushdown=False,
            schema={**schema, **_ADDED},
        )
    return _corrected(spans, options)


def _corrected(spans: pl.DataFrame, options: _Options) -> pl.DataFrame:
    raw = as_recorded(spans).with_row_index(_ROW)
    columns = jaeger_columns(raw) if options.method == "jaeger" else host_columns(raw)
    frame, forest = build_forest(raw, _ROW, *columns)
    rows = frame[_ROW].to_numpy().astype(np.int64)
    shift, note = np.zeros(rows.size, dtype=np.int64), np.full(rows.size, _NOTHING, dtype=np.int64)
    if not rows.size:
        pass
    elif options.method == "jaeger":
        found = adjusted(frame, forest, rows, options.most)
        shift = found.shift
        note[found.orphan] = _MISSING_PARENT
        note[found.too_far] = _TOO_FAR
        note[found.repeated] = _REPEATED_ID
        note[found.circular] = _IN_A_CYCLE
    else:
        shift, note = _estimated(seen_of(frame, forest), frame, options)
    end = frame["start_time"].to_physical().to_numpy() + frame["duration"].to_physical().to_numpy()
    beyond = (shift > 0) & (end > _LATEST - np.maximum(shift, 0))
    shift, note = np.where(beyond, 0, shift), np.where(beyond, _TOO_FAR, note)
    by_row = np.empty(rows.size, dtype=np.int64)
    by_row[rows] = np.arange(rows.size)
    return _moved(raw, shift[by_row], note[by_row])


def as_recorded(spans: pl.DataFrame) -> pl.DataFrame:
    """Take back what was corrected before."""
    bare = spans.drop(_ADDED, strict=False)
    if any(spans.schema.get(name) != _ADDED[name] for name in (RAW, CORRECTION)):
        return bare
    back = -spans[CORRECTION].to_physical().fill_null(0).to_numpy()
    if not back.any():
        return bare
    start = spans.select(pl.coalesce(RAW, "start_time").alias("start_time")).to_series()
    recorded = _with_events(bare.with_columns(start), pl.Series(back).cast(DURATION))
    return with_tree(recorded).with_columns(bare["entry"])


def _estimated(seen: Seen, frame: pl.DataFrame, options: _Options) -> tuple[Ints, Ints]:
    """Give the nanoseconds to add to every span, and what there is to say of it."""
    count = seen.hosts.len()
    table, remark = np.zeros(count, dtype=np.int64), np.full(count, _NOTHING, dtype=np.int64)
    remark[seen.named :] = _NO_HOST
    right = None if options.reference is None else _place_of(options.reference, seen.hosts)
    if seen.calls is not None:
        pairs = measured(seen.calls, count, enough=None)
        table = corrections(pairs, count)
        if right is not None:
            table -= np.where(_tied(pairs, count, right), table[right], 0)
        moved, change = drifts(seen.calls, pairs, frame)
        remark[_drifting(pairs, moved, change, table, seen.hosts)] = _DRIFTS
    if options.most is not None:
        far = np.abs(table) > options.most
        table, remark = np.where(far, 0, table), np.where(far, _TOO_FAR, remark)
    return table[seen.host], remark[seen.host]


def _place_of(host: str, hosts: pl.Series) -> int:
    """Give the number of a host."""
    place = hosts.index_of(host)
    if place is None:
        near = get_close_matches(host, hosts.to_list(), n=1, cutoff=0.6)
        hint = f" Did you mean {shown(near[0])}?" if near else ""
        raise TracelabError(f"No span is of a host {shown(host)}, which `reference` names.{hint}")
    return place


def _tied(pairs: Pairs, hosts: int, reference: int) -> Flags:
    """Mark the hosts that calls tie to one of them."""
    graph = coo_array((np.ones(pairs.first.size), (pairs.first, pairs.second)), shape=(hosts, hosts))
    part = csgraph.connected_components(graph, directed=False)[1]
    tied: Flags = part == part[reference]
    return tied


def _drifting(pairs: Pairs, moved: Flags, change: Ints, table: Ints, hosts: pl.Series) -> Ints:
    """List the hosts whose clocks do not stay as far off as they are, and warn of the one that moves most.

    Where both hosts of a pair may be meant these are the ones that are set right, else the one that is called.
    """
    if not moved.any():
        return np.empty(0, dtype=np.int64)
    first, second, change = pairs.first[moved], pairs.second[moved], np.abs(change[moved])
    neither = (table[first] == 0) & (table[second] == 0)
    called = pairs.calls_second[moved]
    meant_first, meant_second = (table[first] != 0) | (neither & ~called), (table[second] != 0) | (neither & called)
    most = int(np.argmax(change))
    host = first[most] if meant_first[most] else second[most]
    warn_caller(
        f"The clock of {shown(hosts[int(host)])} has drifted, or was set, by {format_duration(change[most])} "
        "meanwhile: no single offset sets it right at all times. clock_skew tells more.",
        SkewWarning,
    )
    return np.unique(np.concatenate((first[meant_first], second[meant_second])))


def _moved(raw: pl.DataFrame, shift: Ints, note: Ints) -> pl.DataFrame:
    by = pl.Series(CORRECTION, shift).cast(DURATION)
    notes = pl.Series(NOTE, NOTES.categories).cast(NOTES).gather(pl.Series(note).replace(_NOTHING, None))
    told = [raw["start_time"].alias(RAW), by, notes.alias(NOTE)]
    bare = raw.drop(_ROW)
    if not shift.any():
        return bare.with_columns(told)
    frame = _with_events(bare.with_columns(bare["start_time"] + by), by)
    # Whether a span is an entry does not depend on times, and was known when its parent was there.
    return with_tree(frame).with_columns(raw["entry"], *told).select(*bare.columns, *_ADDED)


def _with_events(frame: pl.DataFrame, by: pl.Series) -> pl.DataFrame:
    """Move the times of events: the lists stay as they are, which polars would write anew, and slowly."""
    lists = frame["events"].rechunk().to_arrow()
    events = lists.flatten()
    if not len(events):
        return frame
    counts = frame["events"].list.len().fill_null(0).to_numpy()
    shift = pa.array(np.repeat(by.to_physical().to_numpy(), counts), type=pa.duration("ns"))
    names = [field.name for field in events.type]
    parts = dict(zip(names, events.flatten(), strict=True))
    parts["time"] = pc.add(parts["time"], shift)
    moved = pa.StructArray.from_arrays(list(parts.values()), fields=list(events.type), mask=events.is_null())
    offsets = np.concatenate(([0], np.cumsum(counts)))
    whole = pl.Series("events", pa.LargeListArray.from_arrays(offsets, moved), dtype=frame["events"].dtype)
    return frame.with_columns(whole)
