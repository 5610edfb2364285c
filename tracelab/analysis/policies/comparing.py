"""Policies side by side: what each costs, what it hides, and how right its figures are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from tracelab.analysis.latency.percentiles import percentile_names
from tracelab.analysis.policies.fidelity import compared_figures, true_figures
from tracelab.analysis.policies.losses import KINDS, things, user_column
from tracelab.analysis.policies.replayed import BROKEN, BYTES, FAILED, TRACE, described, measured, replayed
from tracelab.conforming import takes_any_frame
from tracelab.errors import TracelabError
from tracelab.options import share, shown
from tracelab.sampling.deciding import KEPT
from tracelab.sampling.presets import trace_lengths

if TYPE_CHECKING:
    from tracelab.analysis.grouping import Spans

_DAY: Final = 86_400
_SECOND: Final = 1_000_000_000
_SLOW: Final = "__slow"
_BAD: Final = "__bad"


@takes_any_frame
def compare_policies(
    spans: Spans,
    policies: Mapping[str, Any],
    *,
    quantile: float = 0.95,
    user: str | None = None,
    confidence: float = 0.95,
    arrival: Any = None,
    missing_parents: str = "root",
) -> pl.DataFrame:
    """Put sampling policies side by side: what each would have cost, lost, and got wrong on these spans.

    Parameters
    ----------
    spans
        The spans, taken for all that there was.
    policies
        Names, and a policy for each: whatever `sampling_decisions` takes.
    quantile
        Which quantile of the durations is compared; and traces that are longer than that quantile of all traces are the
        slow ones.
    user
        The key of the attribute that names users, as in `sampling_losses`.
    confidence
        The confidence of the intervals.
    arrival
        Of tail policies: when each span came, as in `sample_tail`.
    missing_parents
        Of head samplers: what became of parents that are not in the frame, as in `sample_head`.

    Returns
    -------
    One row per policy, in their order: `policy` (String), `traces_kept_share`, `spans_kept_share`, `bytes_kept_share`
    (Float64, of all there was), `spans_per_second`, `bytes_per_day` (Float64, what is kept, at the pace of these spans;
    bytes as in `sampling_report`), `failed_traces_kept_share`, `slow_traces_kept_share` (Float64, of the traces with a
    failed span, and of the slow ones; null if there are none), `failures_lost`, `routes_lost`, `users_lost`,
    `services_lost` (UInt32, see `sampling_losses`), `broken_traces` (UInt32, see `sampling_report`), then how far its
    figures are off, each the mean over services, weighted by their requests: `error_rate_off_kept`, `error_rate_off`
    (Float64, the difference between the true error rate and that of what is kept, and its weighted estimate),
    `duration_off_kept`, `duration_off` (Float64, the same of the quantile, as a share of the true one), and
    `intervals_right_share` (Float64, of the weighted intervals of services, of error rates and quantiles, those that
    hold the true figure; null where there is none). A service of which nothing is kept, or some requests never are
    (its `untold_requests`), has no estimate, which counts with an error of its whole rate, and of 100 %.

    Raises
    ------
    TracelabError
        There are no policies, or one is refused, or another option is not what it should be.
    SchemaError
        The spans cannot be conformed, or `arrival` gives no times.

    Examples
    --------
    >>> from tracelab.sampling import AlwaysOn, presets
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... api  ====
    ...
    ... api  ====!
    ... ''')
    >>> compared = compare_policies(spans, {"all": AlwaysOn(), "errors": presets.production(ratio=0)})
    >>> compared.select("policy", "traces_kept_share", "failed_traces_kept_share", "error_rate_off_kept").rows()
    [('all', 1.0, 1.0, 0.0), ('errors', 0.5, 1.0, 0.5)]
    """
    named = _named(policies)
    shares = share("quantile", quantile, ends=False)
    users = user_column(spans, user)
    frame = described(measured(spans.lazy().collect()), users)
    whole = _Whole.of(frame, shares, confidence)
    rows = []
    for name, policy in named.items():
        try:
            told = replayed(whole.spans, policy, arrival=arrival, missing_parents=missing_parents)
        except TracelabError as error:
            error.add_note(f"This is about the policy {name!r}.")
            raise
        rows.append(pl.DataFrame({"policy": name}).hstack(whole.beside(told)))
    # Of no spans there are no shares.
    return pl.concat(rows).with_columns(pl.col(pl.Float64).fill_nan(None))


def _named(policies: Any) -> dict[str, Any]:
    if not isinstance(policies, Mapping) or not policies or not all(isinstance(name, str) for name in policies):
        raise TracelabError(
            f"`policies` must map names to policies, got {shown(policies)}. "
            "Write {'today': 'collector.yaml', 'tomorrow': tl.sampling.presets.production()}."
        )
    return dict(policies)


@dataclass(frozen=True)
class _Whole:
    """All there was.

    Attributes
    ----------
    spans
        The spans, each marked where its trace failed or was slow.
    seconds
        From the first start to the last end.
    quantile
        Which quantile is compared.
    options
        How figures are made, of all there was and of what is kept.
    true
        The figures of services.
    """

    spans: pl.DataFrame
    seconds: float
    quantile: float
    options: dict[str, Any]
    true: pl.DataFrame

    @classmethod
    def of(cls, frame: pl.DataFrame, quantile: float, confidence: float) -> _Whole:
        lengths = trace_lengths(frame.lazy()).collect()
        limit = lengths["length"].quantile(quantile, interpolation="linear")
        slow = lengths.filter(pl.col("length") > (limit or 0))["trace_id"]
        marked = frame.with_columns(
            pl.col("trace_id").is_in(slow.implode()).alias(_SLOW), pl.col(FAILED).any().over(TRACE).alias(_BAD)
        )
        options = {"by": "service_name", "every": None, "entry_only": True, "confidence": confidence}
        true = true_figures(frame, ["service_name"], [quantile], options)
        return cls(marked, seconds_of(frame), quantile, options, true)

    def beside(self, told: pl.DataFrame) -> pl.DataFrame:
        """Measure what a policy keeps against all there was."""
        kept = pl.col(KEPT)
        traces = told.lazy().group_by(TRACE).agg(kept.any(), pl.col(_SLOW, _BAD).first(), pl.col(BROKEN).any())
        pace = 1 / self.seconds if self.seconds else None
        costs = told.select(
            traces_kept_share=pl.lit(None, dtype=pl.Float64),
            spans_kept_share=kept.mean(),
            bytes_kept_share=pl.col(BYTES).filter(kept).sum() / pl.col(BYTES).sum(),
            spans_per_second=kept.sum() * pl.lit(pace, dtype=pl.Float64),
            bytes_per_day=pl.col(BYTES).filter(kept).sum() * pl.lit(pace, dtype=pl.Float64) * _DAY,
        )
        by_trace = traces.select(
            traces_kept_share=kept.mean(),
            failed_traces_kept_share=kept.filter(_BAD).mean(),
            slow_traces_kept_share=kept.filter(_SLOW).mean(),
            broken_traces=pl.col(BROKEN).sum().cast(pl.UInt32),
        ).collect()
        lost = things(told).filter(pl.col("spans_kept") == 0).group_by("kind").len()
        counts = {kind: lost.filter(pl.col("kind") == kind)["len"].sum() for kind in KINDS}
        return (
            costs.with_columns(by_trace["traces_kept_share"])
            .hstack(by_trace.select("failed_traces_kept_share", "slow_traces_kept_share"))
            .with_columns(pl.lit(counts[kind], dtype=pl.UInt32).alias(f"{kind}s_lost") for kind in KINDS)
            .hstack([by_trace["broken_traces"]])
            .hstack(self._deviations(told))
        )

    def _deviations(self, told: pl.DataFrame) -> pl.DataFrame:
        """Say how far the figures of services are off, weighted by their requests."""
        found = compared_figures(self.true, told, ["service_name"], [self.quantile], self.options)
        name = percentile_names([self.quantile])[0]
        asked = pl.col("requests")
        rate, length = pl.col("error_rate"), pl.col(name).to_physical()

        def off(values: pl.Expr) -> pl.Expr:
            return (values * asked).sum() / asked.sum()

        def apart(column: str) -> pl.Expr:
            return (pl.col(column) - rate).abs().fill_null(rate)

        def longer(column: str) -> pl.Expr:
            share = ((pl.col(column).to_physical() - length) / length).abs()
            return pl.when(length > 0).then(share.fill_null(1.0))

        rates = rate.is_between("error_rate_lower", "error_rate_upper")
        low, high = pl.col(f"{name}_lower"), pl.col(f"{name}_upper")
        lengths = (low.is_null() | (pl.col(name) >= low)) & (high.is_null() | (pl.col(name) <= high))
        told_of = pl.col(f"{name}_weighted").is_not_null()
        return found.filter(asked > 0).select(
            error_rate_off_kept=off(apart("error_rate_kept")),
            error_rate_off=off(apart("error_rate_weighted")),
            duration_off_kept=off(longer(f"{name}_kept")),
            duration_off=off(longer(f"{name}_weighted")),
            intervals_right_share=pl.concat([rates.filter(told_of), lengths.filter(told_of)]).mean(),
        )


def seconds_of(frame: pl.DataFrame) -> float:
    """Give the time from the first start to the last end; 0 where there is none."""
    start = pl.col("start_time").to_physical()
    end = start + pl.col("duration").to_physical()
    return float(frame.select((end.max() - start.min()) / _SECOND).item() or 0.0)
