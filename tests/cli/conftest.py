from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

import tracelab as tl
from tests.auditing.made import ALL as FINDINGS
from tests.cli.running import EVIL, SPANS

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def dump(tmp_path: Path) -> str:
    path = tmp_path / "dump.jsonl"
    tl.write(SPANS, path)
    return str(path)


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> pl.DataFrame:
    """Let every audit find the same: an error, a warning, and one for information."""
    monkeypatch.setattr(tl, "audit", lambda _: FINDINGS)
    return FINDINGS


@pytest.fixture
def hostile(tmp_path: Path) -> str:
    evil = pl.col("name", "status_message").fill_null("") + EVIL
    return str(
        tl.write(
            SPANS.with_columns(evil, *(pl.lit(EVIL).alias(name) for name in ("service_name", f"span.{EVIL[1:]}"))),
            tmp_path / f"{EVIL[1:-1]}.jsonl",
        )
    )
