"""The spans of an incident: a window of normal traffic, then one in which something goes wrong."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from tracelab.workload.incidents.causes import FAILING, Cause, Disturbed, disturb
from tracelab.workload.systems.draft import Draft, nodes_of
from tracelab.workload.systems.landscape import draw_system
from tracelab.workload.systems.traffic import Nodes, Traffic, run

if TYPE_CHECKING:
    import polars as pl

    from tracelab.array_types import Ints
    from tracelab.workload.systems.landscape import System

_FEWEST: Final = 10
_SEEN: Final = 1_000_000
"""An incident hits so many calls at least; who works longer by less than so many nanoseconds is not hit."""
_BETWEEN: Final = 3_600 * 10**9
_SPREAD: Final = 0.3
_LOAD: Final = 0.08


@dataclass(frozen=True, slots=True)
class Windows:
    """Both windows, what went wrong in the later one, and how many calls that hit."""

    normal: pl.DataFrame
    abnormal: pl.DataFrame
    cause: Cause
    hit: int


def draw_incident(kind: str, rng: np.random.Generator, *, traces: int, begin: int) -> Windows:
    """Draw systems until something of a kind goes wrong in one, and let requests come in two windows.

    In the second one people ask for other things somewhat more or less often, every service is somewhat more or less
    busy, and all that did go wrong in the first one still does. What hits hardly any call is no incident: another one
    is drawn then.
    """
    while True:
        system = draw_system(rng)
        nodes = nodes_of(system, rng)
        normal = run(system, nodes, rng, traces=traces, begin=begin)
        seen = np.bincount(normal.node, minlength=len(nodes.nodes))
        try:
            disturbed = disturb(kind, system, nodes, seen, traces, rng)
        except LookupError:
            continue
        abnormal, hit = _later(system, disturbed, rng, traces=traces, begin=begin + _BETWEEN)
        if hit >= _FEWEST:
            break
    first, second = _written(system, nodes, (normal, abnormal), rng)
    return Windows(first, second, disturbed.cause, hit)


def draw_calm(rng: np.random.Generator, *, traces: int, begin: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Draw a system, and let requests come in two windows as `draw_incident` does, with nothing wrong in either."""
    system = draw_system(rng)
    nodes = nodes_of(system, rng)
    first = run(system, nodes, rng, traces=traces, begin=begin)
    nothing = Cause("delay", "", (), None, (), np.zeros(len(nodes.nodes), dtype=bool), "")
    second, _ = _later(system, Disturbed(nothing, nodes, None), rng, traces=traces, begin=begin + _BETWEEN)
    return _written(system, nodes, (first, second), rng)


def _written(
    system: System, nodes: Nodes, windows: tuple[Traffic, Traffic], rng: np.random.Generator
) -> tuple[pl.DataFrame, pl.DataFrame]:
    written = Draft.of(system, nodes, _joined(*windows), rng).written()
    first = written["row"] < windows[0].node.size
    sides = written.drop("row")
    return sides.filter(first), sides.filter(~first)


def _later(
    system: System, disturbed: Disturbed, rng: np.random.Generator, *, traces: int, begin: int
) -> tuple[Traffic, int]:
    """Let requests come while something is wrong, and count the calls that it hits."""
    longer = 0

    def held(node: Ints, arrival: Ints) -> Ints:
        nonlocal longer
        extra = np.zeros(node.size, dtype=np.int64) if disturbed.held is None else disturbed.held(node, arrival)
        longer = int((extra >= _SEEN).sum())
        return extra

    nodes = _busier(disturbed.nodes, len(system.services), rng)
    traffic = run(_asked_otherwise(system, rng), nodes, rng, traces=traces, begin=begin, longer=held)
    cause = disturbed.cause
    failing = (traffic.origin | traffic.timed_out)[cause.affected[traffic.node]]
    return traffic, int(failing.sum()) if cause.kind in FAILING else longer


def _asked_otherwise(system: System, rng: np.random.Generator) -> System:
    weights = rng.lognormal(0, _SPREAD, len(system.entries)).tolist()
    entries = [
        replace(entry, weight=entry.weight * weight) for entry, weight in zip(system.entries, weights, strict=True)
    ]
    return replace(system, entries=entries)


def _busier(nodes: Nodes, services: int, rng: np.random.Generator) -> Nodes:
    load = rng.lognormal(0, _LOAD, services).tolist()
    return Nodes([replace(node, work=node.work * load[node.service]) for node in nodes.nodes], nodes.first, nodes.size)


def _joined(one: Traffic, other: Traffic) -> Traffic:
    """Put the traffic of two windows together."""
    columns = {field.name: (getattr(one, field.name), getattr(other, field.name)) for field in fields(Traffic)}
    requests, spans = int(one.trace.max(initial=-1)) + 1, one.node.size
    columns["trace"] = (one.trace, other.trace + requests)
    columns["parent"] = (one.parent, np.where(other.parent >= 0, other.parent + spans, other.parent))
    return Traffic(**{name: np.concatenate(pair) for name, pair in columns.items()})
