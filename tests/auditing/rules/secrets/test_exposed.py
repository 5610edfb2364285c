"""Secrets and personal data in spans, and what only looks like them."""

from __future__ import annotations

import random

import polars as pl
import pytest

import tracelab as tl
from tracelab.schema import ATTRIBUTES, EVENTS
from tracelab.synthetic import draw

JWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
RANDOM = "q7Rk2vXc9LmT4hWz8NbY3pKd6FsJ1gAe5UoQ0iVx"


def found(spans: pl.DataFrame, *, severities: tuple[str, ...] = ("warning", "error")) -> list[tuple[str, str | None]]:
    kept = tl.audit(spans).filter(pl.col("severity").is_in(severities), pl.col("rule").str.contains("secret|personal"))
    return sorted(kept.select("rule", "detail").rows())


def with_values(key: str, *values: object) -> pl.DataFrame:
    spans = draw("\n\n".join(["api ====="] * len(values)))
    return spans.with_columns(pl.Series(key, values))


@pytest.mark.parametrize(
    ("key", "value", "kind"),
    [
        ("session.jwt", JWT, "JSON Web Token"),
        ("http.request.header.authorization", f"Bearer {RANDOM}", "bearer token"),
        ("http.request.header.authorization", "Basic YWRhOmJyYXNzLWtleS00Mg==", "user name and password"),
        ("aws.key", "AKIAQ3EGRIUZX5T7YH2N", "key of AWS"),
        ("vcs", f"ghp_{RANDOM[:36]}", "token of GitHub"),
        ("chat", "xoxb-1234567890-abcdefGHIJ", "token of Slack"),
        ("pay", "sk_live_" + RANDOM[:24], "key of Stripe"),
        ("maps", "AIza" + RANDOM[:35], "key of Google"),
        ("pem", "-----BEGIN RSA PRIVATE KEY-----\nMIIE", "private key"),
        ("db.url", "postgres://shop:brass-key-42@db:5432/shop", "password in a URL"),
        ("url.full", f"https://hooks.example/done?access_token={RANDOM}", "token or key"),
        ("dsn", "Server=db;User=shop;Password=brass42!;", "password"),
        ("login.password", "brass42", "secret"),
        ("http.request.header.x-api-key", RANDOM, "secret"),
        ("http.request.header.cookie", f"theme=dark; sid={RANDOM}", "secret"),
    ],
)
def test_a_secret_is_found_and_never_shown(key: str, value: str, kind: str) -> None:
    spans = with_values(f"span.{key}", value, "none")
    assert found(spans) == [("secret-in-attributes", f"{kind} in span.{key}")]
    shown = " ".join(str(cell) for row in tl.audit(spans).rows() for cell in row)
    assert value not in shown
    assert value[-8:] not in shown


@pytest.mark.parametrize(
    ("key", "value", "kind"),
    [
        ("user.email", "ada.okafor@example.org", "e-mail address"),
        ("search.filter", "email = 'ada.okafor@example.org'", "e-mail address"),
        ("payment.card.number", "4111111111111111", "card number"),
        ("payment.request", '{"card":"5555 5555 5555 4444","amount":12}', "card number"),
        ("payout.iban", "DE89370400440532013000", "account number (IBAN)"),
        ("user.phone", "+49 30 1234567", "phone number"),
    ],
)
def test_personal_data_is_found_and_never_shown(key: str, value: str, kind: str) -> None:
    spans = with_values(f"span.{key}", value)
    assert found(spans) == [("personal-data-in-attributes", f"{kind} in span.{key}")]
    assert value not in " ".join(str(cell) for row in tl.audit(spans).rows() for cell in row)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("login.password", "***"),
        ("login.password", "[REDACTED]"),
        ("http.request.header.authorization", "Bearer ****"),
        ("http.request.header.authorization", "Bearer [Filtered]"),
        ("db.url", "postgres://shop:xxxxx@db:5432/shop"),
        ("db.query.text", "SELECT 1 FROM users WHERE password = $1 AND token = ?"),
        ("db.query.text", "UPDATE users SET password = :password WHERE users.password = old.password"),
        ("auth.token.type", "Bearer"),
        ("next_page_token", RANDOM),
        ("k8s.secret", "projects/shop/secrets/database-4711"),
        ("git.commit.id", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"),
        ("container", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
        ("session.id", "0f3c1d9a5b7e2468"),
        ("job", "7f6c1ad2-31a8-4c55-9bb1-7d0f6a2e4b11"),
        ("module", "node_modules/.pnpm/@opentelemetry+api@1.9.0/node_modules"),
        ("package", "lodash@4.17.21.tgz"),
        ("remote", "git@github.com:tracelab/tracelab.git"),
        ("db.url", "mysql://reader@db.example.com:3306/shop"),
        ("mail.from", "noreply@example.com"),
        ("order.number", "4111111111111111"),
        ("time", "1790000000000"),
        ("server", "10.0.0.1"),
        ("gen_ai.usage.tokens", "max_token=4096"),
        ("message", "invalid token: expected ')' but got end of input"),
        ("message", "basic authentication is not supported"),
    ],
)
def test_what_only_looks_like_it_is_not_reported(key: str, value: str) -> None:
    assert found(with_values(f"span.{key}", value)) == []


