"""How well wrong clocks are found that were planted in generated systems.

    python -m tests.clocks.planted --systems 200

Half of the systems have one host whose clock is off by 5 ms to 2 s, the others have none.
"""

from __future__ import annotations

import argparse
import re
import warnings
from collections import Counter
from datetime import timedelta

import polars as pl

import tracelab as tl
from tracelab.synthetic import generate_system

_MILLISECOND = timedelta(milliseconds=1)


def examined(seed: int, *, plant: bool, traces: int = 120) -> Counter[str]:
    """Count what is said of one system."""
    spans, truth = generate_system(seed, traces=traces, faults={"clock-skew": 1} if plant else None)
    found = tl.clock_skew(spans)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tl.critical_path(spans)
        corrected = tl.correct_skew(spans)
    moved = corrected.filter(pl.col("skew_correction") != timedelta(0))["resource.host.name"].unique().to_list()
    said = Counter(drifting=int(found["drift"].count()), pairs=found.height)
    if not truth.height:
        return said + Counter(clean=1, doubted=len(caught), moved_in_clean=len(moved))
    words = re.match(r"The clock of (.*) is off by (-?\d+) ms", truth["fault"].item())
    assert words is not None
    host, ahead = words[1], int(words[2]) * _MILLISECOND
    held = 0
    for row in found.iter_rows(named=True):
        off = ahead * ((row["host"] == host) - (row["reference"] == host))
        low, high = (row[name] if row[name] is not None else off for name in ("lower", "upper"))
        held += low <= off + _MILLISECOND / 2 and off - _MILLISECOND / 2 <= high  # it is said in whole milliseconds
    return said + Counter(
        planted=1,
        found=int(found["skewed"].any()),
        right_host=int(moved == [host]),
        warned=int(len(caught) == 1),
        pairs_of_planted=found.height,
        held=held,
    )


def examined_all(systems: int, first: int = 0) -> Counter[str]:
    """Add up what is said of some systems, of which every second one has a wrong clock."""
    total: Counter[str] = Counter()
    for seed in range(first, first + systems):
        total += examined(seed, plant=seed % 2 == 0)
    return total


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--systems", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    for name, count in sorted(examined_all(options.systems, options.first).items()):
        print(f"{name:>20} {count:>8,}")  # noqa: T201
