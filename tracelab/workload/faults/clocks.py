"""Times that cannot be: clocks of hosts that are off, events outside of their span."""

from __future__ import annotations

import numpy as np
import polars as pl

from tracelab.workload.faults.plot import HANDFUL, Fault, Plot

_MILLISECOND = 1_000_000


def clock_skew(plot: Plot) -> Fault | None:
    """Put the clock of one host off by 5 ms to 2 s.

    It is seen where spans of that host are called from another and then lie outside of their caller's span, on at least
    a handful of calls: an offset that hides within the time a call is on its way is nobody's to find. The services of
    the host are nobody else's ground then, for a trace that was split cannot be matched by time over wrong clocks.
    """
    draft = plot.draft
    hosts = np.array(draft.system.instance_host)
    services = np.array(draft.system.instance_service)
    end = draft.start + draft.duration
    waited = draft.keep & (draft.parent >= 0) & ~draft.linked
    up = np.maximum(draft.parent, 0)
    waited &= draft.keep[up] & (draft.start >= draft.start[up]) & (end <= end[up])
    across = waited & (hosts[draft.instance] != hosts[draft.instance[up]])
    offered = []
    for number in range(len(draft.system.hosts)):
        there = np.unique(services[hosts == number]).tolist()
        calls = across & ((hosts[draft.instance] == number) | (hosts[draft.instance[up]] == number))
        free = all(plot.is_free(("some", service), ("all", service)) for service in there)
        if there and free and calls.sum() >= 3 * HANDFUL:
            offered.append(number)
    host = plot.pick(offered)
    if host is None:
        return None
    off = int(np.exp(plot.rng.uniform(np.log(5), np.log(2000))) * _MILLISECOND) * int(plot.rng.choice([-1, 1]))
    ours = hosts[draft.instance] == host
    start = draft.start + np.where(ours, off, 0)
    seen = across & (ours != ours[up]) & ((start < start[up]) | (start + draft.duration > (start + draft.duration)[up]))
    if seen.sum() < HANDFUL:
        return None
    there = np.unique(services[hosts == host]).tolist()
    plot.claim(*(("some", service) for service in there), *(("all", service) for service in there))
    draft.start = start
    rows = np.flatnonzero(seen)
    return Fault(
        "clock-skew",
        ("clock-skew",),
        f"The clock of {draft.system.hosts[host]} is off by {off / 1e6:.0f} ms.",
        rows,
        touched=up[rows],
        services=tuple(np.unique(np.concatenate([there, draft.service[rows], draft.service[up[rows]]])).tolist()),
        consequences=("child-outside-parent",),
    )


def event_outside_span(plot: Plot) -> Fault | None:
    """Give the events of one service another clock than its spans: they come long before or after them."""
    draft = plot.draft
    rows = draft.events["row"].to_numpy()
    shown = np.zeros(draft.parent.size, dtype=bool)
    shown[rows] = True
    service = plot.pick(plot.services(shown, subject="events"))
    if service is None:
        return None
    plot.claim(("events", service))
    mine = (draft.service[rows] == service) & draft.keep[rows]
    away = int(plot.rng.uniform(50, 5_000) * _MILLISECOND)
    late = bool(plot.rng.random() < 0.5)
    moved = draft.events["after"].to_numpy() * (0 if not late else 1) + np.where(
        late, draft.duration[rows] + away, -away
    )
    draft.events = draft.events.with_columns(after=pl.when(pl.Series(mine)).then(pl.Series(moved)).otherwise("after"))
    return Fault(
        "event-outside-span",
        ("event-outside-span",),
        f"Events of {plot.name(service)} come {'after' if late else 'before'} their span.",
        np.unique(rows[mine]),
        services=(service,),
    )
