"""The Collector's own OTTL, asked about conditions, and ours asked the same."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.live.programs import ANSWERED, OTTL
from tracelab.errors import PolicyError
from tracelab.sampling.ottl import Conditions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import polars as pl

REFUSED: Final = "refused"


def theirs(traces: dict[str, Any], texts: Sequence[str], context: str = "span") -> list[list[str]]:
    """Ask the Collector's OTTL: `true`, `false` or `error` per span (or event), or that it refuses the condition.

    Where it ends in a panic that is an error, too.
    """
    program = OTTL.found()
    if program is None:
        pytest.skip("no ottl is built (python -m tests.live.programs does it)")
    questions = [{"context": context, "condition": text} for text in texts]
    asked = json.dumps({"traces": traces, "questions": questions})
    done = subprocess.run([program], input=asked, capture_output=True, text=True, check=True)
    if OTTL.title not in ANSWERED:
        ANSWERED.append(OTTL.title)
    answers = json.loads(done.stdout)
    return [[REFUSED] if each.get("refused") else [_word(one) for one in each["results"]] for each in answers]


def ours(spans: pl.DataFrame, text: str, context: str = "span") -> list[str]:
    """Ask our own: as `theirs`, and `unknown`."""
    try:
        conditions = Conditions([text], context)
    except PolicyError:
        return [REFUSED]
    found = conditions.evaluate(spans)
    return [
        "error" if error is not None else "unknown" if matches is None else str(matches).lower()
        for matches, error in found.iter_rows()
    ]


def by_span(answers: list[str], counts: Sequence[int]) -> list[str]:
    """Sum up the answers about events for each span: the first that holds or fails settles it."""
    if answers == [REFUSED]:
        return answers
    rest = iter(answers)
    return [_settled([next(rest) for _ in range(count)]) for count in counts]


def differences(texts: Sequence[str], own: Sequence[list[str]], other: Sequence[list[str]]) -> Iterator[str]:
    """Name the conditions on which answers differ; what is unknown to us does not."""
    for text, one, another in zip(texts, own, other, strict=True):
        pairs = list(zip(one, another, strict=False))
        wrong = [pair for pair in pairs if pair[0] not in ("unknown", pair[1])]
        if wrong or len(one) != len(another):
            yield f"{text}: {wrong[:3] or (one[:1], another[:1])} (ours, theirs) {len(wrong)} times"


def _settled(answers: list[str]) -> str:
    return next((answer for answer in answers if answer != "false"), "false")


def _word(answer: str) -> str:
    return "error" if answer.startswith(("error: ", "panic: ")) else answer
