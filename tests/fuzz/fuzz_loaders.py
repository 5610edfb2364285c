"""Fuzz the loaders with atheris: whatever the bytes, `read` gives a frame or raises our own error.

Run it for some minutes with `python tests/fuzz/fuzz_loaders.py -max_total_time=600`; atheris is not among the project's
dependencies (`pip install atheris`). Mutations start from small dumps of every format.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parents[2]))

import atheris

with atheris.instrument_imports(include=["tracelab.loaders"]):
    from tracelab.loaders import json_reader, load_report, read
    from tracelab.loaders.input import cutting as json_cut

from tests.loaders.dumps import compact, protobuf, request, shop_jaeger, shop_otlp, shop_zipkin, span
from tests.loaders.others.test_clickhouse import table_row
from tests.loaders.others.test_sdk_json import python_span
from tests.loaders.otlp.test_otlp import full_span
from tracelab.errors import TracelabError

SEEDS = [
    compact(request(full_span(), span("11" * 8))),
    json.dumps(shop_otlp(), indent=1).encode(),
    compact(shop_jaeger()),
    json.dumps({"data": 3 * shop_jaeger()["data"]}).encode(),
    json.dumps({"resourceSpans": 3 * shop_otlp()["resourceSpans"]}, separators=(",", ":")).encode(),
    compact(shop_zipkin()),
    compact(python_span()),
    compact(table_row()),
    protobuf(request(full_span(), span("11" * 8))),
    len(protobuf(shop_otlp())).to_bytes(4, "big") + protobuf(shop_otlp()),
    *(
        sample.read_bytes()
        for sample in sorted((Path(__file__).parents[1] / "loaders" / "samples").iterdir())
        if sample.is_file()
    ),
]


NORMAL, SMALL = (16 << 20, 8 << 20), (0, 512)
"""The largest document that is held whole, and the size of blocks: as always, and so small that seeds are cut."""


def read_once(content: bytes) -> None:
    """Read the bytes, half of the inputs in small blocks."""
    largest, block = SMALL if len(content) % 2 else NORMAL
    with (
        patch.object(json_reader, "LARGEST", largest),
        patch.object(json_cut, "PIECE", block),
    ):
        check(content)


def check(content: bytes) -> None:
    """Take anything but a frame or our own error for a finding, and a span that is lost in silence."""
    try:
        spans = read(content, progress=False)
    except TracelabError:
        return
    report = load_report(content)
    found = report.filter(report["problem"] == "spans")["count"].sum()
    if found != spans.height + report["lost_spans"].sum():
        raise AssertionError(f"{found} spans in the input, {spans.height} in the frame, the rest not reported")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    with TemporaryDirectory() as corpus:
        for number, seed in enumerate(SEEDS):
            (Path(corpus) / str(number)).write_bytes(seed)
        atheris.Setup([*sys.argv, corpus], read_once)
        atheris.Fuzz()
