"""Versions of the Collector, and from which of them on there is something."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

Version: TypeAlias = tuple[int, int]


@dataclass(frozen=True)
class Since:
    """A version that has something, and the last one that was seen not to: what lies between was not looked at."""

    version: Version
    after: Version

    def holds(self, version: Version) -> bool:
        """Say whether a version has it; those that nobody looked at are taken to have it."""
        return version > self.after

    def __str__(self) -> str:
        """Say which versions have it."""
        has, lacks = written(self.version), written(self.after)
        return f"since {has}" if self.version[1] == self.after[1] + 1 else f"since {has} at the latest, not in {lacks}"


def since(minor: int, after: int | None = None) -> Since:
    """Say that 0.`minor` has something, and that the version before has not, or else that 0.`after` has not."""
    return Since((0, minor), (0, minor - 1 if after is None else after))


def written(version: Version) -> str:
    """Write a version as people do."""
    return f"{version[0]}.{version[1]}"
