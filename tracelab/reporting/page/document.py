"""The HTML around the sections: what a browser must know, the list of contents, styles and scripts."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from typing import TYPE_CHECKING

from plotly.offline import get_plotlyjs

from tracelab.display.tables import SCRIPT as TABLE_SCRIPT
from tracelab.display.tables import STYLE as TABLE_STYLE
from tracelab.markup import plain
from tracelab.reporting.page.looks import STYLE
from tracelab.reporting.page.scripts import SCRIPT
from tracelab.reporting.page.section import link

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracelab.reporting.page.section import Section


def document(heading: str, head: str, sections: Sequence[Section]) -> str:
    """Give the page: one file that asks the network for nothing."""
    scripts = [get_plotlyjs(), TABLE_SCRIPT, SCRIPT]
    contents = "".join(f"<li>{link(f'#{each.anchor}', each.word)}</li>" for each in sections if each.word)
    body = "".join(each.html() for each in sections)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(scripts)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer"><link rel="icon" href="data:,">'
        f"<title>{plain(heading)}</title><style>{STYLE}{TABLE_STYLE}</style></head><body>"
        f'<nav aria-label="Contents"><ul>{contents}</ul></nav><main>{head}{body}'
        "<noscript><p>Figures are drawn, and tables sorted, by scripts that lie in this file, and your browser runs "
        "none.</p></noscript></main>"
        f"{''.join(f'<script>{script}</script>' for script in scripts)}</body></html>\n"
    )


def _policy(scripts: Sequence[str]) -> str:
    """Let these scripts run and no others, whatever stands in the page, and ask nobody for anything.

    Plotly writes styles into the page, and shows the pictures that one saves as data.
    """
    known = " ".join(f"'sha256-{b64encode(sha256(each.encode()).digest()).decode()}'" for each in scripts)
    return (
        f"default-src 'none'; script-src {known}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
