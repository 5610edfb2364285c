"""Which roots are requests that somebody made, and which only exist because the way back to their caller is lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from tracelab.analysis.failures import grpc_code, http_code

if TYPE_CHECKING:
    from tracelab.array_types import Flags
    from tracelab.forest import Forest


@dataclass(frozen=True, slots=True)
class Callers:
    """What is known of who asked; one item per place, true at roots of fragments only.

    Attributes
    ----------
    asked
        A request: somebody waited for the answer.
    known
        The trace begins here: a request, or a message whose sender does not wait.
    """

    asked: Flags
    known: Flags


def callers_of(frame: pl.DataFrame, forest: Forest) -> Callers:
    """Look at the roots of fragments, in a frame that has the codes of HTTP and gRPC.

    A server span without a parent is a request, a consumer span without one a message. A span of no kind, or one that
    says internal, is a request where it has an answer, a code of HTTP or gRPC. Else a root of another kind is a request
    of its own making (a client, a script) unless its service is otherwise called: then it is a job that nobody waits
    for, or its caller got lost.
    """
    called = (
        frame.lazy()
        .filter(pl.col("kind").is_in(["server", "consumer"]))
        .select(pl.col("service_name").unique())
        .collect()["service_name"]
    )
    roots = np.flatnonzero(~forest.has_parent)
    at_roots = frame[roots]
    answers = http_code(at_roots).is_not_null() | grpc_code(at_roots).is_not_null()
    served = (pl.col("kind") == "server") | (pl.col("kind").is_in(["unspecified", "internal"]) & answers)
    of_roots = at_roots.select(
        asked=pl.col("parent_span_id").is_null() & (served | ~pl.col("service_name").is_in(called.implode())),
        known=pl.col("parent_span_id").is_null() & (pl.col("kind") == "consumer"),
    )
    asked, known = (np.zeros(frame.height, dtype=bool) for _ in range(2))
    asked[roots] = of_roots["asked"].to_numpy()
    known[roots] = of_roots["known"].to_numpy()
    return Callers(asked, asked | known)
