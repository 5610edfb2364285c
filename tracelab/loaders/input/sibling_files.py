"""Files that belong to a dump beside them: what serves Tempo in its blocks, and the tables of OTel-Arrow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

SPANS: Final = "spans"
_POINTS: Final = ("number", "summary", "histogram", "exp_histogram")
TABLES: Final = frozenset(
    (
        SPANS,
        "span_attrs",
        "span_events",
        "span_event_attrs",
        "span_links",
        "span_link_attrs",
        "resource_attrs",
        "scope_attrs",
        "logs",
        "log_attrs",
        "univariate_metrics",
        "multivariate_metrics",
        "metric_attrs",
        *(f"{point}_data_points" for point in _POINTS),
        *(f"{point}_dp_{rest}" for point in _POINTS for rest in ("attrs", "exemplars", "exemplar_attrs")),
    )
)
"""The tables of OTel-Arrow, as files and folders are named after them."""
METAS: Final = ("meta.json", "meta.compacted.json")
_MAGIC: Final = b"PAR1"
_LARGEST_META: Final = 4 << 20
_INDEX: Final = "index"
_BLOOM: Final = "bloom-"
_TENANT_INDEX: Final = "index."
_SEED: Final = "tempo_cluster_seed.json"


@dataclass(frozen=True, slots=True)
class Table:
    """A table of OTel-Arrow: its name, the folder that all of its tables are in, and the part of it in its own folder.

    The part is None where tables are single files.
    """

    name: str
    root: Path
    part: Path | None


class _Meta(msgspec.Struct, gc=False):
    format: str
    blockID: str  # noqa: N815 - Tempo's name


_DECODER: Final = msgspec.json.Decoder(_Meta)


def without_companions(files: list[Path]) -> list[Path]:
    """Leave out what is no dump by itself because it belongs to one of the other files."""
    return _without_tables(_without_parts_of_blocks(files))


def serves_a_block(name: str) -> bool:
    """Say whether a file only serves a block by its name, where one cannot look what stands beside it."""
    return name in (*METAS, _INDEX, _SEED) or name.startswith((_TENANT_INDEX, _BLOOM))


def table_of(file: Path) -> Table | None:
    """Say which table of OTel-Arrow a file is by the folder that it is in, or else by its own name."""
    for folder in file.parents:
        if folder.name.lower() in TABLES:
            return Table(folder.name.lower(), folder.parent, file.parent.relative_to(folder))
    name = file.name.partition(".")[0].lower()
    return Table(name, file.parent, None) if name in TABLES else None


def tables_beside(file: Path) -> dict[str, list[Path]]:
    """Find the files of all tables that belong to a file of spans, which is one of them."""
    own = table_of(file)
    if own is None or own.name != SPANS:
        return {}
    found: dict[str, list[Path]] = {}
    for beside in sorted(own.root.iterdir()):
        name = beside.name.partition(".")[0].lower()
        if name not in TABLES:
            continue
        if own.part is None:
            held = [beside] if beside.is_file() else []
        else:
            held = sorted(each for each in (beside / own.part).glob("*") if each.is_file())
        found.setdefault(name, []).extend(held)
    return found


def _without_tables(files: list[Path]) -> list[Path]:
    """Leave out the tables of OTel-Arrow that are read with their spans, and those of other signals beside these."""
    tables = {file: table for file in files if (table := table_of(file)) is not None}
    roots = {table.root for table in tables.values() if table.name == SPANS}
    return [
        file for file in files if file not in tables or tables[file].name == SPANS or tables[file].root not in roots
    ]


def _without_parts_of_blocks(files: list[Path]) -> list[Path]:
    """Leave out what stands beside the traces of a block: its meta.json, index and filters, and its tenant's index."""
    blocks = {folder for folder in {file.parent for file in files} if _is_block(folder)}
    if not blocks:
        return files
    tenants = {block.parent for block in blocks}
    roots = {tenant.parent for tenant in tenants}
    return [
        file
        for file in files
        if not (
            (file.parent in blocks and not _is_parquet(file))
            or (file.parent in tenants and file.name.startswith(_TENANT_INDEX))
            or (file.parent in roots and file.name == _SEED)
        )
    ]


def _is_block(folder: Path) -> bool:
    """Say whether a folder has the meta.json of a block."""
    for name in METAS:
        path = folder / name
        try:
            if path.is_file() and path.stat().st_size <= _LARGEST_META:
                return _DECODER.decode(path.read_bytes()).format.startswith("vParquet")
        except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
    return False


def _is_parquet(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            return opened.read(len(_MAGIC)) == _MAGIC
    except OSError:
        # Whoever reads it says what is wrong with it.
        return True
