"""Refinery's rules as policies: read from a file, and put to spans."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from tracelab.conforming import span_frame
from tracelab.errors import PolicyError
from tracelab.options import nanoseconds, shown, whole
from tracelab.sampling.decided import DECISION, DECISIONS, EVALUATIONS, MATCHES, SAMPLING_POLICY, SAMPLING_WEIGHT
from tracelab.sampling.documents import near_or_all, read_document
from tracelab.sampling.refinery.fields import Events
from tracelab.sampling.refinery.outcomes import Replay, rule_type, rules_of
from tracelab.sampling.refinery.reading import DEFAULT, read_samplers
from tracelab.sampling.refinery.traces import Traces, Waiting

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta
    from os import PathLike

    from tracelab.array_types import Ints
    from tracelab.sampling.refinery import samplers as s

NO_RULE: Final = "no rule matched"
_SAMPLED, _NOT_SAMPLED, _DROPPED = map(DECISIONS.index, ("sampled", "not_sampled", "dropped"))


@dataclass(frozen=True)
class RefineryRules:
    """The sampler of one environment of Refinery, as `refinery_rules` reads it.

    Attributes
    ----------
    environment
        Which environment (or dataset) it is for.
    sampler
        What its file says.
    environments
        All that the file has.
    seed
        What draws are made with where Refinery takes random numbers.
    waiting
        How long it waits for the spans of a trace; None where it has them all.
    """

    environment: str
    sampler: s.Sampler
    environments: tuple[str, ...] = field(default=(), repr=False)
    seed: int = 0
    waiting: Waiting | None = None

    def sampled(self, spans: Any) -> pl.DataFrame:
        """Keep the spans of the traces that are kept.

        Returns
        -------
        The spans in their order, with `sampling_policy` (String: the rule that decided, null where none matched) and
        `sampling_weight` (Float64: how many spans each stands for) at the end.
        """
        replay = self._replay(spans)
        outcome, traces = replay.outcome(), replay.events.traces
        rows = pl.Series(np.flatnonzero(outcome.kept[traces.number]))
        kept = traces.number[rows.to_numpy()]
        left = traces.spans.drop(SAMPLING_POLICY, SAMPLING_WEIGHT, strict=False)
        return left.select(pl.all().gather(rows)).with_columns(
            self._names(outcome.decider[kept]).alias(SAMPLING_POLICY),
            pl.Series(SAMPLING_WEIGHT, outcome.rate[kept], dtype=pl.Float64),
        )

    def decisions(self, spans: Any) -> pl.DataFrame:
        """Decide on every trace.

        Returns
        -------
        One row per trace, sorted by id: `trace_id`, `decision` (Enum: sampled, not_sampled, dropped by a rule that
        drops), `policy` (String: the rule or sampler that decided; null where no rule matched), `spans`, `spans_kept`
        (UInt32), `sampling_probability` (Float64), `simulated` (Boolean: it rests on arrivals, or on a draw where
        Refinery takes a random number), `evaluations` (List of policy, type, decision and reason: each rule that was
        tried, until one matched).
        """
        replay = self._replay(spans)
        outcome = replay.outcome()
        drops = np.array([*(rule_type(rule) == "Drop" for rule in replay.rules), False])
        decision = np.where(outcome.kept, _SAMPLED, np.where(drops[outcome.decider], _DROPPED, _NOT_SAMPLED))
        counts = replay.events.traces.sizes
        kinds = pl.DataFrame({"decider": outcome.decider, "code": decision, "rate": outcome.rate})
        rate = pl.col("rate")
        return (
            kinds.with_columns(trace_id=replay.events.traces.texts, simulated=pl.Series(outcome.simulated))
            .join(_evaluations(replay, kinds), on=kinds.columns, how="left", maintain_order="left")
            .select(
                "trace_id",
                decision=pl.Series(np.array(DECISIONS)[decision], dtype=DECISION),
                policy=self._names(outcome.decider),
                spans=pl.Series(counts, dtype=pl.UInt32),
                spans_kept=pl.Series(np.where(outcome.kept, counts, 0), dtype=pl.UInt32),
                sampling_probability=pl.when(rate > 0).then(1 / rate).otherwise(0.0),
                simulated="simulated",
                evaluations="evaluations",
            )
            .sort("trace_id")
        )

    def matches(self, spans: Any) -> pl.DataFrame:
        """Count what each rule matches, and find those that never do.

        Returns
        -------
        One row per rule, in their order: `policy`, `type` (String: what it does), `traces` (UInt32: for which no rule
        before it decided), `matched`, `matched_spans` (UInt32: all that it matches, whichever rule decided, and their
        spans), `decided` (UInt32), `kept_alone` (UInt32: traces that would not be kept without it), `errors` (UInt32:
        none ever), `never_matched` (Boolean).
        """
        replay = self._replay(spans)
        outcome = replay.outcome()
        counts = replay.events.traces.sizes
        rows = []
        for number, rule in enumerate(replay.rules):
            found = replay.matched[number]
            own = outcome.decider == number
            kept = own & outcome.kept
            alone = kept & ~replay.outcome(without=number).kept if kept.any() else kept
            rows.append(
                {
                    "policy": rule.name,
                    "type": rule_type(rule),
                    "traces": int(np.count_nonzero(outcome.decider >= number)),
                    "matched": int(np.count_nonzero(found)),
                    "matched_spans": int(counts[found].sum()),
                    "decided": int(np.count_nonzero(own)),
                    "kept_alone": int(np.count_nonzero(alone)),
                    "errors": 0,
                    "never_matched": not found.any(),
                }
            )
        return pl.DataFrame(rows, schema=MATCHES)

    def _replay(self, spans: Any) -> Replay:
        traces = Traces(span_frame(spans).lazy().collect(), self.waiting)
        return Replay(rules_of(self.sampler), Events(traces), self.seed)

    def _names(self, deciders: Ints) -> pl.Series:
        names = [*(rule.name for rule in rules_of(self.sampler)), None]
        return pl.Series(names, dtype=pl.String).gather(pl.Series(deciders))


def refinery_rules(
    rules: str | PathLike[str] | Mapping[str, Any],
    *,
    environment: str | None = None,
    seed: int = 0,
    trace_timeout: str | timedelta | None = None,
    send_delay: str | timedelta = "2s",
) -> RefineryRules:
    """Read a rules file of Honeycomb Refinery (version 2 of its format) as policies of tail sampling.

    What is followed is Refinery 2.9. It sees Honeycomb's events: a span, each of its events and each of its links is
    one, with the attributes of resource, scope and span under their keys, and `name`, `duration_ms`, `error`,
    `status_code` and others besides. Rules are put to whole traces, at the end of their last span, unless a timeout is
    given: then spans that end later than Refinery waits (`config.yaml` says how long) have no say, and what was decided
    is done with them too.

    Deterministic sampling is Refinery's own, bit by bit. Where it takes a random number, the probability is exact, and
    the decision is drawn by a hash of `seed` and the trace id, and marked simulated. Dynamic samplers are replayed for
    one instance that sees all traces and starts with the first; they are simulated too. `CheckNestedFields` changes
    nothing, since events that come by OTLP are flat. `meta.span_count` of root spans is the number of a trace's events,
    as Refinery counts them by default.

    Parameters
    ----------
    rules
        The path of the file, its text, or a mapping.
    environment
        Whose sampler it shall be: an environment, or a dataset of Honeycomb Classic. Refinery tells by the API key,
        which spans do not have. Without one it is `__default__`.
    seed
        Another one gives other draws.
    trace_timeout
        `TraceTimeout` of Refinery's configuration, which is `60s` by default: how long it waits after the first span.
        Without one it has whole traces.
    send_delay
        `SendDelay`: how long it waits after the root span, where that comes in time.

    Returns
    -------
    An object that goes where policies go: `sample_tail`, `sampling_decisions`, `policy_matches`.

    Raises
    ------
    PolicyError
        Refinery refuses it, or it has no such environment, or it is of version 1.
    SourceError
        There is no such file.

    Examples
    --------
    >>> rules = refinery_rules('''
    ... RulesVersion: 2
    ... Samplers:
    ...   __default__:
    ...     RulesBasedSampler:
    ...       Rules:
    ...         - Name: keep errors
    ...           SampleRate: 1
    ...           Conditions: [{Field: error, Operator: exists}]
    ...         - Name: drop the rest
    ...           Drop: true
    ... ''')
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... api ==!
    ...
    ... api ==
    ... ''')
    >>> rules.decisions(spans).select("decision", "policy", "sampling_probability").rows()
    [('sampled', 'keep errors', 1.0), ('dropped', 'drop the rest', 0.0)]
    """
    document = read_document(rules, name="rules")
    samplers = read_samplers(document)
    name = DEFAULT if environment is None else environment
    if not isinstance(name, str):
        raise PolicyError(f"`environment` must be one of {', '.join(map(repr, samplers))}, got {shown(name)}.")
    if name not in samplers:
        hint = near_or_all(name, tuple(samplers))
        raise PolicyError(
            f"There is no sampler for {name!r}.{hint} For what is not listed, Refinery takes {DEFAULT!r}."
        )
    waiting = None
    if trace_timeout is not None:
        waiting = Waiting(nanoseconds("trace_timeout", trace_timeout), nanoseconds("send_delay", send_delay))
    return RefineryRules(name, samplers[name], tuple(samplers), whole("seed", seed, least=0), waiting)


def _evaluations(replay: Replay, kinds: pl.DataFrame) -> pl.DataFrame:
    """Write down for each kind of decision which rules were tried before, and what the last one said."""
    distinct = kinds.unique()
    policies = [(rule.name, rule_type(rule)) for rule in replay.rules]
    lists = []
    for decider, code, rate in distinct.rows():
        tried = [{"policy": name, "type": kind, "decision": "not_matched", "reason": None} for name, kind in policies]
        tried = tried[: decider + 1]
        reason = f"one in {rate:,}" if rate else "none is kept"
        if decider == len(policies):
            tried.append({"policy": None, "type": None, "decision": DECISIONS[code], "reason": NO_RULE})
        else:
            tried[decider] |= {"decision": DECISIONS[code], "reason": reason}
        lists.append(tried)
    return distinct.with_columns(evaluations=pl.Series(lists, dtype=EVALUATIONS))
