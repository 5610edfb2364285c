"""How the page looks: wide and narrow, light and dark, and on paper."""

from __future__ import annotations

from typing import Final

from tracelab.figures.parts.style import NARROWEST

PAPER_ZOOM: Final = 0.72
"""How large the page is on paper: so small that tables keep the columns that they have on a screen."""

PAPER_WIDTH: Final = 960
"""How wide figures are then; a sheet of A4 has room for that."""

# The cards are white or nearly black, as the grounds are for which the figures' tones are chosen.
STYLE: Final = f"""
:root {{ color-scheme: light; --text: #1c2733; --quiet: #51606e; --page: #f5f7f9; --card: #fff; --line: #e1e6eb;
  --link: #0b5cad; --jp-content-link-color: var(--link); --bad: #c0392b; --slow: #a8620a; --other: #51606e; }}
@media screen and (prefers-color-scheme: dark) {{
  :root {{ color-scheme: dark; --text: #e3e7eb; --quiet: #a5afb9; --page: #1d2125; --card: #111; --line: #3a424a;
    --link: #7db7f0; --bad: #f0857a; --slow: #e0a458; --other: #a5afb9; }}
}}
* {{ box-sizing: border-box; }}
html {{ scroll-padding-top: 52px; }}
body {{ font: 14px/1.5 system-ui, sans-serif; color: var(--text); background: var(--page); margin: 0; }}
main {{ max-width: 1320px; margin: 0 auto; padding: 16px 12px 60px; }}
a {{ color: var(--link); text-decoration: none; }}
a:hover, a:focus-visible {{ text-decoration: underline; }}
h1, h2, h3, p, li, summary {{ overflow-wrap: anywhere; }}
h1 {{ font-size: 24px; line-height: 1.25; margin: 8px 0 6px; }}
h2 {{ font-size: 18px; margin: 0 0 4px; }}
h3 {{ font-size: 15px; margin: 22px 0 2px; }}
nav {{ position: sticky; top: 0; z-index: 5; background: var(--page); border-bottom: 1px solid var(--line); }}
nav ul {{ display: flex; gap: 2px; list-style: none; max-width: 1320px; margin: 0 auto; padding: 0 6px;
  overflow-x: auto; scrollbar-width: none; }}
nav a {{ display: block; padding: 10px 7px; white-space: nowrap; }}
section {{ background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 16px;
  margin: 16px 0; }}
section p, .rests {{ color: var(--quiet); }}
section > p {{ margin: 2px 0 10px; max-width: 90ch; }}
section > ul {{ margin: 4px 0 12px; padding-left: 20px; }}
.rests {{ margin: 0; padding-left: 18px; }}
.tracelab-table p {{ color: inherit; }}
.findings {{ margin: 4px 0; padding: 0; list-style: none; }}
.findings li {{ border-left: 4px solid var(--other); padding: 1px 0 1px 12px; margin: 12px 0; }}
.findings li.failure, .findings li.loss, .findings li.error {{ border-color: var(--bad); }}
.findings li.slowness, .findings li.change, .findings li.warning {{ border-color: var(--slow); }}
.findings li p {{ margin: 0; font-size: 15px; color: var(--text); max-width: 95ch; }}
p.ways, .findings li p.ways {{ display: flex; flex-wrap: wrap; gap: 2px 16px; margin: 0; font-size: 13px;
  color: var(--quiet); }}
.subject {{ font-weight: 600; }}
.failure .subject, .loss .subject, .error .subject {{ color: var(--bad); }}
.slowness .subject, .change .subject, .warning .subject {{ color: var(--slow); }}
#context .findings li {{ margin: 8px 0; }}
#context .findings li p {{ font-size: 14px; }}
#context .findings details {{ font-size: 13px; }}
.kind > p {{ margin: 0 0 4px; }}
.kind + .kind {{ border-top: 1px solid var(--line); margin-top: 18px; }}
summary {{ cursor: pointer; padding: 4px 0; color: var(--link); }}
.other summary {{ font-family: ui-monospace, monospace; font-size: 13px; }}
.figure {{ overflow-x: auto; }}
.figure > .drawing {{ min-width: {NARROWEST}px; }}
@media (max-width: 600px) {{
  main {{ padding: 8px 8px 40px; }}
  section {{ padding: 12px 10px; }}
  nav ul {{ padding: 0 4px; }}
  h1 {{ font-size: 20px; }}
}}
@media print {{
  @page {{ margin: 12mm; }}
  body {{ background: #fff; }}
  main {{ padding: 0; max-width: none; zoom: {PAPER_ZOOM}; }}
  nav, .other:not([open]), section:has(> .other):not(:has(> .other[open])) {{ display: none; }}
  section {{ border: none; border-top: 1px solid var(--line); border-radius: 0; padding: 10px 0; margin: 8px 0; }}
  section > p {{ max-width: none; }}
  h2, h3, section > p, .kind > p {{ break-after: avoid; }}
  section > p, .findings li, .figure, .kind {{ break-inside: avoid; }}
  .findings li details:not([open]) {{ display: none; }}
  .figure {{ overflow: visible; }}
  a, summary {{ color: inherit; }}
}}
"""
