"""What the README shows of why traces were slow runs as it stands there, and finds what it says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import tracelab as tl

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def named(sample_data: Path) -> dict[str, Any]:
    """Run the block, and give what it names."""
    text = (sample_data.parent / "README.md").read_text(encoding="utf-8")
    section = text.partition("\n## Why it was slow, and what changed\n")[2].partition("\n## ")[0]
    (block,) = re.findall(r"^```python\n(.*?)^```$", section, flags=re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {"tl": tl, "pl": pl}
    code = block.replace('"sample_data/', f'"{sample_data.as_posix()}/')
    exec(compile(code, "README.md", "exec"), names)  # noqa: S102 - it is the README of this project
    return names


def test_the_planted_pair_comes_first(named: dict[str, Any]) -> None:
    first = tl.compare(named["orders"], where=named["slow"])["finding"][0]
    assert first == "span.customer.kind = business and resource.service.version = 1.9.0 of orders"


def test_the_price_list_is_what_to_look_at_first(named: dict[str, Any]) -> None:
    row = tl.root_causes(named["after"], named["before"]).row(0, named=True)
    assert row["cause"] == "orders::load_price_list"
    assert row["changed"][0] == "span.customer.kind = business and resource.service.version = 1.9.0 of orders"


def test_the_release_is_found_at_its_moment(named: dict[str, Any]) -> None:
    changed = tl.change_points(named["spans"])["what_changed"].drop_nulls()
    assert any(text.startswith("service.version = 1.9.0 of orders appeared 22:43:19") for text in changed)


def test_one_clock_is_39_ms_behind(named: dict[str, Any]) -> None:
    row = tl.clock_skew(named["shop"]).filter("skewed").select("offset", "lower", "upper").row(0)
    assert [round(value.total_seconds() * 1e3, 1) for value in row] == [-39.1, -40.8, -37.5]
