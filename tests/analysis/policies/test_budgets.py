"""Budgets as people write them."""

from __future__ import annotations

from typing import Any

import pytest

import tracelab as tl
from tracelab.analysis.policies.budgets import parse_budget


@pytest.mark.parametrize(
    ("text", "unit", "amount"),
    [
        ("2000 spans/s", "spans", 2000),
        ("2k spans / s", "spans", 2000),
        ("1 span/min", "spans", 1 / 60),
        ("1.5M spans per day", "spans", 1_500_000 / 86_400),
        ("12,000 traces/hour", "traces", 12_000 / 3_600),
        ("5 GB/day", "bytes", 5e9 / 86_400),
        ("5gb a day", "bytes", 5e9 / 86_400),
        ("1 GiB/month", "bytes", 2**30 / 2_592_000),
        ("8 bytes/s", "bytes", 8),
        ("3 000 spans/h", "spans", 3_000 / 3_600),
        ("3_000 spans/h", "spans", 3_000 / 3_600),
        ("2e3 spans/s", "spans", 2000),
        ("10 spans/30s", "spans", 1 / 3),
        ("1.5 GB per 12 hours", "bytes", 1.5e9 / 43_200),
        ("1,234,567.5 traces/s", "traces", 1_234_567.5),
    ],
)
def test_budgets_are_read_per_second(text: str, unit: str, amount: float) -> None:
    found = parse_budget(text)
    assert found.unit == unit
    assert found.amount == pytest.approx(amount)


@pytest.mark.parametrize(
    "text", ["300/month", "300 USD/month", "300 € a month", "$300/month", "€ 300 per month", "0.3k/month"]
)
def test_money_buys_spans(text: str) -> None:
    found = parse_budget(text, 0.5)
    assert found.unit == "spans"
    assert found.amount * 2_592_000 == pytest.approx(600_000_000)


@pytest.mark.parametrize(
    ("text", "price", "message"),
    [
        ("5 GB", None, "an amount and a time"),
        (5, None, "an amount and a time"),
        (None, None, "an amount and a time"),
        ("-5 GB/day", None, "an amount and a time"),
        ("5 GB/fortnight", None, "no length of time"),
        ("0 spans/s", None, "above 0"),
        ("5 apples/day", None, "no unit"),
        ("300/month", None, "may be money, and then `cost_per_million` is needed"),
        ("$300/month", None, "`cost_per_million` is needed"),
        ("$300 GB/month", 1, "says both"),
        ("1,5 GB/day", None, "A comma parts thousands"),
        ("1,0000 spans/s", None, "A comma parts thousands"),
        ("5 spans/0s", None, "for some time"),
        ("5 Mbit/s", None, "'Mbit' is no unit"),
        ("300 USD/month", None, "cost_per_million"),
        ("300/month", 0, "above 0"),
        ("300/month", "1", "above 0"),
        ("5 GB/day", 2, "Leave one of them out"),
        ("9" * 400 + " spans/s", None, "above 0"),
    ],
)
def test_what_is_no_budget_says_why(text: Any, price: Any, message: str) -> None:
    with pytest.raises(tl.TracelabError, match=message):
        parse_budget(text, price)


def test_a_budget_of_several_lines_is_one_line_where_it_is_shown() -> None:
    assert parse_budget("5 GB\n/\nday").text == "5 GB / day"
