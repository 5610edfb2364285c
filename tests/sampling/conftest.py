"""The vectors that real SDKs and rules gave."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def vectors(shared_cases: Path) -> dict[str, Any]:
    """Decisions on 207 trace ids; a decision list is a text of 0 and 1, an id each."""
    path = shared_cases / "sampling_vectors.json"
    if not path.is_file():
        pytest.skip("no sampling_vectors.json among the worked cases")
    found: dict[str, Any] = json.loads(path.read_text())
    return found
