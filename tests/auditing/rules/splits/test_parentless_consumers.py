"""Consumers that nothing leads to: found, explained by senders that are not traced, and left alone where links are."""

from __future__ import annotations

import polars as pl
import pytest

import tracelab as tl
from tracelab.schema import SPAN_SCHEMA
from tracelab.synthetic import draw

RULE = pl.col("rule") == "parentless-consumer"
SPLIT = """
shop::POST /orders  ==========   kind=server
  shop::send        .=           kind=producer messaging.destination.name=orders

packer::process     ...====      kind=consumer messaging.destination.name=orders
  packer::pack      ....==
"""


def found(spans: pl.DataFrame) -> pl.DataFrame:
    return tl.audit(spans).filter(RULE)


def linked(spans: pl.DataFrame, name: str) -> pl.DataFrame:
    """Give the spans of a name a link to the first span."""
    link = [{"trace_id": spans["trace_id"][0], "span_id": spans["span_id"][0], "trace_state": None, "attributes": None}]
    return spans.with_columns(
        links=pl.when(pl.col("name") == name).then(pl.lit(pl.Series([link], dtype=SPAN_SCHEMA["links"])).first())
    )


def test_a_consumer_with_neither_parent_nor_link_is_found_with_who_sends() -> None:
    row = found(draw(SPLIT)).row(0, named=True)
    assert (row["severity"], row["service_name"], row["caller"], row["callee"]) == (
        "warning",
        "packer",
        "shop",
        "packer",
    )
    assert (row["count"], row["out_of"], row["hop"], row["detail"]) == (1, 1, "queue", "orders")


def test_links_alone_are_right() -> None:
    assert found(linked(draw(SPLIT), "process")).height == 0


def test_a_receiver_may_leave_the_links_to_the_spans_below_it() -> None:
    assert found(linked(draw(SPLIT), "pack")).height == 0


def test_a_poll_that_brought_nothing_is_no_message() -> None:
    assert found(draw("packer::poll == kind=consumer messaging.batch.message_count=0")).height == 0


def test_messages_that_nobody_here_sends_are_no_fault() -> None:
    other = SPLIT.replace("name=orders\n\n", "name=mails\n\n")
    row = found(draw(other)).row(0, named=True)
    assert (row["severity"], row["caller"]) == ("info", None)
    assert "not traced" in row["finding"]


def test_a_consumer_whose_parent_is_there_or_was_named_is_no_parentless_one() -> None:
    spans = draw("""
        shop::send            ==    kind=producer
          packer::process     ..==  kind=consumer

        gone::send
          packer::process     ..==  kind=consumer
    """)
    assert found(spans).height == 0


@pytest.mark.parametrize(("language", "word"), [("python", "pika"), ("nodejs", "kafkajs"), ("cobol", "headers")])
def test_the_fix_is_in_the_words_of_the_consumers_language(language: str, word: str) -> None:
    spans = draw(SPLIT).with_columns(pl.lit(language).alias("resource.telemetry.sdk.language"))
    assert word in found(spans)["fix"].item()


def test_no_sender_is_named_where_it_may_be_one_of_several() -> None:
    spans = draw("""
        till::send          =            kind=producer messaging.destination.name=orders

        shop::send          =            kind=producer messaging.destination.name=orders

        packer::process     ...====      kind=consumer messaging.destination.name=orders
    """)
    row = found(spans).row(0, named=True)
    assert (row["severity"], row["caller"], row["callee"]) == ("warning", None, "packer")
    assert "Several services" in row["finding"]
