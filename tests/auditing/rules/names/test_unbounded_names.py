"""Names without end, and enumerations that only look so."""

from __future__ import annotations

import random
import uuid

import polars as pl
import pytest

import tracelab as tl
from tracelab.synthetic import draw


def found(*names: str) -> list[tuple[str | None, int, int]]:
    spans = draw("\n\n".join(["api ====="] * len(names))).with_columns(pl.Series("name", names))
    kept = tl.audit(spans).filter(pl.col("rule") == "unbounded-span-names")
    return kept.select("detail", "count", "out_of").rows()


NUMBERS = random.Random(1)
VALUES = {
    "number": [str(NUMBERS.randrange(1_000, 900_000)) for _ in range(40)],
    "uuid": [str(uuid.UUID(int=NUMBERS.getrandbits(128))) for _ in range(40)],
    "hex": [f"{NUMBERS.getrandbits(96):024x}" for _ in range(40)],
    "mail": [f"user{n}@example.org" for n in range(40)],
    "time": [f"2026-05-{1 + n % 28:02d}T12:{n:02d}:00.123456789Z" for n in range(40)],
}


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("shape", ["GET /orders/{}", "SELECT * FROM users WHERE id = '{}'", "load {}", "orders.{}"])
def test_names_with_values_in_them_are_found(shape: str, value: str) -> None:
    named = found(*[shape.replace("{}", text) for text in VALUES[value]], *["GET /health"] * 60)
    assert sum(count for _, count, _ in named) >= 36
    assert {out_of for _, _, out_of in named} == {100}


@pytest.mark.parametrize(
    "names",
    [
        [f"step {n}" for n in range(1, 13)],
        [f"partition-{n % 32}" for n in range(400)],
        [f"GET /v{n % 3}/orders/{{id}}" for n in range(100)],
        [f"{name} {n}" for n, name in enumerate(["md5", "oauth2", "utf8", "s3", "h264", "base64", "x509", "ipv6"] * 2)],
        [f"GET /{chr(97 + n)}1/orders" for n in range(9)],
        ["GET /orders/4711"] * 100,
        [f"GET /orders/{n}" for n in (4711, 4712, 81)],
    ],
)
def test_steps_shards_and_versions_are_no_fault(names: list[str]) -> None:
    assert found(*names) == []


def test_ids_that_a_database_counts_from_one_on_have_no_end_either() -> None:
    assert found(*[f"GET /orders/{n}" for n in range(1, 601)]) == [("GET /orders/{number}", 600, 600)]


def test_a_name_in_another_service_is_another_name() -> None:
    spans = draw("\n\n".join(["api ====="] * 40)).with_columns(
        pl.Series("name", [f"GET /orders/{number}" for number in VALUES["number"]]),
        pl.Series("service_name", [f"service-{n}" for n in range(40)]),
    )
    assert tl.audit(spans).filter(pl.col("rule") == "unbounded-span-names").height == 0


def test_addresses_in_names_are_not_shown() -> None:
    spans = draw("\n\n".join(["api ====="] * 40)).with_columns(pl.Series("name", [f"mail {m}" for m in VALUES["mail"]]))
    kept = tl.audit(spans).filter(pl.col("rule") == "unbounded-span-names")
    assert kept.height == 1
    assert "example.org" not in str(kept.to_dicts())
