"""SARIF as its specification and the code hosts want it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tests.auditing.made import ALL, EXPLAINED, SPAN, TRACE, finding, findings
from tracelab.auditing.descriptions import DESCRIPTIONS
from tracelab.auditing.findings import nothing
from tracelab.auditing.sarif import artifact_uri, as_sarif, plain_message

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl


def written(found: pl.DataFrame = ALL, uri: str = "dumps/shop.json") -> dict[str, Any]:
    document: dict[str, Any] = json.loads(as_sarif(found, uri=uri))
    return document


def results(found: pl.DataFrame = ALL) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = written(found)["runs"][0]["results"]
    return listed


def test_the_document_says_its_version_and_its_tool() -> None:
    document = written()
    assert document["$schema"] == "https://json.schemastore.org/sarif-2.1.0.json"
    assert document["version"] == "2.1.0"
    (run,) = document["runs"]
    assert run["tool"]["driver"]["name"] == "tracelab"
    assert run["tool"]["driver"]["version"]


def test_no_findings_are_a_document_with_all_rules_and_no_results() -> None:
    (run,) = written(nothing())["runs"]
    assert run["results"] == []
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == list(DESCRIPTIONS)


def test_every_rule_has_what_code_hosts_require() -> None:
    for rule in written()["runs"][0]["tool"]["driver"]["rules"]:
        texts = [
            rule["name"], rule["shortDescription"]["text"], rule["fullDescription"]["text"], rule["help"]["text"],
            rule["help"]["markdown"],
        ]  # fmt: skip
        assert all(texts), rule["id"]
        assert len(rule["name"]) <= 255
        assert max(map(len, texts[1:3])) <= 1024
        assert not any("{" in text for text in texts[:3])  # else they would have to be doubled
        assert not any("](" in text for text in texts)
        assert rule["name"].isalnum()
        assert rule["defaultConfiguration"]["level"] in {"note", "warning", "error"}
        assert rule["properties"]["problem.severity"] in {"recommendation", "warning", "error"}
        assert ("security" in rule["properties"]["tags"]) == ("security-severity" in rule["properties"])
        assert len(rule["properties"]["tags"]) <= 10


def test_results_point_to_their_rule_and_stand_in_the_order_of_the_audit() -> None:
    (run,) = written()["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [result["ruleId"] for result in run["results"]] == ["split-trace", "missing-parent", "missing-parent"]
    assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in run["results"])


def test_severities_become_levels() -> None:
    assert [result["level"] for result in results()] == ["error", "warning", "note"]


def test_a_message_says_what_was_found_first_then_what_explains_it_and_what_to_do() -> None:
    said = results(EXPLAINED)[0]["message"]["text"]
    assert said.startswith("4 of 9 spans of 'parcels' name a parent")
    assert "Sampling explains this" in said
    assert said.endswith("Flush the exporter.")


def test_a_result_is_at_a_file_and_region_as_github_wants_and_at_an_edge() -> None:
    (place,) = results()[0]["locations"]
    assert place["physicalLocation"] == {
        "artifactLocation": {"uri": "dumps/shop.json", "index": 0},
        "region": {"startLine": 1, "startColumn": 1, "endLine": 1, "endColumn": 2},
    }
    assert [each["fullyQualifiedName"] for each in place["logicalLocations"]] == ["web -> shop", "web"]


def test_a_finding_about_nobody_has_no_logical_location() -> None:
    (place,) = results(finding(service_name=None, caller=None, callee=None))[0]["locations"]
    assert place.keys() == {"physicalLocation"}


def test_numbers_and_exemplars_are_whole_and_exact() -> None:
    properties = results()[0]["properties"]
    assert (properties["count"], properties["out_of"], properties["share"]) == (1, 3, 1 / 3)
    assert properties["exemplars"] == [{"traceId": TRACE, "spanId": SPAN}]
    assert "explanation" not in properties


def test_fingerprints_stay_where_counts_ids_and_severity_change() -> None:
    before, after = (
        results(found)[0]["partialFingerprints"]
        for found in (
            finding(),
            finding(count=9, share=0.9, severity="info", finding="9 of 10.", exemplar_trace_ids=["ab"], library="x"),
        )
    )
    assert before == after


def test_fingerprints_differ_by_rule_service_edge_hop_and_detail() -> None:
    found = findings(
        finding(),
        finding("missing-parent"),
        finding(service_name="shop"),
        finding(callee="bank"),
        finding(caller="shop"),
        finding(hop="queue"),
        finding(detail="http.url"),
        finding(detail="http.method"),
        finding(caller="a", callee=None),
        finding(caller=None, callee="a"),
        finding(finding="The same about something else."),
    )
    hashes = [result["partialFingerprints"]["primaryLocationLineHash"] for result in results(found)]
    assert len(set(hashes)) == found.height


def test_names_are_no_links_and_no_placeholders_of_a_viewer() -> None:
    hostile = finding(finding="1 of 'GET /u/{0}' and '[click](http://evil)'.")
    said = results(hostile)[0]["message"]["text"]
    assert "{{0}}" in said
    assert r"\[click\](http://evil)" in said


def test_brackets_that_are_no_link_stay_as_they_are() -> None:
    assert plain_message("a[0] and (b)") == "a[0] and (b)"


def test_the_text_is_ascii_so_that_no_name_acts_on_a_terminal() -> None:
    text = as_sarif(finding(service_name="\x1b[31m\u202eweb", caller=None), uri="a")
    assert text.isascii()
    assert "\x1b" not in text


def test_secrets_in_names_are_masked() -> None:
    assert "abc123" not in as_sarif(finding(service_name="token=abc123"), uri="a")


@pytest.mark.parametrize(
    ("source", "uri"),
    [
        ("a.json", "a.json"),
        ("./dumps/../a b.json", "a%20b.json"),
        ("c:d%.json", "c%3Ad%25.json"),
        ("dumps/*.json", "dumps/%2A.json"),
        ("ä.json", "%C3%A4.json"),
        ("https://host/api/traces?x={y}", "https://host/api/traces?x=%7By%7D"),
    ],
)
def test_sources_become_uris_relative_to_the_folder(source: str, uri: str, tmp_path: Path) -> None:
    assert artifact_uri(source, base=tmp_path) == uri
    assert urlsplit(uri).scheme in {"", "https"}


def test_what_lies_elsewhere_has_an_absolute_uri(tmp_path: Path) -> None:
    assert artifact_uri("/elsewhere/a b.json", base=tmp_path) == "file:///elsewhere/a%20b.json"
    assert artifact_uri("../a.json", base=tmp_path / "x").startswith("file:///")


def test_a_link_is_followed_since_code_hosts_follow_none(tmp_path: Path) -> None:
    (tmp_path / "real.json").touch()
    (tmp_path / "link.json").symlink_to("real.json")
    assert artifact_uri("link.json", base=tmp_path) == "real.json"
