"""Configurations as values that know their places."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tracelab.errors import PolicyError, SourceError
from tracelab.sampling.documents import near, near_or_all, plain_scalar, read_document, written

if TYPE_CHECKING:
    from pathlib import Path


def test_values_know_their_lines() -> None:
    document = read_document("a: 1\nb:\n  - c: x\n  - d: y\n", name="rules")
    assert document.values == {"a": 1, "b": [{"c": "x"}, {"d": "y"}]}
    assert document.lines["b", 1, "d"] == 4
    assert document.where(("b", 1, "d")) == "line 4, b[1].d"
    assert document.where(("b", 1, "missing")) == "line 4, b[1].missing"


def test_a_mapping_has_no_lines() -> None:
    document = read_document({"a": ({"b": None},)}, name="rules")
    assert document.values == {"a": [{"b": None}]}
    assert document.where(("a", 0)) == "a[0]"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("True", True),
        ("tRue", "tRue"),
        ("null", None),
        ("0x1F", 31),
        ("0o17", 15),
        ("017", 15),
        ("0b101", 5),
        ("-12", -12),
        ("1_000", 1000),
        ("_1", "_1"),
        ("1e3", 1000.0),
        (".5", 0.5),
        (".inf", float("inf")),
        ("12:30", "12:30"),
        ("089", 89.0),
        ("=", "="),
        ("9" * 40, float("9" * 40)),
    ],
)
def test_plain_scalars_are_read_as_go_reads_them(text: str, value: object) -> None:
    assert plain_scalar(text) == value
    assert type(plain_scalar(text)) is type(value)


def test_quotes_and_tags_say_what_a_scalar_is() -> None:
    document = read_document("a: '1'\nb: !!str 2\nc: !!float 3\nd: !!int 4", name="rules")
    assert document.values == {"a": "1", "b": "2", "c": 3.0, "d": 4}


def test_aliases_and_merges_are_followed() -> None:
    document = read_document("base: &b {x: 1, y: 2}\nmore:\n  <<: *b\n  y: 3\n", name="rules")
    assert document.values["more"] == {"x": 1, "y": 3}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\na: 2\n", "line 2, a: the key 'a' stands twice"),
        ("a: 1\n---\nb: 2\n", "Line 3 begins a second document"),
        ("a: [1, 2\n", "is no YAML"),
        ("a: &a [*a]\n", "more or deeper values"),
        ("[" * 5000 + "\n", "too deep"),
        (
            "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
            + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 10)}]\n" for n in range(8)),
            "more or deeper values",
        ),
        ("? [a]\n: 1\n", "a key is text"),
        ('a: "\\ud800"\n', "half a character"),
        ("a: !!int x\n", "'x' is no int"),
    ],
)
def test_what_is_no_configuration_is_refused(text: str, words: str) -> None:
    with pytest.raises(PolicyError, match=words.replace("[", r"\[")):
        read_document(text, name="rules")


def test_a_file_is_read_by_its_path_and_named(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("a:\n  b: 1\n")
    document = read_document(path, name="rules")
    assert document.where(("a", "b")) == "rules.yaml, line 2, a.b"
    assert read_document(str(path), name="rules").values == {"a": {"b": 1}}
    with pytest.raises(SourceError, match="cannot be read"):
        read_document(tmp_path / "none.yaml", name="rules")
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PolicyError, match="no text in UTF-8"):
        read_document(path, name="rules")


def test_toml_is_read_where_a_text_is_none_of_yaml() -> None:
    assert read_document("A = 1\n[b]\nc = 'x'\n", name="rules").values == {"A": 1, "b": {"c": "x"}}
    with pytest.raises(PolicyError, match="is no YAML: line 2"):
        read_document("a: 1\n  b: : 2\n", name="rules")


@pytest.mark.parametrize("source", [None, 3, [], ""])
def test_what_is_no_source_is_refused(source: object) -> None:
    with pytest.raises(PolicyError, match="`rules` must be"):
        read_document(source, name="rules")


@pytest.mark.parametrize("values", [{"a": "\ud800"}, {"a": [{"\ud800": 1}]}, {"a": object()}, {"a": {1: 2}}])
def test_a_mapping_holds_what_a_text_could(values: object) -> None:
    with pytest.raises(PolicyError):
        read_document(values, name="rules")


def test_names_are_offered() -> None:
    assert near("Sampl", ("Samplers", "RulesVersion")) == " Did you mean 'Samplers'?"
    assert near("samplers", ("Samplers", "RulesVersion")).startswith(" Did you mean 'Samplers'")
    assert near("x", ("a", "b")) == near(None, ("a",)) == ""
    assert near_or_all("x", ("a", "b")) == " Known are a, b."
    assert written(("a", 0, "b")) == "a[0].b"
