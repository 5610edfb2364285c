"""What tells a record of a log from a span: both have ids of a trace and a span, a time, and names of many things."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

LOG_MARKS: Final = frozenset(
    ("message", "msg", "body", "level", "loglevel", "severity", "severitytext", "severitynumber", "logger", "log")
)
"""Names of fields that logs have and spans have not, in lower case, without what is neither letter nor digit."""


def has_log_marks(names: Iterable[str]) -> bool:
    """Say whether one of the names is a field of logs."""
    return any(name.replace("_", "").lower() in LOG_MARKS for name in names)
