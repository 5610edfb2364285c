"""A sampler, or a fleet of them, replayed on spans: what is kept, how likely that was, and what it says of itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from tracelab.errors import QueryWarning, SamplingWarning, TracelabError, warn_caller
from tracelab.forest import NOBODY, Forest
from tracelab.options import choice, shown
from tracelab.sampling.head.cells import Cells, numbers_of
from tracelab.sampling.head.processor import ProbabilisticProcessor, process
from tracelab.sampling.head.ratios import kept_from
from tracelab.sampling.head.samplers import (
    NO_THRESHOLD,
    Sampler,
    sampled_of,
    sampler_option,
    states,
    thresholds_of,
)
from tracelab.sampling.head.walking import ROOT, Fates, Spans, walk
from tracelab.sampling.ids import TraceIds
from tracelab.sampling.trace_state import SamplingState, with_sampling

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Ints

MISSING_PARENTS: Final = ("root", "sampled", "not_sampled")
_REST: Final = "*"
_MOST_THRESHOLDS: Final = 500
_SAYS_REMOTE: Final = 0x100
_IS_REMOTE: Final = 0x200


@dataclass(frozen=True)
class Writing:
    """What is written into trace states, one array item per row.

    Attributes
    ----------
    thresholds, randomness
        The new values; what is too large takes out what is there. None leaves it.
    rewritten
        Which are written at all; None is all.
    order
        Which value comes first.
    """

    thresholds: Ints
    randomness: Ints | None
    rewritten: Flags | None
    order: tuple[str, str]


@dataclass(frozen=True)
class Replay:
    """What became of spans, one array item per row.

    Attributes
    ----------
    ids
        Their trace ids.
    kept
        Whether a span is kept.
    probability
        How likely that was; NaN where nobody knows.
    decided
        Whether there could be a decision; where there could not, the span is not kept.
    writing
        What is written into the trace states of what is kept; None where nothing is.
    """

    ids: TraceIds = field(repr=False)
    kept: Flags = field(repr=False)
    probability: npt.NDArray[np.float64] = field(repr=False)
    decided: Flags = field(repr=False)
    writing: Writing | None = field(repr=False)

    def trace_states(self, texts: pl.Series) -> pl.Series | None:
        """Give the trace states of the spans that are kept, from those of all; None where they stay as they are."""
        if self.writing is None:
            return None
        rows = np.flatnonzero(self.kept)
        old = texts.gather(pl.Series(rows))
        randomness, rewritten = self.writing.randomness, self.writing.rewritten
        new = with_sampling(
            old,
            thresholds=self.writing.thresholds[rows],
            randomness=None if randomness is None else randomness[rows],
            order=self.writing.order,
        )
        if rewritten is None:
            return new
        return pl.select(pl.when(pl.Series(rewritten[rows])).then(new).otherwise(old)).to_series().alias(new.name)


def replay(spans: pl.DataFrame, fleet: Any, *, missing_parents: Any) -> Replay:
    """Decide on every span of a frame that has a tree."""
    missing = choice("missing_parents", missing_parents, MISSING_PARENTS)
    checked = fleet_option(fleet)
    ids = TraceIds.of(spans["trace_id"])
    if isinstance(checked, ProbabilisticProcessor):
        found = _processed(checked, spans, ids)
    else:
        found = _sampled(checked, spans, ids, missing)
    if not found.decided.all():
        _warn_of_ids(found)
    return found


def fleet_option(fleet: Any) -> ProbabilisticProcessor | dict[str, Sampler]:
    """Give a fleet back: the Collector's processor, or a sampler per service.

    Raises
    ------
    TracelabError
        It is none.
    """
    if isinstance(fleet, ProbabilisticProcessor):
        return fleet
    if not isinstance(fleet, Mapping):
        return {_REST: sampler_option("sampler", fleet)}
    if not fleet:
        raise TracelabError("A fleet names services and their samplers, and this one names none. `*` is all services.")
    for name in fleet:
        if not isinstance(name, str):
            raise TracelabError(f"A fleet names services by text, got {shown(name)}. `*` is the rest.")
    return {name: sampler_option(name, sampler) for name, sampler in fleet.items()}


def _processed(processor: ProbabilisticProcessor, spans: pl.DataFrame, ids: TraceIds) -> Replay:
    found = process(processor, spans, ids)
    known = ids.known[ids.number]
    writing = Writing(found.thresholds, found.randomness, found.rewritten, ("rv", "th"))
    return Replay(ids, found.kept & known, np.where(known, found.probability, np.nan), known, writing)


def _sampled(fleet: dict[str, Sampler], spans: pl.DataFrame, ids: TraceIds, missing: str) -> Replay:
    samplers = list(dict.fromkeys(fleet.values()))
    service = _sampler_numbers(fleet, samplers, spans["service_name"])
    writes = any(sampler.writes_thresholds for sampler in samplers)
    state = SamplingState.of(spans["trace_state"])
    explicit, given = _explicit(state.randomness, spans["tree_left"], ids)
    incoming = _incoming(state.threshold) if missing != "root" else []
    sets = [kept for sampler in samplers for kept in sampler.sets()]
    sets += [kept_from(threshold) for threshold in incoming if writes]
    cells = Cells.cut(sets, numbers_of(ids, explicit, given))
    fates = Fates(cells, samplers)
    if writes or any(sampler.reads_parents for sampler in samplers):
        fate = walk(_placed(spans, service, state, fates, missing), fates)
    else:
        fate = fates.below(np.full(spans.height, ROOT), 2 * service)
    return _told(ids, cells, fates, fate, writes=writes)


def _told(ids: TraceIds, cells: Cells, fates: Fates, fate: Ints, *, writes: bool) -> Replay:
    """Look up what the fates mean for the ids that the spans have."""
    table = np.stack(fates.states)
    cell = cells.cell[ids.number]
    found = table[fate, cell]
    sampled = sampled_of(table)
    used = np.flatnonzero(np.bincount(fate, minlength=1)).tolist()
    share, by_id, by_first = (np.zeros(len(table), dtype=kind) for kind in (float, bool, bool))
    for number in used:
        share[number] = cells.share(sampled[number])
        read = cells.read(sampled[number])
        by_id[number] = bool(read)
        by_first[number] = "high" in read or "swapped" in read
    decided = ~by_id[fate] | ids.valid[ids.number]
    # Ids of 16 digits have nothing where some SDKs look.
    unlike = by_first[fate] & (ids.high == 0)[ids.number]
    return Replay(
        ids,
        sampled_of(found) & decided,
        np.where(decided & ~unlike, share[fate], np.nan),
        decided,
        Writing(thresholds_of(found), None, None, ("th", "rv")) if writes else None,
    )


def _incoming(thresholds: pl.Series) -> list[int]:
    """List the thresholds that missing parents may have had."""
    different: list[int] = thresholds.drop_nulls().unique().sort().to_list()
    if len(different) > _MOST_THRESHOLDS:
        raise TracelabError(
            f"The trace states have {len(different):,} different thresholds, and no fleet has more than "
            f"{_MOST_THRESHOLDS}. Decide with missing_parents='root', which needs none of them."
        )
    return different


def _placed(spans: pl.DataFrame, service: Ints, state: SamplingState, fates: Fates, missing: str) -> Spans:
    forest = Forest.of(spans)
    parent = forest.parent
    above = np.full(spans.height, ROOT)
    if missing != "root":
        orphans = np.flatnonzero((parent == NOBODY) & spans["parent_span_id"].is_not_null().to_numpy())
        thresholds = state.threshold.cast(pl.Int64).fill_null(NO_THRESHOLD).to_numpy()[orphans]
        different, place = np.unique(thresholds, return_inverse=True)
        everywhere = np.full_like(fates.states[ROOT], missing == "sampled").astype(bool)
        numbers = [fates.number(states(np.full(everywhere.size, each), everywhere)) for each in different.tolist()]
        above[orphans] = np.array(numbers, dtype=np.int64)[place.ravel()]
    return Spans(parent, forest.depth, 2 * service + _remote(spans, parent), above)


def _remote(spans: pl.DataFrame, parent: Ints) -> Ints:
    """Mark the spans whose parent is in another process, as far as that can be told."""
    flags = spans["flags"].cast(pl.Int64).fill_null(0).to_numpy()
    row = pl.Series(np.where(parent == NOBODY, np.arange(parent.size), parent))
    service = spans["service_name"]
    elsewhere = (service != service.gather(row)).to_numpy()
    entering = spans["kind"].is_in(["server", "consumer"]).to_numpy()
    said = (flags & _SAYS_REMOTE) > 0
    return np.where(said, (flags & _IS_REMOTE) > 0, elsewhere | entering).astype(np.int64)


def _explicit(randomness: pl.Series, tree_left: pl.Series, ids: TraceIds) -> tuple[npt.NDArray[np.uint64], Flags]:
    """Give every trace the explicit random value that its spans hand on; the first in the tree where they differ."""
    values = np.zeros(ids.texts.len(), dtype=np.uint64)
    given = np.zeros(values.size, dtype=bool)
    rows = np.flatnonzero(randomness.is_not_null().to_numpy())
    rows = rows[np.argsort(tree_left.to_numpy()[rows])[::-1]]
    number = ids.number[rows]
    # The first span of a trace comes last here, and stays.
    values[number] = randomness.fill_null(0).to_numpy()[rows]
    given[number] = True
    return values, given


def _sampler_numbers(fleet: dict[str, Sampler], samplers: list[Sampler], services: pl.Series) -> Ints:
    if list(fleet) == [_REST]:
        return np.zeros(services.len(), dtype=np.int64)
    there = services.unique().to_list()
    missing = sorted(name for name in there if name not in fleet and _REST not in fleet)
    if missing:
        raise TracelabError(
            f"The fleet has no sampler for {', '.join(map(repr, missing[:5]))}"
            f"{f' and {len(missing) - 5} more' if len(missing) > 5 else ''}. Name them, or add `*` for the rest."
        )
    warn_of_services(fleet, services, "The fleet has a sampler")
    rest = samplers.index(fleet[_REST]) if _REST in fleet else 0
    numbers = {name: samplers.index(sampler) for name, sampler in fleet.items()}
    return services.replace_strict(numbers, default=rest, return_dtype=pl.Int64).to_numpy()


def warn_of_services(named: Iterable[str], services: pl.Series, what: str) -> None:
    """Warn of names that no service has, where a service of nearly that name is not named."""
    there, names = services.drop_nulls().unique().to_list(), list(named)
    others = [name for name in there if name not in names]
    for name in names:
        if name not in there and (near := get_close_matches(name, others, n=1)):
            warn_caller(f"{what} for {name!r}, and no span is of that service. Did you mean {near[0]!r}?", QueryWarning)


def _warn_of_ids(found: Replay) -> None:
    count = int(np.count_nonzero(~found.decided))
    example = found.ids.texts[int(found.ids.number[np.argmin(found.decided)])]
    warn_caller(
        f"{count:,} spans have a trace id that no sampler can decide on, such as {example!r}: they are not kept. "
        "Trace ids are 32 or 16 hex digits, not all of them 0.",
        SamplingWarning,
    )
