"""The tables that the command line shows of what a sampling policy keeps, in words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from tracelab.analysis.policies.fidelity import sampling_report
from tracelab.analysis.policies.losses import KINDS, sampling_losses
from tracelab.display.records import as_json
from tracelab.display.words import counted, format_bytes, format_number, format_share
from tracelab.sampling.deciding import is_head, sampling_decisions
from tracelab.sampling.tail.deciding import policy_matches
from tracelab.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Callable

_UNKNOWN: Final = "-"
_QUANTILE: Final = 0.95
_NAMED: Final = 5


class Kept:
    """What a policy keeps of spans, and what that is worth.

    Attributes
    ----------
    groups, total
        As `sampling_report` gives them.
    decisions, losses
        As `sampling_decisions` and `sampling_losses` give them.
    matches
        As `policy_matches` gives them; None for samplers of SDKs, which have no policies.
    """

    def __init__(
        self, spans: pl.DataFrame, policy: Any, *, by: list[str], every: str | None, missing_parents: str = "root"
    ) -> None:
        options: dict[str, Any] = {"missing_parents": missing_parents}
        self.groups = sampling_report(spans, policy, by=by, every=every, quantiles=_QUANTILE, **options)
        self.keys = self.groups.columns[: self.groups.columns.index("traces")]
        self.total = sampling_report(spans, policy, by=None, quantiles=_QUANTILE, **options)
        self.decisions = sampling_decisions(spans, policy, **options)
        self.losses = sampling_losses(spans, policy, **options)
        self.matches = None if is_head(policy) else policy_matches(spans, policy)

    def as_json(self, *, yaml: str | None) -> str:
        """Write it as one JSON object, with exact numbers; durations are seconds."""
        tables = {"total": self.total, "groups": self.groups, "policies": self.matches, "losses": self.losses}
        told: dict[str, Any] = {} if yaml is None else {"yaml": yaml}
        for name, table in tables.items():
            rows = [] if table is None else [json.loads(line) for line in as_json(table).splitlines()]
            told[name] = (rows[0] if rows else None) if name == "total" else rows
        decided = self.decisions.group_by("decision").len().sort("decision").rows()
        told["decisions"] = dict(decided)
        told["simulated"] = int(self.decisions["simulated"].sum())
        return json.dumps(told) + "\n"

    def sentences(self) -> list[str]:
        """Say what is kept altogether, what is broken, what was simulated, and what never matched."""
        (row,) = self.total.rows(named=True)
        lines = [
            f"{what.capitalize()} kept: {kept:,} of {there:,} ({_share(kept, there)})."
            for what in ("traces", "spans")
            for kept, there in [(row[f"{what}_kept"], row[what])]
        ]
        size = f"{format_bytes(row['bytes_kept'])} of {format_bytes(row['bytes'])}"
        lines.append(f"As OTLP: {size} ({_share(row['bytes_kept'], row['bytes'])}).")
        if row["broken_traces"]:
            lines.append(f"Broken: {counted(row['broken_traces'], 'trace')}, of which a kept span lost its parent.")
        simulated, unknown = (
            self.decisions.filter(which).height for which in (pl.col("simulated"), pl.col("decision") == "unknown")
        )
        if simulated:
            lines.append(f"Simulated: {counted(simulated, 'decision')}, by when spans end, or by a draw.")
        if unknown:
            lines.append(f"Undecided: {counted(unknown, 'trace')}, whose ids no sampler can decide on.")
        if row["unknown_weight"]:
            kept = counted(row["unknown_weight"], "kept request")
            lines.append(f"Not estimated: what rests on {kept} of unknown probability.")
        if row["untold_requests"]:
            untold = f"{row['untold_requests']:,}"
            lines.append(f"Not estimated: groups with requests that no kept one stands for ({untold}).")
        if self.matches is not None:
            never = self.matches.filter("never_matched")["policy"].to_list()
            lines += [f"Never matched: {_listed(never)}."] if never else []
        lost = [
            counted(count, words)
            for kind, words in KINDS.items()
            if (count := self.losses.filter(pl.col("kind") == kind).height)
        ]
        return [*lines, f"Lost altogether: {', '.join(lost) or 'nothing'}."]

    def error_rates(self) -> pl.DataFrame:
        """Put error rates side by side: as they are, as kept, and estimated."""
        return self._side_by_side("error_rate", format_share)

    def percentiles(self) -> pl.DataFrame:
        """Put the 95th percentiles side by side: as they are, as kept, and estimated."""
        return self._side_by_side("p95", format_duration)

    def _side_by_side(self, what: str, word: Callable[[Any], str]) -> pl.DataFrame:
        groups = self.groups.with_columns(pl.col(pl.Duration).dt.total_nanoseconds())
        estimates = [f"{what}{end}" for end in ("", "_kept", "_weighted")]
        rows = groups.select("traces", "traces_kept", *estimates, *_bounds(what)).rows()
        words = [
            (
                f"{kept:,} of {traces:,}",
                *(_UNKNOWN if value is None else word(value) for value in values[:3]),
                _interval(values[3], values[4], word),
            )
            for traces, kept, *values in rows
        ]
        names = ["traces kept", "true", "as kept", "weighted", "95 % interval"]
        clash = [name for name in names if name in self.keys]
        told = pl.DataFrame(words, schema=dict.fromkeys(names, pl.String), orient="row")
        told = told.rename({name: f"{name} " for name in clash})
        return groups.select(self.keys).hstack(told)


def _bounds(what: str) -> list[str]:
    return [f"{what}_lower", f"{what}_upper"]


def _interval(low: Any, high: Any, word: Callable[[Any], str]) -> str:
    if low is None:
        return _UNKNOWN if high is None else f"at most {word(high)}"
    return f"at least {word(low)}" if high is None else f"{word(low)} to {word(high)}"


def _share(part: int, whole: int) -> str:
    return format_share(part / whole) if whole else _UNKNOWN


def _listed(names: list[str]) -> str:
    more = f" and {format_number(len(names) - _NAMED)} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
