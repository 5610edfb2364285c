"""Folders in which Tempo keeps its blocks: which of the files there hold traces, and which only serve Tempo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

METAS: Final = ("meta.json", "meta.compacted.json")
_MAGIC: Final = b"PAR1"
_LARGEST_META: Final = 4 << 20
_TENANT_INDEX: Final = "index."
_SEED: Final = "tempo_cluster_seed.json"


class _Meta(msgspec.Struct, gc=False):
    format: str
    blockID: str  # noqa: N815 - Tempo's name


_DECODER: Final = msgspec.json.Decoder(_Meta)


def without_companions(files: list[Path]) -> list[Path]:
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
