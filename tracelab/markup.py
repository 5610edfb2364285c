"""Text from traces, made safe to show: names and attributes are whatever somebody sent."""

from __future__ import annotations

import html
import unicodedata
from typing import Final

_LONGEST: Final = 200


def plain(text: object, *, longest: int = _LONGEST) -> str:
    """Make text that shows as it is, both in HTML and in plotly, which reads tags and entities in any text.

    Examples
    --------
    >>> plain("<b>GET</b> /")
    '&lt;b&gt;GET&lt;/b&gt; /'
    >>> plain("a" * 500, longest=5)
    'aaaa…'
    """
    value = str(text)
    if len(value) > longest:
        value = value[: longest - 1] + "…"
    # Control and bidirectional override characters would reorder or hide what stands beside them.
    shown = "".join(
        character if unicodedata.category(character)[0] != "C" or character == "\n" else " " for character in value
    )
    # In a page that holds MathJax, plotly would hand it what stands between dollar signs, links included.
    # Quotes stay: plotly shows &quot; as it is, and nothing here is written into an HTML attribute.
    return html.escape(shown, quote=False).replace("$", "&#36;")
