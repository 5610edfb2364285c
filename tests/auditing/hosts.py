"""Drawings whose spans say where they were made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracelab.synthetic import draw

if TYPE_CHECKING:
    import polars as pl


def drawn(picture: str) -> pl.DataFrame:
    """Draw traces; `host.name` and `service.instance.id` are the resource's attributes."""
    names = ("host.name", "service.instance.id", "telemetry.sdk.language")
    return draw(picture).rename({f"span.{name}": f"resource.{name}" for name in names}, strict=False)
