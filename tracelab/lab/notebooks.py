"""A notebook about a dump: made once, and then the user's."""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tracelab.errors import SourceError
from tracelab.files import expanded
from tracelab.lab.cells import cells
from tracelab.lab.markdown import in_markdown

if TYPE_CHECKING:
    from tracelab.lab.cells import Source
    from tracelab.lab.dumps import Dump
    from tracelab.lab.servers import Served

_OTHERWISE: Final = "Name another folder with --notebook-dir."


class Opened(NamedTuple):
    """A notebook to open, the folder to show beside it, and what was done, in sentences."""

    notebook: Path
    root: Path
    notes: tuple[str, ...]


def notebook_about(dump: Dump | Served, *, folder: Path | None = None) -> Opened:
    """Make a notebook about a dump, or find the one that was made before.

    Parameters
    ----------
    dump
        What it is about.
    folder
        Where to put it; by default beside the dump, or in the current folder where that is not possible.

    Raises
    ------
    SourceError
        Nothing can be written there.
    """
    place, notes = _folder_for(dump, folder)
    literal = dump.literal(place)
    for number in itertools.count(1):
        path = place / f"{dump.file_name}{f'-{number}' if number > 1 else ''}.ipynb"
        if not os.path.lexists(path):
            _write_new(path, _document(dump.title, literal, dump.source(literal)))
            return Opened(path, place, (*notes, f"Made a notebook: {path}"))
        if _dump_of(path) == literal:
            return Opened(path, place, (*notes, *_found(path, dump)))
    raise AssertionError


def _found(path: Path, dump: Dump | Served) -> tuple[str, ...]:
    said = f"Opened the notebook that was there: {path} (rename or delete it to get a fresh one)"
    if dump.changed() <= path.stat().st_mtime:
        return (said,)
    return said, "The dump has changed since it was saved: run all its cells again."


def _folder_for(dump: Dump | Served, folder: Path | None) -> tuple[Path, tuple[str, ...]]:
    if folder is not None:
        return usable_folder(folder), ()
    beside, here = dump.folder, Path.cwd()
    if os.access(beside, os.W_OK | os.X_OK) or beside == here:
        return usable_folder(beside), ()
    return usable_folder(here), (f"Nothing can be written to {beside}, so the notebook goes to the current folder.",)


def usable_folder(folder: Path) -> Path:
    """Make a folder if it is missing, and see that one can write there.

    Raises
    ------
    SourceError
        One cannot.
    """
    path = expanded(folder).absolute()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SourceError(f"The folder {path} cannot be made: {error.strerror}. {_OTHERWISE}") from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise SourceError(f"Nothing can be written to {path}. {_OTHERWISE}")
    return path


def _write_new(path: Path, document: dict[str, Any]) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            json.dump(document, file, indent=1)
            file.write("\n")
    except OSError as error:
        raise SourceError(f"The notebook {path} cannot be written: {error.strerror}. {_OTHERWISE}") from error


def _dump_of(path: Path) -> str | None:
    """Say which dump a notebook was made about; None for any other file."""
    try:
        document = json.loads(path.read_bytes())
        about = document["metadata"]["tracelab"]["dump"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return about if isinstance(about, str) else None


def _document(title: str, literal: str, source: Source) -> dict[str, Any]:
    made = cells(title=in_markdown(title), source=source)
    return {
        "cells": [
            {
                "cell_type": cell.kind,
                "id": f"cell-{number:02}",
                "metadata": {},
                **({"execution_count": None, "outputs": []} if cell.kind == "code" else {}),
                "source": cell.text.splitlines(keepends=True),
            }
            for number, cell in enumerate(made)
        ],
        "metadata": {
            # The name of the kernel of whoever opens it; `serve` sees to it that this is our own interpreter.
            "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
            "tracelab": {"dump": literal},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
