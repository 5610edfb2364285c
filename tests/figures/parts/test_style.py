from __future__ import annotations

from typing import Any

import plotly.graph_objects as go
import polars as pl
import pytest

from tests.figures.every import FIGURES
from tracelab.colors import ERROR, service_colors
from tracelab.figures.parts.style import ERROR_TEXT, HOVER, NARROWEST, TEXT, framed, percent
from tracelab.figures.parts.text import fitting, shortened, text_width, wrapped
from tracelab.synthetic import draw

WHITE, DARK = "#ffffff", "#111111"
RICH = pl.concat(
    [
        draw(
            "\n\n".join([f"api::GET {'=' * (number % 9 + 1)}{'!' if number % 4 == 0 else ''}" for number in range(60)])
        ),
        draw("""
        web::GET     ==================== kind=server
          web::POST  .===================  kind=client
            api::GET ..==============!    kind=server
              db::q  ...==
              db::q  .....==
              db::q  ........===
        """),
    ]
)


def contrast(first: str, second: str) -> float:
    """Give the ratio of WCAG 2, from 1 (alike) to 21 (black on white)."""
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(color: str) -> float:
    parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def leaves(value: Any, path: str = "") -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [leaf for key, part in value.items() for leaf in leaves(part, f"{path}.{key}")]
    if isinstance(value, (list, tuple)) and value and isinstance(value[0], dict):
        return [leaf for part in value for leaf in leaves(part, path)]
    return [(path, value)]


@pytest.mark.parametrize("ground", [WHITE, DARK])
def test_text_can_be_read_on_a_white_and_on_a_dark_page(ground: str) -> None:
    # No colour has more than 4.35 to both; 4.3 leaves room for rounding.
    assert contrast(TEXT, ground) >= 4.3
    assert contrast(ERROR_TEXT, ground) >= 4.3


def test_hover_labels_can_be_read_on_their_own_ground() -> None:
    assert contrast(str(HOVER["font"]["color"]), str(HOVER["bgcolor"])) >= 7  # type: ignore[index]


@pytest.mark.parametrize("ground", [WHITE, DARK])
def test_colors_of_services_stand_out_from_a_white_and_a_dark_page(ground: str) -> None:
    tints = service_colors(f"service-{number}" for number in range(24)).values()
    assert len(set(tints)) == 24
    assert min(contrast(tint, ground) for tint in (*tints, ERROR)) >= 3


@pytest.mark.parametrize("figure", FIGURES)
def test_figures_have_clear_grounds(figure: str) -> None:
    layout = FIGURES[figure](RICH).layout
    assert (layout.paper_bgcolor, layout.plot_bgcolor) == ("rgba(0, 0, 0, 0)", "rgba(0, 0, 0, 0)")
    assert layout.hoverlabel.bgcolor == HOVER["bgcolor"]
    assert layout.font.color == TEXT


@pytest.mark.parametrize("figure", [name for name in FIGURES if name != "gantt"])
def test_figures_draw_nothing_in_white_or_black(figure: str) -> None:
    drawn = FIGURES[figure](RICH).to_plotly_json()
    colors = {
        str(value).lower().replace(" ", "")
        for path, value in leaves({"data": drawn["data"], "layout": drawn["layout"]})
        if path.rpartition(".")[2].endswith(("color", "colorscale"))
        # What is written within a bar stands on the bar, with a halo, and not on the page.
        and "insidetextfont" not in path
    }
    glaring = {"white", "black", "#fff", "#000", "#ffffff", "#000000", "rgb(255,255,255)", "rgb(0,0,0)"}
    assert not colors & glaring


@pytest.mark.parametrize("figure", FIGURES)
def test_figures_give_no_list_where_one_color_goes(figure: str) -> None:
    one_only = ("line.color", "fgcolor", "error_x.color", "error_y.color", "bgcolor", "arrowcolor", "fillcolor")
    for trace in FIGURES[figure](RICH).data:
        for path, value in leaves(trace.to_plotly_json()):
            if path.endswith(one_only) and not path.endswith("marker.line.color"):
                assert isinstance(value, str), (trace.name, path)
        pattern = trace.marker.pattern if trace.type == "bar" else None
        # In its usual mode plotly takes the list of the bars' colours for one when it looks for one that stands out.
        if pattern is not None and pattern.shape:
            assert pattern.fillmode == "replace"


@pytest.mark.parametrize("figure", [name for name in FIGURES if name != "gantt"])
def test_legends_stand_between_title_and_plot(figure: str) -> None:
    layout = FIGURES[figure](RICH).layout
    if not layout.showlegend:
        return
    assert (layout.legend.yref, layout.legend.yanchor) == ("container", "top")
    below_heading = (1 - layout.legend.y) * layout.height
    assert below_heading + 20 <= layout.margin.t
    lines = layout.title.text.count("<br>") + 1
    assert below_heading >= 10 + 21 * lines


def test_framed_says_where_there_is_nothing() -> None:
    figure = framed(go.Figure(), title="A", inner=300, nothing="No spans")
    assert [note.text for note in figure.layout.annotations] == ["No spans"]
    assert figure.layout.height < 150


def test_titles_are_broken_into_lines_that_fit_the_narrowest_page() -> None:
    long = "checkout-service-of-the-shop: GET /api/v1/orders/{order}/positions/{position}?with=everything, " * 3
    title = framed(go.Figure(), title=long, inner=300).layout.title.text
    lines = title.split("<br>")
    assert len(lines) > 2
    assert " ".join(lines) == long.strip() + " " * (len(long) - len(long.strip()))
    assert all(text_width(line, 16) <= NARROWEST for line in lines)


def test_wrapped_breaks_words_that_are_longer_than_a_line_and_keeps_entities_whole() -> None:
    assert wrapped("aaaa", 2 * text_width("a", 10) + 1, 10) == ["aa", "aa"]
    assert wrapped("&lt;&lt;&lt;", 2 * text_width("<", 10) + 1, 10) == ["&lt;&lt;", "&lt;"]


def test_shortened_keeps_both_ends() -> None:
    assert shortened("x" * 90 + "a", 10) == "xxxxxx…xxa"
    assert len(shortened("x" * 90, 10)) == 10
    assert shortened("short", 10) == "short"


def test_fitting_cuts_to_a_width() -> None:
    cut = fitting("a-service-with-a-rather-long-name", 100, 12)
    assert text_width(cut, 12) <= 100
    assert cut.startswith("a-serv")
    assert cut.endswith("name")


def test_percent_loses_no_digit() -> None:
    assert [percent(share) for share in (0.95, 0.999, 0.9, 1 / 3)] == ["95 %", "99.9 %", "90 %", "33.33333333 %"]
