"""What policies of any dialect can do, so that one face takes them all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import polars as pl


@runtime_checkable
class Dialect(Protocol):
    """Policies that are replayed in their own way, on whatever can be made a span frame.

    The faces of tail sampling ask such an object where they are given one.
    """

    def sampled(self, spans: Any) -> pl.DataFrame:
        """Give the spans that are kept, with `sampling_policy` and `sampling_weight` at the end."""

    def decisions(self, spans: Any) -> pl.DataFrame:
        """Give a row per trace: what was decided, by which policy, with which probability, and what was tried."""

    def matches(self, spans: Any) -> pl.DataFrame:
        """Give a row per policy: how many traces it matched, decided and kept alone."""
