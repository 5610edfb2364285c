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
    assert tl.compare_policies(ORPHAN, {"one": FOLLOWER}, missing_parents=option)["spans_kept_share"].item() == kept
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


@pytest.mark.parametrize("policy", [FOLLOWER, presets.production()], ids=["head", "tail"])
def test_arrivals_are_checked_whatever_the_policy(policy: Any) -> None:
    with pytest.raises(tl.SchemaError, match=r"`arrival` names 'start_tme'.* Did you mean 'start_time'"):
        tl.sampling_report(ORPHAN, policy, arrival="start_tme")


@pytest.mark.parametrize("wrong", [None, 0.1, True, AlwaysOn])
def test_what_is_no_policy_is_refused_by_name(wrong: Any) -> None:
    for asked in (tl.sampling_decisions, tl.sampling_report, tl.sampling_losses):
        with pytest.raises(tl.TracelabError, match="`policy` must be a sampler"):
            asked(ORPHAN, wrong)
    with pytest.raises(tl.TracelabError, match="`policy` must be a sampler") as caught:
        tl.compare_policies(ORPHAN, {"one": presets.production(), "other": wrong})
    assert caught.value.__notes__ == ["This is about the policy 'other'."]


def test_fleets_are_told_from_configurations() -> None:
    heads = [AlwaysOn(), ProbabilisticProcessor(10), {"web": AlwaysOn(), "*": 0.1}, {"*": ProbabilisticProcessor(10)}]
    others = [presets.production(), {}, {"policies": []}, "policies: []", None, 0.1]
    assert [is_head(policy) for policy in [*heads, *others]] == [True] * 4 + [False] * 6
