"""When spans start and how long they last: which columns say it, in which unit, and what was guessed."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Final

import polars as pl

from tracelab.loaders.report import problems
from tracelab.loaders.report.findings import Findings
from tracelab.loaders.rows.lengths import lengths
from tracelab.loaders.rows.names import UNITS, squashed
from tracelab.loaders.rows.numbers import LARGEST, SCALE, Times, has_numbers, largest_step
from tracelab.loaders.rows.times import instants

if TYPE_CHECKING:
    from tracelab.loaders.rows.names import Asked, Roles
    from tracelab.loaders.rows.table import Table

_TOOLS: Final = (
    # ClickHouse's otel_traces, and tables made after it.
    (frozenset(("spanname", "duration", "traceid", "timestamp")), "ns"),
    # Elastic's own form of OpenTelemetry, in its data streams; with dots in names where a search gave fields.
    (frozenset(("traceid", "spanid", "datastream", "duration")), "ns"),
    (frozenset(("traceid", "spanid", "datastreamtype", "duration")), "ns"),
    # Application Insights.
    (frozenset(("operationid", "duration")), "ms"),
    # New Relic.
    (frozenset(("entityguid", "duration")), "s"),
    (frozenset(("entityname", "duration")), "s"),
    # What Datadog's explorer exports.
    (frozenset(("date", "service", "resource", "duration")), "ns"),
)
_MOST: Final = 0.9
_MINUTE, _HOUR, _DAY = 60 * SCALE["s"], 3600 * SCALE["s"], 86_400 * SCALE["s"]


@dataclass(slots=True)
class Extents:
    """Starts and ends in nanoseconds, null where they are missing, and the columns that stay attributes."""

    start: pl.Series
    end: pl.Series
    rest: list[str] = field(default_factory=list)


def extents(table: Table, roles: Roles, asked: Asked, ids: dict[str, pl.Series], findings: Findings) -> Extents:
    """Read starts, ends and durations."""
    unit = roles.units.get("duration", "")
    relative = unit or "s"
    start = _instants(table, roles, "start_time", asked, findings, relative)
    end = _instants(table, roles, "end_time", asked, findings, start.unit or relative)
    names = roles.fields.get("duration", [])
    bare = bool(names) and not unit and has_numbers(table, names)
    if bare:
        unit = _guessed(table, roles, start, end, ids)
    length = lengths(table, names, unit or "ns", findings)
    if bare:
        findings.add(problems.DURATION_WITHOUT_UNIT, length.numbers, example=f"{length.guessed} -> {UNITS[unit]}")
    elif length.numbers and "duration" not in asked.units:
        findings.add(problems.DURATION_UNITS, length.numbers, example=f"{length.guessed} -> {UNITS[unit]}")
        if _middle(length.values) > _DAY and _unit_of_ends(table, names, start.values, end.values) != unit:
            long = length.values > _DAY
            place = table.place(int(long.arg_max() or 0))
            findings.add(problems.DURATIONS_OF_DAYS, int(long.sum()), place=place, example=length.guessed)
    return _combined(table, start.values, end.values, length.values, names, findings)


def _instants(table: Table, roles: Roles, key: str, asked: Asked, findings: Findings, otherwise: str) -> Times:
    names = roles.fields.get(key, [])
    found = instants(table, names, roles.units.get(key, ""), findings, otherwise=otherwise)
    if found.numbers and key not in asked.units:
        findings.add(problems.TIME_UNITS, found.numbers, example=f"{found.guessed} -> {UNITS[found.unit or 's']}")
    return found


def _guessed(table: Table, roles: Roles, start: Times, end: Times, ids: dict[str, pl.Series]) -> str:
    """Guess the unit of durations that do not say it; see what the problem explains."""
    names = roles.fields["duration"]
    forms = set(map(squashed, table.columns))
    of_tool = next((unit for marks, unit in _TOOLS if marks <= forms), None)
    told = _unit_of_ends(table, names, start.values, end.values) or of_tool
    return told or _finer(table, names, start.unit or _unit_of_traces(table, names, start.values, ids) or "ms")


def _finer(table: Table, names: list[str], unit: str) -> str:
    """Give a finer unit where most spans would last for hours in this one: that in which they last for seconds."""
    read = {each.name: each for each in _read(table, names)}
    count = read["ns"].count()
    # What is missing in a larger unit is more than 64 bits hold.
    middles = {name: _middle(each) if each.count() == count else inf for name, each in read.items()}
    if middles[unit] <= _HOUR:
        return unit
    finer = sorted((each for each in SCALE if SCALE[each] < SCALE[unit]), key=SCALE.__getitem__, reverse=True)
    return next((each for each in finer if middles[each] <= _MINUTE), "ns")


def _middle(values: pl.Series) -> float:
    """Give the length that half of the spans have at most; 0 where nothing is said."""
    middle = values.median()
    return middle if isinstance(middle, float) else 0.0


def _unit_of_ends(table: Table, names: list[str], start: pl.Series, end: pl.Series) -> str | None:
    """Give the unit in which durations are about what lies between start and end."""
    frame = pl.DataFrame({"between": end - start}).with_columns(_read(table, names))
    frame = frame.filter(pl.col("between") > 0)
    best: tuple[float, str] = (0.0, "")
    for unit, scale in SCALE.items():
        # Durations are often rounded, or the times are, to whole units.
        near = (pl.col(unit) - pl.col("between")).abs() <= pl.max_horizontal(pl.col("between") * 0.05, pl.lit(scale))
        plausible = near & (pl.col(unit) * 2 >= pl.col("between")) & (pl.col(unit) <= pl.col("between") * 2)
        share = frame.filter(pl.col(unit).is_not_null()).select(plausible.mean()).item()
        best = max(best, (share or 0.0, unit))
    return best[1] if best[0] >= _MOST else None


def _unit_of_traces(table: Table, names: list[str], start: pl.Series, ids: dict[str, pl.Series]) -> str | None:
    """Give the smallest unit in which most traces last at least until their last span starts."""
    frame = (
        pl.DataFrame({"trace": ids["trace_id"], "start": start}).with_columns(_read(table, names)).drop_nulls("start")
    )
    first = pl.col("start").min()
    traces = frame.group_by("trace").agg(
        (pl.col("start").max() - first).alias("until"),
        *((pl.col("start") + pl.col(unit)).max().sub(first).alias(unit) for unit in SCALE),
        *((pl.col(unit).filter(pl.col("start") == first).max()).alias(f"first_{unit}") for unit in SCALE),
    )
    traces = traces.filter(pl.col("trace").is_not_null() & (pl.col("until") > 0))
    if traces.is_empty():
        return None
    for unit in SCALE:
        share = traces.select((pl.col(f"first_{unit}") >= pl.col("until")).mean()).item()
        if (share or 0.0) >= 0.5:
            return unit
    return None


def _read(table: Table, names: list[str]) -> list[pl.Series]:
    return [lengths(table, names, unit, Findings()).values.alias(unit) for unit in SCALE]


def _combined(
    table: Table, start: pl.Series, end: pl.Series, length: pl.Series, names: list[str], findings: Findings
) -> Extents:
    """Put start, end and duration together: of two lengths the finer one counts, the other one where it is missing."""
    rest: list[str] = []
    between = end - start
    if length.count() and between.count():
        step = max(largest_step(between), largest_step(length))
        apart = ((between - length).abs() > max(step, 1_000_000)).fill_null(value=False)
        if apart.any():
            first = int(apart.arg_max() or 0)
            findings.add(
                problems.DURATION_DISAGREES,
                int(apart.sum()),
                place=table.place(first),
                example=f"{length[first]} and {between[first]} ns",
            )
            rest = names
        finer = length if not apart.any() and largest_step(length) < largest_step(between) else between
    else:
        finer = length
    frame = pl.DataFrame({"start": start, "end": end, "finer": finer, "length": length})
    chosen = pl.coalesce("finer", pl.col("end") - pl.col("start"), "length")
    known = pl.when(pl.col("start").is_null()).then(pl.col("end") - pl.col("length")).otherwise("start")
    frame = frame.with_columns(chosen.alias("chosen"), known.alias("known"))
    frame = frame.with_columns(pl.when(pl.col("known") >= 0).then("known").alias("known"))
    if (
        lost := frame.select((pl.col("known").is_null() & pl.col("length").is_not_null()).alias("l")).to_series()
    ).any():
        # A duration is worth keeping even where nothing says when it began.
        findings.add(problems.START_MISSING, int(lost.sum()), place=table.place(int(lost.arg_max() or 0)))
        frame = frame.with_columns(pl.when(pl.Series(lost)).then(0).otherwise("known").alias("known"))
    fits = pl.col("chosen") <= LARGEST - pl.col("known")
    too_late = frame.select((~fits).fill_null(value=False).alias("t")).to_series()
    if too_late.any():
        findings.add(problems.BAD_TIME, int(too_late.sum()), place=table.place(int(too_late.arg_max() or 0)))
    ends = (
        pl.when(pl.col("chosen").is_not_null() & fits)
        .then(pl.col("known") + pl.col("chosen"))
        .when(pl.col("chosen").is_null())
        .then("end")
    )
    frame = frame.with_columns(ends.alias("until"))
    return Extents(frame["known"].alias("start_time"), frame["until"].alias("end_time"), rest)
