from __future__ import annotations

import json
import random
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

import tracelab as tl
from tests.sampling.ottl.asking import REFUSED, by_span, differences, ours, said, theirs
from tests.sampling.ottl.mixture import event_counts, traces

if TYPE_CHECKING:
    import polars as pl

_HERE: Final = Path(__file__).parent
_COMBINATIONS: Final = 600
_VALUES: Final = (
    "nil", "5", "-7", "2.5", "0", '"text"', '""', '"5"', "true", "false", "0x0102", "[]", '[1, "x", 2.5, true]', "{}",
    "start_time", "end_time", "end_time - start_time", 'Duration("2ms")', "name", "kind", "status.code", "trace_id",
    "span_id", "parent_span_id", "flags", "trace_state", 'trace_state["a"]', 'attributes["x"]', 'attributes["i"]',
    'attributes["d"]', 'attributes["s"]', 'attributes["b"]', 'attributes["l"]', 'attributes["l"][0]',
    'attributes["nope"]', 'attributes["rare.4"]', 'resource.attributes["z"]', "scope.name", 'String(attributes["x"])',
    'Len(attributes["s"])', 'Int(attributes["x"])', 'Double(attributes["x"])', 'Split(attributes["s"], " ")',
    "ToUpperCase(name)", 'ParseJSON(attributes["x"])', 'attributes["i"] + 1', 'attributes["i"] * attributes["d"]',
    '-attributes["d"]', 'attributes["d"] / attributes["i"]', "UnixMilli(start_time)", 'attributes["x"] + 1',
    'Coalesce([attributes["x"], attributes["i"]])', 'Concat([name, attributes["x"]], "-")', 'Hex(attributes["x"])',
)  # fmt: skip


def _lines(name: str) -> list[str]:
    lines = (_HERE / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@cache
def _spans() -> pl.DataFrame:
    return tl.read(json.dumps(traces()).encode())


def _compare(texts: list[str]) -> None:
    own = [ours(_spans(), text) for text in texts]
    assert not list(differences(texts, own, theirs(traces(), texts)))


def test_every_condition_is_answered_as_the_collector_answers_it() -> None:
    _compare([line.removeprefix("? ") for line in _lines("conditions.txt")])


def test_only_what_a_frame_does_not_tell_is_unknown() -> None:
    for line in _lines("conditions.txt"):
        assert ("unknown" in ours(_spans(), line.removeprefix("? "))) == line.startswith("? "), line


def test_conditions_about_events_are_answered_as_the_collector_answers_them() -> None:
    texts = _lines("event_conditions.txt")
    own = [ours(_spans(), text, "spanevent") for text in texts]
    other = [by_span(answers, event_counts()) for answers in theirs(traces(), texts, "spanevent")]
    assert not list(differences(texts, own, other))


def test_converters_give_the_values_that_the_collectors_give() -> None:
    expressions = _lines("expressions.txt")
    wrapped = [f'Int(Concat(["v", {text}], "")) == 0' for text in expressions]
    texts = [_with_value(text, answers[0]) for text, answers in zip(expressions, said(traces(), wrapped), strict=True)]
    own = [ours(_spans().head(1), text) for text in texts]
    assert not [text for text, answer in zip(texts, own, strict=True) if answer == ["false"]]
    _compare(texts)


def _with_value(expression: str, answer: str) -> str:
    """Compare an expression with the value that the Collector complains of, since it is no number."""
    found = re.fullmatch(r'error: strconv\.ParseInt: parsing "v(.*)": .*', answer, re.DOTALL)
    return f'Concat([{expression}], "") == ' + (f'"{found[1]}"' if found else "nil")


@pytest.mark.parametrize("seed", range(4))
def test_combinations_of_conditions_are_answered_as_the_collector_answers_them(seed: int) -> None:
    draw = random.Random(seed)
    parts = [line for line in _lines("conditions.txt") if not line.startswith("? ")]
    parts = [
        text for text, own in ((text, ours(_spans(), text)) for text in draw.sample(parts, 150)) if own != [REFUSED]
    ]
    _compare([_combined(draw, parts, 4) for _ in range(_COMBINATIONS // 4)])


def _combined(draw: random.Random, parts: list[str], depth: int) -> str:
    kind = draw.random()
    if depth == 0 or kind < 0.3:
        return f"({draw.choice(parts)})"
    if kind < 0.45:
        return f"not ({_combined(draw, parts, depth - 1)})"
    word = " and " if kind < 0.72 else " or "
    joined = word.join(_combined(draw, parts, depth - 1) for _ in range(draw.randint(2, 3)))
    return f"({joined})" if draw.random() < 0.5 else joined


@pytest.mark.parametrize("seed", range(4))
def test_any_two_values_compare_as_the_collector_compares_them(seed: int) -> None:
    draw = random.Random(100 + seed)
    pairs = [(draw.choice(_VALUES), draw.choice(_VALUES)) for _ in range(_COMBINATIONS // 4)]
    _compare([f"{left} {draw.choice(['==', '!=', '<', '<=', '>', '>='])} {right}" for left, right in pairs])


def test_broken_conditions_are_refused_where_the_collector_refuses_them() -> None:
    draw = random.Random(7)
    texts = [line.removeprefix("? ") for line in _lines("conditions.txt")]
    broken = [_broken(draw, draw.choice(texts)) for _ in range(_COMBINATIONS)]
    own, other = ([answer == [REFUSED] for answer in answers] for answers in (_all(broken), theirs(traces(), broken)))
    assert not [text for text, one, another in zip(broken, own, other, strict=True) if one != another]


def _all(texts: list[str]) -> list[list[str]]:
    return [ours(_spans().head(1), text) for text in texts]


def _broken(draw: random.Random, text: str) -> str:
    """Drop, double or exchange a character, or put one in."""
    place = draw.randrange(len(text))
    added: str = draw.choice(["", text[place] * 2, draw.choice(' ()[]"=.,aA0_'), text[place] + draw.choice("()[]. \\")])
    return text[:place] + added + text[place + 1 :]
