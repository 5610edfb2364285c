"""The face that takes any policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import tracelab as tl
from tracelab.sampling import AlwaysOff, AlwaysOn, ParentBased, ProbabilisticProcessor, head_decisions, presets
from tracelab.sampling.deciding import is_head
from tracelab.sampling.head.replay import MISSING_PARENTS
from tracelab.synthetic import draw

if TYPE_CHECKING:
    from collections.abc import Callable

ORPHAN = draw("""
gone::lost
  web::late   .==
""")
FOLLOWER = ParentBased(AlwaysOff())


@pytest.mark.parametrize("option", MISSING_PARENTS)
def test_what_became_of_missing_parents_is_handed_on_to_head_samplers(option: str) -> None:
    found = tl.sampling_decisions(ORPHAN, FOLLOWER, missing_parents=option)
    assert found.equals(head_decisions(ORPHAN, FOLLOWER, missing_parents=option))
    kept = int(option == "sampled")
    assert found["spans_kept"].to_list() == [kept]
    assert tl.sampling_report(ORPHAN, FOLLOWER, missing_parents=option)["spans_kept"].to_list() == [kept]
    assert tl.compare_policies(ORPHAN, {"one": FOLLOWER}, missing_parents=option)["spans_kept"].to_list() == [kept]
    assert ("web" in tl.sampling_losses(ORPHAN, FOLLOWER, missing_parents=option)["service_name"]) == (not kept)


@pytest.mark.parametrize("policy", [FOLLOWER, presets.production()], ids=["head", "tail"])
@pytest.mark.parametrize(
    "asked",
    [
        lambda policy: tl.sampling_decisions(ORPHAN, policy, missing_parents="roots"),
        lambda policy: tl.sampling_report(ORPHAN, policy, missing_parents="roots"),
        lambda policy: tl.sampling_losses(ORPHAN, policy, missing_parents="roots"),
        lambda policy: tl.compare_policies(ORPHAN, {"one": policy}, missing_parents="roots"),
    ],
    ids=["decisions", "report", "losses", "comparison"],
)
def test_another_word_is_refused_whatever_the_policy(asked: Callable[[Any], Any], policy: Any) -> None:
    with pytest.raises(tl.TracelabError, match=r"`missing_parents` must be one of .* Did you mean 'root'"):
        asked(policy)


def test_fleets_are_told_from_configurations() -> None:
    heads = [AlwaysOn(), ProbabilisticProcessor(10), {"web": AlwaysOn(), "*": 0.1}, {"*": ProbabilisticProcessor(10)}]
    others = [presets.production(), {}, {"policies": []}, "policies: []", None, 0.1]
    assert [is_head(policy) for policy in [*heads, *others]] == [True] * 4 + [False] * 6
