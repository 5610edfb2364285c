"""What the audit finds of planted faults, over a few dozen systems: `planted.py` measures the same over many."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import tracelab as tl
from tests.auditing import planted
from tests.auditing.planted import Measured, compare, faults_of
from tracelab.auditing import rules
from tracelab.auditing.descriptions import DESCRIPTIONS
from tracelab.workload.planting import FAULTS

SYSTEMS = range(7_000, 7_024)
CLEAN = range(8_000, 8_025)
# Of a handful of faults one may be missed by chance.
ONE = 1


@pytest.fixture(scope="module")
def measured() -> Measured:
    return planted.run(SYSTEMS)


def test_nothing_above_info_is_found_where_nothing_is_planted() -> None:
    for seed in CLEAN:
        spans, _ = tl.synthetic.generate_system(seed, traces=120)
        raised = tl.audit(spans).filter(pl.col("severity") != "info")
        assert raised.is_empty(), f"seed {seed}: {raised['finding'].to_list()}"


@pytest.mark.parametrize("kind", FAULTS)
def test_what_is_planted_is_found(measured: Measured, kind: str) -> None:
    _skip_what_no_rule_looks_for(kind)
    tally = measured.kinds[kind]
    missed = [line for line in measured.misses if f"  {kind}: " in line]
    assert tally.found >= 0.95 * tally.planted - ONE, "\n".join(missed)


@pytest.mark.parametrize("kind", FAULTS)
def test_what_is_found_is_true(measured: Measured, kind: str) -> None:
    tally = measured.kinds[kind]
    false = [line for line in measured.misses if line.startswith("false")]
    assert tally.true >= 0.95 * tally.findings - ONE, "\n".join(false)


def test_every_rule_that_a_fault_is_found_by_exists() -> None:
    named_rules = {
        rule
        for seed in range(4)
        for named in tl.synthetic.generate_system(seed, faults=dict.fromkeys(FAULTS, 2))[1]["rules"]
        for rule in named
    }
    assert named_rules <= set(DESCRIPTIONS)


def test_one_system_in_ten_has_no_fault_and_a_third_at_most_eight() -> None:
    counts = [sum(faults_of(seed).values()) for seed in range(2_000)]
    assert 0.07 < sum(count == 0 for count in counts) / len(counts) < 0.13
    assert 0.38 < sum(count <= 8 for count in counts) / len(counts) < 0.52
    assert max(max(faults_of(seed).values(), default=0) for seed in range(50)) == 3


def test_a_finding_elsewhere_finds_nothing_and_is_not_true() -> None:
    spans, truth = tl.synthetic.generate_system(2, faults={"secret-in-attributes": 1})
    findings = tl.audit(spans)
    elsewhere = findings.with_columns(service_name=pl.lit("nowhere"), caller=pl.lit(None), callee=pl.lit(None))
    assert compare(findings, truth).kinds["secret-in-attributes"].found == 1
    wrong = compare(elsewhere, truth).kinds["secret-in-attributes"]
    assert (wrong.planted, wrong.found, wrong.true) == (1, 0, 0)
    assert wrong.findings >= 1


def test_a_finding_of_other_spans_finds_nothing() -> None:
    spans, truth = tl.synthetic.generate_system(2, faults={"secret-in-attributes": 1})
    other = tl.audit(spans).with_columns(exemplar_span_ids=pl.lit(["f" * 16]))
    assert compare(other, truth).kinds["secret-in-attributes"].found == 0


def test_a_finding_that_is_explained_does_not_find_what_is_a_fault() -> None:
    spans, truth = tl.synthetic.generate_system(2, faults={"secret-in-attributes": 1})
    findings = tl.audit(spans)
    mild = findings.with_columns(pl.lit("info").cast(findings.schema["severity"]).alias("severity"))
    assert compare(mild, truth).kinds["secret-in-attributes"].found == 0


def _skip_what_no_rule_looks_for(kind: str) -> None:
    """Skip a kind of which no rule says anything yet: none of the files of rules has an id that would find it."""
    sources = "".join(path.read_text() for path in Path(rules.__path__[0]).rglob("*.py"))
    ids = _IDS.get(kind, (kind,))
    if not any(f'"{rule}"' in sources for rule in ids):
        pytest.skip(f"no rule looks for {', '.join(ids)}")


_IDS = {
    **dict.fromkeys(("context-lost-http", "context-lost-grpc"), ("split-trace",)),
    **dict.fromkeys(("own-sampling", "window-cut", "lost-export", "parent-not-exported"), ("missing-parent",)),
    "context-lost-queue": ("parentless-consumer", "split-trace"),
    "context-lost-in-process": ("lost-in-process",),
}
