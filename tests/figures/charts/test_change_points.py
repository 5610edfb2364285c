from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import tracelab as tl
from tests.differences.changes.planted import moment, requests, times


def test_each_group_and_measure_that_changed_has_a_picture_with_lines_and_what_appeared() -> None:
    rng = np.random.default_rng(21)
    at = times(rng, 1_000)
    after = at >= 0.5
    slower = requests(
        rng, at, milliseconds=np.where(after, 150.0, 50.0), attributes={"span.flag": np.where(after, "on", "off")}
    )
    failing = requests(rng, at, service="mail", failing=np.where(after, 0.3, 0.01))
    steady = requests(rng, at, service="cart")
    figure = tl.plot_change_points(pl.concat([slower, failing, steady], how="diagonal"), every="2m")
    titles = [note.text for note in figure.layout.annotations if note.text.startswith("<b>")]
    assert titles == ["<b>shop · GET /: latency</b>", "<b>mail · GET /: error rate</b>"]
    assert any(note.text.startswith("flag = on of shop appeared 00:") for note in figure.layout.annotations)
    lines = [shape for shape in figure.layout.shapes if shape.type == "line"]
    assert [line.line.dash for line in lines] == ["solid", "solid"]
    assert all(abs((line.x0 - moment(0.5)).total_seconds()) < 60 for line in lines)
    assert "2m; lines" in figure.layout.title.text
    only = tl.plot_change_points(slower, first=1)
    assert len([note for note in only.layout.annotations if note.text.startswith("<b>")]) == 1


@pytest.mark.filterwarnings("ignore::tracelab.errors.QueryWarning")
def test_where_nothing_changed_the_figure_says_so() -> None:
    rng = np.random.default_rng(22)
    for spans in (requests(rng, times(rng, 100)), requests(rng, times(rng, 5)), requests(rng, times(rng, 0))):
        figure = tl.plot_change_points(spans)
        assert figure.layout.annotations[0].text == "Nothing changed that is more than chance"
