from __future__ import annotations

import gc
import subprocess
import sys
import warnings
from datetime import timedelta
from math import nan
from typing import TYPE_CHECKING

import numpy as np
import pytest

import tracelab as tl
from tests.checking.drawn import SHOP, many
from tracelab.markup import acts

if TYPE_CHECKING:
    from pathlib import Path

NaT = np.timedelta64("NaT")
EVIL = "evil\x1b[31m\u202e"


def breach(call: object) -> str:
    """Give what an expectation that does not hold says."""
    with pytest.raises(tl.ExpectationError) as caught:
        call()  # type: ignore[operator]
    assert isinstance(caught.value, AssertionError)
    return str(caught.value)


def test_what_holds_is_true() -> None:
    spans = tl.expect(SHOP)
    assert spans.p95("GET /pay") < "21ms"
    assert spans.p50("GET /cart") <= timedelta(milliseconds=5)
    assert spans.p50("GET /cart") <= np.timedelta64(5, "ms")
    assert spans.p50("GET /cart") <= np.timedelta64(5_000, "us")
    assert "1s" > spans.p99()  # noqa: SIM300 - either way round
    assert spans.p75(service="bank") >= "5ms"
    assert spans.p90("SELECT", entry_only=False) < "2ms"
    assert spans.quantile(0.999, "bank::charge") < "1s"
    assert spans.max("GET /cart") < "6ms"
    assert spans.error_rate(service="db") < 0.01
    assert spans.failure_rate("GET /cart") <= "0%"
    assert spans.critical_share("SELECT", service="db") < "40%"
    assert spans.requests("GET /pay") > 0
    assert spans.spans("SELECT") <= 3
    assert spans.no_errors(service="db")
    assert spans.no_repeated_calls(min=4)
    assert spans.no_gaps(min="50ms")
    assert spans.no_audit_findings(severity="error", service="db")
    assert spans.no_new_edges(SHOP)
    assert spans.no_new_errors(SHOP)
    assert spans.not_slower(than=SHOP, by="10%")
    assert spans.not_failing_more("GET /pay", than=SHOP, by=0.01)


def test_a_breach_shows_what_was_seen_and_the_worst_trace() -> None:
    said = breach(lambda: tl.expect(SHOP).p95("GET /pay", service="web") < "10ms").split("\n")
    assert said[:3] == [
        'p95("GET /pay", service="web") < "10 ms" fails',
        "p95 20 ms of 1 request of web; less than 10 ms is wanted.",
        "",
    ]
    assert said[3] == "trace 00000000000000000000000000000001, 6 spans in 20 ms"
    assert said[4].split() == ["web::GET", "/pay", "=" * 32 + "!", "20", "ms"]
    assert said[6].split() == ["bank::charge", "..." + "=" * 9 + "!", "6", "ms"]
    said = breach(lambda: tl.expect(SHOP).no_repeated_calls(min=3)).split("\n")
    assert said[0] == "no_repeated_calls(min=3) fails"
    assert "db::SELECT up to 3 times below GET /pay" in said[1]
    assert breach(lambda: tl.expect(many([9] * 5)).max() < "1ms").split("\n")[-1] == (
        f"more such traces: {', '.join(f'{number:032}' for number in (1, 2, 3))}"
    )


def test_long_traces_are_cut_in_a_message() -> None:
    text = "api ==========\n" + "\n".join(f"  db::q{number} ==" for number in range(60))
    said = breach(lambda: tl.expect(tl.synthetic.draw(text)).max("api") < "1ms")
    assert said.endswith("... and 41 shorter spans")
    assert len(said.split("\n")) < 30


def test_three_slow_requests_of_a_test_are_three_too_many() -> None:
    spans = many([700, 750, 980])
    breach(lambda: tl.expect(spans).p95("GET /") < "800ms")
    with pytest.warns(tl.CheckWarning, match=r"cannot tell, n = 3: p95 957 ms"):
        assert tl.expect(spans, confidence=0.95).p95("GET /") < "800ms"


