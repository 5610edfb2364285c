"""The public surface: what there is, in order, and documented."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest

import tracelab as tl

public: list[str] = vars(tl)["__all__"]
FUNCTIONS = sorted(name for name in public if inspect.isfunction(getattr(tl, name)))
FIGURES = [name for name in FUNCTIONS if name.startswith("plot_")]


def sections(function: Any) -> str:
    return inspect.getdoc(function) or ""


def test_all_is_sorted_and_is_what_dir_shows() -> None:
    assert public == sorted(public)
    assert dir(tl) == public


@pytest.mark.parametrize("name", public)
def test_every_name_can_be_imported(name: str) -> None:
    assert getattr(tl, name) is not None


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_says_what_it_returns_and_shows_an_example(name: str) -> None:
    text = sections(getattr(tl, name))
    assert text
    assert re.search(r"^Returns\n-+$", text, re.MULTILINE) or name in {"explain", "write", "write_report"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_takes_at_most_two_positionals(name: str) -> None:
    positional = [
        parameter
        for parameter in inspect.signature(getattr(tl, name)).parameters.values()
        if parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    ]
    assert len(positional) <= 2 or name == "gap"


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_returns_a_plotly_figure(name: str) -> None:
    assert inspect.signature(getattr(tl, name)).return_annotation == "go.Figure"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="read_everything"):
        getattr(tl, "read_everything")  # noqa: B009
