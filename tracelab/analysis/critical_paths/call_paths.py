"""The call path of a span: who called whom, from the root of its fragment down to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from tracelab.array_types import Ints
    from tracelab.forest import Forest

SEPARATOR: Final = " > "
_SHOWN: Final = 64
_CUT: Final = "..."


def call_path_numbers(frame: pl.DataFrame, forest: Forest) -> Ints:
    """Give every span a number that it shares with the spans of the same call path, and with no others.

    The number is the sum, over the span and its ancestors, of a 64-bit hash of service, name and depth; among a million
    paths the odds that two share one are one to some 40 million.
    """
    labels = frame.select("service_name", "name", pl.Series("depth", forest.depth))
    own = labels.select(pl.struct("service_name", "name", "depth").hash()).to_series().to_numpy().view(np.int64)
    steps = np.append(own, 0)
    # What a span adds to its descendants ends behind the last of them; sums wrap around, which does no harm.
    np.subtract.at(steps, np.arange(own.size) + forest.size, own)
    return np.cumsum(steps[:-1])


def call_path_texts(frame: pl.DataFrame, forest: Forest, places: Ints) -> pl.Series:
    """Write the call paths of the spans at these places, `service::name` from the root down.

    Of very long paths only the last steps are written.
    """
    label = frame.select(pl.format("{}::{}", "service_name", "name")).to_series()
    number, at = np.arange(places.size), places
    steps = []
    for step in range(_SHOWN):
        steps.append(pl.DataFrame({"number": number, "step": -step, "label": label.gather(at)}))
        up = forest.parent[at]
        number, at = number[up >= 0], up[up >= 0]
    cut = pl.DataFrame({"number": number, "step": -_SHOWN, "label": _CUT}, schema=steps[0].schema)
    return (
        pl.concat([*steps, cut])
        .lazy()
        .group_by("number")
        .agg(pl.col("label").sort_by("step").str.join(SEPARATOR))
        .sort("number")
        .collect()["label"]
        .alias("call_path")
    )