def test_a_name_that_no_span_has_is_a_breach() -> None:
    said = breach(lambda: tl.expect(SHOP).p95("GET /car") < "1s")
    assert said.split("\n") == [
        'p95("GET /car") < "1 s" was not tested',
        "not tested, n = 0: There is no operation 'GET /car'. Did you mean GET /cart or GET /pay?",
    ]


def test_a_figure_that_is_compared_with_nothing_warns_where_it_stands() -> None:
    with pytest.warns(tl.CheckWarning, match=r'p95\("GET /pay"\) was compared with nothing') as caught:
        tl.expect(SHOP).p95("GET /pay")
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert tl.expect(SHOP).p95("GET /pay") < "1s"
        gc.collect()


def test_figures_are_no_truths_and_no_numbers() -> None:
    figure = tl.expect(SHOP).p95("GET /pay")
    with pytest.raises(tl.TracelabError, match="compared with nothing"):
        assert figure
    with pytest.raises(tl.TracelabError, match="<, <=, > or >= alone"):
        assert figure == "20ms"
    with pytest.raises(tl.TracelabError, match="<, <=, > or >= alone"):
        assert figure != "20ms"
    with pytest.raises(tl.TracelabError, match="for just three write >= 3, and <= 3"):
        assert tl.expect(SHOP).spans("SELECT") == 3
    with pytest.raises(tl.TracelabError, match="for none write <= 0"):
        assert tl.expect(SHOP).error_rate("GET /pay") == 0
    assert repr(figure) == 'p95("GET /pay")'
    assert repr(tl.expect(SHOP)) == "Expectations(7 spans)"


@pytest.mark.parametrize("limit", [800, "8e2", "800", None, [], "fast", "-1s", nan, NaT], ids=repr)
def test_a_limit_that_is_none_is_refused(limit: object) -> None:
    with pytest.raises(tl.TracelabError, match=r"the limit is|no duration"):
        assert tl.expect(SHOP).p95("GET /pay") < limit


def test_other_mistakes_are_refused() -> None:
    spans = tl.expect(SHOP)
    with pytest.raises(tl.TracelabError, match="Did you mean `service`"):
        spans.p95("GET /pay", servise="web")  # type: ignore[call-arg]
    with pytest.raises(tl.TracelabError, match="is a text"):
        spans.p95(3)  # type: ignore[arg-type]
    with pytest.raises(tl.RuleError, match="where"):
        assert spans.p95(where="{ status == error }") < "1s"
    with pytest.raises(tl.TracelabError, match="confidence"):
        tl.expect(SHOP, confidence=3)
    with pytest.raises(tl.SchemaError):
        tl.expect([])
    with pytest.raises(tl.SchemaError):
        spans.no_new_edges([])


def test_hostile_names_do_not_act_in_a_message() -> None:
    spans = SHOP.with_columns(name=SHOP["name"] + EVIL, service_name=SHOP["service_name"] + EVIL)
    said = breach(lambda: tl.expect(spans).max(f"GET /pay{EVIL}") < "1ms")
    assert "GET /pay" in said
    assert not any(acts(character) for character in said.replace("\n", ""))


def test_captured_spans_are_taken_as_they_are() -> None:
    trace = pytest.importorskip("opentelemetry.trace")
    with tl.capture() as spans, trace.get_tracer("shop").start_as_current_span("buy"):
        pass
    assert tl.expect(spans).max("buy") < "10s"
    assert tl.expect(spans).no_errors()


def test_pytest_shows_the_message_and_not_our_code(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        """import tracelab as tl

def test_it():
    spans = tl.synthetic.draw("web::GET / ===== kind=server")
    assert tl.expect(spans).p95("GET /") < "1ms"
""",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(tmp_path)]
    text = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stdout
    assert 'ExpectationError: p95("GET /") < "1 ms" fails' in text
    assert "trace 00000000000000000000000000000001, 1 span in 5 ms" in text
    assert "_held(" not in text
