"""A section of the page: a heading that one can link to, what it says, and what it shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tracelab.markup import plain

_LONGEST: Final = 600


@dataclass(frozen=True, slots=True)
class Section:
    """A subject of the page.

    Attributes
    ----------
    anchor
        What links to it name.
    word
        What the list of contents calls it.
    heading, text
        What it is about, and what one must know to read it.
    content
        What it shows, as HTML.
    """

    anchor: str
    word: str
    heading: str
    text: str
    content: str

    def html(self) -> str:
        """Give the section as HTML."""
        told = f"<p>{plain(self.text, longest=_LONGEST)}</p>" if self.text else ""
        return f'<section id="{attribute(self.anchor)}"><h2>{plain(self.heading)}</h2>{told}{self.content}</section>'


def attribute(text: str) -> str:
    """Make text that can stand between the quotes of an attribute.

    Examples
    --------
    >>> print(attribute('a"b'))
    a&quot;b
    """
    return plain(text, longest=4_000).replace('"', "&quot;")


def link(href: str, text: str) -> str:
    """Give a link to a place of the page, or to another page, which opens beside this one."""
    beside = "" if href.startswith("#") else ' target="_blank" rel="noopener noreferrer"'
    return f'<a href="{attribute(href)}"{beside}>{plain(text)}</a>'


def quiet(text: str) -> str:
    """Say that there is nothing to show."""
    return f'<p class="nothing">{plain(text, longest=_LONGEST)}</p>'
