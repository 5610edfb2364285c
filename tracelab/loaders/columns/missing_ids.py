"""Spans without ids: each is a span of its own, so it gets ids that nothing else in the dump has."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from tracelab.loaders.columns.normalise import NO_SPAN_ID, NO_TRACE_ID, SPAN_ID_WIDTH, TRACE_ID_WIDTH
from tracelab.loaders.report import problems

if TYPE_CHECKING:
    from tracelab.loaders.report.findings import Findings

_MISSING: Final = (
    ("trace_id", NO_TRACE_ID, problems.TRACE_ID_MISSING),
    ("span_id", NO_SPAN_ID, problems.SPAN_ID_MISSING),
)


def count_missing_ids(spans: pl.DataFrame, findings: Findings) -> None:
    """Count the spans of a frame that lack ids, as the decoders do."""
    for name, nothing, problem in _MISSING:
        lacking = spans[name] == nothing
        findings.add(problem, int(lacking.sum()), place=f"row {lacking.arg_max()}")


def give_span_ids(core: dict[str, pl.Series]) -> None:
    """Give spans without a span id one each."""
    lacking = core["span_id"] == NO_SPAN_ID
    if lacking.any():
        rows = lacking.arg_true()
        taken = [core["span_id"], core["parent_span_id"], _linked(core, "span_id")]
        ids = _fresh(rows.len(), SPAN_ID_WIDTH, _times(core, rows), taken)
        core["span_id"] = core["span_id"].scatter(rows, ids)


def give_trace_ids(core: dict[str, pl.Series], findings: Findings) -> None:
    """Give spans without a trace id one each, but those a common one that name each other as parents."""
    lacking = core["trace_id"] == NO_TRACE_ID
    if not lacking.any():
        return
    rows = lacking.arg_true()
    spans = pl.DataFrame([core[name].gather(rows) for name in ("span_id", "parent_span_id")])
    orphans = spans.filter(
        pl.col("parent_span_id").is_not_null() & ~pl.col("parent_span_id").is_in(spans["span_id"].implode())
    )
    if orphans.height:
        findings.add(problems.TRACE_ID_MISSING_ORPHANS, orphans.height, example=orphans["parent_span_id"][0])
    families = _families(spans)
    distinct, places = np.unique(families, return_inverse=True)
    taken = [core["trace_id"], _linked(core, "trace_id")]
    ids = _fresh(distinct.size, TRACE_ID_WIDTH, _times(core, rows), taken)
    core["trace_id"] = core["trace_id"].scatter(rows, ids.gather(pl.Series(places)))


def _families(spans: pl.DataFrame) -> npt.NDArray[np.int64]:
    """Give one number to spans that are connected by parents, and to those that share an id."""
    nodes = spans.unique("span_id", keep="first", maintain_order=True).with_row_index("node")
    parents = nodes.select(pl.col("span_id").alias("parent_span_id"), pl.col("node").alias("above"))
    joined = nodes.join(parents, on="parent_span_id", how="left", maintain_order="left")
    above = joined.select(pl.coalesce("above", "node").cast(pl.Int64)).to_series().to_numpy()
    lowest = np.minimum(np.arange(above.size), above)
    # Each round doubles the steps upwards, so in the end all stand at their root, or somewhere in a cycle of which
    # they have seen every span.
    for _ in range(above.size.bit_length()):
        lowest, above = np.minimum(lowest, lowest[above]), above[above]
    numbered = nodes.select("span_id", family=pl.Series(lowest[above]))
    family: npt.NDArray[np.int64] = spans.join(numbered, on="span_id", maintain_order="left")["family"].to_numpy()
    return family


def _fresh(count: int, width: int, seed: bytes, taken: list[pl.Series]) -> pl.Series:
    """Make ids that differ from each other and from those that are taken, always the same of the same seed."""
    while True:
        digest = hashlib.shake_128(seed).digest(count * width // 2)
        array: Any = pa.FixedSizeBinaryArray.from_buffers(pa.binary(width // 2), count, [None, pa.py_buffer(digest)])
        binary: pl.Series = pl.from_arrow(array)  # type: ignore[assignment]
        ids = binary.bin.encode("hex")
        if ids.n_unique() == count and not any(ids.is_in(held.implode()).any() for held in taken):
            return ids
        seed += b"again"


def _times(core: dict[str, pl.Series], rows: pl.Series) -> bytes:
    """Give the times of spans as bytes: dumps that are read apart and put together later should not share ids."""
    return b"".join(core[name].gather(rows).to_physical().to_numpy().tobytes() for name in ("start_time", "duration"))


def _linked(core: dict[str, pl.Series], name: str) -> pl.Series:
    return core["links"].explode(empty_as_null=False).struct.field(name)
