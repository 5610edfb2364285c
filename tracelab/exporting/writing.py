"""The face of writing: spans for tracelab, for tools that read OTLP, and for those that draw trace events."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from tracelab.conforming import conform, takes_any_frame
from tracelab.exporting.perfetto.trace_events import lines
from tracelab.files import check_target, replacing
from tracelab.loaders import writing as kept
from tracelab.options import file_path

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

_TRACE_EVENTS: Final = (".perfetto.json", ".perfetto.json.gz")


@takes_any_frame
def write(spans: pl.DataFrame | pl.LazyFrame, path: str | Path) -> Path:
    """Write spans to a file or a folder, by the suffix of its name: whole, or not at all.

    A file that is there is replaced once the new one is whole; until then, and where the work is interrupted, it stays
    as it was.

    Parameters
    ----------
    spans
        A span frame.
    path
        `.parquet` is one file; a name without suffix is a folder of parquet files, by the hour in which a trace
        starts and a hash of its id; `.jsonl` (also `.jsonl.gz` and `.jsonl.zst`) is OTLP JSON lines. Parquet keeps
        everything. OTLP JSON has no place for the types of event attributes, for columns of your own, and for the
        tree, which is computed anew when it is read.

        `.perfetto.json` (also `.perfetto.json.gz`) is trace events, which ui.perfetto.dev and chrome://tracing open:
        services are processes, spans that run at once are threads (lanes), events are instants, calls into other lanes
        and links are flows (where times tell which slices are meant), and the critical path of every root is a process
        of its own. Times are exact to the nanosecond. `tracelab.read` gives the same spans back as from OTLP JSON, in
        tree order.

    Returns
    -------
    The path that was written.

    Raises
    ------
    SourceError
        It is no path, the suffix is unknown, the folder already holds files, or it cannot be written there.
    OutputError
        The disk is full, say; nothing half-written is left.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from tracelab.loaders import read
    >>> from tracelab.synthetic import draw
    >>> spans = draw("api =====")
    >>> with TemporaryDirectory() as folder:
    ...     for name in ("spans.jsonl", "spans.perfetto.json"):
    ...         read(write(spans, f"{folder}/{name}")).equals(spans)
    True
    True
    """
    target = check_writing(path)
    if not target.name.endswith(_TRACE_EVENTS):
        return kept.write(spans, target)
    frame = conform(spans).lazy().collect()
    with replacing(target) as part, _opened(part, target.suffix) as file:
        for text in lines(frame):
            file.write(text)
    return target


def check_writing(path: str | Path) -> Path:
    """Say where `write` would write, or refuse it, before there are spans to write.

    Raises
    ------
    SourceError
        It is no path, the suffix is unknown, the folder already holds files, or it cannot be written there.
    """
    target = file_path("path", path)
    if not target.name.endswith(_TRACE_EVENTS):
        return kept.check_writing(target)
    check_target(target)
    return target


def _opened(target: Path, suffix: str) -> BinaryIO:
    return cast("BinaryIO", gzip.open(target, "wb", compresslevel=6)) if suffix == ".gz" else target.open("wb")
