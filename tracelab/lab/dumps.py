"""What a user names as a dump: where it is, what it is called, and how a notebook writes it down."""

from __future__ import annotations

import glob
import os
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from tracelab.errors import LoadError, LoadWarning, SourceError
from tracelab.lab.cells import Source
from tracelab.loaders.input.addresses import is_address, without_secrets
from tracelab.loaders.input.sources import sources_of
from tracelab.loaders.reading import read

if TYPE_CHECKING:
    from collections.abc import Sequence

_QUICKLY_READ: Final = 4 << 20
_PATTERN: Final = re.compile(r"[*?[]")
_COMPRESSION: Final = re.compile(r"\.(gz|zst|zstd|bz2|xz)$", re.IGNORECASE)
_SUFFIX: Final = re.compile(r"\.[a-z]\w{0,7}$", re.IGNORECASE)
_NO_FILE_NAME: Final = re.compile(r"[^\w.()+, -]+")
_LONGEST_NAME: Final = 50


class Place(NamedTuple):
    """A file or a folder, or a glob pattern below a folder."""

    path: Path
    pattern: str

    def read_as(self) -> str:
        """Write the place so that `read` finds it from anywhere."""
        return _joined(str(self.path), self.pattern)

    def seen_from(self, folder: Path) -> str:
        """Write the place for `read` in a notebook in a folder: a short way if there is one, else the whole."""
        short = _way(folder, self.path)
        # A leading tilde would be taken for somebody's home.
        return self.read_as() if short is None or short.startswith("~") else _joined(short, self.pattern)


@dataclass(frozen=True, slots=True)
class Dump:
    """One dump, or several that are read together."""

    places: tuple[Place, ...]

    @property
    def title(self) -> str:
        """What to call it."""
        first = self.places[0]
        name = first.pattern or first.path.name or str(first.path)
        return name if len(self.places) == 1 else f"{name} and {len(self.places) - 1} more"

    @property
    def file_name(self) -> str:
        """What to call a file about it: the dump's name without what would be special in a file's name."""
        first = self.places[0]
        name = first.path.name
        if not first.pattern and not first.path.is_dir():
            name = _SUFFIX.sub("", _COMPRESSION.sub("", name))
        if len(self.places) > 1:
            name += f" and {len(self.places) - 1} more"
        # Jupyter serves no file whose name begins with a dot.
        safe = _NO_FILE_NAME.sub("-", name)[:_LONGEST_NAME].strip(" .-")
        return safe or "traces"

    @property
    def folder(self) -> Path:
        """The folder that it is in."""
        here = Path.cwd()
        beside = [_beside(place, here) for place in self.places]
        try:
            return Path(os.path.commonpath(beside))
        except ValueError:  # on two drives
            return here

    def literal(self, folder: Path) -> str:
        """Write it as Python, for a notebook in a folder."""
        names = [_quoted(place.seen_from(folder)) for place in self.places]
        if len(names) == 1:
            return names[0]
        return "[\n" + "".join(f"    {name},\n" for name in names) + "]"

    def source(self, literal: str) -> Source:
        """Say how its spans are read."""
        return Source.of_dump(literal)

    def changed(self) -> float:
        """Say when it was last written to, in seconds since 1970."""
        files = sources_of([place.read_as() for place in self.places])
        return max(file.path.stat().st_mtime for file in files if file.path is not None)


def dump_named(words: Sequence[str]) -> Dump:
    """Find what a user means.

    Raises
    ------
    SourceError
        There is no such file, or it is nothing that can be read twice.
    """
    dump = Dump(tuple(_place(word) for word in words))
    for source in sources_of([place.read_as() for place in dump.places]):
        if source.size is None:
            raise SourceError(
                f"{source.name} is no file but a pipe or a device, which a notebook cannot read again. "
                "Save it to a file first."
            )
    return dump


def check(dump: Dump) -> None:
    """Refuse what holds no spans, before a notebook is made of it.

    A small dump is read. A large one takes as long here as in the notebook, so it is only opened: the notebook says
    the rest.

    Raises
    ------
    LoadError
        It is no trace dump, or there is no span in it.
    SourceError
        It may not be read.
    """
    names = [place.read_as() for place in dump.places]
    sources = sources_of(names)
    if sum(source.size or 0 for source in sources) > _QUICKLY_READ:
        sources[0].open().close()
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LoadWarning)  # the notebook has the whole report
        spans = read(names[0] if len(names) == 1 else names, progress=False)
    if spans.is_empty():
        raise LoadError(f"There are no spans in {dump.title}. Name a dump that holds at least one.")


def _place(word: str) -> Place:
    if not word:
        raise SourceError("An empty name was given. Name a dump, a folder of them, or a glob.")
    if is_address(word):
        raise SourceError(
            f"{without_secrets(word)} is an address, and what it gives may be gone when the notebook is run again. "
            "Save it to a file first, or pass the address to tracelab.read in a notebook of your own."
        )
    # A file may be called ~x or [1].json, so what is there comes before what a name might stand for.
    name = word if os.path.lexists(word) else os.path.expanduser(word)  # noqa: PTH111 - Path's raises for ~nobody
    if os.path.lexists(name) or not _PATTERN.search(name):
        return Place(Path(os.path.abspath(name)), "")  # noqa: PTH100 - links keep the names that the user gave them
    parts = Path(name).parts
    fixed = next(number for number, part in enumerate(parts) if _PATTERN.search(part))
    return Place(Path(os.path.abspath(Path(*parts[:fixed]))), "/".join(parts[fixed:]))  # noqa: PTH100


def _beside(place: Place, here: Path) -> Path:
    """Find the folder beside a dump; for a folder that the user stands in, where he stands."""
    if place.pattern:
        return place.path
    return here if here.is_relative_to(place.path) else place.path.parent


def _way(folder: Path, path: Path) -> str | None:
    """Give the relative path into a folder or to its neighbours; None for what is farther away."""
    if path.is_relative_to(folder):
        return path.relative_to(folder).as_posix()
    # The system climbs from where a link leads to, so the way up is looked for there.
    above, real = folder.resolve().parent, path.parent.resolve() / path.name
    if above != above.parent and real.is_relative_to(above):
        return (Path("..") / real.relative_to(above)).as_posix()
    return None


def _joined(path: str, pattern: str) -> str:
    if not pattern:
        return path
    return pattern if path == "." else f"{glob.escape(path.rstrip('/'))}/{pattern}"


def _quoted(text: str) -> str:
    """Write a string as Python does, in double quotes where nothing in it minds."""
    written = repr(text)
    return f'"{written[1:-1]}"' if written[0] == "'" and '"' not in text else written
