"""What a real Collector refuses to start with is refused here, and what it takes is taken."""

from __future__ import annotations

import json
import subprocess
import warnings
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.live.programs import COLLECTOR, free_ports
from tests.sampling.tail.settings import one
from tracelab.errors import PolicyError
from tracelab.sampling import tail_policies

if TYPE_CHECKING:
    from pathlib import Path

_ALL: Final = {"name": "a", "type": "always_sample"}
_FLAGS: Final = {"name": "b", "type": "trace_flags"}


def _inside(kind: str, *subs: Any) -> list[dict[str, Any]]:
    return one(kind, **{f"{kind}_sub_policy": list(subs)})


REFUSED: Final[dict[str, Any]] = {
    "an unknown key": {"num_trace": 1, "policies": [_ALL]},
    "an unknown type": {"policies": [{"name": "a", "type": "latncy"}]},
    "no type": {"policies": [{"name": "a"}]},
    "no name": {"policies": [{"type": "always_sample"}]},
    "a name twice": {"policies": [_ALL, _ALL]},
    "a number as a name": {"policies": [{"name": 5, "type": "always_sample"}]},
    "a text as a number": {"policies": one("latency", threshold_ms="5")},
    "a text as a share": {"policies": one("probabilistic", sampling_percentage="10")},
    "a number as a flag": {"policies": one("boolean_attribute", key="a", value=1)},
    "numbers as texts": {"policies": one("string_attribute", key="a", values=[200])},
    "a setting that is none": {"policies": one("latency", threshold=5)},
    "a bad setting of another type": {"policies": [{**_ALL, "latency": {"threshold_ms": "x"}}]},
    "a free key without a mapping": {"policies": [{**_ALL, "latncy": 5}]},
    "no statuses": {"policies": one("status_code", status_codes=[])},
    "a status in lower case": {"policies": one("status_code", status_codes=["error"])},
    "a bad regex": {"policies": one("string_attribute", key="a", values=["("], enabled_regex_matching=True)},
    "a regex of others": {"policies": one("string_attribute", key="a", values=["(?=x)"], enabled_regex_matching=True)},
    "no conditions": {"policies": one("ottl_condition", error_mode="ignore")},
    "an error mode that is none": {"policies": one("ottl_condition", error_mode="no", span=["true"])},
    "a condition that is none": {"policies": one("ottl_condition", error_mode="ignore", span=["atributes == 1"])},
    "a drop inside an and": {"policies": _inside("and", {"name": "d", "type": "drop"})},
    "an and inside a not": {"policies": one("not", not_sub_policy={"name": "x", "type": "and"})},
    "two policies in a not": {"policies": one("not", not_sub_policy=[_ALL, _FLAGS])},
    "a not inside a composite": {"policies": _inside("composite", {"name": "n", "type": "not"})},
    "a length without a unit": {"decision_wait": "30", "policies": [_ALL]},
    "a length that is none": {"decision_wait": "30 s", "policies": [_ALL]},
    "a flag in words": {"sample_on_first_match": "yes", "policies": [_ALL]},
    "a negative number of traces": {"num_traces": -1, "policies": [_ALL]},
    "too many shards": {"num_shards": 257, "policies": [_ALL]},
    "a strategy that is none": {"sampling_strategy": "all", "policies": [_ALL]},
    "a limit as spans come": {"sampling_strategy": "span-ingest", "policies": one("rate_limiting", spans_per_second=5)},
    "an upper bound as spans come": {
        "sampling_strategy": "span-ingest",
        "policies": one("latency", upper_threshold_ms=5),
    },
    "a storage": {"tail_storage": "file_storage", "policies": [_ALL]},
    "policies as a mapping of names": {"policies": {"a": {"type": "always_sample"}}},
}

TAKEN: Final[dict[str, Any]] = {
    "nothing": {},
    "null": {"policies": None, "num_traces": None, "decision_cache": None},
    "a fraction as a number": {"policies": one("latency", threshold_ms=5.7)},
    "a number as a share": {"policies": one("probabilistic", sampling_percentage=10)},
    "a text as a list": {"policies": one("string_attribute", key="a", values="x,y")},
    "a number as a length": {"decision_wait": 5, "policies": [_ALL]},
    "a length with a sign": {"decision_wait": "+1m1.5s", "policies": [_ALL]},
    "settings that nobody reads": {"policies": [{**_ALL, "latency": {"threshold_ms": 5}, "other": {"x": 1}}]},
    "no settings": {"policies": [{"name": "a", "type": "latency"}]},
    "a null as settings": {"policies": [{"name": "a", "type": "latency", "latency": None}]},
    "policies without a name inside": {"policies": _inside("and", {"type": "always_sample"}, {"type": "trace_flags"})},
    "an empty and": {"policies": [{"name": "a", "type": "and"}]},
    "a not inside a drop": {"policies": _inside("drop", {"type": "not", "not": {"not_sub_policy": _FLAGS}})},
    "an and inside a composite": {"policies": _inside("composite", {"name": "x", "type": "and"})},
    "a number of 64 bits": {"num_traces": 2**64 - 1, "policies": [_ALL]},
    "braces in a regex": {"policies": one("string_attribute", key="a", values=["/{id}"], enabled_regex_matching=True)},
    "an error mode in capitals": {"policies": one("ottl_condition", error_mode="IGNORE", span=["true"])},
    "no error mode": {"policies": one("ottl_condition", span=["true"])},
    "escaped dollars": {"policies": one("string_attribute", key="$$a", values=["$$5"])},
    "no key": {"policies": one("string_attribute", values=["a"])},
}


@pytest.mark.parametrize("block", [*REFUSED.values(), *TAKEN.values()], ids=[*REFUSED, *TAKEN])
def test_the_collector_starts_with_what_is_taken_and_with_nothing_else(block: dict[str, Any], tmp_path: Path) -> None:
    starts = _starts(block, tmp_path)
    assert starts == (block in TAKEN.values())
    assert _is_taken(block) == starts


def _is_taken(block: dict[str, Any]) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tail_policies({"tail_sampling": block}, collector_version="0.161")
    except PolicyError:
        return False
    return True


def _starts(block: dict[str, Any], folder: Path) -> bool:
    """Say whether a Collector says that it is ready."""
    program = COLLECTOR.found()
    if program is None:
        pytest.skip(f"no {COLLECTOR.title} is built (python -m tests.live.programs does it)")
    (port,) = free_ports(1)
    config = folder / "collector.yaml"
    config.write_text(
        json.dumps(
            {
                "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{port}"}}}},
                "processors": {"tail_sampling": block},
                "exporters": {"otlp_http": {"endpoint": f"http://127.0.0.1:{port}"}},
                "service": {
                    "telemetry": {"metrics": {"level": "none"}},
                    "pipelines": {
                        "traces": {"receivers": ["otlp"], "processors": ["tail_sampling"], "exporters": ["otlp_http"]}
                    },
                },
            }
        )
    )
    with subprocess.Popen([program, "--config", f"file:{config}"], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            return any("Everything is ready" in line for line in process.stderr)
        finally:
            process.kill()
