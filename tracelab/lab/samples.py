"""The sample notebooks, copied to a folder of the user's together with the data that they read."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from tracelab.errors import SourceError
from tracelab.lab.notebooks import Opened, usable_folder

FOLDER: Final = "tracelab-notebooks"
PARTS: Final = ("notebooks/*.ipynb", "sample_data/*.jsonl.gz", "sample_data/*.md", "examples/first_trace/*.*")
"""What is copied. Copies stand to each other as the originals do, so that paths from one to the other hold."""

_PACKAGE: Final = Path(__file__).parents[1]
_HOMES: Final = (_PACKAGE / "samples", _PACKAGE.parent)
"""Where the originals are: inside an installed package, or in the clone that it is run from."""


def sample_notebooks(folder: Path | None = None) -> Opened:
    """Copy the sample notebooks and their data, and leave alone what is there already.

    Parameters
    ----------
    folder
        Where to; by default `tracelab-notebooks` in the current folder.

    Raises
    ------
    SourceError
        There are no samples to copy, or nothing can be written there.
    """
    originals = _originals()
    root = usable_folder(_default_folder() if folder is None else folder)
    kept = {path for path in originals if os.path.lexists(root / path)}
    for path, original in originals.items():
        if path not in kept:
            _copy(original, root / path)
    first = min(path for path in originals if path.suffix == ".ipynb")
    return Opened(root / first, root, _notes(root, copied=len(originals) - len(kept), kept=len(kept)))


def _originals() -> dict[Path, Path]:
    """Find the originals, by the path that a copy has below its folder."""
    for home in _HOMES:
        found = {each.relative_to(home): each for part in PARTS for each in sorted(home.glob(part))}
        if any(path.suffix == ".ipynb" for path in found):
            return found
    raise SourceError(
        "The sample notebooks are not installed with this copy of tracelab. Install it from its wheel or its "
        "repository, or name a dump of your own: tracelab lab my-dump.json"
    )


def _default_folder() -> Path:
    """Find the folder that the user stands in already, or where it is to be."""
    here = Path.cwd()
    return next((each for each in (here, *here.parents) if each.name == FOLDER), here / FOLDER)


def _copy(original: Path, copy: Path) -> None:
    half = copy.with_name(f".{copy.name}.part")
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(original, half)
        half.replace(copy)
    except OSError as error:
        half.unlink(missing_ok=True)
        raise SourceError(
            f"{copy} cannot be written: {error.strerror}. Name another folder with --notebook-dir."
        ) from error


def _notes(root: Path, *, copied: int, kept: int) -> tuple[str, ...]:
    if not kept:
        return (f"Copied the sample notebooks and their data to {root}",)
    if not copied:
        return (f"Opened the sample notebooks that were there, as you left them: {root}",)
    return (f"Copied {copied} of the samples' files that were missing to {root}, and left the others alone",)
