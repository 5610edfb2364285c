from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import tracelab as tl
from tests.checking.drawn import SHOP, many
from tracelab.checking.judging import CHECKED
from tracelab.synthetic import draw

if TYPE_CHECKING:
    from pathlib import Path


def row(spans: Any, rule: str, **options: Any) -> dict[str, object]:
    found = tl.check(spans, [rule], **options).row(0, named=True)
    assert isinstance(found, dict)
    return found


def verdict(spans: Any, rule: str, **options: Any) -> object:
    return row(spans, rule, **options)["verdict"]


def test_an_interval_on_one_side_of_the_limit_decides() -> None:
    spans = many([5] * 60 + [50] * 40)
    assert verdict(spans, 'p50("GET /") < 20ms') == "cannot tell"
    assert verdict(spans, 'p50("GET /") < 60ms') == "holds"
    assert verdict(spans, 'p50("GET /") < 5ms') == "fails"
    assert verdict(spans, 'p50("GET /") <= 5ms') == "cannot tell"
    assert verdict(spans, 'p50("GET /") > 4ms') == "holds"
    assert verdict(spans, 'p50("GET /") >= 51ms') == "fails"


def test_what_nobody_can_tell_says_how_many_there_were() -> None:
    found = row(many([5] * 40), 'p99("GET /") < 20ms')
    assert found["verdict"] == "cannot tell"
    assert str(found["message"]).startswith("cannot tell, n = 40: p99 5 ms (95 % interval ")
    assert "p99 has an interval from 368 on" in str(found["message"])
    assert (found["value"], found["limit"], found["unit"]) == (0.005, 0.02, "seconds")


def test_without_a_confidence_what_was_seen_decides() -> None:
    assert verdict(many([5] * 3), 'p99("GET /") < 20ms', confidence=None) == "holds"
    assert verdict(many([5, 5, 30]), 'p99("GET /") < 20ms', confidence=None) == "fails"
    assert verdict(many([5], failing=1), "error_rate() < 50%", confidence=None) == "fails"


def test_shares_have_wilsons_interval() -> None:
    spans = many([5] * 400, failing=4)
    found = row(spans, 'error_rate("GET /") < 1%')
    rates = tl.error_rates(spans).row(0, named=True)
    assert (found["value"], found["lower"], found["upper"]) == (rates["error_rate"], rates["lower"], rates["upper"])
    assert found["verdict"] == "cannot tell"
    assert verdict(spans, "error_rate() < 4%") == "holds"
    assert verdict(spans, "error_rate() < 0.1%") == "fails"


def test_the_traces_that_are_beyond_the_limit_are_given_worst_first() -> None:
    spans = many([5] * 30 + [90, 70, 80])
    found = row(spans, 'max("GET /") < 20ms')
    assert found["exemplar_trace_ids"] == [f"{number:032}" for number in (30, 32, 31)]


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ('p95("GET /car") < 1s', "There is no operation 'GET /car'. Did you mean GET /cart"),
        ('p95("POST") < 1s', "the name of 1 span inside services; entry_only=false"),
        (
            'error_rate("bank") < 1%',
            "There is no operation 'bank', but a service of that name: write service=\"bank\".",
        ),
        ('error_rate(service="bnk") < 1%', "There is no service 'bnk'. Did you mean bank?"),
        ('p95(route="GET /pey") < 1s', "There is no route 'GET /pey'. Did you mean GET /pay"),
        ('failure_rate("GET /pey") < 1%', "There is no route 'GET /pey'. Did you mean GET /pay"),
        ('failure_rate(service="nobody") < 1%', "There is no service 'nobody'. There are bank, db, web."),
        ('critical_share(service="dbs") < 1%', "There is no service 'dbs'. Did you mean db?"),
        ('critical_share(service="db", of="GET /x") < 1%', "There is no route 'GET /x'."),
        ('no_repeated_calls("SELEC")', "There is no operation 'SELEC'. Did you mean SELECT?"),
        ('no_gaps("SELEC", min=1ms)', "There is no operation 'SELEC'. Did you mean SELECT?"),
        ('no_errors(service="dbs")', "There is no service 'dbs'."),
        ('no_audit_findings(service="dbs")', "There is no service 'dbs'."),
        ('spans("SELEC") <= 20', "There is no operation 'SELEC'."),
        ('p95("GET /cart", service="bank") < 1s', "No request is all that was asked for."),
        ('p95("GET /cart", where="{ span.customer = `gold` }") < 1s', "No request is all that was asked for."),
        ('not_slower("GET /car", by="10%")', "There is no operation 'GET /car'."),
    ],
)
def test_a_rule_about_nothing_is_not_tested_and_says_what_is_near(rule: str, said: str) -> None:
    found = row(SHOP, rule, baseline=SHOP)
    assert found["verdict"] == "not tested"
    assert said in str(found["message"])
    assert (found["n"], found["value"]) == (0, None)


