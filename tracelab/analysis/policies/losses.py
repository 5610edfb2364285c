"""What a policy loses altogether: failures, routes, users and services of which no trace is left."""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from tracelab.analysis.grouping import Spans, keys
from tracelab.analysis.policies.replayed import FAILURE, ROUTE, TRACE, USER, described, numbered, replayed
from tracelab.conforming import takes_any_frame
from tracelab.errors import SchemaError, TracelabError
from tracelab.options import shown
from tracelab.sampling.deciding import KEPT

KINDS: Final = {"failure": "failing operation", "route": "route", "user": "user", "service": "service"}
"""What may be lost, in words of columns and of people."""

_COUNTS: Final = ("traces", "spans")
_SERVICE: Final = pl.col("service_name")
_NOTHING: Final = pl.lit(None, dtype=pl.String)


@takes_any_frame
def sampling_losses(
    spans: Spans,
    policy: Any,
    *,
    user: str | None = None,
    arrival: Any = None,
    missing_parents: str = "root",
) -> pl.DataFrame:
    """List what a sampling policy would have lost altogether: nothing of it is left, so nobody would have asked.

    Parameters
    ----------
    spans
        The spans, taken for all that there was.
    policy
        A head sampler, or a fleet of them, or tail policies, as `sampling_decisions` takes them.
    user
        The key of the attribute that names users. Without, the first of `user.id`, `enduser.id`, `enduser.pseudo.id`
        and `user.name` that a span has.
    arrival
        Of tail policies: when each span came, as in `sample_tail`.
    missing_parents
        Of head samplers: what became of parents that are not in the frame, as in `sample_head`.

    Returns
    -------
    One row per thing that is lost, those with the most traces first within a kind, then by names: `kind` (Enum:
    failure, route, user, service), `service_name` (String, null for users), `value` (String: the failing operation, the
    route of spans at which requests enter, method and `http.route` or the name; the user; null for services), `traces`,
    `spans` (UInt32, that there were), `exemplar_trace_id` (String, the smallest id of a trace that was lost).

    Raises
    ------
    TracelabError
        The policy is refused, or `user` is no key, or `missing_parents` none of the words.
    SchemaError
        The spans cannot be conformed, or `arrival` gives no times.

    Examples
    --------
    >>> from tracelab.sampling import presets
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... api::GET /cart  ====
    ...
    ... api::GET /pay   ====!
    ... ''')
    >>> sampling_losses(spans, presets.production(ratio=0)).select("kind", "value").rows()
    [('route', 'GET /cart')]
    """
    users = user_column(spans, user)
    frame = described(numbered(spans.lazy().collect()), users)
    return lost(replayed(frame, policy, arrival=arrival, missing_parents=missing_parents))


def user_column(spans: Spans, user: Any) -> pl.Expr | None:
    """Turn `user` into the expression for whom each span served; None where nobody says which attribute tells it.

    Raises
    ------
    TracelabError
        It is neither a key nor an expression, or cannot be read.
    """
    if user is None:
        return None
    if not isinstance(user, str | pl.Expr):
        raise TracelabError(f"`user` must be the key of an attribute, such as 'user.id', or None, got {shown(user)}.")
    (key,) = keys(spans, user, option="user")
    name, dtype = next(iter(pl.DataFrame(schema=spans.lazy().collect_schema()).select(key).schema.items()))
    if dtype.is_nested() or isinstance(dtype, pl.Duration | pl.Binary):
        raise SchemaError(f"`user` reads {name!r}, which is {dtype}. What names users is text or a number.")
    return key.cast(pl.String)


def things(frame: pl.DataFrame) -> pl.DataFrame:
    """Count each thing that may be lost, and what is left of it, in a frame that was measured and replayed."""
    parts = [
        _counted(frame, "failure", FAILURE),
        _counted(frame, "route", ROUTE),
        _counted(frame, "user", USER, service=_NOTHING),
        _counted(frame, "service", None),
    ]
    return pl.concat(parts)


def lost(frame: pl.DataFrame) -> pl.DataFrame:
    """List the things of which nothing is left, in a frame that was measured and replayed."""
    return (
        things(frame)
        .filter(pl.col("spans_kept") == 0)
        .sort("kind", "traces", "service_name", "value", descending=[False, True, False, False], nulls_last=True)
        .select("kind", "service_name", "value", *_COUNTS, "exemplar_trace_id")
    )


def _counted(frame: pl.DataFrame, kind: str, thing: str | None, *, service: pl.Expr = _SERVICE) -> pl.DataFrame:
    """Count things of a kind, which a column names; without one they are the services themselves."""
    there = frame.lazy() if thing is None else frame.lazy().filter(pl.col(thing).is_not_null())
    return (
        there.select(
            service.cast(pl.String).alias("service_name"),
            (_NOTHING if thing is None else pl.col(thing)).cast(pl.String).alias("value"),
            "trace_id",
            TRACE,
            KEPT,
        )
        .group_by("service_name", "value")
        .agg(
            traces=pl.col(TRACE).n_unique().cast(pl.UInt32),
            spans=pl.len().cast(pl.UInt32),
            spans_kept=pl.col(KEPT).sum().cast(pl.UInt32),
            exemplar_trace_id=pl.col("trace_id").min(),
        )
        .select(pl.lit(kind, dtype=pl.Enum([*KINDS])).alias("kind"), pl.all())
        .collect()
    )
