"""The spans that a head sampler keeps."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import polars as pl

from tracelab.conforming import takes_any_frame
from tracelab.sampling.decided import SAMPLING_WEIGHT
from tracelab.sampling.head.replay import replay

FrameT = TypeVar("FrameT", pl.DataFrame, pl.LazyFrame)


@takes_any_frame
def sample_head(spans: FrameT, sampler: Any, *, missing_parents: str = "root") -> FrameT:
    """Keep the spans that a head sampler, or a fleet of them, would have kept.

    Every decision is that of the real samplers, trace id by trace id. Where the services of a trace decide otherwise,
    spans lose their parents, as they would in production: `sampling_decisions` counts them.

    Parameters
    ----------
    spans
        A span frame, taken for all that there was: whatever sampled it before is not made up for (but
        `ProbabilisticProcessor` goes on from the thresholds in `trace_state`, as it does in the Collector).
    sampler
        A sampler for all services (`AlwaysOn`, `AlwaysOff`, `TraceIdRatioBased`, `ParentBased`, `ProbabilitySampler`,
        `ParentThreshold`, or `ProbabilisticProcessor` for the Collector's), or a mapping from names of services to
        samplers, with `"*"` for the rest.
    missing_parents
        What became of parents that are not in the frame, and were perhaps never traced: `root` decides on their
        children as on roots, which is right where what is missing has the same sampler; `sampled` and `not_sampled`
        say that they were sampled (their threshold is that in the child's `trace_state`) or not. The `flags` of a span
        tell of itself, not of its parent.

    Returns
    -------
    The same kind of frame: the spans that are kept, in their old order, with `sampling_weight` (Float64) at the end, in
    place of a column of that name. It is 1 / p, p being the share of all trace ids, each as likely as any other, with
    which this very span would have been kept: below a sampler that follows parents, how likely the decision of the
    root is; of a sampler that decides anew, its own; of both, how likely they agree; 1 where no id matters. It is null
    where that is not known: of several samplers that look at overlapping parts of the id in other ways, of ids of 16
    digits for SDKs that look at the others, and of spans whose trace state the processor could not read. `trace_state`
    has the thresholds that consistent samplers write.

    Raises
    ------
    TracelabError
        It is no sampler, or the fleet has none for a service.
    SchemaError
        It cannot be conformed.

    Warns
    -----
    SamplingWarning
        Some spans have a trace id that their sampler cannot decide on: these are not kept.
    QueryWarning
        A fleet names a service that no span is of, and one of nearly that name is not in it.

    Examples
    --------
    >>> from tracelab.sampling import AlwaysOff, AlwaysOn, ParentBased
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... web::GET /     =====
    ...   web::render  .==
    ...   db::SELECT   ...=
    ... ''')
    >>> sample_head(spans, {"web": ParentBased(AlwaysOff()), "*": AlwaysOn()}).select("name", "sampling_weight").rows()
    [('SELECT', 1.0)]
    """
    frame = spans.lazy().collect()
    found = replay(frame, sampler, missing_parents=missing_parents)
    with np.errstate(divide="ignore"):
        weight = pl.Series(SAMPLING_WEIGHT, 1 / found.probability, nan_to_null=True)
    kept = frame.drop(SAMPLING_WEIGHT, strict=False).with_columns(weight).filter(pl.Series(found.kept))
    texts = found.trace_states(frame["trace_state"])
    if texts is not None:
        kept = kept.with_columns(texts)
    if isinstance(spans, pl.LazyFrame):
        return kept.lazy()
    return kept
