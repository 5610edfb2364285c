from __future__ import annotations

import polars as pl
import pytest

from tests.auditing.made import ALL, EXPLAINED, SPAN, TRACE, WARNING, finding, findings
from tracelab.audit_overview import at_least, chosen, overview, refuse_unknown, rule_list, topics, totals
from tracelab.auditing.descriptions import DESCRIPTIONS
from tracelab.auditing.findings import nothing
from tracelab.errors import TracelabError


def test_totals_count_by_severity_and_say_what_is_explained() -> None:
    assert totals(ALL) == "Found: 1 error, 1 warning, 1 for information. Explained: 1 by sampling."
    assert totals(findings(WARNING, WARNING)) == "Found: 2 warnings."
    assert totals(nothing()) == "Nothing was found."


@pytest.mark.parametrize(("severity", "kept"), [("error", 1), ("warning", 2), ("info", 3)])
def test_a_severity_stands_for_worse_ones_too(severity: str, kept: int) -> None:
    assert chosen(ALL, severity=severity).height == kept
    assert at_least(ALL, severity) == kept


def test_nothing_is_from_none_on() -> None:
    assert at_least(ALL, "none") == 0


def test_findings_are_chosen_by_rule_and_by_either_end_of_an_edge() -> None:
    assert chosen(ALL, rules=["missing-parent"]).height == 2
    assert chosen(ALL, services=["shop"])["rule"].to_list() == ["split-trace"]
    assert chosen(ALL, services=["bank", "web"]).height == 2
    assert chosen(ALL, rules=["missing-parent"], services=["web"]).height == 0


def test_the_table_says_where_by_edge_service_or_nobody() -> None:
    table = overview(findings(ALL, finding("client-root", service_name=None, caller=None, callee=None)))
    assert dict(table.select("rule", "where").rows())["client-root"] == "(no name)"
    assert table["where"].to_list()[:2] == ["(no name)", "web -> shop"]
    assert table["severity"].to_list() == ["error", "error", "warning", "info"]


def test_the_table_tells_details_where_there_are_any() -> None:
    assert "detail" not in overview(ALL).columns
    assert "detail" in overview(findings(ALL, finding(detail="http.url"))).columns


def test_findings_stand_together_by_rule_and_by_how_they_are_mended() -> None:
    told = topics(findings(WARNING, finding(), EXPLAINED, WARNING.with_columns(service_name=pl.lit("till"))))
    assert [[len(mend.findings) for mend in topic.mends] for topic in told] == [[1], [2, 1]]
    assert told[0].title.startswith("split-trace: ")
    assert told[0].mends[0].findings[0][1] == f"trace {TRACE}, span {SPAN}"
    assert told[0].mends[0].explanation is None
    assert str(told[1].mends[1].explanation).startswith("Sampling explains this")


def test_names_that_there_are_not_are_refused_with_near_ones() -> None:
    refuse_unknown("rule", ["split-trace"], DESCRIPTIONS)
    with pytest.raises(TracelabError, match=r"There is no rule 'split-traces'\. Did you mean split-trace"):
        refuse_unknown("rule", ["split-traces"], DESCRIPTIONS)
    with pytest.raises(TracelabError, match=r"There is no service 'x'\. There are none\."):
        refuse_unknown("service", ["x"], [])


def test_every_rule_is_listed() -> None:
    assert rule_list()["rule"].to_list() == list(DESCRIPTIONS)
