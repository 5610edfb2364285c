"""How often intervals hold the figures of real spans: the sample dumps, sampled again and again by real policies.

    python -m tests.sampling.estimation.replayed_coverage [SALTS]

prints, for 500 salts, a row per policy, service and figure, which takes some minutes (names of policies after
the number choose some); `test_coverage.py` runs a part. Each salt is another draw: it
is the `hash_salt` of the policy that keeps a share, and makes other ids for head samplers.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import polars as pl
import yaml

import tracelab as tl
from tracelab.sampling import presets
from tracelab.sampling.estimation.quantiles import quantiles
from tracelab.sampling.estimation.samples import Sample
from tracelab.sampling.estimation.shares import shares
from tracelab.sampling.estimation.totals import totals

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Floats, Ints

SAMPLES: Final = Path(__file__).parents[3] / "sample_data"
QUANTILES: Final = np.array([0.5, 0.9, 0.95, 0.99])
FIGURES: Final = ("p50", "p90", "p95", "p99", "errors", "total")
SALTS: Final = 500
ALL: Final = "(all)"
_AT_ONCE: Final = 25

Draw: TypeAlias = Callable[[pl.DataFrame, int], pl.DataFrame]


def tail(policies: Callable[[pl.DataFrame], Any]) -> Draw:
    """Replay tail policies, with a salt of its own for each draw."""

    def draw(spans: pl.DataFrame, salt: int) -> pl.DataFrame:
        configuration = yaml.safe_load(str(policies(spans)))
        for policy in configuration["processors"]["tail_sampling"]["policies"]:
            if policy["type"] == "probabilistic":
                policy["probabilistic"]["hash_salt"] = f"draw {salt}"
        return tl.sample_tail(spans, configuration)

    return draw


def head(ratio: float) -> Draw:
    """Replay a sampler, with other trace ids for each draw."""

    def draw(spans: pl.DataFrame, salt: int) -> pl.DataFrame:
        ids = spans["trace_id"].unique().to_list()
        others = [hashlib.blake2b(f"{salt} {one}".encode(), digest_size=16).hexdigest() for one in ids]
        renamed = spans.with_columns(pl.col("trace_id").replace_strict(ids, others))
        kept = tl.sample_head(renamed, tl.sampling.TraceIdRatioBased(ratio))
        return kept.with_columns(pl.col("trace_id").replace_strict(others, ids))

    return draw


POLICIES: Final[dict[str, Draw]] = {
    "everyday": tail(presets.everyday),
    "production": tail(lambda _: presets.production()),
    **{f"head {ratio:g}": head(ratio) for ratio in (0.01, 0.05, 0.1, 0.5)},
}


@dataclass(frozen=True)
class Requests:
    """What enters the services of a dump, in groups: one for each service, and one for all."""

    spans: pl.DataFrame = field(repr=False)
    names: list[str]
    traces: pl.DataFrame = field(repr=False)
    trace: Ints = field(repr=False)
    group: Ints = field(repr=False)
    duration: Floats = field(repr=False)
    failed: Flags = field(repr=False)

    @classmethod
    def of(cls, spans: pl.DataFrame) -> Requests:
        traces = spans.select(pl.col("trace_id").unique(maintain_order=True)).with_row_index("trace")
        rows = spans.filter("entry").join(traces, on="trace_id")
        names = [*rows["service_name"].unique().sort(), ALL]
        of_service = rows.select(pl.col("service_name").replace_strict(names[:-1], range(len(names) - 1))).to_series()
        twice = pl.concat([rows, rows])
        return cls(
            spans=spans,
            names=names,
            traces=traces,
            trace=twice["trace"].to_numpy().astype(np.int64),
            group=np.concatenate([of_service.to_numpy(), np.full(rows.height, len(names) - 1)]).astype(np.int64),
            duration=twice["duration"].to_physical().to_numpy().astype(np.float64),
            failed=twice.select(tl.is_error()).to_series().to_numpy(),
        )

    def truth(self) -> Floats:
        """Give the figures of all spans, with a row for each group."""
        rows = []
        for number in range(len(self.names)):
            of = self.group == number
            rows.append([*np.quantile(self.duration[of], QUANTILES), self.failed[of].mean(), of.sum()])
        return np.array(rows)

    def weights(self, draw: Draw, salt: int) -> Floats:
        """Give the weight of each trace, 0 for those that were dropped."""
        kept = draw(self.spans, salt).select("trace_id", "sampling_weight").unique()
        found = self.traces.join(kept, on="trace_id", how="left", maintain_order="left")["sampling_weight"]
        return found.fill_null(0.0).to_numpy()


@dataclass(frozen=True)
class Held:
    """How often the truth lay below and above the interval, and how often that had no upper bound.

    And how many traces the draws were worth in the mean, for one group and figure.
    """

    group: str
    figure: str
    draws: int
    below: float
    above: float
    unbounded: float
    effective: float

    @property
    def coverage(self) -> float:
        return 1 - self.below - self.above


def replayed_coverage(requests: Requests, draw: Draw, *, salts: int) -> list[Held]:
    """Sample so many times; draws of which nothing of a group was seen have no interval, and do not count."""
    groups, truth = len(requests.names), requests.truth()
    counts = np.zeros((groups, len(FIGURES), 3))
    seen, effective = np.zeros(groups), np.zeros(groups)
    for begin in range(0, salts, _AT_ONCE):
        draws = range(begin, min(begin + _AT_ONCE, salts))
        weights = np.stack([requests.weights(draw, salt) for salt in draws])[:, requests.trace]
        number, item = np.nonzero(weights > 0)
        trace = requests.trace[item].astype(np.uint64) << np.uint64(32)
        sample = Sample(number * groups + requests.group[item], trace, weights[number, item], groups * len(draws))
        total = totals(sample, np.ones(item.size), confidence=0.95)
        share = shares(sample, requests.failed[item], confidence=0.95)
        found = quantiles(sample, requests.duration[item], QUANTILES, confidence=0.95)
        lower = np.column_stack([found.lower, share.lower, total.lower]).reshape(len(draws), groups, -1)
        upper = np.column_stack([found.upper, share.upper, total.upper]).reshape(len(draws), groups, -1)
        some = (np.bincount(sample.group, minlength=sample.groups) > 0).reshape(len(draws), groups, 1)
        hair = 1e-9 * truth + 1e-12
        counts += np.stack(
            [
                (some & (truth < lower - hair)).sum(axis=0),
                (some & (truth > upper + hair)).sum(axis=0),
                (some & ~np.isfinite(upper)).sum(axis=0),
            ],
            axis=-1,
        )
        seen += some.sum(axis=0)[:, 0]
        effective += np.nansum(sample.effective.reshape(len(draws), groups), axis=0)
    shares_of = counts / np.maximum(seen, 1)[:, None, None]
    return [
        Held(
            name,
            figure,
            int(seen[g]),
            below=float(shares_of[g, f, 0]),
            above=float(shares_of[g, f, 1]),
            unbounded=float(shares_of[g, f, 2]),
            effective=float(effective[g] / max(seen[g], 1)),
        )
        for g, name in enumerate(requests.names)
        for f, figure in enumerate(FIGURES)
    ]


def main(salts: int, wanted: list[str]) -> None:
    print(f"{'policy':12} {'service':17} {'n_eff':>6} |", " ".join(f"{figure:>26}" for figure in FIGURES))  # noqa: T201
    for name in ("shop", "content"):
        requests = Requests.of(tl.read(SAMPLES / f"{name}.otlp.jsonl.gz"))
        for policy, draw in POLICIES.items():
            if wanted and policy not in wanted:
                continue
            rows = replayed_coverage(requests, draw, salts=salts)
            for begin in range(0, len(rows), len(FIGURES)):
                cells = [
                    f"{100 * one.coverage:.1f} ({100 * one.below:.1f}, {100 * one.above:.1f}"
                    f"; open {100 * one.unbounded:.0f})"
                    for one in rows[begin : begin + len(FIGURES)]
                ]
                first = rows[begin]
                print(f"{policy:12} {first.group:17} {first.effective:6.1f} |", end=" ")  # noqa: T201
                print(" ".join(f"{cell:>26}" for cell in cells), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else SALTS, sys.argv[2:])
