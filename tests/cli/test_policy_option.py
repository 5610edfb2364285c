from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

import pytest

import tracelab as tl
from tracelab.cli.policy_option import PolicyOption
from tracelab.sampling import AlwaysOff, ParentBased, RefineryRules, TailPolicies, TraceIdRatioBased, presets
from tracelab.synthetic import draw

if TYPE_CHECKING:
    from pathlib import Path

SPANS = draw("api ====")
COLLECTOR = """
receivers: {otlp: {}}
processors:
  tail_sampling/one:
    policies: [{name: errors, type: status_code, status_code: {status_codes: [ERROR]}}]
  tail_sampling/two:
    policies: [{name: everything, type: always_sample}]
"""
RULES = """
RulesVersion: 2
Samplers:
  __default__: {DeterministicSampler: {SampleRate: 2}}
  prod: {DeterministicSampler: {SampleRate: 5}}
"""


def policy_of(text: str, **beside: Any) -> Any:
    return PolicyOption(text, **beside).read()(SPANS)


def written(folder: Path, text: str) -> str:
    path = folder / "policy.conf"
    path.write_text(text)
    return str(path)


def test_a_file_is_told_by_what_is_in_it(tmp_path: Path) -> None:
    policies = policy_of(written(tmp_path, COLLECTOR), processor="tail_sampling/two", collector_version="0.150")
    assert isinstance(policies, TailPolicies)
    assert [policy.name for policy in policies.policies] == ["everything"]
    rules = policy_of(written(tmp_path, RULES), environment="prod")
    assert isinstance(rules, RefineryRules)
    assert rules.environment == "prod"


def test_a_pipe_is_read_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_text(RULES))
    writer.start()
    assert isinstance(policy_of(str(pipe)), RefineryRules)
    writer.join()


def test_a_name_is_the_same_whatever_files_are_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "production").write_text("tail_sampling: {policies: [{name: everything, type: always_sample}]}")
    (tmp_path / "development").mkdir()
    with pytest.warns(tl.QueryWarning, match=r"file of that name is \./production"):
        assert policy_of("production").yaml == presets.production().yaml
    assert [policy.name for policy in policy_of("./production").policies] == ["everything"]
    assert policy_of("development").yaml == presets.development().yaml


def test_presets_have_names_and_may_have_shares() -> None:
    assert policy_of("production").yaml == presets.production().yaml
    assert policy_of("production:0.25").yaml == presets.production(ratio=0.25).yaml
    assert policy_of("everyday:0.5").yaml == presets.everyday(SPANS, ratio=0.5).yaml
    assert policy_of("development").yaml == presets.development().yaml
    assert str(policy_of("production", collector_version="0.120").version) == str(
        tl.sampling.tail_policies(presets.production().yaml, collector_version="0.120").version
    )


@pytest.mark.parametrize(
    ("text", "sampler"),
    [
        ("ratio:0.1", ParentBased(TraceIdRatioBased(0.1))),
        ("ratio:1e-3:js", ParentBased(TraceIdRatioBased(0.001, "js"))),
        ("parentbased_traceidratio:0.1", ParentBased(TraceIdRatioBased(0.1))),
        ("traceidratio:1", TraceIdRatioBased(1.0)),
        ("always_off", AlwaysOff()),
        ("parentbased_always_off", ParentBased(AlwaysOff())),
    ],
)
def test_samplers_are_called_as_sdks_call_them(text: str, sampler: Any) -> None:
    assert policy_of(text) == sampler


@pytest.mark.parametrize(
    ("text", "beside", "message"),
    [
        ("ratio:2", {}, "`ratio` must lie between 0 and 1"),
        ("ratio:nan", {}, "`ratio` must lie between 0 and 1"),
        ("ratio", {}, "ratio takes a share"),
        ("ratio:0.1:js:js", {}, "ratio takes a share"),
        ("ratio:much", {}, "ratio takes one share"),
        ("ratio:0.1:javascript", {}, "`sdk` must be one of"),
        ("always_on:1", {}, "always_on takes no share"),
        ("development:0.1", {}, "takes no share"),
        ("everyday:7", {}, "`ratio` must lie between 0 and 1"),
        ("prodction", {}, "Did you mean production"),
        ("ratio:0.1", {"environment": "prod"}, "--environment is for rules of Refinery, and ratio is no file"),
        ("ratio:0.1", {"collector_version": "0.150"}, "--collector-version is for a Collector"),
        ("production", {"processor": "tail_sampling"}, "--processor is for files"),
        ("production", {"missing_parents": "root"}, "--missing-parents is for samplers of SDKs, and production is"),
        ("ratio:0.1", {"missing_parents": "samled"}, "`--missing-parents` must be one of .* Did you mean 'sampled'"),
        ("production", {"collector_version": "3"}, "version"),
    ],
)
def test_what_is_none_is_refused_with_the_reason(text: str, beside: dict[str, str], message: str) -> None:
    with pytest.raises(tl.TracelabError, match=message) as error:
        PolicyOption(text, **beside).read()
    assert not isinstance(error.value, tl.SourceError)


def test_options_that_a_file_has_nothing_to_do_with_are_refused(tmp_path: Path) -> None:
    with pytest.raises(tl.TracelabError, match=r"--environment is for rules of Refinery, and .* holds no rules"):
        policy_of(written(tmp_path, COLLECTOR), environment="prod", processor="tail_sampling/one")
    with pytest.raises(tl.TracelabError, match=r"--processor is for a Collector's configuration, and .* holds rules"):
        policy_of(written(tmp_path, RULES), processor="tail_sampling/one")
    for text in (COLLECTOR, RULES):
        with pytest.raises(tl.TracelabError, match="--missing-parents is for samplers of SDKs, and "):
            policy_of(written(tmp_path, text), missing_parents="sampled")


@pytest.mark.parametrize("text", ["nope.yaml", "folder/production", "ratios/0.1"])
def test_a_file_that_is_not_there_is_a_source_that_cannot_be_read(text: str) -> None:
    with pytest.raises(tl.SourceError, match="There is no file"):
        PolicyOption(text).read()


def test_rules_of_an_old_version_are_known_as_rules(tmp_path: Path) -> None:
    with pytest.raises(tl.PolicyError, match="ersion"):
        policy_of(written(tmp_path, "Sampler: DeterministicSampler\nSampleRate: 2\n"))
