"""Text from traces, made safe to show: names and attributes are whatever somebody sent."""

from __future__ import annotations

import html
import re
import unicodedata
from typing import Final

NO_NAME: Final = "(no name)"
"""What stands where a service or a span has a name of nothing but blanks, or none."""

_LONGEST: Final = 200
# Letters and marks that draw nothing, though they are no control characters.
_BLANK: Final = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0]")


def visible(text: object, *, keep: str = "") -> str:
    r"""Write what would act on a terminal, or reorder or hide what stands beside it, as an escape that one can see.

    These are control characters (escape sequences, NUL, newlines, C1), the controls of bidirectional text, characters
    without width, line separators, and what stands for bytes that are no text; `keep` names those that stay.

    Examples
    --------
    >>> print(visible("\x1b[31mGET\u202e /"))
    \x1b[31mGET\u202e /
    """
    value = str(text)
    if value.isprintable() and not _BLANK.search(value):
        return value
    return "".join(
        character.encode("unicode_escape").decode("ascii") if acts(character) and character not in keep else character
        for character in value
    )


def plain(text: object, *, longest: int = _LONGEST) -> str:
    """Make text that shows as it is, both in HTML and in plotly, which reads tags and entities in any text.

    Examples
    --------
    >>> plain("<b>GET</b> /")
    '&lt;b&gt;GET&lt;/b&gt; /'
    >>> plain("a" * 500, longest=5)
    'aaaa…'
    """
    # In a page that holds MathJax, plotly would hand it what stands between dollar signs, links included.
    # Quotes stay: plotly shows &quot; as it is, and nothing here is written into an HTML attribute.
    return html.escape(visible(cut(str(text), longest), keep="\n"), quote=False).replace("$", "&#36;")


def cut(text: str, longest: int) -> str:
    """Cut a text to a number of characters, the last of which then says so.

    Examples
    --------
    >>> cut("recommendation", 6)
    'recom…'
    """
    return text if len(text) <= longest else text[: longest - 1] + "…"


def named(text: str) -> str:
    """Give a name that can be seen and clicked: a placeholder for one of nothing but blanks.

    Examples
    --------
    >>> named("GET /"), named(" ")
    ('GET /', '(no name)')
    """
    return text if text.strip() else NO_NAME


def acts(character: str) -> bool:
    """Say whether a character does something instead of showing itself."""
    return unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} or bool(
        _BLANK.match(character)
    )
