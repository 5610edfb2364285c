"""What is hidden in texts that findings quote."""

from __future__ import annotations

import pytest

from tests.effort import ends
from tracelab.auditing.masking import masked


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Authorization: Bearer abcdef.123456", "Authorization: Bearer ***"),
        ("postgres://ada:s3cret@db/shop", "postgres://ada:***@db/shop"),
        ("mail to ada@example.org failed", "mail to *** failed"),
        ("card 4111 1111 1111 1111 declined", "card *** declined"),
        ("key AKIAQ3EGRIUZX5T7YH2N", "key ***"),
        ('{"password": "brass"}', '{"password": "***"}'),
        ("GET /orders/{id}", "GET /orders/{id}"),
        ("token=***", "token=***"),
    ],
)
def test_secrets_are_hidden_and_the_rest_stays(text: str, shown: str) -> None:
    assert masked(text) == shown
    assert masked(shown) == shown


@pytest.mark.parametrize("piece", ["a", "a.", "1", "1 ", "://", "eyJ", "token", "A1", "a@", "password="])
def test_long_texts_are_masked_in_time(piece: str) -> None:
    assert ends(lambda: masked(piece * (100_000 // len(piece))))
