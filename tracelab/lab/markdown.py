"""Names of files, made safe to show: a name may hold anything."""

from __future__ import annotations

from typing import Final

from tracelab.markup import cut, visible

_LONGEST: Final = 200
_PLAIN: Final = frozenset(" !#%'()+,-./:;=@^_")
"""What Jupyter's markdown leaves alone in a code span, besides letters and digits."""


def in_markdown(text: str) -> str:
    """Write a name so that Jupyter's markdown shows it, and takes nothing in it for markup, links or math.

    Examples
    --------
    >>> in_markdown("my-dump.json")
    '`my-dump.json`'
    >>> in_markdown("<b>`$x$")
    '<code>&#60;b&#62;&#96;&#36;x&#36;</code>'
    """
    short = visible(cut(text, _LONGEST))
    if short.strip() == short and all(character.isalnum() or character in _PLAIN for character in short):
        return f"`{short}`"
    # Math is looked for in the text before markdown, and in the page after it, though not inside of <code>.
    return f"<code>{''.join(c if c.isalnum() or c == ' ' else f'&#{ord(c)};' for c in short)}</code>"
