from __future__ import annotations

from pathlib import Path

import pytest

from tracelab.checking.rules.files import read_rules, rules_of
from tracelab.errors import RuleError

GATE = Path(__file__).parents[3] / "examples" / "gate" / "tracelab.toml"


def test_a_file_of_rules_is_read_with_its_lines() -> None:
    rules = rules_of(
        """# 'no_errors' stands in a comment, too
rules = [
    # "no_errors"
    "no_errors",
    'p95("a") < 1s', "p95(\\"b\\") < 1s",
]

[[rule]]
name = '''a
name'''
check = \"\"\"
no_errors
\"\"\"
where = '{ status = error }'
severity = "warning"
optional = true
""",
        "x.toml",
    )
    assert [rule.line for rule in rules] == [4, 5, 5, 11]
    assert [rule.call.arguments.get("name") for rule in rules] == [None, "a", "b", None]
    last = rules[-1]
    assert (last.name, last.where, last.severity, last.optional) == ("a\nname", "{ status = error }", "warning", True)


def test_the_example_is_one() -> None:
    assert len(read_rules(GATE)) == 12


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("rules = [", "is no TOML"),
        (
            'p95("GET /") < "800ms"',
            """Write rules = ['p95("GET /") < "800ms"', 'no_errors'], each rule in single quotes.""",
        ),
        ('rules = ["p95("GET /") < "800ms""]', "each rule in single quotes"),
        ("orders = 'no_errors'", "there is no `orders`. There are rules, rule. Write rules = ["),
        ("", "holds no rules"),
        ("rules = []", "holds no rules"),
        ("rules = 'no_errors'", "One with a name is [[rule]], and below it name = '...' and check = '...'."),
        ("rules = [3]", "3 is no rule"),
        ("ruels = []", "Did you mean `rules`"),
        ("[[rule]]\nname = 'a'", "x.toml, rule 1: a rule needs `check`"),
        ("[[rule]]\ncheck = 'no_errors'\nwere = '{}'", "x.toml, line 2: there is no `were`. Did you mean `where`"),
        ("[[rule]]\ncheck = 'no_errors'\nwhere = 3", "line 2: `where` is a text"),
        ("[[rule]]\ncheck = 'no_errors'\nname = ' '", "line 2: `name` is a text"),
        ("[[rule]]\ncheck = 'no_errors'\nseverity = 'bad'", "line 2: `severity` must be one of"),
        ("[[rule]]\ncheck = 'no_errors'\noptional = 1", "line 2: `optional` must be True or False"),
        ("rules = [\n\n'p95() < 3',\n]", "x.toml, line 3: the limit is a duration"),
    ],
)
def test_what_is_no_file_of_rules_says_so(source: str, said: str) -> None:
    with pytest.raises(RuleError) as caught:
        rules_of(source, "x.toml")
    assert said in str(caught.value)


def test_an_error_in_a_rule_points_into_it() -> None:
    with pytest.raises(RuleError) as caught:
        rules_of("rules = ['p95() < 3']", "x.toml")
    assert str(caught.value).split("\n")[1:] == ["  p95() < 3", "          ^"]


def test_rules_may_stand_below_their_names() -> None:
    found = rules_of("[rules]\norders = 'no_errors'\n[rules.'new edges']\ncheck = 'no_new_edges'\noptional = true", "x")
    assert [(rule.name, rule.optional, rule.line) for rule in found] == [
        ("orders", False, 2),
        ("new edges", True, 4),
    ]


def test_a_mark_of_utf_8_is_no_part_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text("rules = ['no_errors']", encoding="utf-8-sig")
    assert [rule.line for rule in read_rules(tmp_path / "x.toml")] == [1]


def test_files_that_are_none_say_so(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match="No such file"):
        read_rules(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RuleError, match="no text in UTF-8"):
        read_rules(tmp_path / "binary.toml")
    (tmp_path / "large.toml").write_bytes(b"#" * 1_000_001)
    with pytest.raises(RuleError, match="at the most"):
        read_rules(tmp_path / "large.toml")
    (tmp_path / "windows.toml").write_bytes(b"rules = [\r\n'no_errors',\r\n]\r\n")
    assert read_rules(tmp_path / "windows.toml")[0].line == 2
