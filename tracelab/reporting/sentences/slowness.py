"""Slowness: requests that take far longer than their like, by the step that takes the time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from tracelab.analysis.latency.percentiles import latency_percentiles
from tracelab.reporting.asking import ROUTE
from tracelab.reporting.sentences.company import company_of
from tracelab.reporting.sentences.rows import SLOW, Finding
from tracelab.reporting.sentences.words import listed, named, operation, part, sentence, span_of
from tracelab.reporting.slow_requests import slow_requests
from tracelab.units import format_duration

if TYPE_CHECKING:
    from tracelab.reporting.asking import Asked

_MOSTLY: Final = 0.5
_STEP: Final = ["step_service", "step_name"]
_ROUTES: Final = 3


def slowness_findings(asked: Asked, failed: pl.DataFrame, changed: pl.DataFrame) -> list[Finding]:
    """Say which requests took far longer than their like.

    Left out are those that have been told of as failing (`place`), and those at a time when something was slower that
    has been told of, where the step was as slow at no other time.
    """
    slow = slow_requests(asked).join(failed, on="place", how="anti")
    then = slow.with_columns(then=pl.col("place").is_in(changed["place"].implode()))
    mostly = then.with_columns(mostly=pl.col("then").mean().over(_STEP) > _MOSTLY)
    left = mostly.filter(~(pl.col("then") & pl.col("mostly"))).drop("then", "mostly")
    groups = left.partition_by(_STEP, as_dict=True, maintain_order=True).values()
    found = [_told(asked, rows) for rows in groups if rows.height >= SLOW]
    return [one for one in found if one.harm > 0]


def _told(asked: Asked, rows: pl.DataFrame) -> Finding:
    """Say it for one step, whatever the routes that wait for it."""
    routes = rows.group_by(ROUTE).len().sort("len", *ROUTE, descending=[True, False, False])
    known = asked.requests.join(routes.select(ROUTE), on=ROUTE, how="semi")
    usual = known.join(rows.select("place"), on="place", how="anti")
    low, middle, high = _median(asked, rows)
    lower, typical, upper = _median(asked, usual)
    added = middle - typical
    bounds = (_less(low, upper), _less(high, lower))
    names = [named(name) for name in routes["route"][:_ROUTES]]
    more = f" and {routes.height - _ROUTES:,} more routes" if routes.height > _ROUTES else ""
    step = operation(rows["step_service"][0], rows["step_name"][0])
    text = (
        f"{part(rows.height, known.height, 'requests', f' to {listed(names)}{more}')} took "
        f"{format_duration(added)} longer "
        f"than the others{span_of(*bounds)}, {format_duration(middle)} rather than {format_duration(typical)} "
        f"(medians): {step} took the time"
    )
    company = company_of(asked, rows, usual, (rows["step_service"][0], rows["step_name"][0]))
    text += f"; {company}" if company else ""
    exemplar = rows.sort("duration", "trace_id")["trace_id"][(rows.height - 1) // 2]
    return Finding(
        sentence(text),
        "slowness",
        rows["step_service"][0],
        routes["route"][0],
        rows.height,
        known.height,
        max(bounds[0] or 0, 0) * rows.height / 1e9,
        "critical_path_profile",
        exemplar,
        added=added,
        added_lower=bounds[0],
        added_upper=bounds[1],
        same=rows["step_name"][0],
    )


def _less(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one - other


def _median(asked: Asked, requests: pl.DataFrame) -> tuple[int | None, int, int | None]:
    """Give the median of requests between its bounds, in nanoseconds."""
    spans = asked.frame[requests["place"]]
    found = latency_percentiles(spans, by=None, quantiles=(0.5,), entry_only=False)
    low, middle, high = found.select(pl.col("lower", "duration", "upper").dt.total_nanoseconds()).row(0)
    return low, int(middle), high
