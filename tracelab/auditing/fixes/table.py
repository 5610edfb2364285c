"""The shape of the tables of fixes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

Fixes: TypeAlias = Mapping[str, Mapping[str, str]]
"""By rule (or `rule:hop`): by language as in `telemetry.sdk.language`, "" for any language: what to do."""