def test_long_numbers_are_no_cards_because_one_in_fifty_passes_for_one() -> None:
    numbers = random.Random(1)
    orders = [str(numbers.randrange(10**15, 10**16)) for _ in range(500)]
    assert found(with_values("span.payment.order", *orders)) == []
    assert found(with_values("span.payment.order", *map(int, orders))) == []


def test_cards_that_are_numbers_are_found() -> None:
    cards = (4111111111111111, 5555555555554444, 378282246310005)
    assert found(with_values("span.number", *cards)) == [("personal-data-in-attributes", "card number in span.number")]


def test_counts_are_out_of_the_spans_that_have_the_attribute() -> None:
    spans = with_values("span.user.email", "ada@example.org", "anonymous", None)
    kept = tl.audit(spans).filter(pl.col("rule") == "personal-data-in-attributes")
    assert kept.select("severity", "count", "out_of").row(0) == ("warning", 1, 2)


def test_an_address_in_the_name_of_a_span_is_found() -> None:
    spans = draw('"mail ada@example.org" =====').with_columns(service_name=pl.lit("mailer"))
    assert found(spans) == [("personal-data-in-attributes", "e-mail address in the span's name")]


def test_whom_to_ask_about_a_service_is_only_told() -> None:
    spans = with_values("resource.owner", "checkout.crew@example.org")
    assert found(spans) == []
    assert len(found(spans, severities=("info",))) == 1


def test_secrets_in_lists_in_events_and_among_rare_attributes_are_found() -> None:
    spans = draw("api =====")
    listed = spans.with_columns(pl.Series("span.args", [["--token", f"--token={RANDOM}"]]))
    assert found(listed) == [("secret-in-attributes", "token or key in span.args")]
    entry = [{"key": "span.note", "value": f"ghp_{RANDOM}"}]
    rare = spans.with_columns(pl.Series("more_attributes", [entry], dtype=ATTRIBUTES))
    assert found(rare) == [("secret-in-attributes", "token of GitHub in span.note")]
    event = {"time": spans["start_time"].item(), "name": "log", "attributes": [{"key": "message", "value": JWT}]}
    told = spans.with_columns(pl.Series("events", [[event]], dtype=EVENTS))
    assert found(told) == [("secret-in-attributes", "JSON Web Token in message of an event")]


def test_many_different_secrets_are_all_counted() -> None:
    urls = [f"https://a.example/?token={RANDOM}{number}" for number in range(3_000)]
    spans = tl.synthetic.generate(3_000).head(3_000).with_columns(pl.Series("span.callback", urls))
    kept = tl.audit(spans).filter(pl.col("rule") == "secret-in-attributes")
    assert kept["count"].sum() == spans.height


def test_one_secret_among_many_texts_that_are_none_is_found() -> None:
    texts = [f"mail of noreply@shop{number}.example was sent" for number in range(3_000)]
    texts[1_234] = f"mail with ghp_{RANDOM} was sent"
    spans = tl.synthetic.generate(3_000).head(3_000).with_columns(pl.Series("span.note", texts))
    kept = tl.audit(spans).filter(pl.col("rule").str.contains("secret|personal"))
    assert kept.select("rule", "count").rows() == [("secret-in-attributes", 1)]


def test_many_different_passwords_are_all_counted() -> None:
    words = [f"brass-{number}" for number in range(3_000)]
    spans = tl.synthetic.generate(3_000).head(3_000).with_columns(pl.Series("span.login.password", words))
    kept = tl.audit(spans).filter(pl.col("rule") == "secret-in-attributes")
    assert kept["count"].sum() == spans.height


def test_the_name_of_an_attribute_cannot_act_on_a_terminal() -> None:
    said = tl.audit(with_values("span.note\x1b[31m\u202e", "ada@example.com")).filter(
        pl.col("rule") == "personal-data-in-attributes"
    )["finding"]
    assert said.len() == 1
    assert r"span.note\x1b[31m\u202e" in said[0]
    assert said[0].isprintable()
