"""Budgets of spans or bytes: whom they let pass depends on who came before, so that traces are taken one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Ints

_SECOND: Final = 1_000_000_000


def token_bucket(times: Ints, costs: Ints, *, rate: int, burst: int) -> Flags:
    """Let pass what a bucket has tokens for, which is full at first and gets `rate` tokens a second up to `burst`.

    `times` are in nanoseconds and never fall.
    """
    granted = np.zeros(times.size, dtype=bool)
    tokens, last = float(burst), int(times[0]) if times.size else 0
    for place, (time, cost) in enumerate(zip(times.tolist(), costs.tolist(), strict=True)):
        if cost > burst:
            continue
        left = min(tokens + max(rate, 0) * ((time - last) / _SECOND), float(burst)) - cost
        # Go waits in whole nanoseconds, so that what is to be had within one is there.
        if left >= 0 or (rate > 0 and -left / rate * _SECOND < 1):
            granted[place] = True
            tokens, last = left, time
    return granted


def whole_seconds(times: Ints, costs: Ints, *, limit: int) -> Flags:
    """Let pass less than `limit` in each second of the clock: the rule before version 0.153."""
    granted = np.zeros(times.size, dtype=bool)
    second, spent = None, 0
    for place, (time, cost) in enumerate(zip((times // _SECOND).tolist(), costs.tolist(), strict=True)):
        if time != second:
            second, spent = time, 0
        if spent + cost < limit:
            granted[place] = True
            spent += cost
    return granted


def shared_seconds(times: Ints, costs: Ints, takers: Ints, *, allocated: tuple[int, ...], most: int) -> Flags:
    """Let pass what the sub-policy that took it has left in this second of the clock.

    Each sub-policy is held to its own share and to `most`, which the Collector too compares with what this one spent.
    """
    granted = np.zeros(times.size, dtype=bool)
    second, spent = None, [0] * len(allocated)
    rows = zip((times // _SECOND).tolist(), costs.tolist(), takers.tolist(), strict=True)
    for place, (time, cost, taker) in enumerate(rows):
        if time != second:
            second, spent = time, [0] * len(allocated)
        if spent[taker] + cost <= min(allocated[taker], most):
            granted[place] = True
            spent[taker] += cost
    return granted
