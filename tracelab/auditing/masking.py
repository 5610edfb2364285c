"""Secrets and personal data in text, masked: what findings quote is read by more people than the traces are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tracelab.auditing.sensitive import HINT, KINDS, Kind, secret_part

if TYPE_CHECKING:
    from collections.abc import Callable

MASK: Final = "***"
_HINT: Final = re.compile(HINT)


def masked(text: str) -> str:
    """Replace what looks like a secret or an address by asterisks; what stands around it stays.

    Examples
    --------
    >>> masked("GET https://ada:s3cret@shop/?token=abc123")
    'GET https://ada:***@shop/?token=***'
    """
    if not _HINT.search(text):
        return text
    for kind in KINDS:
        text = kind.compiled.sub(_mask_of(kind), text)
    return text


def _mask_of(kind: Kind) -> Callable[[re.Match[str]], str]:
    def mask(match: re.Match[str]) -> str:
        hidden = secret_part(match)
        if not (kind.always or kind.check is None or kind.check(hidden)):
            return match[0]
        place = match.start(match.re.groups) - match.start()
        return match[0][:place] + MASK + match[0][place + len(hidden) :]

    return mask
