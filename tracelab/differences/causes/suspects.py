"""Suspects and the case against each: operations, edges and services on one scale."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import special

from tracelab.clocks.doubts import warn_of_skew
from tracelab.differences.causes.evidence import evidence_of
from tracelab.differences.causes.measuring import SUSPECT, measured, tabulated, with_callees
from tracelab.differences.causes.stepwise import stepwise
from tracelab.differences.significance import benjamini_hochberg

if TYPE_CHECKING:
    from tracelab.array_types import Floats, Ints
    from tracelab.differences.causes.evidence import Estimate, Evidence, Time
    from tracelab.differences.causes.measuring import Cells, Measured, Steps


KINDS: Final = ("operation", "edge", "service", "attribute value")
KIND: Final = pl.Enum(KINDS)
_UNCERTAIN: Final = 0.05
_MOST_OF_IT: Final = 0.8
_NOT_WAITED_FOR: Final = 0.5
_MEASURES: Final = ("time", "errors", "calls", "lost")


@dataclass(frozen=True)
class Case:
    """All suspects of two sides.

    Attributes
    ----------
    suspects
        A row per suspect with something against it, worst first; times are in nanoseconds per trace.
    steps, cells, sides
        What that was gathered from; the abnormal side comes first.
    """

    suspects: pl.DataFrame
    steps: Steps
    cells: tuple[Cells, Cells]
    sides: tuple[Measured, Measured]


def case_of(abnormal: pl.DataFrame, normal: pl.DataFrame, *, q: float, confidence: float) -> Case:
    """Gather the evidence of two sides that both have spans, and rank the suspects."""
    sides = with_callees((measured(abnormal), measured(normal)))
    warn_of_skew(*((side.frame, side.forest) for side in sides))
    steps, cells = tabulated(sides)
    known = stepwise(steps, cells)
    levels = [_Level.of("operation", steps, SUSPECT)]
    levels.append(_Level.of("edge", steps, ["service_name", "callee"]))
    levels.append(_Level.of("service", steps, ["service_name"]))
    usual = float(sides[1].total.mean())
    drift = 0.0
    tables: list[pl.DataFrame] = []
    for level in levels:
        found = evidence_of(level.steps, known, cells, sides)
        drift = drift if tables else found.own.drift()
        tables.append(_table(level, found, drift, max(usual, 1.0), confidence))
    suspects = _judged(pl.concat(tables).with_row_index("suspect"), q)
    return Case(_without_sums(suspects), steps, cells, sides)


@dataclass(frozen=True)
class _Level:
    """Steps put together by one way of naming suspects.

    Attributes
    ----------
    kind
        What the suspects are.
    steps
        The steps, which know their suspects.
    parts
        How many suspects of the first level each has.
    """

    kind: str
    steps: Steps
    parts: Ints

    @classmethod
    def of(cls, kind: str, steps: Steps, by: list[str]) -> _Level:
        names = steps.suspects.select(
            "service_name",
            pl.col("name") if "name" in by else pl.lit(None, dtype=pl.String).alias("name"),
            pl.col("callee") if "callee" in by else pl.lit(None, dtype=pl.String).alias("callee"),
        )
        groups = names.group_by(SUSPECT, maintain_order=True).len("parts").with_row_index("group")
        number = names.join(groups, on=SUSPECT, how="left", nulls_equal=True, maintain_order="left")["group"]
        together = replace(
            steps,
            suspect=number.to_numpy().astype(np.int64)[steps.suspect],
            suspects=groups.select(SUSPECT),
        )
        return cls(kind, together, groups["parts"].to_numpy().astype(np.int64))

    def asked(self) -> npt.NDArray[np.bool_]:
        """Tell which suspects are more than one of the first level."""
        if self.kind == "operation":
            return np.ones(self.parts.size, dtype=bool)
        own = self.steps.suspects["callee"].is_not_null().to_numpy() if self.kind == "edge" else True
        return np.asarray((self.parts > 1) & own)


def _table(level: _Level, found: Evidence, drift: float, usual: float, confidence: float) -> pl.DataFrame:
    """Write the evidence of a level as a frame; p-values are nan where nothing was asked."""
    callee = level.steps.suspects["callee"]
    edge = np.where(callee.is_not_null().to_numpy(), "edge", level.kind)
    p = {
        "time": found.own.p_values(drift, found.new_p),
        "errors": found.origins.p_value,
        "calls": found.calls.p_value,
        "lost": found.lost.p_value,
    }
    asked = level.asked()
    columns: dict[str, object] = {
        "kind": pl.Series(edge).cast(KIND),
        "level": level.kind,
        **level.steps.suspects.to_dict(),
        **{f"{name}_p": np.where(asked, values, np.nan) for name, values in p.items()},
        **_times("path", found.critical, confidence),
        **_times("self", found.own, confidence),
        "path_harm": _gain(found.critical),
        "self_harm": _gain(found.own),
        **_estimates("errors", found.origins, confidence),
        **_estimates("calls", found.calls, confidence),
        **_estimates("lost", found.lost, confidence),
        "called_time": found.called_time,
        "abnormal_spans": found.spans[0],
        "normal_spans": found.spans[1],
        "abnormal_traces": found.traces[0],
        "normal_traces": found.traces[1],
        "error_traces": found.error_traces,
        "self_before": found.own.base,
        "new": found.new,
        "usual": usual,
    }
    return pl.DataFrame(columns).filter(pl.Series(asked)).fill_nan(None)


def _times(name: str, time: Time, confidence: float) -> dict[str, Floats]:
    lower, upper = time.bounds(confidence)
    return {f"{name}_gained": time.gained, f"{name}_lower": lower, f"{name}_upper": upper}


def _gain(time: Time) -> Floats:
    """Give the time gained, by means where they are sure enough, else what is gained usually, if that is more."""
    sure = time.gained > special.ndtri(0.975) * time.error
    return np.maximum(np.where(sure | ~time.known, time.gained, 0.0), np.maximum(time.usual, 0.0))


def _estimates(name: str, found: Estimate, confidence: float) -> dict[str, Floats]:
    lower, upper = found.bounds(confidence)
    return {f"{name}_gained": found.value, f"{name}_lower": lower, f"{name}_upper": upper}


def _judged(suspects: pl.DataFrame, q: float) -> pl.DataFrame:
    """Say how sure the evidence is, add up what is, and put those first that are surest, then worst."""
    p = suspects.select(f"{name}_p" for name in _MEASURES).to_numpy()
    asked = ~np.isnan(p)
    adjusted = np.ones(p.shape)
    if asked.any():
        adjusted[asked] = benjamini_hochberg(p[asked])
    least = np.where(asked, adjusted, 1.0).min(axis=1, initial=1.0)
    certain = least <= q
    # Of a suspect that is certain, whatever is known of it counts that would not be chance if asked alone.
    counted = np.where(asked, p, 1.0) <= _UNCERTAIN
    harm = dict(zip(_MEASURES, counted.T, strict=True))
    path, own = (suspects[f"{name}_harm"].to_numpy() for name in ("path", "self"))
    errors, lost = (np.maximum(suspects[f"{name}_gained"].to_numpy(), 0.0) for name in ("errors", "lost"))
    usual = suspects["usual"].to_numpy()
    time = np.where(harm["time"], path + _NOT_WAITED_FOR * np.maximum(own - path, 0.0), 0.0)
    time += np.where(harm["calls"], suspects["called_time"].to_numpy(), 0.0)
    failing = np.maximum(np.where(harm["errors"], errors, 0.0), np.where(harm["lost"], lost, 0.0))
    judged = suspects.with_columns(
        score=pl.Series(time / usual + failing),
        time_score=pl.Series(time / usual),
        failure_score=pl.Series(failing),
        certain=pl.Series(certain),
        q_value=pl.Series(least),
        p_value=pl.Series(np.where(asked, p, 1.0).min(axis=1, initial=1.0)),
        **{f"{name}_counts": pl.Series(column) for name, column in harm.items()},
    ).filter(pl.col("score") > 0)
    unsure = pl.when("certain").then(0.0).otherwise("p_value")
    return judged.sort(
        unsure, "score", "kind", *SUSPECT, descending=[False, True, False, False, False, False], nulls_last=True
    )


def _without_sums(suspects: pl.DataFrame) -> pl.DataFrame:
    """Leave out edges and services of which one part is most, since the part says more.

    They must be certain, and so must two operations of a service: one that is slower makes no slow service.
    """
    single = suspects.filter(level="operation")
    by_edge = single.group_by("service_name", "callee").agg(part=pl.col("score").max())
    by_service = suspects.filter(pl.col("level") != "service").group_by("service_name").agg(whole=pl.col("score").max())
    sure = single.filter("certain").group_by("service_name").agg(sure=pl.len())
    judged = (
        suspects.join(by_edge, on=["service_name", "callee"], how="left", nulls_equal=True, maintain_order="left")
        .join(by_service, on="service_name", how="left", maintain_order="left")
        .join(sure, on="service_name", how="left", maintain_order="left")
    )
    most = _MOST_OF_IT * pl.col("score")
    edge = (pl.col("level") == "edge") & (pl.col("part").fill_null(0.0) < most)
    service = (pl.col("level") == "service") & (pl.col("whole").fill_null(0.0) < most) & (pl.col("sure") > 1)
    kept = (pl.col("level") == "operation") | (pl.col("certain") & (edge | service))
    return judged.filter(kept.fill_null(value=False)).drop("part", "whole", "sure")
