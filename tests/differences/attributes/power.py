"""How often `compare` reports what is chance, and how often it finds what is there.

    python -m tests.differences.attributes.power [RUNS]

prints both tables, for 1,000 runs of chance and a fifth of that for each planted effect, which takes some minutes;
`tests/property/test_compare_laws.py` runs a part of it.
"""

from __future__ import annotations

import sys
from typing import Any, Final, Literal

import numpy as np
import polars as pl
from scipy.stats import norm
from tqdm.auto import tqdm

from tests.differences.attributes.planted import SLOW, traces
from tracelab import compare
from tracelab.synthetic import generate

RUNS: Final = 1_000
Q: Final = 0.05
SELECTED: Final = (0.1, 0.3, 0.5)
SHARES: Final = (0.1, 0.2, 0.4)
DELTAS: Final = (0.15, 0.3, 0.5)
PAIRS: Final = (0.3, 0.6, 0.9)
TRACES: Final = (200, 800, 3_000)
Planted = Literal["share", "number", "pair"]


def reported(run: int, unit: Literal["trace", "span"]) -> bool:
    """Say whether a comparison reports anything although who is selected is drawn at random."""
    spans = generate(2_500, seed=11, spans_per_trace=10)
    rng = np.random.default_rng([run, 5])
    if unit == "trace":
        ids = spans["trace_id"].unique().sort()
        chosen = ids.filter(pl.Series(rng.random(ids.len()) < SELECTED[run % len(SELECTED)]))
        where = pl.col("trace_id").is_in(chosen.implode())
    else:  # labels that whole traces share would not be independent of each other
        where = pl.lit(pl.Series(rng.random(spans.height) < 0.2))
    return not compare(spans, where=where, unit=unit, q=Q).is_empty()


def found(run: int, kind: Planted, size: float, count: int) -> bool:
    """Say whether an effect that was planted is found, as what it is.

    A quarter of the traces is slow. "share": of them that much more have a flag than the fifth of the others. "number":
    a number is normal, and moved for them so that Cliff's delta is that large. "pair": of the traces of one version and
    one kind of customer that many more are slow than the 5 % of all others.
    """
    rng = np.random.default_rng([run, count, round(size * 100)])
    if kind == "pair":

        def slow(of: Any) -> Any:
            return (of["version"] == "1.9") & (of["customer"] == "business") & (rng.random(count) < size)

        answer = compare(traces(run, count, slow=slow, share=0.05), where=SLOW, q=Q)
        pairs = answer.filter(pl.col("kind") == "pair")["attribute"].to_list()
        return any("customer.kind" in pair and ("version" in pair or "host.name" in pair) for pair in pairs)
    spans = traces(run, count, slow=lambda of: np.zeros(of["version"].size, dtype=bool), share=0.25)
    is_slow = spans.select(SLOW).to_series().to_numpy()
    if kind == "share":
        drawn = np.where(rng.random(spans.height) < 0.2 + size * is_slow, "on", "off").tolist()
    else:
        moved = np.sqrt(2) * norm.ppf((1 + size) / 2)
        drawn = (rng.normal(size=spans.height) + moved * is_slow).tolist()
    marked = pl.when(pl.col("service_name") == "front").then(pl.Series("span.planted", drawn))
    return "span.planted" in compare(spans.with_columns(marked.alias("span.planted")), where=SLOW, q=Q)["attribute"]


def main(runs: int = RUNS) -> None:
    tqdm.write(f"Chance: of {runs:,} comparisons of random labels reported anything, at q = {Q}")
    units: tuple[Literal["trace", "span"], ...] = ("trace", "span")
    for unit in units:
        number = sum(reported(run, unit) for run in tqdm(range(runs), unit="run", leave=False))
        tqdm.write(f"  unit={unit!r}: {number} ({100 * number / runs:.1f} %)")
    each = max(runs // 5, 1)
    tqdm.write(f"Power: of {each:,} comparisons found what was planted, at q = {Q}")
    tqdm.write(f"  {'':34}" + "".join(f"{count:>8,}" for count in TRACES) + "  traces")
    kinds: tuple[tuple[Planted, tuple[float, ...], str], ...] = (
        ("share", SHARES, "difference of shares"),
        ("number", DELTAS, "Cliff's delta of a number"),
        ("pair", PAIRS, "more slow ones of a pair"),
    )
    for kind, sizes, words in kinds:
        for size in sizes:
            line = f"  {words:27} {size:5.2f} "
            for count in TRACES:
                number = sum(found(run, kind, size, count) for run in tqdm(range(each), unit="run", leave=False))
                line += f"{100 * number / each:7.0f} %"[-8:]
            tqdm.write(line)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
