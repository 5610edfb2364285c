"""What spans record of how they were sampled: trace states, and attributes that SDKs and vendors write.

Every source gives a weight where it can be trusted, and says why not where it cannot.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import numpy as np
import polars as pl

from tracelab.sampling.decided import MOST_WEIGHT
from tracelab.sampling.ids import TraceIds
from tracelab.sampling.trace_state import SamplingState, probability
from tracelab.schema import attribute_value

_SPACE: Final = "[ \t]*"
_MOST_BITS: Final = 62


@dataclass(frozen=True)
class Recorded:
    """What one source says.

    Attributes
    ----------
    weight
        Float64, one per span; null where nothing is said, or nothing that can be trusted.
    refused
        Why what is said cannot be trusted: String, null where it can.
    """

    weight: pl.Series = field(repr=False)
    refused: pl.Series = field(repr=False)

    @classmethod
    def of(cls, frame: pl.DataFrame, chance: pl.Expr, *reasons: tuple[pl.Expr, str]) -> Recorded:
        """Turn probabilities into weights where no reason speaks against it; the first one that does counts."""
        given = chance.cast(pl.Float64)
        too_rare = (given > 0) & (given < 1 / MOST_WEIGHT), "would be one of more than 2^64 spans"
        refused = pl.coalesce(
            *(pl.when(test).then(pl.lit(why)) for test, why in (*reasons, too_rare)), pl.lit(None, dtype=pl.String)
        )
        weight = pl.when(pl.col("refused").is_null() & (pl.col("chance") > 0)).then(1 / pl.col("chance"))
        found = frame.select(given.alias("chance"), refused.alias("refused"))
        return cls(found.select(weight=weight)["weight"], found["refused"])

    def before(self, other: Recorded) -> Recorded:
        """Let another source speak for the spans of which this one says nothing."""
        silent = self.weight.is_null() & self.refused.is_null()
        weight, refused = (
            pl.select(pl.when(silent).then(theirs).otherwise(own)).to_series().alias(own.name)
            for own, theirs in ((self.weight, other.weight), (self.refused, other.refused))
        )
        return Recorded(weight, refused)

    def through_traces(self, trace_ids: pl.Series) -> Recorded:
        """Let what one span says hold for its trace, as for decisions that are made once and handed on.

        Where spans of a trace say different things, each speaks for itself.
        """
        if not self.weight.count() and not self.refused.count():
            return self
        rows = pl.DataFrame({"id": trace_ids, "weight": self.weight, "refused": self.refused})
        said = (
            rows.lazy()
            .filter(pl.any_horizontal(pl.col("weight", "refused").is_not_null()))
            .group_by("id")
            .agg(
                pl.col("weight").drop_nulls().first().alias("all_weight"),
                pl.col("refused").drop_nulls().min().alias("all_refused"),
                alike=(pl.col("weight").n_unique() == 1) & (pl.col("refused").n_unique() == 1),
            )
            .filter("alike")
            .drop("alike")
        )
        spread = rows.lazy().join(said, on="id", how="left", maintain_order="left").collect()
        weight, refused = (spread[name].fill_null(spread[f"all_{name}"]) for name in ("weight", "refused"))
        return Recorded(weight, refused)


Source: TypeAlias = Callable[[pl.DataFrame], Recorded]


def by_threshold(frame: pl.DataFrame) -> Recorded:
    """Read `ot=th` of the trace state (OpenTelemetry's consistent probability sampling, OTEP 235).

    A span whose random value does not reach its threshold was not kept by it, so that the threshold says nothing.
    """
    state = SamplingState.of(frame["trace_state"])
    ids = TraceIds.of(frame["trace_id"])
    known = state.randomness.is_not_null().to_numpy()
    random = np.where(known, state.randomness.fill_null(0).to_numpy(), ids.randomness[ids.number])
    decidable = known | ids.known[ids.number]
    below = pl.Series(decidable) & (pl.Series(random) < state.threshold)
    return Recorded.of(
        frame,
        pl.lit(probability(state.threshold)),
        (pl.lit(below.fill_null(value=False)), "have an `ot=th` that the random value does not reach"),
        (pl.lit(state.broken), "have an `ot=th` that cannot be read"),
    )


def by_p_value(frame: pl.DataFrame) -> Recorded:
    """Read `ot=p` of the trace state (OpenTelemetry's first consistent sampling, OTEP 170: kept once in 2^p)."""
    member = _member("ot")
    p, r = (member.str.extract(rf"(?:^|;){key}:([0-9]{{1,2}})(?:;|$)").cast(pl.Int64) for key in "pr")
    return Recorded.of(
        frame,
        pl.when(p <= _MOST_BITS).then(pl.lit(0.5).pow(p)),
        (p == _MOST_BITS + 1, "have `ot=p:63`, which is none of chance"),
        (p > _MOST_BITS + 1, "have an `ot=p` that cannot be read"),
        (p > r, "have an `ot=p` that the `r` beside it does not reach"),
    )


def by_elastic(frame: pl.DataFrame) -> Recorded:
    """Read `es=s` of the trace state: the rate that Elastic's agents hand on with each trace."""
    said = _member("es").str.extract(r"(?:^|;)s:([^;]*)(?:;|$)")
    rate = said.cast(pl.Float64, strict=False)
    return Recorded.of(
        frame,
        rate,
        (rate == 0, "have `es=s:0`, which says that nothing is sampled"),
        (said.is_not_null() & ~_is_rate(rate), "have an `es=s` that is no rate"),
    )


def by_honeycomb(frame: pl.DataFrame) -> Recorded:
    """Read `sampleRate`, or `SampleRate`: how many spans this one stands for, as Honeycomb takes them.

    Its samplers write whole numbers. `sampleRate` counts where both are there, as it does there.
    """
    said = pl.coalesce(attribute_value("span.sampleRate"), attribute_value("span.SampleRate"))
    rate = said.cast(pl.Float64, strict=False)
    whole = ((rate >= 1) & (rate == rate.floor()) & rate.is_finite()).fill_null(value=False)
    return Recorded.of(
        frame, 1 / rate, (said.is_not_null() & ~whole, "have a `SampleRate` that is no whole number from 1 on")
    )


def by_azure(frame: pl.DataFrame) -> Recorded:
    """Read `microsoft.sample_rate`, or `_MS.sampleRate`: percent, as the samplers of Azure Monitor write them."""
    said = pl.coalesce(attribute_value("span.microsoft.sample_rate"), attribute_value("span._MS.sampleRate"))
    rate = said.cast(pl.Float64, strict=False) / 100
    return Recorded.of(
        frame,
        rate,
        (said.is_not_null() & ~_is_rate(rate), "have a sample rate of Azure that is no percentage above 0"),
    )


def by_datadog(frame: pl.DataFrame) -> Recorded:
    """Read `_dd.rule_psr`, `_dd.agent_psr` and `_sample_rate`, which Datadog's tracers write on the root of a trace.

    They say what was tried, not what came of it. So nothing is known of a trace that was kept for another reason (the
    decision maker `_dd.p.dm` or a priority says so), or that went through a limit (`_dd.limit_psr`).
    """
    rule, agent, client, limit, priority = (
        attribute_value(f"span.{key}", dtype=pl.Float64)
        for key in ("_dd.rule_psr", "_dd.agent_psr", "_sample_rate", "_dd.limit_psr", "_sampling_priority_v1")
    )
    maker = attribute_value("span._dd.p.dm")
    tried = pl.coalesce(rule, agent)
    rate = pl.when(tried.is_not_null() | client.is_not_null()).then(tried.fill_null(1.0) * client.fill_null(1.0))
    by_chance = maker.is_null() | maker.str.contains(r"-(?:0|1|3|11|12)$")
    return Recorded.of(
        frame,
        rate,
        (rate.is_not_null() & ~_is_rate(rate), "have a rate of Datadog's that is none"),
        (rate.is_not_null() & ~by_chance, "were not kept by a rate of Datadog's, but on demand"),
        (rate.is_not_null() & (priority <= 0), "were not kept by a rate of Datadog's, which said no"),
        (rate.is_not_null() & (limit < 1), "went through a limit of Datadog's"),
    ).through_traces(frame["trace_id"])


def by_jaeger(frame: pl.DataFrame) -> Recorded:
    """Read `sampler.type` and `sampler.param`, which Jaeger's clients write where a trace begins."""
    kind = attribute_value("span.sampler.type")
    said = attribute_value("span.sampler.param")
    always = said.str.to_lowercase().is_in(["true", "1", "1.0"])
    number = said.cast(pl.Float64, strict=False)
    rate = pl.when(kind == "const").then(pl.when(always).then(pl.lit(1.0))).when(kind.is_not_null()).then(number)
    by_chance = kind.is_in(["probabilistic", "const"])
    return Recorded.of(
        frame,
        rate,
        (kind.is_not_null() & ~by_chance, "were kept by a sampler of Jaeger's that has no probability"),
        (by_chance & ~_is_rate(rate), "have a `sampler.param` that is no rate"),
    ).through_traces(frame["trace_id"])


def by_legacy_probability(frame: pl.DataFrame) -> Recorded:
    """Read `sampling.probability`, which early OpenTelemetry SDKs wrote where a decision was made."""
    said = attribute_value("span.sampling.probability")
    rate = said.cast(pl.Float64, strict=False)
    return Recorded.of(
        frame, rate, (said.is_not_null() & ~_is_rate(rate), "have a `sampling.probability` that is none")
    ).through_traces(frame["trace_id"])


SOURCES: Final[dict[str, Source]] = {
    "ot=th": by_threshold,
    "ot=p": by_p_value,
    "es=s": by_elastic,
    "SampleRate": by_honeycomb,
    "_dd.rule_psr": by_datadog,
    "sampler.param": by_jaeger,
    "microsoft.sample_rate": by_azure,
    "sampling.probability": by_legacy_probability,
}
"""The sources by name, first those that are to be trusted most."""


def _member(key: str) -> pl.Expr:
    """Give the value of a member of the trace state that stands once."""
    state = pl.col("trace_state")
    once = state.str.count_matches(rf"(?:^|,){_SPACE}{key}=") == 1
    return pl.when(once).then(state.str.extract(rf"(?:^|,){_SPACE}{key}=([^,]*)").str.strip_chars_end(" \t"))


def _is_rate(rate: pl.Expr) -> pl.Expr:
    return ((rate > 0) & (rate <= 1)).fill_null(value=False)
