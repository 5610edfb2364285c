"""Calls between hosts whose clocks are off by known lengths."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from tracelab.conforming import conform
from tracelab.schema import DURATION, TIME

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MILLISECOND = 1_000_000
BEGIN = 1_790_000_000 * 1_000 * MILLISECOND


def made_calls(
    edges: Sequence[tuple[str, str]],
    *,
    times: int = 20,
    ahead: Mapping[str, int] | None = None,
    seed: int = 0,
    kinds: tuple[str, str] = ("client", "server"),
    drift: Mapping[str, float] | None = None,
) -> pl.DataFrame:
    """Make calls from host to host, of some milliseconds each, with up to 2 ms on the way there and back.

    `ahead` says by how many nanoseconds the clock of a host is ahead, `drift` by how much more for each nanosecond.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for number, (caller, callee) in enumerate(edges, start=1):
        for time in range(times):
            trace = f"{number:016x}{time:016x}"
            start = BEGIN + (time * len(edges) + number) * 1_000 * MILLISECOND + int(rng.integers(1_000))
            there, back = (int(rng.integers(50_000, 2 * MILLISECOND)) for _ in range(2))
            work = int(rng.integers(MILLISECOND, 20 * MILLISECOND))
            late, length = (there, work) if kinds[1] != "consumer" else (there + 2 * work, work)
            for place, (host, kind, begins, lasts) in enumerate(
                ((caller, kinds[0], start, there + work + back), (callee, kinds[1], start + late, length))
            ):
                off = (ahead or {}).get(host, 0) + int((drift or {}).get(host, 0) * (begins - BEGIN))
                rows.append(
                    {
                        "trace_id": trace,
                        "span_id": f"{number:08x}{2 * time + place:08x}",
                        "parent_span_id": f"{number:08x}{2 * time:08x}" if place else None,
                        "name": "call",
                        "kind": kind,
                        "service_name": host.partition("-")[0],
                        "start_time": begins + off,
                        "duration": lasts,
                        "resource.host.name": host,
                    }
                )
    return conform(pl.DataFrame(rows).cast({"start_time": TIME, "duration": DURATION}))
