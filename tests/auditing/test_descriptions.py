"""Every rule says what it means."""

from __future__ import annotations

import pytest

import tracelab as tl
from tests.auditing.planted import faults_of
from tracelab.auditing.descriptions import DESCRIPTIONS, EXPLANATIONS
from tracelab.auditing.findings import SEVERITIES
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


@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_found_has_a_rule_and_an_explanation_that_are_described_and_is_no_worse(seed: int) -> None:
    spans, _ = tl.synthetic.generate_system(seed, faults=faults_of(seed))
    found = tl.audit(spans)
    assert set(found["rule"]) <= DESCRIPTIONS.keys()
    assert set(found["explanation"].drop_nulls()) <= EXPLANATIONS.keys()
    for rule, severity in found.select("rule", "severity").iter_rows():
        assert SEVERITIES.index(severity) <= SEVERITIES.index(DESCRIPTIONS[rule].severity), rule
