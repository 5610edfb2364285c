"""Our answers beside those of the Collector's own OTTL: recorded ones, and, where it is built, its own.

`conditions.tsv` has what it answers about the spans of `mixture.py`: `t3f2e1` is true on three spans, false on two, an
error on one. A question mark stands where a span frame does not tell the answer, on some spans at least.
"""

from __future__ import annotations

import json
import random
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

import tracelab as tl
from tests.sampling.ottl.asking import REFUSED, by_span, differences, ours, theirs
from tests.sampling.ottl.mixture import event_counts, traces

if TYPE_CHECKING:
    import polars as pl

_COMBINATIONS: Final = 150
_WORDS: Final = {"t": "true", "f": "false", "e": "error"}
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


class _Recorded(NamedTuple):
    answers: list[str]
    untold: bool
    text: str


@cache
def _recorded(name: str) -> list[_Recorded]:
    lines = (Path(__file__).parent / name).read_text(encoding="utf-8").splitlines()
    return [
        _Recorded(_spelled(answers), mark == "?", text)
        for answers, mark, text in (line.split("\t", 2) for line in lines)
    ]


def _spelled(short: str) -> list[str]:
    if short == REFUSED:
        return [REFUSED]
    return [_WORDS[word] for word, count in re.findall(r"([tfe])(\d+)", short) for _ in range(int(count))]


@cache
def _spans() -> pl.DataFrame:
    return tl.read(json.dumps(traces()).encode())


@pytest.mark.parametrize(("name", "context"), [("conditions.tsv", "span"), ("event_conditions.tsv", "spanevent")])
def test_every_condition_is_answered_as_the_collector_answered_it(name: str, context: str) -> None:
    recorded = _recorded(name)
    texts, own = [each.text for each in recorded], [ours(_spans(), each.text, context) for each in recorded]
    assert not list(differences(texts, own, [each.answers for each in recorded]))
    # Nothing is unknown but for what is said to be.
    assert [
        each.text for each, answers in zip(recorded, own, strict=True) if ("unknown" in answers) != each.untold
    ] == []


def test_the_collector_still_answers_as_it_is_recorded() -> None:
    recorded = _recorded("conditions.tsv")
    texts = [each.text for each in recorded]
    assert not list(differences(texts, theirs(traces(), texts), [each.answers for each in recorded]))


def test_the_collector_still_answers_about_events_as_it_is_recorded() -> None:
    recorded = _recorded("event_conditions.tsv")
    texts = [each.text for each in recorded]
    other = [by_span(answers, event_counts()) for answers in theirs(traces(), texts, "spanevent")]
    assert not list(differences(texts, other, [each.answers for each in recorded]))


@pytest.mark.parametrize("seed", range(4))
def test_combinations_of_conditions_are_answered_as_the_collector_answers_them(seed: int) -> None:
    draw = random.Random(seed)
    fine = [each.text for each in _recorded("conditions.tsv") if not each.untold and each.answers != [REFUSED]]
    parts = draw.sample(fine, 150)
    _compare([_combined(draw, parts, 4) for _ in range(_COMBINATIONS)])


def _compare(texts: list[str]) -> None:
    other = theirs(traces(), texts)
    assert not list(differences(texts, [ours(_spans(), text) for text in texts], other))


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
    pairs = [(draw.choice(_VALUES), draw.choice(_VALUES)) for _ in range(_COMBINATIONS)]
    _compare([f"{left} {draw.choice(['==', '!=', '<', '<=', '>', '>='])} {right}" for left, right in pairs])


@pytest.mark.parametrize("seed", range(3))
def test_broken_conditions_are_refused_where_the_collector_refuses_them(seed: int) -> None:
    draw = random.Random(200 + seed)
    texts = [each.text for each in _recorded("conditions.tsv")]
    broken = [_broken(draw, draw.choice(texts)) for _ in range(4 * _COMBINATIONS)]
    other = [answers == [REFUSED] for answers in theirs(traces(), broken)]
    own = [ours(_spans().head(1), text) == [REFUSED] for text in broken]
    # Texts that are not UTF-8 are refused by us only.
    strange = re.compile(r"\\(?:[0-3][0-7]{2}|x[89a-fA-F])")
    compared = [each for each in zip(broken, own, other, strict=True) if not strange.search(each[0])]
    assert [text for text, one, another in compared if one != another] == []


def _broken(draw: random.Random, text: str) -> str:
    """Drop, double or exchange a character, or put one in."""
    place = draw.randrange(len(text))
    added: str = draw.choice(["", text[place] * 2, draw.choice(' ()[]"=.,aA0_'), text[place] + draw.choice("()[]. \\")])
    return text[:place] + added + text[place + 1 :]
