"""How rows that show a symptom become findings."""

from __future__ import annotations

import numpy as np
import polars as pl

from tracelab.auditing.evidence import Evidence
from tracelab.auditing.findings import Symptom, findings_of
from tracelab.synthetic import draw


def test_a_finding_names_the_detail_that_tells_it_apart_and_masks_secrets_in_it() -> None:
    evidence = Evidence(draw("api ==\n\napi =\n\napi =\n"))
    found = findings_of(
        evidence,
        Symptom(
            "missing-parent",
            "info",
            lambda group: str(group["said_count"]),
            shown=np.array([True, True, True]),
            detail=np.array([0, 1, -1]),
            details=("http.url", "token=abc123"),
        ),
    )
    assert set(found["detail"]) == {"http.url", "token=***", None}


def test_findings_that_are_told_apart_by_library_name_it_as_their_detail() -> None:
    spans = draw("api ==\n\napi =\n").with_columns(scope_name=pl.Series(["flask", "redis"]))
    for by_library, details in ((True, {"flask", "redis"}), (False, {None})):
        symptom = Symptom(
            "missing-parent", "info", lambda _: "Seen.", shown=np.array([True, True]), by_library=by_library
        )
        assert set(findings_of(Evidence(spans), symptom)["detail"]) == details


def test_the_library_and_its_version_are_shown_without_secrets() -> None:
    spans = draw("api ==\n").with_columns(
        scope_name=pl.lit("lib?token=abc123"), scope_version=pl.lit("password=hunter2")
    )
    symptom = Symptom("missing-parent", "info", lambda _: "Seen.", shown=np.array([True]), by_library=True)
    found = findings_of(Evidence(spans), symptom).row(0, named=True)
    assert (found["library"], found["library_version"], found["detail"]) == (
        "lib?token=***", "password=***", "lib?token=***",
    )  # fmt: skip
