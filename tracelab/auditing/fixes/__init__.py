"""How to mend what a rule finds, in the words of the SDK that the service uses.

A file per subject holds a table of its rules: a text for any language, and texts for those languages in which there is
something more exact to say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracelab.auditing.fixes.clocks import CLOCKS
from tracelab.auditing.fixes.conventions import CONVENTIONS
from tracelab.auditing.fixes.failures import FAILURES
from tracelab.auditing.fixes.flags import FLAGS
from tracelab.auditing.fixes.ids import IDS
from tracelab.auditing.fixes.names import NAMES
from tracelab.auditing.fixes.secrets import SECRETS
from tracelab.auditing.fixes.splits import SPLITS
from tracelab.auditing.fixes.structure import STRUCTURE

if TYPE_CHECKING:
    from tracelab.auditing.fixes.table import Fixes

FIXES: Final[Fixes] = {**CLOCKS, **CONVENTIONS, **FAILURES, **FLAGS, **IDS, **NAMES, **SECRETS, **SPLITS, **STRUCTURE}
"""What to do about each rule's findings: by rule, `rule:hop` or `rule:explanation`; then by language, "" for any."""


def fix_for(rule: str, *, language: str | None = None, hop: str | None = None, explanation: str | None = None) -> str:
    """Say what to do about a finding of a rule, as exactly as its explanation, the language and the hop let it be."""
    for name in (f"{rule}:{explanation}", f"{rule}:{hop}", rule):
        texts = FIXES.get(name, {})
        text = texts.get((language or "").lower(), texts.get(""))
        if text is not None:
            return text
    raise KeyError(rule)
