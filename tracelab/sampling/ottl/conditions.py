"""Lists of conditions, as policies have them, answered for every span of a frame."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from tracelab.errors import PolicyError
from tracelab.options import shown
from tracelab.sampling.ottl.columns import Column, always, spread, truth_of
from tracelab.sampling.ottl.evaluating import Evaluator
from tracelab.sampling.ottl.parser import parse
from tracelab.sampling.ottl.paths import CONTEXTS
from tracelab.sampling.ottl.planning import Planner
from tracelab.sampling.ottl.reading import Rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracelab.sampling.ottl import plans as p
    from tracelab.sampling.releases import Version

ERROR_MODES: Final = ("propagate", "ignore", "silent")
"""What becomes of a condition that fails: it fails the whole, or it counts as not holding."""


@dataclass(frozen=True)
class Conditions:
    """OTTL conditions of which one is enough.

    Parameters
    ----------
    texts
        The conditions, in the order in which they are tried.
    context
        `span`, or `spanevent`: then the conditions are about the events of a span.
    error_mode
        `propagate`: where a condition fails, the whole fails. `ignore` or `silent`: the next condition is tried.
    version
        The version of the Collector, such as `(0, 161)`: what it does not have is refused. Without one it is the newest
        that is known.

    Raises
    ------
    PolicyError
        A text is no condition, or names what there is not: the Collector would not start with it.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw("api ==== http.status=500")
    >>> Conditions(['attributes["http.status"] >= 500']).evaluate(spans).row(0)
    (True, None)
    """

    texts: Sequence[str]
    context: str = "span"
    error_mode: str = "propagate"
    version: Version | None = None
    plans: tuple[p.Test, ...] = field(init=False, repr=False, compare=False)
    unreplayable: tuple[str, ...] = field(init=False, repr=False, compare=False)
    """What in the conditions cannot be replayed on a span frame, and why; spans on which it matters are unknown."""

    def __post_init__(self) -> None:
        """Read the conditions."""
        given: Any = self.texts
        if not isinstance(given, list | tuple):
            raise PolicyError(f"OTTL conditions are a list of texts, got {shown(given)}.")
        if self.context not in CONTEXTS:
            raise PolicyError(f"OTTL conditions are about {' or '.join(CONTEXTS)}, got {shown(self.context)}.")
        if self.error_mode not in ERROR_MODES:
            raise PolicyError(f"The error mode is {', '.join(ERROR_MODES)}, got {shown(self.error_mode)}.")
        plans, missing = [], []
        for text in self.texts:
            node = parse(text)
            planner = Planner(text, self.context, self.version)
            plans.append(planner.test(node))
            missing += planner.missing
        object.__setattr__(self, "texts", tuple(self.texts))
        object.__setattr__(self, "plans", tuple(plans))
        object.__setattr__(self, "unreplayable", tuple(dict.fromkeys(missing)))

    def evaluate(self, spans: pl.DataFrame) -> pl.DataFrame:
        """Answer the conditions for every span.

        Returns
        -------
        A row per span, in their order: `matches` Boolean, null where that is not known or where it fails, and `error`
        String, why it fails, null where it does not.
        """
        rows = Rows(spans, self.context)
        evaluator = Evaluator(rows)
        answers = [spread(evaluator.test(plan), rows.height) for plan in self.plans]
        found = _in_turn(answers, rows.height, fail=self.error_mode == "propagate")
        if rows.events is None:
            return found
        return _of_spans(rows.events["span"], found, spans.height)


def _in_turn(answers: list[Column], height: int, *, fail: bool) -> pl.DataFrame:
    """Try one condition after the other until one holds or fails."""
    truth = always(value=False, height=height)
    error = pl.Series([None], dtype=pl.String()).new_from_index(0, height)
    for answer in answers:
        held = truth_of(answer)
        if answer.failures is not None:
            failed = answer.failures.is_not_null()
            if fail:
                reached = error.is_null() & ~truth.fill_null(value=False)
                # Where an earlier condition is unknown, it is not known whether this one was tried.
                error = error.zip_with(~(reached & truth.is_not_null()), answer.failures)
                held = held.set(failed, None)
            else:
                held = held.set(failed, value=False)
        truth = (truth | held).set(error.is_not_null(), None)
    return pl.DataFrame({"matches": truth, "error": error})


def _of_spans(owners: pl.Series, found: pl.DataFrame, height: int) -> pl.DataFrame:
    """Try one event after the other until one holds or fails."""
    place = pl.int_range(pl.len())
    matches, error = pl.col("matches"), pl.col("error")
    firsts = (
        found.with_columns(span=owners)
        .group_by("span", maintain_order=True)
        .agg(
            holds=place.filter(matches).first(),
            fails=place.filter(error.is_not_null()).first(),
            unknown=place.filter(matches.is_null() & error.is_null()).first(),
            error=error.drop_nulls().first(),
        )
    )
    holds, fails, unsure = (pl.col(name).fill_null(2**32) for name in ("holds", "fails", "unknown"))
    decided = firsts.select(
        "span",
        pl.when(holds < fails)
        .then(statement=True)
        .when(fails < 2**32)
        .then(None)
        .when(unsure < 2**32)
        .then(None)
        .otherwise(statement=False)
        .alias("matches"),
        pl.when((fails < holds) & (fails < unsure)).then("error").alias("error"),
    )
    spans = pl.DataFrame({"span": pl.int_range(height, dtype=pl.UInt32, eager=True)})
    joined = spans.join(decided, on="span", how="left", maintain_order="left")
    without = ~spans["span"].is_in(owners.implode()) if owners.len() else always(value=True, height=height)
    return pl.DataFrame({"matches": joined["matches"].set(without, value=False), "error": joined["error"]})
