"""Which attribute values appeared or vanished at a moment: a version, a flag, a host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from tracelab.differences import significance
from tracelab.differences.attributes.folding import folded
from tracelab.differences.attributes.traits import VALUE, traits_of
from tracelab.differences.sides import sides_of
from tracelab.schema import TIME

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracelab.array_types import Ints
    from tracelab.differences.attributes.traits import Label
    from tracelab.differences.sides import Sides


CHANGES: Final = ("appeared", "vanished", "more", "less")
VALUES: Final = pl.List(
    pl.Struct(
        {
            "change": pl.Enum(CHANGES),
            "service_name": pl.String(),
            "attribute": pl.String(),
            "value": pl.String(),
            "time": TIME,
            "before_share": pl.Float64(),
            "after_share": pl.Float64(),
            "also": pl.List(pl.String()),
        }
    )
)

_MOST_TRACES: Final = 500
_ABSENT: Final = 0.02
_KEPT: Final = 10
_ALSO: Final = 10
_LIMIT: Final = 7.35
_SCOPES: Final = ("span.", "resource.")
_SAID: Final = 3
_FREQUENCIES: Final = 2
"""So many values are put into words, and no more that only come more or less often."""
_STATE: Final = frozenset({"status", "statusMessage"})
"""How a span ended is what changed, and not what came with it."""


@dataclass(frozen=True)
class Spans:
    """Spans, and which trace each belongs to.

    Attributes
    ----------
    frame
        The spans.
    rows
        Their rows, trace after trace.
    starts
        Where the rows of each trace begin, and where the last end.
    """

    frame: pl.DataFrame
    rows: Ints
    starts: Ints

    @classmethod
    def of(cls, frame: pl.DataFrame, traces: pl.Series) -> Spans:
        """Find the rows of all traces that have a number: their place in `traces`, which is sorted."""
        number = frame.select(
            pl.col("trace_id").replace_strict(
                traces, pl.int_range(traces.len(), eager=True), default=None, return_dtype=pl.Int64
            )
        ).to_series()
        numbers = number.fill_null(traces.len()).to_numpy()
        rows = np.argsort(numbers, kind="stable")
        return cls(frame, rows, np.searchsorted(numbers[rows], np.arange(traces.len() + 1)))

    def of_traces(self, traces: Ints) -> pl.DataFrame:
        """Give the spans of some traces."""
        sizes = self.starts[traces + 1] - self.starts[traces]
        ends = np.cumsum(sizes)
        places = np.arange(int(sizes.sum())) + np.repeat(self.starts[traces] - ends + sizes, sizes)
        return self.frame.select(pl.all().gather(self.rows[places]))


def values_at(
    spans: Spans,
    before: Ints,
    after: Ints,
    *,
    times: tuple[Ints, Ints],
    interval: tuple[int, int],
    services: Sequence[str],
    q: float,
) -> list[dict[str, Any]]:
    """List the attribute values that more or fewer traces have after a moment than before.

    Parameters
    ----------
    spans
        The spans.
    before, after
        The numbers of the traces on either side, in order of time. Those near the moment are looked at.
    times
        When each of them began.
    interval
        Between which times the moment is.
    services
        Whose values name what the same traces have, rather than those of others.
    q
        The rate of false discoveries that is accepted.

    Notes
    -----
    What is most tied to the moment comes first, by the statistic G: a value that all traces after it have and none
    before. What has a moment of its own that is clearly another is left out: where the largest G that any time gives is
    larger than that near the moment by more than a limit, Hansen's again, at 95 %. What at most 2 % of the traces of a
    side have was not there. All services of the traces are asked, since a callee may be what changed.
    """
    before, earlier = before[-_MOST_TRACES:], times[0][-_MOST_TRACES:]
    after, later = after[:_MOST_TRACES], times[1][:_MOST_TRACES]
    sides = sides_of(spans.of_traces(after), spans.of_traces(before), None, "trace")
    traits, _ = traits_of(sides, least_p=min(q, 0.05))
    values = [place for place, label in enumerate(traits.labels) if _is_value(label)]
    if not values:
        return []
    traits = traits.kept(np.array(values))
    inside = traits.sums(sides.selected.astype(np.int64)).astype(np.int64)
    more = inside * sides.sizes[1] > (traits.sizes - inside) * sides.sizes[0]
    own = np.array([label.service in services and str(label.attribute).startswith(_SCOPES) for label in traits.labels])
    kept = folded(traits, sides.count, more, ahead=own)
    traits = kept.traits
    inside = traits.sums(sides.selected.astype(np.int64)).astype(np.int64)
    found = significance.tables(inside, traits.sizes - inside, sides.sizes)
    adjusted = significance.benjamini_hochberg(significance.fisher(found))
    strength = significance.log_likelihood_ratio(found)
    new, old = found.shares
    unit_times = _unit_times(sides, (after, later), (before, earlier), spans)
    rows = []
    for number in np.flatnonzero(adjusted <= q).tolist():
        label = traits.labels[number]
        if not _coincides(traits.of(number), unit_times, interval):
            continue
        change = _change(float(old[number]), float(new[number]))
        row = {
            "change": change,
            "service_name": label.service,
            "attribute": label.attribute,
            "value": label.value,
            "time": _when(change, traits.of(number), sides, unit_times),
            "before_share": float(old[number]),
            "after_share": float(new[number]),
            "also": _shortened(kept.also[number]),
        }
        rows.append((-float(strength[number]), CHANGES.index(change), str(label), row))
    return [row for *_, row in sorted(rows, key=lambda item: item[:3])[:_KEPT]]


def in_words(values: Sequence[dict[str, Any]]) -> str | None:
    """Write what appeared or vanished, and else what became most more frequent, in a line."""
    said = []
    for each in values[:_SAID]:
        of = f" of {each['service_name']}" if each["service_name"] else ""
        name = each["attribute"]
        name = name.partition(".")[2] if name.startswith(_SCOPES) else name
        what = f"{name} = {each['value']}{of}"
        if each["time"] is not None:
            said.append(f"{what} {each['change']} {_clock(each['time'])}")
        elif len(said) < _FREQUENCIES:
            said.append(f"{what}: {100 * each['before_share']:.0f} % to {100 * each['after_share']:.0f} % of traces")
    return "; ".join(said) or None


def _is_value(label: Label) -> bool:
    return label.kind == VALUE and label.attribute not in _STATE


def _clock(time: int) -> str:
    return str(pl.Series([time]).cast(TIME).dt.strftime("%H:%M:%S").item())


def _change(old: float, new: float) -> str:
    if old <= _ABSENT < new:
        return "appeared"
    if new <= _ABSENT < old:
        return "vanished"
    return "more" if new > old else "less"


def _unit_times(sides: Sides, after: tuple[Ints, Ints], before: tuple[Ints, Ints], spans: Spans) -> Ints:
    """Give the time of every unit of the sides, which are traces."""
    numbers = np.concatenate((after[0], before[0]))
    ids = spans.frame["trace_id"].gather(pl.Series(spans.rows[spans.starts[numbers]]))
    time = pl.Series(np.concatenate((after[1], before[1])))
    return sides.ids.replace_strict(ids, time, return_dtype=pl.Int64).to_numpy()


def _when(change: str, units: npt.NDArray[np.int32], sides: Sides, times: Ints) -> int | None:
    """Say when a value was first seen after the moment, or last before it."""
    if change == "appeared":
        return int(times[units[sides.selected[units]]].min())
    if change == "vanished":
        return int(times[units[~sides.selected[units]]].max())
    return None


def _coincides(units: npt.NDArray[np.int32], times: Ints, interval: tuple[int, int]) -> bool:
    """Tell whether the moment from which on more or fewer units have a value may be that of the change."""
    order = np.argsort(times, kind="stable")
    has = np.zeros(times.size, dtype=np.int64)
    has[units] = 1
    before, total = np.cumsum(has[order])[:-1], int(units.size)
    size = np.arange(1, times.size)
    splits = significance.Tables(total - before, before, times.size - size, size)
    strength = significance.log_likelihood_ratio(splits)
    low, high = interval
    reach = high - low
    at = times[order][1:]
    near = (at >= low - reach) & (at <= high + reach)
    return bool(near.any()) and float(strength[near].max()) >= float(strength.max()) - _LIMIT


def _shortened(also: list[str]) -> list[str]:
    return [*also[:_ALSO], *([f"and {len(also) - _ALSO:,} more"] if len(also) > _ALSO else [])]
