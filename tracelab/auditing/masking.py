"""Secrets and personal data in text, masked: what findings quote is read by more people than the traces are."""

from __future__ import annotations

import re
from typing import Final

_SECRETS: Final = re.compile(
    r"""
    (?P<jwt>\beyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*)?)
    | (?P<scheme>\b(?:bearer|basic)\s+)[\w.~+/=-]{6,}
    | (?P<user>://[^/\s:@]*):[^/\s@]+@
    | (?P<key>\b(?:password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key)\b["']?\s*[=:]\s*)[^\s&;,"']+
    | (?P<aws>\b(?:AKIA|ASIA)[0-9A-Z]{16}\b)
    | (?P<mail>[\w.%+-]+@[\w-]+(?:\.[\w-]+)+)
    """,
    re.IGNORECASE | re.VERBOSE,
)
MASK: Final = "***"


def masked(text: str) -> str:
    """Replace what looks like a secret or an address by asterisks; what stands around it stays.

    Examples
    --------
    >>> masked("GET https://ada:s3cret@shop/?token=abc123")
    'GET https://ada:***@shop/?token=***'
    """
    return _SECRETS.sub(_mask, text)


def _mask(match: re.Match[str]) -> str:
    before = match["scheme"] or match["key"] or ""
    if match["user"] is not None:
        return f"{match['user']}:{MASK}@"
    return before + MASK
