"""What the command line shows of two cohorts of traces: a verdict in sentences, and a table of call paths."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING, Final

import polars as pl

from tracelab.differences.paths.diffing import differences_of
from tracelab.display.words import counted
from tracelab.errors import TracelabError
from tracelab.units import format_duration

if TYPE_CHECKING:
    from tracelab.differences.paths.diffing import Totals

QUANTILE: Final = 0.95
CONFIDENCE: Final = 0.95
RESAMPLES: Final = 1_000
_PERCENT: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(%?)")


@dataclass(frozen=True)
class Verdict:
    """How two cohorts differ as a whole.

    Attributes
    ----------
    rows
        The answer of `trace_diff`.
    totals
        Means and quantiles of both.
    """

    rows: pl.DataFrame
    totals: Totals

    @property
    def is_empty(self) -> bool:
        """Whether a side has no traces."""
        return not (self.totals.before_traces and self.totals.after_traces)

    @property
    def is_sure(self) -> bool:
        """Whether the interval of the difference leaves out that there is none."""
        return self.totals.lower > 0 or self.totals.upper < 0

    @property
    def growth(self) -> float:
        """The difference of the means as a share of the mean before."""
        if not self.totals.before_mean:
            return 0.0 if not self.totals.difference else float("inf")
        return self.totals.difference / self.totals.before_mean

    def is_slower_by(self, share: float) -> bool:
        """Say whether traces take longer by more than a share, and surely longer at all."""
        return self.is_sure and self.growth > share

    def sentences(self) -> list[str]:
        """Say how the cohorts differ."""
        totals = self.totals
        told = [f"{counted(totals.before_traces, 'trace')} before, {counted(totals.after_traces, 'trace')} after."]
        if self.is_empty:
            return [*told, "One side has no traces, so that there is nothing to compare."]
        told.append(f"Mean: {self._means()}.")
        quantiles = f"{format_duration(totals.before_quantile)} before, {format_duration(totals.after_quantile)} after"
        told.append(f"p{QUANTILE * 100:.0f}: {quantiles}{_interval(totals.quantile_lower, totals.quantile_upper)}.")
        if isnan(totals.lower):
            told.append("With fewer than two traces on a side nobody can tell whether that is chance.")
        elif not self.is_sure and totals.difference:
            told.append("That may be chance.")
        return told

    def _means(self) -> str:
        totals = self.totals
        both = f"{format_duration(totals.before_mean)} before, {format_duration(totals.after_mean)} after"
        if not totals.difference:
            return f"{both}, no difference"
        way = "longer" if totals.difference > 0 else "shorter"
        share = f" ({_percent(abs(self.growth), 1)})" if totals.before_mean else ""
        told = f"{both}: {format_duration(abs(totals.difference))}{share} {way}"
        return f"{told}{_interval(totals.lower, totals.upper)}"

    def overview(self) -> pl.DataFrame:
        """Give the call paths with what a person compares, the largest difference first."""
        changed = self.rows.filter((pl.col("critical_difference") != pl.duration()) | (pl.col("change") != "both"))
        return changed.select(
            pl.col("service_name").alias("service"),
            "name",
            "change",
            pl.col("before_critical").alias("before"),
            pl.col("after_critical").alias("after"),
            pl.col("critical_difference").alias("difference"),
            pl.col("critical_lower").alias("lower"),
            pl.col("critical_upper").alias("upper"),
        )


def _interval(lower: float, upper: float) -> str:
    """Say between which bounds a difference lies, if that is known."""
    if isnan(lower):
        return ""
    return f"; {_percent(CONFIDENCE, 0)} interval of the difference {_signed(lower)} to {_signed(upper)}"


def verdict_of(before: pl.DataFrame, after: pl.DataFrame) -> Verdict:
    """Compare two cohorts of traces."""
    rows, totals = differences_of(before, after, quantile=QUANTILE, confidence=CONFIDENCE, resamples=RESAMPLES)
    return Verdict(rows.drop("number", "parent"), totals)


def parse_share(text: str) -> float:
    """Read a share such as `10%`.

    Raises
    ------
    TracelabError
        It is none.
    """
    found = _PERCENT.fullmatch(text.strip())
    if found is None:
        raise TracelabError(f"--fail-if-slower must be a share such as 10%, got {text!r}.")
    percent = float(found[1])
    if not found[2] and 0 < percent < 1:
        raise TracelabError(
            f"--fail-if-slower must be a share such as 10%; {text.strip()} may be {100 * percent:g}% or {percent:g}%. "
            "Write which of them with its % sign."
        )
    return percent / 100


def _percent(share: float, digits: int) -> str:
    return f"{100 * share:.{digits}f} %"


def _signed(nanoseconds: float) -> str:
    return ("-" if nanoseconds < 0 else "+") + format_duration(abs(nanoseconds))
