"""Random trees of calls between services, and samplers for them that ours and both real SDKs can be made of."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from tracelab.conforming import conform
from tracelab.sampling import AlwaysOff, AlwaysOn, ParentBased, Sampler, TraceIdRatioBased

if TYPE_CHECKING:
    from collections.abc import Callable

SERVICES: Final = ("web", "shop", "bank", "mail")
DELEGATES: Final = (
    "remote_parent_sampled",
    "remote_parent_not_sampled",
    "local_parent_sampled",
    "local_parent_not_sampled",
)
Recipe = dict[str, Any]
"""A sampler as plain values: its kind, and what it is made of."""


@dataclass(frozen=True)
class Call:
    """A span to be made."""

    trace_id: str
    span_id: str
    parent: int | None
    service: str
    remote: bool


def random_calls(traces: int, seed: int) -> list[Call]:
    """Draw trees of up to 12 spans; a parent in the same service is remote where a service calls itself."""
    draw = random.Random(seed)
    calls: list[Call] = []
    for _ in range(traces):
        first = len(calls)
        trace_id = f"{draw.getrandbits(128):032x}"
        for number in range(draw.randint(1, 12)):
            parent = draw.randrange(first, first + number) if number else None
            service = calls[parent].service if parent is not None and draw.random() < 0.5 else draw.choice(SERVICES)
            remote = parent is not None and (calls[parent].service != service or draw.random() < 0.1)
            calls.append(Call(trace_id, f"{draw.getrandbits(64):016x}", parent, service, remote))
    return calls


def frame_of(calls: list[Call]) -> pl.DataFrame:
    """Make the frame of the spans, all of them."""
    return conform(
        pl.DataFrame(
            {
                "trace_id": [call.trace_id for call in calls],
                "span_id": [call.span_id for call in calls],
                "parent_span_id": [None if call.parent is None else calls[call.parent].span_id for call in calls],
                "service_name": [call.service for call in calls],
                "kind": ["server" if call.remote else "internal" for call in calls],
            },
            schema_overrides={"parent_span_id": pl.String()},
        ).with_columns(
            name=pl.lit("call"),
            start_time=pl.lit(datetime(2026, 5, 1, tzinfo=UTC)),
            duration=pl.lit(timedelta(milliseconds=1)),
        )
    )


def random_recipe(draw: random.Random, depth: int = 2) -> Recipe:
    """Draw a sampler."""
    kind = draw.choice(("on", "off", "ratio", *("parent",) * 3)) if depth else draw.choice(("on", "off", "ratio"))
    if kind == "ratio":
        return {"kind": kind, "ratio": draw.choice((0.0, 0.1, 0.25, 0.5, 0.75, 1.0))}
    if kind == "parent":
        delegates = {name: random_recipe(draw, depth - 1) for name in DELEGATES if draw.random() < 0.4}
        return {"kind": kind, "root": random_recipe(draw, depth - 1), **delegates}
    return {"kind": kind}


def random_fleet(seed: int) -> dict[str, Recipe]:
    """Draw a sampler for each service."""
    draw = random.Random(seed)
    return {service: random_recipe(draw) for service in SERVICES}


def ours(recipe: Recipe, sdk: str | Callable[[], str]) -> Sampler:
    """Make the sampler of ours, every ratio in it of one SDK, or of the next one that is given."""
    match recipe:
        case {"kind": "on"}:
            return AlwaysOn()
        case {"kind": "off"}:
            return AlwaysOff()
        case {"kind": "ratio", "ratio": ratio}:
            return TraceIdRatioBased(ratio, sdk=sdk if isinstance(sdk, str) else sdk())
        case _:
            return ParentBased(**{name: ours(each, sdk) for name, each in recipe.items() if name != "kind"})
