"""compare: what sets a selection of traces or spans apart from the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from tracelab.differences import significance
from tracelab.differences.attributes.explaining import Difference, explained
from tracelab.differences.attributes.folding import folded
from tracelab.differences.attributes.pairs import members, pairs_of
from tracelab.differences.attributes.traits import CALL_PATH, KINDS, OPERATION, PAIR, PRESENCE, Label, traits_of
from tracelab.differences.sides import Sides, Unit, Where, sides_of
from tracelab.errors import QueryWarning, warn_caller
from tracelab.options import flag, share

if TYPE_CHECKING:
    from tracelab.differences.attributes.folding import Folded
    from tracelab.differences.attributes.traits import Numbers, Traits
    from tracelab.differences.significance import Tables


KIND: Final = pl.Enum(KINDS)
DIFFERENCES: Final = pl.Schema(
    {
        "finding": pl.String(),
        "kind": KIND,
        "attribute": pl.String(),
        "value": pl.String(),
        "service_name": pl.String(),
        "selection_count": pl.UInt32(),
        "baseline_count": pl.UInt32(),
        "selection_share": pl.Float64(),
        "baseline_share": pl.Float64(),
        "selection_median": pl.Float64(),
        "baseline_median": pl.Float64(),
        "difference": pl.Float64(),
        "difference_lower": pl.Float64(),
        "difference_upper": pl.Float64(),
        "effect": pl.Float64(),
        "effect_lower": pl.Float64(),
        "effect_upper": pl.Float64(),
        "p_value": pl.Float64(),
        "q_value": pl.Float64(),
        "explained_by": pl.String(),
        "also": pl.List(pl.String()),
        "note": pl.String(),
        "exemplars": pl.List(pl.String()),
    }
)
_STRUCTURE: Final = {OPERATION, CALL_PATH, PRESENCE}
_EXEMPLARS: Final = 3
_LEAST: Final = 0.05
"""What could not be told from chance even so is not asked, however large `q` is."""
_ALSO: Final = 10
_FEWEST: Final = 2
"""With fewer values on a side ranks say nothing."""


def compare(
    selection: Any,
    baseline: Any = None,
    *,
    where: Where | None = None,
    unit: Unit = "trace",
    q: float = 0.05,
    pairs: bool = True,
    confidence: float = 0.95,
) -> pl.DataFrame:
    r"""Find what sets some traces or spans apart from others: values of attributes, services, operations, call paths.

    Every value of every attribute, every service, operation and call path is a question: do more (or fewer) units of
    the selection have it than of the baseline? Numeric attributes are compared as distributions. Only what cannot be
    chance is given, those first that stand on their own; what only follows from them comes after, and says so.

    Parameters
    ----------
    selection
        The spans that are of interest; with `where`, all spans.
    baseline
        The spans to compare them with.
    where
        Which spans of one frame are selected: TraceQL such as `traceDuration > 800ms`, or an expression of polars that
        is true for them. All others are the baseline.
    unit
        What is counted. `"trace"`: a trace has what any of its spans has, however often; with `where` it is selected
        if any of its spans is. `"span"`: every span counts for itself.
    q
        The rate of false discoveries that is accepted: of what is given, no larger share than this is expected to be
        chance. 1 gives all that was asked, though pairs only where they say more than their parts.
    pairs
        Whether to look for pairs of values too, such as a version for one kind of customer, that say more together
        than each alone. Half of `q` is for them then.
    confidence
        How sure the intervals are.

    Returns
    -------
    One row per difference: `finding` (String, what the selection has more or less of), `kind` (Enum: value, number,
    presence, service, operation, call path, pair), `attribute`, `value`, `service_name` (String, null where it is not
    about such a thing; values of resources and spans are those of one service where `service_name` is there),
    `selection_count`, `baseline_count` (UInt32, units that have it), `selection_share`, `baseline_share` (Float64, of
    all units of the side), `selection_median`, `baseline_median` (Float64, of a numeric attribute), `difference`,
    `difference_lower`, `difference_upper` (Float64, of the shares, or of the medians; null where a side has none),
    `effect`, `effect_lower`, `effect_upper` (Float64, -1 to 1: the difference of the shares, or for numbers Cliff's
    delta, how much more often a value of the selection is the larger one than the smaller), `p_value`, `q_value`
    (Float64, the smallest `q` at which it is given), `explained_by` (String, the finding that it follows from; null
    where it stands on its own), `also` (List(String), up to 10 others that the same units have), `note` (String, that
    an attribute is nearly unique), `exemplars` (List(String), ids of up to 3 units that have it, of the side that has
    more). First what stands on its own, strongest first; then what follows from it, strongest first.

    Raises
    ------
    TracelabError
        There are both a baseline and a condition, or neither; an option is none.
    QueryError
        `where` is no query for spans.
    SchemaError
        A frame cannot be conformed.

    Warns
    -----
    QueryWarning
        A side is empty, so that there is nothing to compare.

    Notes
    -----
    Shares are compared by Fisher's exact test, numbers (the mean of a trace) by that of Mann and Whitney; the rate of
    false discoveries is controlled as Benjamini and Hochberg have it, over all questions that were asked. What all
    units have, and what so few have that nothing could be said of it, is not asked. The intervals of shares are
    Newcombe's, those of medians Price and Bonett's. A pair has to be above both of its parts, and above what they add
    up to. What is explained by what is decided by the test of Cochran, Mantel and Haenszel within strata.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> fast = "\n".join("api::GET / ==== version=1.8 \n\n" for _ in range(20))
    >>> slow = "\n".join("api::GET / ========= version=1.9 \n\n" for _ in range(20))
    >>> found = compare(draw(fast + slow), where="traceDuration > 5ms")
    >>> found.select("finding", "selection_share", "baseline_share").row(0)
    ('span.version = 1.9 of api', 1.0, 0.0)
    """
    q = share("q", q, ends=True, why="0.05 is usual.")
    share("confidence", confidence, ends=False, why="0.95 is usual.")
    pairs = flag("pairs", pairs)
    sides = sides_of(selection, baseline, where, unit)
    if not all(sides.sizes):
        warn_caller(_nothing(sides), QueryWarning)
        return DIFFERENCES.to_frame()
    return _Comparison(sides, q, confidence, pairs=pairs).answer()


@dataclass(frozen=True)
class _Row:
    """What is known of one difference."""

    label: Label
    difference: Difference
    row: dict[str, Any]


class _Comparison:
    """One comparison: its questions, and what came of them."""

    def __init__(self, sides: Sides, q: float, confidence: float, *, pairs: bool) -> None:
        self.sides, self.q, self.confidence, self.pairs = sides, q, confidence, pairs

    def answer(self) -> pl.DataFrame:
        """Ask all questions, and put what was found into order."""
        traits, numbers = traits_of(self.sides, least_p=min(self.q, _LEAST))
        alone = self._counted(traits)
        selected_more = np.greater(*alone.shares)
        kept = folded(traits, self.sides.count, selected_more)
        rows = self._singles(kept, numbers)
        own = [row.difference for row in rows]
        standing, by = explained(own, self.sides.selected, self.q)
        # A pair that follows from something else says nothing new: there are as many as things to pair it with.
        by = {number: reason for number, reason in by.items() if rows[number].label.kind != PAIR}
        words = [row.row["finding"] for row in rows]
        rest = sorted(by, key=lambda number: (-own[number].strength, words[number]))
        records = []
        for number in (*standing, *rest):
            reason = words[by[number]] if number in by else None
            records.append({**rows[number].row, "explained_by": reason, "exemplars": self._exemplars(rows[number])})
        return pl.DataFrame(records, schema=DIFFERENCES)

    def _counted(self, traits: Traits) -> Tables:
        inside = traits.sums(self.sides.selected.astype(np.int64)).astype(np.int64)
        return significance.tables(inside, traits.sizes - inside, self.sides.sizes)

    def _singles(self, kept: Folded, numbers: list[Numbers]) -> list[_Row]:
        """Find the differences, before it is known which follow from which."""
        traits = kept.traits
        found = self._counted(traits)
        strength = significance.log_likelihood_ratio(found)
        p = significance.fisher(found)
        ranked = [self._ranks(each) for each in numbers]
        some = [(each, ranks) for each, ranks in zip(numbers, ranked, strict=True) if ranks]
        all_p = np.concatenate((p, [ranks.p_value for _, ranks in some]))
        families = 2 if self.pairs else 1
        adjusted = np.minimum(significance.benjamini_hochberg(all_p) * families, 1.0)
        rows = []
        number: int
        for number in np.flatnonzero(adjusted[: p.size] <= self.q).tolist():
            units = traits.of(number).astype(np.int64)
            row = self._shares(traits.labels[number], found.at(np.array([number])), kept.also[number])
            row |= {"p_value": float(p[number]), "q_value": float(adjusted[number])}
            rows.append(
                _Row(
                    traits.labels[number],
                    Difference(
                        units, None, float(strength[number]), structure=traits.labels[number].kind in _STRUCTURE
                    ),
                    row,
                )
            )
        for (each, ranks), q_value in zip(some, adjusted[p.size :].tolist(), strict=True):
            if q_value <= self.q:
                row = self._medians(each, ranks) | {"p_value": ranks.p_value, "q_value": q_value}
                rows.append(_Row(each.label, Difference(None, each, ranks.chi), row))
        if self.pairs:
            rows += self._pairs(kept, found, strength)
        return rows

    def _pairs(self, kept: Folded, alone: Tables, strength: npt.NDArray[np.float64]) -> list[_Row]:
        traits = kept.traits
        found = pairs_of(traits, self.sides.selected, alone, strength)
        adjusted = np.minimum(significance.benjamini_hochberg(found.p_value, among=found.asked) * 2, 1.0)
        together = significance.log_likelihood_ratio(found.both)
        rows = []
        number: int
        for number in np.flatnonzero(adjusted <= self.q).tolist():
            one, other = int(found.one[number]), int(found.other[number])
            if together[number] <= max(strength[one], strength[other]):
                continue  # one of its parts explains more
            label = _both(traits.labels[one], traits.labels[other])
            units = members(traits, one, other).astype(np.int64)
            row = self._shares(label, found.both.at(np.array([number])), [])
            row["finding"] = f"{traits.labels[one]} and {traits.labels[other]}"
            row |= {"p_value": float(found.p_value[number]), "q_value": float(adjusted[number])}
            rows.append(_Row(label, Difference(units, None, float(together[number])), row))
        return rows

    def _shares(self, label: Label, found: Tables, also: list[str]) -> dict[str, Any]:
        (one,), (other,) = found.shares
        (low,), (high,) = significance.difference_interval(found, self.confidence)
        return {
            **_named(label),
            "selection_count": int(found.selection[0]),
            "baseline_count": int(found.baseline[0]),
            "selection_share": float(one),
            "baseline_share": float(other),
            "difference": float(one - other),
            "difference_lower": float(low),
            "difference_upper": float(high),
            "effect": float(one - other),
            "effect_lower": float(low),
            "effect_upper": float(high),
            "also": [*also[:_ALSO], *([f"and {len(also) - _ALSO:,} more"] if len(also) > _ALSO else [])],
        }

    def _ranks(self, numbers: Numbers) -> significance.RankSum | None:
        inside = self.sides.selected[numbers.units]
        if min(int(inside.sum()), int((~inside).sum())) < _FEWEST:
            return None
        return significance.rank_sum(numbers.means[inside], numbers.means[~inside], self.confidence)

    def _medians(self, numbers: Numbers, ranks: significance.RankSum) -> dict[str, Any]:
        inside = self.sides.selected[numbers.units]
        one, other, low, high = significance.median_difference(
            numbers.means[inside], numbers.means[~inside], self.confidence
        )
        counts = int(inside.sum()), int((~inside).sum())
        return {
            **_named(numbers.label),
            "selection_count": counts[0],
            "baseline_count": counts[1],
            "selection_share": counts[0] / self.sides.sizes[0],
            "baseline_share": counts[1] / self.sides.sizes[1],
            "selection_median": one,
            "baseline_median": other,
            "difference": one - other,
            "difference_lower": low,
            "difference_upper": high,
            "effect": ranks.effect,
            "effect_lower": ranks.low,
            "effect_upper": ranks.high,
            "also": [],
        }

    def _exemplars(self, row: _Row) -> list[str]:
        """Give the ids of some units that have it, of the side that has more; the most extreme of a number."""
        more = row.row["effect"] > 0
        selected = self.sides.selected
        if row.difference.units is not None:
            units = row.difference.units[selected[row.difference.units] == more]
        elif (numbers := row.difference.numbers) is not None:
            own = np.flatnonzero(selected[numbers.units])
            order = np.argsort(-numbers.means[own] if more else numbers.means[own], kind="stable")
            units = numbers.units[own[order]]
        else:
            return []
        return self.sides.ids.gather(pl.Series(units[:_EXEMPLARS])).to_list()


def _named(label: Label) -> dict[str, Any]:
    return {
        "finding": str(label),
        "kind": KINDS[label.kind],
        "attribute": label.attribute,
        "value": label.value,
        "service_name": label.service,
        "note": label.note,
    }


def _both(one: Label, other: Label) -> Label:
    parts = [part.attribute or KINDS[part.kind] for part in (one, other)]
    values = [part.value or "any" for part in (one, other)]
    service = one.service if one.service == other.service else None
    return Label(PAIR, " and ".join(parts), " and ".join(values), service)


def _nothing(sides: Sides) -> str:
    selected, others = sides.sizes
    if len(sides.parts) == 1:
        matched = f"`where` holds for {selected:,} of {sides.count:,} {sides.unit}s"
        return f"There is nothing to compare: {matched}, so that one side is empty. Choose another condition."
    empty = "selection" if not selected else "baseline"
    return f"There is nothing to compare: the {empty} has no spans ({selected:,} and {others:,} {sides.unit}s)."
