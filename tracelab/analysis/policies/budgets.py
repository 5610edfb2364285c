"""Budgets for spans as people say them: `2000 spans/s`, `5 GB/day`, so much money a month."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from tracelab.errors import TracelabError
from tracelab.options import above, shown

Unit: TypeAlias = Literal["spans", "traces", "bytes"]

_WRITTEN: Final = re.compile(
    r"\s*(?P<sign>[$€£¥]?)\s*"
    r"(?P<amount>(?:\d{1,3}(?:[,_\s]\d{3})+|\d+)(?:\.\d+)?(?:[eE]\+?\d+)?|\.\d+)\s*"
    r"(?P<scale>[kKM](?=\s|/|spans?\b|traces?\b))?\s*(?P<unit>[A-Za-z$€£¥]*)\s*"
    r"(?:/|\bper\b|\ba\b)\s*(?P<periods>\d{1,9})?\s*(?P<period>[A-Za-z]+)\s*"
)
_NO_THOUSANDS: Final = re.compile(r"\d,\d")
_MONEY: Final = re.compile(r"[A-Z]{0,3}|[$€£¥]")
_SCALES: Final = {None: 1, "k": 1_000, "K": 1_000, "M": 1_000_000}
_BYTES: Final = {
    "b": 1,
    **{f"{prefix}b": 1000**power for power, prefix in enumerate("kmgtp", start=1)},
    **{f"{prefix}ib": 1024**power for power, prefix in enumerate("kmgtp", start=1)},
}
_BETWEEN: Final = re.compile(r"[,_\s]")
_DAY: Final = 86_400.0
_PERIODS: Final = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1.0),
    **dict.fromkeys(("m", "min", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hour", "hours"), 3_600.0),
    **dict.fromkeys(("d", "day", "days"), _DAY),
    **dict.fromkeys(("w", "week", "weeks"), 7 * _DAY),
    **dict.fromkeys(("mo", "month", "months"), 30 * _DAY),
    **dict.fromkeys(("y", "year", "years"), 365 * _DAY),
}
_EXAMPLES: Final = "Write '2000 spans/s', '100 traces/min' or '5 GB/day', or with cost_per_million '300/month'."


@dataclass(frozen=True)
class Budget:
    """How much may be kept.

    Attributes
    ----------
    amount
        How many units each second.
    unit
        What is counted.
    text
        How it was written.
    price
        What a million of them cost, in words; nothing where the budget is no money.
    """

    amount: float
    unit: Unit
    text: str
    price: str = ""


def parse_budget(budget: Any, cost_per_million: Any = None) -> Budget:
    """Read a budget.

    A month has 30 days, kB, MB and GB are powers of 1,000, and KiB, MiB and GiB of 1,024.

    Parameters
    ----------
    budget
        The text: an amount, a unit (spans, traces, bytes as `GB`; none of it is money) and a time.
    cost_per_million
        What a million spans cost, where the budget is money.

    Raises
    ------
    TracelabError
        It is none, or names money without a price, or a price without money.

    Examples
    --------
    >>> parse_budget("5 GB/day").unit, round(parse_budget("5 GB/day").amount)
    ('bytes', 57870)
    >>> parse_budget("300/month", cost_per_million=0.5).amount * 2_592_000
    600000000.0
    """
    found = _WRITTEN.fullmatch(budget) if isinstance(budget, str) else None
    if found is None:
        comma = ""
        if isinstance(budget, str) and _NO_THOUSANDS.search(budget):
            comma = " A comma parts thousands, and a point the fraction."
        raise TracelabError(f"`budget` must be an amount and a time, got {shown(budget)}.{comma} {_EXAMPLES}")
    period = _PERIODS.get(found["period"].lower())
    if period is None:
        raise TracelabError(
            f"`budget`: {shown(found['period'])} is no length of time. Use s, min, h, day, week, month."
        )
    every = int(found["periods"] or 1) * period
    if not every:
        raise TracelabError(f"`budget` must be for some time, got {shown(budget)}. {_EXAMPLES}")
    amount = float(_BETWEEN.sub("", found["amount"])) * _SCALES[found["scale"]] / every
    if not 0 < amount < float("inf"):
        raise TracelabError(f"`budget` must be above 0, got {shown(budget)}.")
    unit, budget = found["unit"] or found["sign"], " ".join(budget.split())
    if found["sign"] and found["unit"]:
        raise TracelabError(f"`budget` is money or {found['unit']}, and {shown(budget)} says both. {_EXAMPLES}")
    if cost_per_million is not None:
        return Budget(
            _spans_for(amount, unit, cost_per_million, budget),
            "spans",
            budget,
            f", at {cost_per_million:g} for a million spans",
        )
    if unit.lower() in {"span", "spans"}:
        return Budget(amount, "spans", budget)
    if unit.lower() in {"trace", "traces"}:
        return Budget(amount, "traces", budget)
    size = _BYTES.get(unit.lower()) or (1 if unit.lower() in {"byte", "bytes"} else None)
    if size is None:
        if _MONEY.fullmatch(unit):
            raise TracelabError(
                f"`budget`: {shown(budget)} may be money, and then `cost_per_million` is needed: what a million spans "
                f"cost. {_EXAMPLES}"
            )
        raise TracelabError(f"`budget`: {shown(unit)} is no unit of what is kept. {_EXAMPLES}")
    return Budget(amount * size, "bytes", budget)


def _spans_for(amount: float, unit: str, cost_per_million: Any, budget: str) -> float:
    """Give how many spans an amount of money pays for."""
    price = above("cost_per_million", cost_per_million, 0, why="It is what a million spans cost.")
    if unit.lower() in _BYTES or unit.lower() in {"span", "spans", "trace", "traces", "byte", "bytes"}:
        raise TracelabError(
            f"`cost_per_million` is for budgets of money such as '300/month', and {shown(budget)} says {unit}. "
            "Leave one of them out."
        )
    return amount / price * 1_000_000
