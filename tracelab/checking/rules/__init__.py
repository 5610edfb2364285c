"""What a rule is and how it is written: tokens, grammar, functions, quantities, and files of rules."""

from __future__ import annotations