def test_a_path_that_spans_inside_services_have_as_a_name_is_that_of_a_route() -> None:
    spans = draw("""
    web::GET /pay   ====  kind=server http.method=GET http.route=/pay
      web::/pay     .==   kind=internal
    """)
    said = "'/pay' is no request, but the name of 1 span inside services; entry_only=false measures these. As a request"
    assert f"{said} it is GET /pay." in str(row(spans, 'p95("/pay") < 1s')["message"])


@pytest.mark.parametrize(
    ("lengths", "rule", "said"),
    [
        ([474.4], "max < 474.3ms", "took 474 ms; less than 474.3 ms is wanted, which is 100 µs less."),
        ([800.2], "max < 800ms", "took 800 ms; less than 800 ms is wanted, which is 200 µs less."),
        ([800], "max < 800ms", "took 800 ms; less than 800 ms is wanted."),
        ([799.8], "max >= 800ms", "took 800 ms; at least 800 ms is wanted, which is 200 µs more."),
        ([1], "error_rate >= 0.0004%", "failed, 0 %; at least 0.0004 % is wanted."),
        ([1], "error_rate > 12.34%", "failed, 0 %; more than 12.34 % is wanted."),
        ([1], "error_rate > 12%", "failed, 0 %; more than 12.0 % is wanted."),
    ],
)
def test_a_limit_is_told_as_it_was_written_and_by_how_much_it_is_missed(
    lengths: list[float], rule: str, said: str
) -> None:
    assert str(row(many(lengths), rule, confidence=None)["message"]).endswith(said)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("no_errors", "fails"),
        ('no_errors(service="db")', "holds"),
        ("no_repeated_calls(min=3)", "fails"),
        ("no_repeated_calls(min=4)", "holds"),
        ("no_gaps(min=3ms)", "fails"),
        ("no_gaps(min=30ms)", "holds"),
        ('spans("SELECT") <= 3', "holds"),
        ('spans("SELECT") < 3', "fails"),
        ('requests("web::GET /pay") >= 1', "holds"),
        ('requests("GET /old") <= 0', "holds"),
        ('requests("GET /old") >= 1', "fails"),
        ('max("bank::charge") <= 7ms', "holds"),
        ('failure_rate("GET /pay") < 50%', "cannot tell"),
        ('no_audit_findings(rule="span-cycle")', "holds"),
        ('critical_share(service="db") < "40%"', "cannot tell"),
    ],
)
def test_what_is_counted_is_certain(rule: str, expected: str) -> None:
    assert verdict(SHOP, rule) == expected


def test_a_condition_chooses_spans_or_the_traces_that_hold_one() -> None:
    gold = 'where="{ span.customer = `gold` }"'
    assert row(SHOP, f"p50({gold}) < 1s")["n"] == 1
    assert row(SHOP, f"failure_rate({gold}) < 50%")["n"] == 1
    assert row(SHOP, f"no_repeated_calls(min=3, {gold})")["n"] == 1


