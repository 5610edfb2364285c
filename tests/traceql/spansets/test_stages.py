from __future__ import annotations

import pytest

from tests.traceql.shop import ALL, names


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{ name = `render` } && { name = `log` }", ["render", "log"]),
        ("{ name = `render` } && { name = `nightly` }", []),
        ("{ name = `render` } || { name = `nightly` }", ["render", "nightly"]),
        ("{ kind = server } > { }", ["render", "charge"]),
        ("{ kind = server } >> { }", ["render", "SELECT", "charge", "log"]),
        ("{ status = error } < { }", ["GET /pay", "render"]),
        ("{ name = `SELECT` } << { }", ["GET /pay", "render"]),
        ("{ name = `render` } ~ { }", ["charge"]),
        ("{ } ~ { name = `render` }", ["render"]),
        ("{ } !~ { }", ["GET /pay", "SELECT", "log", "nightly", "DELETE", "orphan", "beneath"]),
        ("{ } !< { }", ["SELECT", "log", "DELETE", "orphan", "beneath"]),
        ("{ } !> { }", ["GET /pay", "nightly", "orphan", "beneath"]),
        ("{ name = `nobody` } !>> { kind = client }", ["SELECT", "charge", "DELETE"]),
        ("{ kind = server } &>> { status = error }", ["GET /pay", "SELECT", "charge"]),
        ("{ name = `render` } &~ { name = `charge` }", ["render", "charge"]),
        ("{ name = `log` } &< { name = `charge` }", ["charge", "log"]),
        ("{ name = `log` } &<< { name = `nightly` }", []),
        ("{ status = error } !<< { status = error }", ["SELECT", "charge"]),
        ("{ kind = server } > { } > { }", ["SELECT", "log"]),
        ("({ kind = server } > { }) >> { name = `log` }", ["log"]),
        ("{ name = `orphan` } > { }", []),
        ("({ } | count() > 4) >> ({ status = error })", ["SELECT", "charge"]),
        ("{ kind = server } >> { status = error } | { name = `charge` }", ["charge"]),
    ],
)
def test_query_relates_spans(text: str, expected: list[str]) -> None:
    assert names(text) == expected


@pytest.mark.filterwarnings("ignore::tracelab.traceql.QueryWarning")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{ } | count() = 2", ["nightly", "DELETE", "orphan", "beneath"]),
        ("2 < count()", ALL[:5]),
        ("count() > -1", ALL),
        ("{ status = error } | count() > 1", ["SELECT", "charge"]),
        ("{ } | max(duration) >= 10ms", ALL[:5]),
        ("{ } | avg(.retries) = 3.0", ALL[:5]),
        ("{ } | sum(.retries) = 2", ["nightly", "DELETE"]),
        ("{ } | min(.missing) != 0", []),
        ("{ } | avg(duration) < 3ms", ["nightly", "DELETE", "orphan", "beneath"]),
        ("{ } | sum(duration) / count() = 3800000", []),
        ("{ } | count() + 1 > 5", ALL[:5]),
        ("{ } | max(.retries) - min(.retries) = 7", ALL[:5]),
        ("min(duration) < max(.retries)", ALL[:5]),
        ("{ } | by(resource.service.name) | count() = 2", ["GET /pay", "render", "charge", "log", "orphan", "beneath"]),
        ("{ } | by(.region) | count() = 2", ["GET /pay", "render", "SELECT", "log"]),
        ("{ } | by(.region) | by(name) | count() > 1", []),
        ("{ } | by(.region) | max(duration) > 9ms | coalesce() | count() = 2", ["GET /pay", "render"]),
        ("{ } | by(resource.service.name) | { status = error } | count() > 0", ["SELECT", "charge"]),
        ("{ } | by(resource.service.name) | { } > { }", ["render", "log"]),
        ("{ } | select(name)", ALL),
        ("({ status = error } | count()) = ({ kind = client } | count())", ALL[:5]),
        ("({ kind = client } | count()) * 2 = 2", ["nightly", "DELETE"]),
    ],
)
def test_query_runs_pipelines(text: str, expected: list[str]) -> None:
    assert names(text) == expected
