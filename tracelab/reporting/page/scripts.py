"""What the page does by itself: it draws figures when they come into view, and opens what a link leads to."""

from __future__ import annotations

from typing import Final

from tracelab.reporting.page.looks import PAPER_WIDTH

SCRIPT: Final = (
    """
(() => {
  const PAPER = """
    + str(PAPER_WIDTH)
    + """;
  const figures = [...document.querySelectorAll('.figure')];
  const drawn = new Set();
  const draw = figure => {
    if (drawn.has(figure)) return;
    drawn.add(figure);
    const { data, layout } = JSON.parse(figure.querySelector('script').textContent);
    Plotly.newPlot(figure.querySelector('.drawing'), data, layout, { displaylogo: false, responsive: true });
  };
  const seen = new IntersectionObserver(entries => {
    for (const entry of entries) {
      if (entry.isIntersecting) {
        seen.unobserve(entry.target);
        draw(entry.target);
      }
    }
  }, { rootMargin: '400px 0px' });
  figures.forEach(figure => seen.observe(figure));

  const open = () => {
    let target = null;
    try {
      target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    } catch { /* no place of this page */ }
    if (!target) return;
    for (let part = target; part; part = part.parentElement) {
      if (part.localName === 'details') part.open = true;
    }
    target.scrollIntoView();
  };
  addEventListener('hashchange', open);
  open();

  const folded = figure => figure.closest('details:not([open])');
  let opened = [];
  const toPaper = () => {
    opened = [...document.querySelectorAll('details.more:not([open])')];
    opened.forEach(part => { part.open = true; });
    const shown = figures.filter(figure => !folded(figure));
    shown.forEach(draw);
    shown.forEach(figure => Plotly.relayout(figure.querySelector('.drawing'), { width: PAPER }));
  };
  const toScreen = () => {
    opened.forEach(part => { part.open = false; });
    const shown = figures.filter(figure => drawn.has(figure) && !folded(figure));
    shown.forEach(figure => Plotly.relayout(figure.querySelector('.drawing'), { width: null, autosize: true }));
  };
  addEventListener('beforeprint', toPaper);
  addEventListener('afterprint', toScreen);
})();
"""
)
