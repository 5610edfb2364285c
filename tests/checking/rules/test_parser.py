from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracelab.checking.rules.functions import FUNCTIONS
from tracelab.checking.rules.parser import parse
from tracelab.errors import RuleError


@pytest.mark.parametrize(
    ("text", "function", "arguments", "operator", "limit"),
    [
        ('p95("POST /api/orders") < "800ms"', "quantile", {"quantile": 0.95, "name": "POST /api/orders"}, "<", 8e8),
        ('error_rate(service="payments") < 0.01', "error_rate", {"service": "payments"}, "<", 0.01),
        ("no_repeated_calls(min=10)", "no_repeated_calls", {"min": 10}, "<=", 0),
        ("no_new_edges", "no_new_edges", {}, "<=", 0),
        ('not_slower(than=baseline, by="10%")', "not_slower", {"than": "baseline", "by": 0.1}, "<=", 0.1),
        ("p99.9() <= 1m30s", "quantile", {"quantile": 0.999}, "<=", 9e10),
        ("quantile(0.999, 'a \\'b\\'') < 1.5 s", "quantile", {"quantile": 0.999, "name": "a 'b'"}, "<", 1.5e9),
        (
            'critical_share("SELECT", service="db",) < 40%',
            "critical_share",
            {"name": "SELECT", "service": "db"},
            "<",
            0.4,
        ),
        ("requests(entry_only=true) > 1", "requests", None, None, None),
        ("spans(entry_only=true) >= 1_000", "spans", {"entry_only": True}, ">=", 1000),
        ('p50(where=`{ .a = "\\d" }`) < 1s', "quantile", {"quantile": 0.5, "where": '{ .a = "\\d" }'}, "<", 1e9),
    ],
)
def test_rules_are_read(
    text: str, function: str, arguments: dict[str, object] | None, operator: str | None, limit: float | None
) -> None:
    if arguments is None:
        with pytest.raises(RuleError, match="takes no `entry_only`"):
            parse(text)
        return
    rule = parse(text)
    assert (rule.call.function, dict(rule.call.arguments)) == (function, arguments)
    assert (rule.comparison.operator, rule.comparison.limit) == (operator, limit)
    assert rule.name == text


@pytest.mark.parametrize(
    ("text", "said", "at"),
    [
        ('p95("x") < 800', 'write "800ms" or "800s"', "800"),
        ('p95("x") < "800"', 'write "800ms" or "800s"', '"800"'),
        ('p95("x") < 1parsec', "is no duration", "1parsec"),
        ("error_rate() < 10", "write 10%", "10"),
        ('error_rate() < "10"', "write 10%", '"10"'),
        ("error_rate() < 1", "1% or 100%", "1"),
        ("error_rate() < 120%", "at most 100%", "120%"),
        ("requests() < 2.5", "whole number", "2.5"),
        ("p59x() < 3", "there is no function `p59x`", "p59x"),
        ("eror_rate() < 1%", "did you mean error_rate", "eror_rate"),
        ("mean() < 1s", "write p50 or p95", "mean"),
        ('p95(nam="x") < 1s', "did you mean `name`", "nam"),
        ('p95("x", "y") < 1s', "each by its name", '"y"'),
        ('p95("x", name="y") < 1s', "given twice", "name"),
        ("p95(checkout) < 1s", "texts stand in quotes", "checkout"),
        ('p95("x" < 1s', "expected `,` or `)`", "<"),
        ('p95("x") == 1s', "compare with <=", "=="),
        ('p95("x")', "expected `<`", ""),
        ('p95("x") <', "expected a limit; the rule ends", ""),
        ('"1s" > p95("x")', "the limit behind it", '"1s"'),
        ("no_errors() < 3", "compared with nothing", "<"),
        ('p95("x") < 1s and no_errors', "two rules", "and"),
        ('p95("x") < 1s 2s', "end of the rule", "2s"),
        ("not_slower", "needs `by`", "not_slower"),
        ('not_slower(than="x", by="10%")', "write than=baseline", '"x"'),
        ("quantile(95) < 1s", "the 95th percentile is 0.95", "95"),
        ("no_repeated_calls(min=1)", "2 or more", "1"),
        ('no_audit_findings(severity="wrning")', "Did you mean 'warning'", '"wrning"'),
        ('p95("x', "no end", '"x'),
        ("p95(@)", "no part of a rule", "@"),
        ("", "begins with a function", ""),
    ],
)
def test_what_is_no_rule_is_pointed_at(text: str, said: str, at: str) -> None:
    with pytest.raises(RuleError) as caught:
        parse(text)
    assert said in str(caught.value)
    assert caught.value.position is not None
    assert text[caught.value.position :].startswith(at)


@given(st.text(alphabet=st.sampled_from("p95(){}<>=,'\"`\\ 0.1%msbaseline_é\x1b\ud800"), max_size=30))
def test_any_text_is_a_rule_or_a_rule_error(text: str) -> None:
    with suppress(RuleError):
        parse(text)


def test_what_a_message_quotes_does_not_act() -> None:
    with pytest.raises(RuleError) as caught:
        parse('p95("\x1b[31m\u202e", "b") < 1s')
    assert not {"\x1b", "\u202e"} & set(str(caught.value))


def test_a_rule_that_is_too_long_is_refused_at_once() -> None:
    with pytest.raises(RuleError, match="are the most"):
        parse("(" * 100_000)


def test_every_function_may_be_called() -> None:
    needed = {"by": '"10%"', "min": "100ms", "quantile": "0.9"}
    for name, function in FUNCTIONS.items():
        limit = "" if function.is_claim else {"nanoseconds": " < 1s", "share": " < 1%", "count": " < 3"}[function.unit]
        given_ = ", ".join(f"{each}={needed[each]}" for each in function.required)
        assert parse(f"{name}({given_}){limit}").call.function == name
