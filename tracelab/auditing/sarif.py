"""Findings as SARIF 2.1.0, which code hosts show beside the code.

A finding is about services and not about lines, which SARIF calls a logical location. Code hosts want a file all the
same, and get the dump.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import Counter
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from tracelab.auditing.descriptions import DESCRIPTIONS, EXPLANATIONS
from tracelab.auditing.fixes import FIXES
from tracelab.auditing.masking import masked

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
VERSION: Final = "2.1.0"
LEVELS: Final = {"info": "note", "warning": "warning", "error": "error"}
_PROBLEMS: Final = {"info": "recommendation", "warning": "warning", "error": "error"}
# From 4.0 on code hosts say "medium", from 7.0 on "high".
_SECURITY: Final = {"secret-in-attributes": "7.5", "personal-data-in-attributes": "5.0"}
_RULES: Final = {rule: index for index, rule in enumerate(DESCRIPTIONS)}
_IDENTITY: Final = ("rule", "service_name", "caller", "callee", "hop", "detail")
_FIGURES: Final = (
    *("count", "out_of", "unit", "share", "share_lower", "share_upper"),
    *("explanation", "library", "library_version"),
)
_RESERVED: Final = ":/?#[]@!$&'*+,;=%()"


def as_sarif(findings: pl.DataFrame, *, uri: str) -> str:
    """Write findings as one SARIF document; `uri` is where the spans are from, as `artifact_uri` writes it."""
    driver = {"name": "tracelab", **_version(), "rules": [_rule(rule) for rule in DESCRIPTIONS]}
    run = {
        "tool": {"driver": driver},
        "artifacts": [{"location": {"uri": uri}, "roles": ["analysisTarget"]}],
        "results": _results(findings, uri),
    }
    return json.dumps({"$schema": SCHEMA, "version": VERSION, "runs": [run]}, indent=2) + "\n"


def artifact_uri(source: str, *, base: Path | None = None) -> str:
    """Write a path as a URI, relative to a folder (by default the current one) that it lies in.

    Examples
    --------
    >>> artifact_uri("dumps/a b.json"), artifact_uri("http://localhost:16686/x y")
    ('dumps/a%20b.json', 'http://localhost:16686/x%20y')
    """
    if "://" in source:
        return quote(source, safe=_RESERVED)
    folder = (Path.cwd() if base is None else base).resolve()
    path = Path(os.path.normpath(folder / source))
    if path.is_file():  # code hosts follow no links
        path = path.resolve()
    if path.is_relative_to(folder):
        return quote(path.relative_to(folder).as_posix())
    return path.as_uri()


def _version() -> dict[str, str]:
    try:
        return {"version": version("tracelab-kit")}
    except PackageNotFoundError:  # it runs from a folder that nobody installed
        return {}


def _rule(rule: str) -> dict[str, Any]:
    about = DESCRIPTIONS[rule]
    fix = FIXES.get(rule, {}).get("", "")
    security = {"security-severity": _SECURITY[rule]} if rule in _SECURITY else {}
    return {
        "id": rule,
        "name": "".join(word.capitalize() for word in rule.split("-")),
        "shortDescription": {"text": about.title},
        "fullDescription": {"text": about.why},
        "help": {
            "text": f"{about.why} {fix}".rstrip(),
            "markdown": "\n\n".join([about.why, *([f"**What to do:** {fix}"] if fix else [])]),
        },
        "defaultConfiguration": {"level": LEVELS[about.severity]},
        "properties": {
            "tags": ["opentelemetry", about.subject, *(["security"] if security else [])],
            "precision": "high",
            "problem.severity": _PROBLEMS[about.severity],
            **security,
        },
    }


def _results(findings: pl.DataFrame, uri: str) -> list[dict[str, Any]]:
    seen: Counter[str] = Counter()
    results = []
    for finding in findings.iter_rows(named=True):
        digest = _digest(finding)
        seen[digest] += 1
        results.append(_result(finding, uri, f"{digest}:{seen[digest]}"))
    return results


def _result(finding: Mapping[str, Any], uri: str, fingerprint: str) -> dict[str, Any]:
    rule = finding["rule"]
    parts = [finding["finding"], EXPLANATIONS.get(finding["explanation"] or "", ""), finding["fix"]]
    location: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": {"uri": uri, "index": 0},
            "region": {"startLine": 1, "startColumn": 1, "endLine": 1, "endColumn": 2},
        }
    }
    if logical := _logical(finding):
        location["logicalLocations"] = logical
    figures = {name: finding[name] for name in _FIGURES if finding[name] is not None}
    return {
        "ruleId": rule,
        "ruleIndex": _RULES[rule],
        "level": LEVELS[finding["severity"]],
        "message": {"text": plain_message(" ".join(part for part in parts if part))},
        "locations": [location],
        # GitHub heeds this one name only, which it made for lines.
        "partialFingerprints": {"primaryLocationLineHash": fingerprint, "finding/v1": fingerprint},
        "properties": {
            **figures,
            "exemplars": [
                {"traceId": trace, "spanId": span}
                for trace, span in zip(finding["exemplar_trace_ids"], finding["exemplar_span_ids"], strict=True)
            ],
        },
    }


def _logical(finding: Mapping[str, Any]) -> list[dict[str, str]]:
    """Name the edge, where there is one, and the service."""
    service, caller, callee = (finding[name] and masked(finding[name]) for name in ("service_name", "caller", "callee"))
    edge = {"fullyQualifiedName": f"{caller} -> {callee}", "kind": "edge"} if caller and callee else None
    named = {"name": service, "fullyQualifiedName": service, "kind": "service"} if service else None
    return [each for each in (edge, named) if each]


def _digest(finding: Mapping[str, Any]) -> str:
    """Name a finding by what it is about, so that one that was seen before is known again."""
    identity = json.dumps([finding[name] for name in _IDENTITY])
    return hashlib.sha256(identity.encode()).hexdigest()[:32]


def plain_message(text: str) -> str:
    r"""Write a text so that a viewer takes no braces of it for placeholders and no brackets for links.

    Examples
    --------
    >>> plain_message("GET /users/{id} [here](http://evil)")
    'GET /users/{{id}} \\[here\\](http://evil)'
    """
    # "{" and "}" "SHALL be represented by the character sequences '{{' and '}}'" (SARIF 2.1.0, 3.11.5).
    doubled = text.replace("{", "{{").replace("}", "}}")
    return re.sub(r"[\[\]]", r"\\\g<0>", doubled) if "](" in doubled else doubled
