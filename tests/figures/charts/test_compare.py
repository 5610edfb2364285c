from __future__ import annotations

import tracelab as tl
from tests.differences.attributes.planted import SLOW, traces


def test_what_stands_on_its_own_is_drawn_above_what_follows_from_it() -> None:
    spans = traces(2, 600, slow=lambda of: (of["version"] == "1.9") & (of["customer"] == "business"), share=0.03)
    figure = tl.plot_compare(spans, where=SLOW)
    found = tl.compare(spans, where=SLOW)
    more = figure.data[0]
    assert figure.layout.yaxis.ticktext[0].startswith("span.customer.kind = business")
    assert "and resource.service.version = 1.9 of shop" in figure.layout.yaxis.ticktext[0]
    assert more.marker.opacity[0] == 1
    assert set(more.marker.opacity[1:]) == {0.45}
    assert len(more.x) == found.height
    assert f"1 of {found.height} stand on their own" in figure.layout.title.text


def test_numbers_are_diamonds_and_intervals_are_those_of_the_answer() -> None:
    spans = traces(4, 500, slow=lambda of: of["items"] > 8)
    (row, *_) = tl.compare(spans, where=SLOW).rows(named=True)
    more = tl.plot_compare(spans, where=SLOW).data[0]
    assert more.marker.symbol[0] == "diamond"
    assert more.x[0] == 100 * row["effect"]
    assert more.error_x.arrayminus[0] == 100 * (row["effect"] - row["effect_lower"])
    assert "median 1" in more.hovertext[0]


def test_the_first_rows_are_drawn_and_it_is_said_how_many_there_are() -> None:
    spans = traces(2, 600, slow=lambda of: (of["version"] == "1.9") & (of["customer"] == "business"), share=0.03)
    total = tl.compare(spans, where=SLOW).height
    figure = tl.plot_compare(spans, where=SLOW, first=2)
    assert f"the first 2 of {total}" in figure.layout.title.text
    assert len(figure.layout.yaxis.ticktext) == 2


def test_hostile_names_are_harmless() -> None:
    spans = traces(1, 200, slow=lambda of: of["version"] == "1.9").rename({"span.tenant": "span.<img src=x>"})
    hostile = spans.with_columns(service_name=spans["service_name"] + "<script>alert(1)</script>")
    assert "<script" not in tl.plot_compare(hostile, where=SLOW, q=1).to_json()


def test_alike_sides_say_so() -> None:
    spans = traces(1, 200, slow=lambda of: of["version"] == "1.9")
    assert "Nothing sets it apart" in tl.plot_compare(spans, spans).to_json()