def test_a_condition_that_is_none_says_in_which_rule(tmp_path: Path) -> None:
    path = tmp_path / "tracelab.toml"
    path.write_text("[[rule]]\ncheck = 'no_errors'\nwhere = '{ status == error }'\n", encoding="utf-8")
    with pytest.raises(tl.RuleError, match=r"the rule in line 2, `where`: "):
        tl.check(SHOP, path)


def test_optional_rules_may_be_about_nothing(tmp_path: Path) -> None:
    path = tmp_path / "tracelab.toml"
    path.write_text("[[rule]]\ncheck = 'p95(\"GET /old\") < 1s'\noptional = true\n", encoding="utf-8")
    for given in (path, str(path)):
        found = tl.check(SHOP, given)
        assert found["verdict"].to_list() == ["cannot tell"]
        assert found["message"].item().startswith("cannot tell, n = 0: There is no operation 'GET /old'.")
        assert found["line"].to_list() == [2]


def test_shares_of_the_critical_path_are_those_of_the_profile() -> None:
    profile = tl.critical_path_profile(SHOP, by="service_name").filter(service_name="db")["share"].item()
    assert row(SHOP, 'critical_share(service="db") < 1%')["value"] == pytest.approx(profile)


def test_shares_of_the_critical_path_have_an_interval_that_holds_the_truth() -> None:
    chance = random.Random(4)
    held = 0
    for _ in range(20):
        parts = [(chance.randint(0, 6), chance.randint(4, 9)) for _ in range(40)]
        text = "\n\n".join(
            f"web::GET / {'=' * (a + b)} kind=server\n  db::q {'=' * a} kind=client" for a, b in parts if a
        )
        found = row(draw(text), 'critical_share(service="db") < 1%')
        expected = 3.5 / (3.5 + 6.5)
        held += float(str(found["lower"])) <= expected <= float(str(found["upper"]))
    assert held >= 17


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ([], "must be a rule"),
        (3, "must be a rule"),
        ([3], "must be a rule"),
        (["no_errors", "no_error"], "did you mean no_errors"),
        ("no_new_edges", "compares with a baseline, and there is none"),
    ],
)
def test_what_are_no_rules_is_refused(rules: object, said: str) -> None:
    with pytest.raises(tl.RuleError, match=said):
        tl.check(SHOP, rules)  # type: ignore[arg-type]


def test_a_confidence_is_checked() -> None:
    with pytest.raises(tl.TracelabError, match="confidence"):
        tl.check(SHOP, "no_errors", confidence=95)


def test_of_no_spans_nothing_is_tested() -> None:
    rules = [
        'p95("GET /") < 1s',
        "no_errors",
        "no_new_edges",
        "failure_rate() < 1%",
        'critical_share(service="a") < 1%',
    ]
    found = tl.check(SHOP.clear(), rules, baseline=SHOP)
    assert found["verdict"].unique().to_list() == ["not tested"]
    assert found.schema == CHECKED
    found = tl.check(SHOP, ["no_new_edges", "no_new_errors", 'not_slower(by="10%")'], baseline=SHOP.clear())
    assert found["verdict"].unique().to_list() == ["not tested"]


def test_rows_may_come_in_any_order() -> None:
    rules = [
        'p95() < "5ms"',
        "no_errors",
        'critical_share("SELECT") < "4%"',
        "no_repeated_calls(min=2)",
        "no_new_edges",
    ]
    shuffled = SHOP.sample(fraction=1.0, shuffle=True, seed=3)
    expected = tl.check(SHOP, rules, baseline=SHOP)
    assert tl.check(shuffled, rules, baseline=shuffled.lazy()).equals(expected)
    assert tl.check(SHOP.lazy(), rules, baseline=SHOP).equals(expected)
    assert expected.schema == CHECKED
    assert pl.Series(rules).equals(expected["check"])
