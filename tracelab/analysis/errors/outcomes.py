"""Outcomes: what callers saw, the answers to requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.analysis.errors.exceptions import FAILED, REFUSED, exceptions_of, failure_columns
from tracelab.analysis.errors.propagation import propagated
from tracelab.analysis.errors.requests import callers_of
from tracelab.analysis.errors.routes import METHOD_KEYS, ROUTE_KEYS, route
from tracelab.analysis.failures import GRPC_NAMES, failed_by_code, grpc_code, http_code
from tracelab.analysis.intervals import checked_confidence, wilson
from tracelab.conforming import takes_any_frame
from tracelab.forest import build_forest
from tracelab.sampling.estimation.samples import Sample
from tracelab.sampling.estimation.shares import shares
from tracelab.sampling.estimation.weighing import (
    WEIGHT,
    checked_weights,
    counted,
    estimated_names,
    floats,
    grouped,
    quality,
    weight_column,
)
from tracelab.schema import attribute_names

if TYPE_CHECKING:
    from tracelab.analysis.grouping import Spans
    from tracelab.array_types import Floats, Ints
    from tracelab.forest import Forest
    from tracelab.sampling.estimation.weighing import Weights

_KEY: Final = ("service_name", "route", "outcome", "failed")
_ROUTE: Final = ("service_name", "route")
_SHARE: Final = ("requests", "share", "lower", "upper")
_SHOWN: Final = 3
_MOST: Final = 100
"""How many outcomes of a route have bounds where requests are weighted: each asks all requests once more."""


@takes_any_frame
def outcomes(spans: Spans, *, confidence: float = 0.95, weights: Weights = None) -> pl.DataFrame:
    """Count what callers saw: the answers to requests, and where those that were no success started.

    A request is a root that somebody asked, as `error_origins` has it: a server span without a parent, one of kind
    internal or unspecified with the code of an answer, or one of another kind in a service that nobody calls, such as a
    browser or a script. Jobs, messages, and parts of traces
    whose caller is not known are none.

    Parameters
    ----------
    spans
        The spans. Pass whole traces: what was filtered away can be no origin.
    confidence
        The confidence of the intervals.
    weights
        How many spans each span stands for, where spans were sampled: a column, such as the `sampling_weight` of
        `with_weights`, or an expression; null is not known. A request has the weight of its root. Without, every
        request counts once.

    Returns
    -------
    One row per service, route, outcome and whether it failed; first those that failed, then those that were refused
    (4xx, gRPC other than OK), then the others, each with the most requests first, then by names: `service_name`
    (String), `route` (String, method and `http.route`, else the name of the span), `outcome` (String, as it was: the
    status of HTTP such as `502`, else that of gRPC such as `gRPC UNAVAILABLE`, else the status of the span, `error`,
    `ok` or `unset`; the status follows in brackets where it contradicts the code, as in `200 (error)`), `failed`
    (Boolean, see `error_rates`), `requests` (UInt32), `share` (Float64, of the requests of that route), `lower`,
    `upper` (Float64; Wilson's interval), `origins` (String, the deepest failing or refusing spans whose failure got to
    the root, each as `service::name`, exception or code, and how many of the requests it got to; the three most
    frequent, null where nothing failed or refused), `exemplar_trace_id` (String, the first such request).

    With `weights` shares and bounds are of all requests that there were, `requests` and `origins` tell of those that
    were seen, and before `exemplar_trace_id` stand `estimated_requests`, `estimated_requests_lower`,
    `estimated_requests_upper` (Float64), `effective_sample_size` (Float64, how many traces, each with as many requests
    of that route and the same weight, would tell as much), `unknown_weight` (UInt32, requests of that route whose
    weight is null). Where there is such a request, what would rest on it is null; so are the bounds of shares beyond
    the hundred most frequent outcomes of a route. Among those that failed, that were refused, and others, the most
    estimated requests come first.

    Raises
    ------
    TracelabError
        The confidence does not lie between 0 and 1, or a weight is none.
    SchemaError
        `weights` names no column, or one that holds no numbers.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... web::GET /pay   ======== kind=server http.response.status_code=502
    ...   web::POST     .===!    kind=client
    ...     bank::pay   ..=!     kind=server http.response.status_code=503
    ...   web::POST     .....==! kind=client
    ...
    ... web::GET /pay   ====     kind=server http.response.status_code=200
    ... ''')
    >>> outcomes(spans).select("route", "outcome", "requests", "share", "origins").rows()
    [('GET /pay', '502', 1, 0.5, 'bank::pay: HTTP 503 (1), web::POST (1)'), ('GET /pay', '200', 1, 0.5, None)]
    """
    weight = weight_column(spans, weights)
    lower, upper = wilson(pl.col("requests"), pl.col("all"), confidence=confidence)
    frame, forest = build_forest(spans, *route_columns(spans), *failure_columns(spans), *weight)
    requests = requests_of(frame, np.flatnonzero(callers_of(frame, forest).asked))
    origins = _origins(frame, forest, requests)
    counted_rows = (
        requests.lazy()
        .sort("start_time", "trace_id", "place")
        .group_by(_KEY, maintain_order=True)
        .agg(
            requests=pl.len().cast(pl.UInt32),
            exemplar_trace_id=pl.col("trace_id").first(),
            refused=pl.col("refused").any(),
        )
        .with_columns(all=pl.col("requests").sum().over("service_name", "route"))
        .join(origins.lazy(), on=_KEY, how="left", nulls_equal=True)
    )
    if weight:
        estimates = _estimates(requests, checked_confidence(confidence)).lazy()
        told = counted_rows.join(estimates, on=_KEY, how="left", nulls_equal=True)
    else:
        told = counted_rows.with_columns(share=pl.col("requests") / pl.col("all"), lower=lower, upper=upper)
    most = ["estimated_requests", "requests"] if weight else ["requests"]
    return (
        told.sort(
            *("failed", "refused", *most, *_KEY[:3]),
            descending=[True, True, *(True for _ in most), False, False, False],
            nulls_last=True,
        )
        .select(*_KEY, *_SHARE, "origins", *(estimated_names("requests") if weight else ()), "exemplar_trace_id")
        .collect()
    )


def _estimates(requests: pl.DataFrame, confidence: float) -> pl.DataFrame:
    """Estimate of each outcome how many requests had it, and which share of those of its route."""
    found, group = grouped(requests, list(_KEY))
    routes, route_of = grouped(found, list(_ROUTE))
    weight = checked_weights(requests[WEIGHT])
    own = Sample.of(requests["trace_id"], group, weight, groups=found.height)
    whole = Sample.of(requests["trace_id"], route_of[group], weight, groups=routes.height)
    counts = counted("requests", own, confidence=confidence)
    share = _shares_of_routes(whole, group, route_of, confidence)
    # Beyond those that were looked at one by one there is the share without bounds.
    of_route = counted("requests", whole, confidence=confidence)[0].gather(route_of)
    value = pl.Series("share", share[0], nan_to_null=True).fill_null(counts[0] / of_route)
    return found.with_columns(
        value,
        floats("lower", share[1]),
        floats("upper", share[2]),
        *counts,
        *(column.gather(route_of) for column in quality(whole)),
    )


def _shares_of_routes(whole: Sample, group: Ints, route_of: Ints, confidence: float) -> tuple[Floats, Floats, Floats]:
    """Estimate the shares of the outcomes of each route, the most frequent of all routes at once, then the second."""
    count = np.bincount(group, minlength=route_of.size)
    order = np.lexsort((np.arange(route_of.size), -count, route_of))
    first = np.searchsorted(route_of[order], route_of[order])
    rank = np.empty_like(order)
    rank[order] = np.arange(order.size) - first
    value, lower, upper = (np.full(route_of.size, np.nan) for _ in range(3))
    for place in range(min(int(rank.max(initial=-1)) + 1, _MOST)):
        rows = np.flatnonzero(rank == place)
        found = shares(whole, rank[group] == place, confidence=confidence)
        value[rows], lower[rows], upper[rows] = (
            side[route_of[rows]] for side in (found.value, found.lower, found.upper)
        )
    return value, lower, upper


def route_columns(spans: Spans) -> list[str]:
    """List the columns that a route is read from, as far as a frame has them."""
    schema = spans.lazy().collect_schema()
    naming = [name for key in (*METHOD_KEYS, *ROUTE_KEYS) for name in attribute_names(key) if name in schema]
    return list(dict.fromkeys(naming))


def requests_of(frame: pl.DataFrame, places: Ints) -> pl.DataFrame:
    """Give a row per request, with its route and its outcome."""
    roots = frame[places]
    http, grpc = http_code(roots), grpc_code(roots)
    said = grpc.replace_strict(GRPC_NAMES, default=None, return_dtype=pl.String)
    # Calls of gRPC travel over HTTP, which answers 200 whatever comes of them.
    by_http = pl.when(grpc.is_null() | (http != 200)).then(http.cast(pl.String))
    code = pl.coalesce(by_http, pl.format("gRPC {}", said), http.cast(pl.String))
    status = pl.col("status_code").cast(pl.String)
    contradicts = (status == "error") & ~pl.col("bad") | (status == "ok") & pl.col("bad")
    return (
        roots.with_columns(code=code, bad=failed_by_code(roots))
        .lazy()
        .select(
            "trace_id",
            "span_id",
            "start_time",
            "duration",
            "service_name",
            pl.Series("place", places),
            route(),
            pl.when(pl.col("code").is_null())
            .then(status)
            .when(contradicts)
            .then(pl.format("{} ({})", "code", status))
            .otherwise("code")
            .alias("outcome"),
            pl.col(FAILED).alias("failed"),
            pl.col(REFUSED).alias("refused"),
            *(name for name in (WEIGHT,) if name in roots),
        )
        .collect()
    )


def _origins(frame: pl.DataFrame, forest: Forest, requests: pl.DataFrame) -> pl.DataFrame:
    """Say for each outcome where it started: what failed or refused first, and got to the root."""
    failing, refusing = (frame[name].to_numpy() for name in (FAILED, REFUSED))
    failures = propagated(frame, forest, failing, refusing, refusals_start=True)
    origin = failures.origin[~forest.has_parent[failures.top]]
    label = pl.format("{}::{}", "service_name", "name")
    labels = exceptions_of(frame[origin], pl.Series(origin)).select(
        pl.Series("place", forest.root[origin]),
        origin=pl.concat_str(label, "exception_type", separator=": ", ignore_nulls=True),
    )
    return (
        labels.lazy()
        .join(requests.lazy().select("place", *_KEY), on="place")
        .group_by(*_KEY, "origin")
        .agg(got_to=pl.col("place").n_unique())
        .sort("got_to", "origin", descending=[True, False])
        .group_by(*_KEY, maintain_order=True)
        .agg(origins=pl.format("{} ({})", "origin", "got_to").head(_SHOWN).str.join(", "))
        .collect()
    )
