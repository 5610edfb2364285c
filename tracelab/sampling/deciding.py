"""What any policy would have decided: head samplers, the Collector's tail sampling, and other dialects alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import polars as pl

from tracelab.conforming import takes_any_frame
from tracelab.errors import PolicyError
from tracelab.options import choice, shown
from tracelab.sampling.decided import SAMPLING_WEIGHT
from tracelab.sampling.dialects import Dialect
from tracelab.sampling.head.decisions import head_decisions
from tracelab.sampling.head.processor import ProbabilisticProcessor
from tracelab.sampling.head.replay import MISSING_PARENTS, replay
from tracelab.sampling.head.samplers import Sampler
from tracelab.sampling.tail.clock import arrival_column
from tracelab.sampling.tail.configuration import policies_may_be
from tracelab.sampling.tail.deciding import sample_tail, tail_chances, tail_decisions
from tracelab.sampling.tail.policies import TailPolicies

KEPT: Final = "__kept"
UNTOLD: Final = "__untold"
_ROW: Final = "__row"


@takes_any_frame
def sampling_decisions(
    spans: pl.DataFrame | pl.LazyFrame, policy: Any, *, arrival: Any = None, missing_parents: str = "root"
) -> pl.DataFrame:
    """Say what a policy would have decided on each trace, and why.

    Parameters
    ----------
    spans
        The spans.
    policy
        A head sampler or a fleet of them, as `sample_head` takes them; or tail policies, as `sample_tail` does.
    arrival
        Of tail policies: when each span came, as in `sample_tail`.
    missing_parents
        Of head samplers: what became of parents that are not in the frame, as in `sample_head`.

    Returns
    -------
    One row per trace, sorted by id: `trace_id` (String), `decision` (Enum: sampled, not_sampled, partial where some of
    its spans are kept, dropped where a policy excludes it, unknown where its id does not allow a decision), `policy`
    (String, the one that decided, or the sampler of the span that begins the trace), `spans`, `spans_kept` (UInt32),
    `sampling_probability` (Float64, null where it is not known or differs between its spans), `simulated` (Boolean: it
    rests on simulated arrivals or draws). For head samplers `broken` and `missing_parents` (as in `head_decisions`)
    follow; for tail policies `evaluations` (List of policy, type, decision and reason: what each policy and sub-policy
    that was asked said).

    Raises
    ------
    TracelabError
        It is no policy, as `PolicyError` where a configuration is refused; or `missing_parents` is none of the words.
    SchemaError
        It cannot be conformed, or `arrival` gives no times.

    Warns
    -----
    SamplingWarning
        Some spans have a trace id that a head sampler cannot decide on.
    QueryWarning
        A fleet names a service that no span is of, and one of nearly that name is not in it.

    Examples
    --------
    >>> from tracelab.sampling import AlwaysOff, presets
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... api  ==========
    ...   db ..=====!
    ... ''')
    >>> sampling_decisions(spans, presets.production()).select("decision", "policy").row(0)
    ('sampled', 'errors')
    >>> sampling_decisions(spans, AlwaysOff()).select("decision", "policy").row(0)
    ('not_sampled', 'AlwaysOff()')
    """
    missing = _checked(spans, policy, arrival, missing_parents)
    if is_head(policy):
        return head_decisions(spans, policy, missing_parents=missing)
    return tail_decisions(spans, policy, arrival=arrival)


def marked(frame: pl.DataFrame, policy: Any, *, arrival: Any, missing_parents: Any) -> pl.DataFrame:
    """Keep all spans, and say of each whether the policy keeps it (`KEPT`), and its `sampling_weight` if it does.

    Spans that are not kept, and for which no weight of others stands, are `UNTOLD`: the policy never keeps their like,
    or with a probability that is not known.
    """
    rows = frame.drop(SAMPLING_WEIGHT, strict=False).with_columns(pl.int_range(pl.len(), dtype=pl.UInt32).alias(_ROW))
    missing = _checked(rows, policy, arrival, missing_parents)
    if is_head(policy):
        found = replay(rows, policy, missing_parents=missing)
        kept, chances = pl.Series(KEPT, found.kept), found.probability
        with np.errstate(divide="ignore"):
            weights = pl.Series(SAMPLING_WEIGHT, np.where(found.kept, 1 / chances, np.nan), nan_to_null=True)
    else:
        sampled, chances = sample_tail(rows, policy, arrival=arrival), tail_chances(rows, policy, arrival=arrival)
        kept = pl.Series(KEPT, [False], dtype=pl.Boolean).new_from_index(0, rows.height).scatter(sampled[_ROW], True)
        weights = pl.Series(SAMPLING_WEIGHT, [None], dtype=pl.Float64).new_from_index(0, rows.height)
        weights = weights.scatter(sampled[_ROW], sampled[SAMPLING_WEIGHT])
    untold = pl.Series(UNTOLD, ~kept.to_numpy() & ~(chances > 0))
    return rows.drop(_ROW).with_columns(kept, weights, untold)


def _checked(spans: pl.DataFrame | pl.LazyFrame, policy: Any, arrival: Any, missing_parents: Any) -> str:
    """Refuse what is no policy at all, and options that are wrong, also where this policy does not need them."""
    missing = choice("missing_parents", missing_parents, MISSING_PARENTS)
    arrival_column(spans, arrival)
    if not (is_head(policy) or isinstance(policy, Dialect | TailPolicies) or policies_may_be(policy)):
        raise PolicyError(
            "`policy` must be a sampler such as TraceIdRatioBased(0.1), a fleet of these, what tail_policies or "
            f"refinery_rules makes, or the path, text or mapping of a Collector's configuration, got {shown(policy)}."
        )
    return missing


def is_head(policy: Any) -> bool:
    """Tell head samplers and fleets of them from policies that look at whole traces."""
    some = policy.values() if isinstance(policy, Mapping) else [policy]
    return any(isinstance(each, Sampler | ProbabilisticProcessor) for each in some)
