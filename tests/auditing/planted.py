"""How many planted faults the audit finds, and how much of what it finds is true.

    python -m tests.auditing.planted --systems 100 --misses --kind context-lost-http

draws random systems with 0 to 3 faults of each of some kinds (one system in ten with none, one in three with at most
eight), audits each, and prints a table by kind. A fault is found if a finding has one of its rules, stands above
"info" if the fault deserves that (at "info" if not, at any where both are right), names its place and shows a span of
it. A finding above "info" is true if it is that of a fault, or one of its known consequences; those at "info" are only
counted where a fault deserves no more.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Any

import numpy as np
import polars as pl

import tracelab as tl
from tracelab.analysis.intervals import wilson
from tracelab.workload.planting import FAULTS

MOST = 3
RARELY = 8


@dataclass(slots=True)
class Tally:
    """What was planted and found of a kind of fault, and what its rules found."""

    planted: int = 0
    found: int = 0
    findings: int = 0
    true: int = 0
    not_findable: int = 0

    def add(self, other: Tally) -> None:
        for name in Tally.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass(slots=True)
class Measured:
    """What one system, or many, tell."""

    kinds: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    other_rules: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    misses: list[str] = field(default_factory=list)
    clean_systems: int = 0
    clean_findings: int = 0
    systems: int = 0

    def add(self, other: Measured) -> None:
        for kind, tally in other.kinds.items():
            self.kinds[kind].add(tally)
        for rule, tally in other.other_rules.items():
            self.other_rules[rule].add(tally)
        self.misses += other.misses
        self.clean_systems += other.clean_systems
        self.clean_findings += other.clean_findings
        self.systems += other.systems


def faults_of(seed: int, wanted: tuple[str, ...] = ()) -> dict[str, int]:
    """Draw how many faults of which kinds a system has; of those that are wanted it has one at least."""
    rng = np.random.default_rng([seed, 14])
    kinds = list(FAULTS)
    drawn = rng.random()
    if drawn < 0.1:
        return {}
    if drawn < 0.45:
        faults: dict[str, int] = defaultdict(int)
        for place in rng.integers(0, len(kinds), int(rng.integers(1, RARELY + 1))).tolist():
            faults[kinds[place]] = min(faults[kinds[place]] + 1, MOST)
    else:
        share = rng.uniform(0.2, 0.9)
        faults = {kind: int(rng.integers(0, MOST + 1)) for kind in kinds if rng.random() < share}
    for kind in wanted:
        faults[kind] = max(faults.get(kind, 0), int(rng.integers(1, MOST + 1)))
    return {kind: count for kind, count in faults.items() if count}


def measure(seed: int, kinds: tuple[str, ...] = ()) -> Measured:
    """Draw a system, audit it, and compare."""
    faults = faults_of(seed, kinds)
    spans, truth = tl.synthetic.generate_system(seed, faults=faults)
    return compare(tl.audit(spans), truth, seed=seed, kinds=kinds)


def compare(findings: pl.DataFrame, truth: pl.DataFrame, *, seed: int = 0, kinds: tuple[str, ...] = ()) -> Measured:
    """Hold findings beside the truth."""
    measured = Measured(systems=1)
    faults, found = truth.to_dicts(), findings.to_dicts()
    fits = [[_fits(fault, finding) for finding in found] for fault in faults]
    for fault, row in zip(faults, fits, strict=True):
        if kinds and fault["kind"] not in kinds:
            continue
        tally = measured.kinds[fault["kind"]]
        info = fault["severity"] == "info"
        ours = [finding for finding, fit in zip(found, row, strict=True) if fit and finding["rule"] in fault["rules"]]
        either = fault["severity"] == "either"
        seen = any(either or (finding["severity"] == "info") is info for finding in ours)
        if not fault["findable"]:
            tally.not_findable += 1
            continue
        tally.planted += 1
        tally.found += seen
        if not seen:
            measured.misses.append(_missed(seed, fault, found, ours))
    for place, finding in enumerate(found):
        if finding["severity"] == "info":
            # What is rightly explained is what the rules of such kinds are for.
            for fault, row in zip(faults, fits, strict=True):
                if row[place] and fault["severity"] == "info" and (not kinds or fault["kind"] in kinds):
                    measured.kinds[fault["kind"]].findings += 1
                    measured.kinds[fault["kind"]].true += 1
            continue
        by = [fault for fault, row in zip(faults, fits, strict=True) if row[place]]
        true = any(fault["severity"] != "info" for fault in by)
        meant = [fault["kind"] for fault in by] if true else _kinds_of(finding["rule"], by)
        for kind in dict.fromkeys(meant):
            if not kinds or kind in kinds:
                measured.kinds[kind].findings += 1
                measured.kinds[kind].true += true
        rule = measured.other_rules[finding["rule"]]
        rule.findings += 1
        rule.true += true
        if not true and (not kinds or set(meant) & set(kinds)):
            measured.misses.append(_false(seed, finding, by))
    if not faults:
        measured.clean_systems = 1
        measured.clean_findings = findings.filter(pl.col("severity") != "info").height
    return measured


def _fits(fault: dict[str, Any], finding: dict[str, Any]) -> bool:
    """Say whether a finding is about a fault: its rule, its place, and a span that shows it."""
    if finding["rule"] not in fault["rules"] and finding["rule"] not in fault["consequences"]:
        return False
    named = {finding[name] for name in ("service_name", "caller", "callee") if finding[name] is not None}
    if fault["caller"] is not None and finding["caller"] is not None and finding["callee"] is not None:
        if (finding["caller"], finding["callee"]) != (fault["caller"], fault["callee"]):
            return False
    elif fault["services"] and named and not named & set(fault["services"]):
        return False
    shown = finding["exemplar_span_ids"]
    return not shown or bool(set(shown) & set(fault["span_ids"]))


def _kinds_of(rule: str, by: list[dict[str, Any]]) -> list[str]:
    """Name the kinds that a finding which is not true counts against."""
    if by:
        return [fault["kind"] for fault in by]
    return [kind for kind in FAULTS if kind == rule] or list(_RULES.get(rule, ()))


_RULES = {
    "split-trace": ("context-lost-http", "context-lost-grpc"),
    "parentless-consumer": ("context-lost-queue",),
    "lost-in-process": ("context-lost-in-process",),
    "missing-parent": ("parent-not-exported",),
}


def _missed(seed: int, fault: dict[str, Any], found: list[dict[str, Any]], ours: list[dict[str, Any]]) -> str:
    near = ours or [
        finding
        for finding in found
        if {finding["service_name"], finding["caller"], finding["callee"]}
        & {*fault["services"], fault["caller"], fault["callee"]} - {None}
        and set(finding["exemplar_span_ids"]) & set(fault["span_ids"])
    ]
    instead = "; ".join(_told(finding) for finding in near[:6]) or "nothing there"
    return f"missed  seed {seed}  {fault['kind']}: {fault['fault']} ({fault['count']} spans). Instead: {instead}"


def _false(seed: int, finding: dict[str, Any], by: list[dict[str, Any]]) -> str:
    because = "; ".join(f"{fault['kind']}: {fault['fault']}" for fault in by) or "nothing planted there"
    return f"false   seed {seed}  {_told(finding)}. In truth: {because}"


def _told(finding: dict[str, Any]) -> str:
    return f"[{finding['rule']}, {finding['severity']}, {finding['explanation']}] {finding['finding']}"


def run(seeds: range, kinds: tuple[str, ...] = (), *, jobs: int = 1) -> Measured:
    """Measure many systems."""
    total = Measured()
    if jobs == 1:
        for seed in seeds:
            total.add(measure(seed, kinds))
        return total
    # Not forked: polars has threads of its own.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for measured in pool.map(measure, seeds, [kinds] * len(seeds), chunksize=4):
            total.add(measured)
    return total


def table(measured: Measured) -> list[str]:
    """Write what was measured as lines."""
    lines = [f"{'kind':33} planted found recall            findings  true precision"]
    for kind in FAULTS:
        if kind in measured.kinds:
            tally = measured.kinds[kind]
            lines.append(
                f"{kind:33} {tally.planted:7} {tally.found:5} {_share(tally.found, tally.planted):18} "
                f"{tally.findings:7} {tally.true:5} {_share(tally.true, tally.findings)}"
            )
    lines += ["", f"{'rule, above info':33} findings true precision"]
    lines += [
        f"{rule:33} {tally.findings:8} {tally.true:4} {_share(tally.true, tally.findings)}"
        for rule, tally in sorted(measured.other_rules.items())
    ]
    hidden = sum(tally.not_findable for tally in measured.kinds.values())
    lines += [
        "",
        (
            f"{measured.systems} systems; {measured.clean_systems} with no fault, {measured.clean_findings} findings "
            f"above info there (must be 0). {hidden} faults were covered by others and are not counted."
        ),
    ]
    return lines


def _share(part: int, whole: int) -> str:
    if not whole:
        return "-"
    low, high = pl.select(pl.concat_list(*wilson(pl.lit(part), pl.lit(whole), confidence=0.95))).item()
    return f"{part / whole:5.3f} {low:.2f}-{high:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--systems", type=int, default=100)
    parser.add_argument("--first", type=int, default=0, metavar="SEED")
    parser.add_argument("--kind", nargs="*", default=[], choices=list(FAULTS), help="only these, in every system")
    parser.add_argument("--misses", action="store_true", help="list what was not found, and what was found falsely")
    parser.add_argument("--jobs", type=int, default=2)
    chosen = parser.parse_args()
    seeds = range(chosen.first, chosen.first + chosen.systems)
    measured = run(seeds, tuple(chosen.kind), jobs=chosen.jobs)
    print("\n".join([*(measured.misses if chosen.misses else []), *table(measured)]))  # noqa: T201


if __name__ == "__main__":
    main()
