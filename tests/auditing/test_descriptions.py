"""Every rule says what it means."""

from __future__ import annotations

from tracelab.auditing.descriptions import DESCRIPTIONS
from tracelab.auditing.fixes import FIXES
from tracelab.auditing.rules import RULES


def test_every_rule_that_is_registered_or_can_be_mended_has_a_description() -> None:
    assert {*RULES, *(name.partition(":")[0] for name in FIXES)} <= DESCRIPTIONS.keys()


def test_titles_are_short_and_reasons_are_sentences() -> None:
    for rule, about in DESCRIPTIONS.items():
        assert len(about.title) <= 80, rule
        assert not about.title.endswith("."), rule
        assert about.why.endswith("."), rule


def test_no_two_rules_have_one_title() -> None:
    assert len({about.title for about in DESCRIPTIONS.values()}) == len(DESCRIPTIONS)
