"""plot_clock_skew: what the rows show of clock_skew."""

from __future__ import annotations

import pytest

import tracelab as tl
from tests.clocks.made import MILLISECOND, made_calls

EDGES = [("web-1", "pay-1"), ("web-1", "cart-1")]


def test_every_pair_has_an_interval_and_a_point_on_it() -> None:
    figure = tl.plot_clock_skew(made_calls(EDGES, ahead={"pay-1": 40 * MILLISECOND}))
    apart, point, *_ = (trace for trace in figure.data if trace.name == "clocks that cannot agree")
    assert len(apart.x) == 3
    assert apart.x[0] < point.x[0] < apart.x[1]
    assert point.x[0] == pytest.approx(40, abs=1)
    assert "correct_skew adds -" in point.hovertext[0]
    assert figure.layout.xaxis.title.text == "ahead of the other clock (ms)"
    assert figure.layout.yaxis.ticktext[0].startswith("pay-1<br>")
    assert "beside web-1, 20 of 20 calls outside" in figure.layout.yaxis.ticktext[0]
    assert "1 of 2 pairs of hosts" in figure.layout.title.text


def test_where_there_is_no_bound_the_line_runs_to_the_edge() -> None:
    figure = tl.plot_clock_skew(made_calls([("web-1", "mail-1")], kinds=("producer", "consumer")))
    line = next(trace for trace in figure.data if trace.name == "clocks that may agree")
    left, right = figure.layout.xaxis.range
    assert line.x[0] == left
    assert line.x[1] < right


def test_names_of_hosts_are_no_markup() -> None:
    figure = tl.plot_clock_skew(made_calls([("web-1", "<b>x</b>")]))
    assert "<b>x" not in figure.layout.yaxis.ticktext[0]


def test_where_no_host_calls_another_the_figure_says_so() -> None:
    assert "No calls between hosts" in str(tl.plot_clock_skew(made_calls([("web-1", "web-1")])).layout.annotations)
