"""Weights: how many spans each span stands for, where spans were sampled before they came here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from numbers import Real
from typing import Any, Final, TypeAlias, TypeVar

import numpy as np
import polars as pl

from tracelab.conforming import takes_any_frame
from tracelab.display.words import counted
from tracelab.errors import SamplingWarning, SchemaError, TracelabError, warn_caller
from tracelab.frames import as_polars
from tracelab.options import share, shown
from tracelab.sampling.decided import SAMPLING_WEIGHT
from tracelab.sampling.deciding import is_head
from tracelab.sampling.head.processor import ProbabilisticProcessor
from tracelab.sampling.head.replay import replay, warn_of_services
from tracelab.sampling.recorded import SOURCES, Recorded, by_threshold
from tracelab.sampling.tail.deciding import tail_decisions

FrameT = TypeVar("FrameT", pl.DataFrame, pl.LazyFrame)
Told: TypeAlias = dict[str, Recorded]

_REST: Final = "*"
_POLICIES: Final = re.compile(r"\n|\.(?:ya?ml|toml|json)$", re.IGNORECASE)
"""What a text with policies, or the path of one, has, and the name of a source has not."""

_OF_ONE: Final = {"have": "has", "were": "was"}
_KEPT_SHARE: Final = "A tenth is 0.1."


@takes_any_frame
def with_weights(spans: FrameT, source: Any = "auto") -> FrameT:
    """Say of every span how many spans it stands for: 1 over the probability that it was kept.

    Parameters
    ----------
    spans
        The spans that were kept.
    source
        Where to know from. `"auto"`: from what the spans record, each by the first of these that can be trusted, or the
        name of one, or a list of these: `"ot=th"`, `"ot=p"` and `"es=s"` in the trace state (OpenTelemetry's consistent
        sampling, as it is and as it first was; Elastic), and the attributes `"SampleRate"` (Honeycomb, also
        `sampleRate`), `"_dd.rule_psr"` (Datadog, with what else its tracers write), `"sampler.param"` (Jaeger, with
        `sampler.type`), `"microsoft.sample_rate"` (Azure Monitor, also `_MS.sampleRate`) and `"sampling.probability"`
        (early SDKs of OpenTelemetry). `weight_sources` shows what there is.

        Or a probability: a number for all, or a mapping of service names to numbers, with `"*"` for the rest. Or what
        kept them: a sampler, a fleet of samplers or tail policies (or their YAML), which are replayed on the spans, for
        tail policies on whole traces; but what a `ProbabilisticProcessor` wrote into a trace state is what it did, and
        is taken from there. Or a frame of decisions with `trace_id` and `sampling_probability`.

    Returns
    -------
    The frame with `sampling_weight` (Float64) at its end, anew where it had one: null where the probability is not
    known, or what is recorded of it contradicts itself. A LazyFrame gives a LazyFrame.

    Raises
    ------
    TracelabError
        A probability is none, or the source is none of these; as `PolicyError` where policies are refused.
    SchemaError
        A frame of decisions lacks a column, or decides twice on a trace.

    Warns
    -----
    SamplingWarning
        Some spans have no weight: how many, and why.
    QueryWarning
        There is a probability for a service that no span is of, and one of nearly that name has none.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw("api ===").with_columns(trace_state=pl.lit("ot=th:c;rv:d0000000000000"))
    >>> with_weights(spans)["sampling_weight"].to_list()
    [4.0]
    >>> with_weights(spans, {"api": 0.1})["sampling_weight"].to_list()
    [10.0]
    """
    frame = spans.lazy().drop(SAMPLING_WEIGHT, strict=False).collect()
    told = _told(frame, source)
    weight = pl.Series(SAMPLING_WEIGHT, [None] * frame.height, dtype=pl.Float64)
    if told:
        values = pl.DataFrame([one.weight.alias(str(place)) for place, one in enumerate(told.values())])
        weight = values.select(pl.coalesce(pl.all()).alias(SAMPLING_WEIGHT)).to_series()
    if weight.null_count():
        warn_caller(_what_is_missing(told, weight), SamplingWarning)
    weighted = frame.with_columns(weight)
    if isinstance(spans, pl.LazyFrame):
        return weighted.lazy()
    return weighted


@takes_any_frame
def weight_sources(spans: pl.DataFrame | pl.LazyFrame) -> pl.DataFrame:
    """List what spans record of how they were sampled.

    Returns
    -------
    One row per source that is there, of those that `with_weights` reads, in the order in which it prefers them:
    `source` (String), `spans` (UInt32, those that it gives a weight), `refused` (UInt32, those of which it says what
    cannot be trusted), `used` (UInt32, those whose weight `with_weights` takes from it), `least`, `largest` (Float64,
    its weights), `reason` (String, why most of the refused are; null where none is).

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... api    === SampleRate=20
    ...   db   .=
    ... ''')
    >>> weight_sources(spans).select("source", "spans", "used", "largest").rows()
    [('SampleRate', 1, 1, 20.0)]
    """
    frame = spans.lazy().collect()
    told = _told(frame, "auto")
    left = pl.Series([True] * frame.height, dtype=pl.Boolean)
    rows: list[dict[str, Any]] = []
    for name, one in told.items():
        known = one.weight.is_not_null()
        if not known.any() and not one.refused.count():
            continue
        used = known & left
        left &= ~known
        reasons = one.refused.drop_nulls().value_counts(sort=True)
        rows.append(
            {
                "source": name,
                "spans": known.sum(),
                "refused": one.refused.count(),
                "used": used.sum(),
                "least": one.weight.min(),
                "largest": one.weight.max(),
                "reason": reasons["refused"][0] if reasons.height else None,
            }
        )
    counts = ("spans", "refused", "used")
    return pl.DataFrame(
        rows,
        schema={
            "source": pl.String,
            **dict.fromkeys(counts, pl.UInt32),
            "least": pl.Float64,
            "largest": pl.Float64,
            "reason": pl.String,
        },
    )


def _told(frame: pl.DataFrame, source: Any) -> Told:
    """Give what each source says of the spans."""
    if isinstance(source, str) and not _POLICIES.search(source):
        names = list(SOURCES) if source == "auto" else [source]
        return {name: SOURCES[_known(name)](frame) for name in names}
    if _is_number(source):
        return {"the given rate": _of_rates(frame, {_REST: source})}
    if isinstance(source, Mapping) and source and all(_is_number(rate) for rate in source.values()):
        return {"the given rates": _of_rates(frame, source)}
    if is_head(source):
        return {"the sampler": _of_sampler(frame, source)}
    if _are_policies(source):
        return {"the policies": _of_policies(frame, source)}
    if isinstance(source, list | tuple) and source and all(isinstance(name, str) for name in source):
        return {name: SOURCES[_known(name)](frame) for name in dict.fromkeys(source)}
    if isinstance(source, pl.DataFrame | pl.LazyFrame) or hasattr(source, "__arrow_c_stream__"):
        decisions = source.collect() if isinstance(source, pl.LazyFrame) else source
        return {"the decisions": _of_decisions(frame, decisions)}
    if source is None or isinstance(source, bool | np.bool_ | list | tuple | set) or source == {}:
        raise TracelabError(
            f"`source` must be 'auto', the name of a source, a probability, a sampler or policies, got "
            f"{shown(source)}. Names are {', '.join(map(repr, SOURCES))}."
        )
    return {"the policies": _of_policies(frame, source)}


def _known(name: str) -> str:
    if name in SOURCES:
        return name
    near = get_close_matches(name, SOURCES, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else f" There are 'auto', {', '.join(map(repr, SOURCES))}."
    raise TracelabError(f"`source` names {shown(name)}, which is no source of weights.{hint}")


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_)


def _are_policies(source: Any) -> bool:
    """Tell the bare list of policies, which `tail_policies` takes, from a list of names."""
    return isinstance(source, list | tuple) and bool(source) and all(isinstance(each, Mapping) for each in source)


def _of_rates(frame: pl.DataFrame, rates: Mapping[Any, Any]) -> Recorded:
    """Look the rate of the service of each span up."""
    for name, rate in rates.items():
        if not isinstance(name, str):
            raise TracelabError(f"`source` maps names of services to probabilities, got the name {shown(name)}.")
        if share(f"source[{name!r}]" if name != _REST else "source", rate, ends=True, why=_KEPT_SHARE) == 0:
            raise TracelabError(
                f"`source` has the probability 0 for {name!r}, with which no span is kept. {_KEPT_SHARE}"
            )
    chances = {name: float(rate) for name, rate in rates.items() if name != _REST}
    rest = float(rates[_REST]) if _REST in rates else None
    warn_of_services(chances, frame["service_name"], "`source` has a probability")
    services = pl.col("service_name")
    return Recorded.of(frame, services.replace_strict(chances, default=rest, return_dtype=pl.Float64))


def _of_sampler(frame: pl.DataFrame, sampler: Any) -> Recorded:
    """Replay a head sampler: each span has the probability that it gives.

    The Collector's processor goes on from the thresholds that it finds, so that on what it has written itself it would
    sample once more.
    """
    found = replay(frame, sampler, missing_parents="root")
    chance = pl.Series(found.probability).fill_nan(None)
    replayed = Recorded.of(
        frame,
        pl.lit(chance),
        (pl.lit(~pl.Series(found.kept) & pl.Series(found.decided)), "would not have been kept by the sampler"),
    )
    return by_threshold(frame).before(replayed) if isinstance(sampler, ProbabilisticProcessor) else replayed


def _of_policies(frame: pl.DataFrame, policies: Any) -> Recorded:
    """Replay tail policies: each span has the probability of its trace, unless they would not have kept it.

    A decision that rests on simulated draws or arrivals says nothing against a span that is here.
    """
    decisions = tail_decisions(frame, policies)
    unkept = pl.col("decision").is_in(["not_sampled", "dropped"]) & ~pl.col("simulated")
    return _of_decisions(
        frame,
        decisions.with_columns(
            pl.when(unkept).then(0.0).otherwise("sampling_probability").alias("sampling_probability")
        ),
    )


def _of_decisions(frame: pl.DataFrame, decisions: Any) -> Recorded:
    """Look the decision on the trace of each span up."""
    table = as_polars(decisions, what="frame of decisions", remedy="sampling_decisions gives one.")
    for name in ("trace_id", "sampling_probability"):
        if name not in table.columns:
            raise SchemaError(f"A frame of decisions needs the column {name!r}, and there is none.")
    dtype = table.schema["sampling_probability"]
    if not dtype.is_numeric() and dtype != pl.Null:
        raise SchemaError(f"'sampling_probability' is {dtype}. Probabilities are numbers.")
    if table["trace_id"].is_duplicated().any():
        raise SchemaError("A frame of decisions has one row per trace, and some trace has several.")
    joined = frame.select("trace_id").join(
        table.select(pl.col("trace_id").cast(pl.String), chance=pl.col("sampling_probability").cast(pl.Float64)),
        on="trace_id",
        how="left",
        maintain_order="left",
    )
    chance = joined["chance"].fill_nan(None)
    if ((chance < 0) | (chance > 1)).any():
        raise TracelabError("'sampling_probability' must lie between 0 and 1.")
    return Recorded.of(frame, pl.lit(chance), (pl.lit(chance == 0), "would not have been kept"))


def _said_of(count: int, reason: str) -> str:
    """Say a reason of so many spans."""
    verb, _, others = reason.partition(" ")
    return f"{count:,} {_OF_ONE.get(verb, verb) if count == 1 else verb} {others}"


def _what_is_missing(told: Told, weight: pl.Series) -> str:
    """Put into words which spans have no weight, and why."""
    missing = weight.is_null()
    left = missing.clone()
    reasons: dict[str, int] = {}
    for one in told.values():
        here = one.refused.filter(left & one.refused.is_not_null())
        for reason, count in here.value_counts(sort=True).iter_rows():
            reasons[reason] = reasons.get(reason, 0) + count
        left = left & one.refused.is_null()
    silent = int(left.sum())
    parts = [_said_of(count, reason) for reason, count in reasons.items()]
    if silent:
        of = f"of {silent:,} " if parts else ""
        parts.append(f"{of}it is not known how they were sampled")
    known = [f"{one.weight.count():,} by {name}" for name, one in told.items() if one.weight.count()]
    also = f" Known are {', '.join(known)}." if known else ""
    if told.keys() <= SOURCES.keys() and not known:
        also = " If you know the rate or the policy, say it: with_weights(spans, 0.1)."
    count, whole = int(missing.sum()), counted(weight.len(), "span")
    spans = f"{count:,} of {whole}" if count < weight.len() else f"all {whole}" if count > 1 else whole
    return f"{SAMPLING_WEIGHT!r} is null on {spans}: {'; '.join(parts)}.{also}"
