// Wheel, keys and clicks beside the bars, for the gantt that this element stands in. All computing is done in Python:
// what is said here is which row shall be at the top, which time shall be shown, and what was clicked or typed.
const ROW = 20; // pixels of scrolling for one row
const PAUSE = 250; // milliseconds after which a new scroll begins
const KEYS = new Set([
  "ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "PageUp", "PageDown", "Home", "End", "Escape", "Enter",
]);

const TYPING = "input, textarea, select, [contenteditable=true], [role=slider], .noUi-handle";

function render({ model, el }) {
  const stop = new AbortController();
  el.style.display = "none";
  const attach = () => {
    const root = el.closest(".tracelab-gantt");
    if (root) listen(model, root, stop.signal);
    else if (!stop.signal.aborted) requestAnimationFrame(attach);
  };
  attach();
  return () => stop.abort();
}

function listen(model, root, signal) {
  let outside = -Infinity; // when the page around was last scrolled
  let rest = 0;

  // A scroll that began on the page goes on with the page, although the pointer has come over the rows.
  const elsewhere = (event) => {
    if (!root.contains(event.target)) outside = event.timeStamp;
  };
  document.addEventListener("wheel", elsewhere, { capture: true, passive: true, signal });

  const wheel = (event) => {
    const plot = places(root);
    if (!plot || !plot.element.contains(event.target)) return;
    if (event.timeStamp - outside < PAUSE) {
      outside = event.timeStamp;
      return;
    }
    const unit = event.deltaMode === 0 ? 1 : ROW;
    const zoom = event.ctrlKey || event.altKey || event.metaKey;
    const across = event.shiftKey ? event.deltaX + event.deltaY : event.deltaX;
    if (zoom) zoomTime(model, plot, event.clientX, Math.exp((event.deltaY * unit) / 400));
    else if (event.shiftKey || Math.abs(across) > Math.abs(event.deltaY)) moveTime(model, plot, across * unit);
    else {
      rest += (event.deltaY * unit) / ROW;
      const steps = Math.trunc(rest);
      rest -= steps;
      if (!scroll(model, steps) && steps) return; // at the end: let the page go on
    }
    event.preventDefault();
    event.stopPropagation();
  };
  root.addEventListener("wheel", wheel, { capture: true, passive: false, signal });

  // JupyterLab keeps the focus on the cell and would move from cell to cell, so keys are ours from a click on the rows
  // to a click elsewhere, or Escape. The window hears them before the document, where JupyterLab listens.
  let active = false;
  const press = (event) => {
    active = places(root)?.element.contains(event.target) ?? false;
  };
  window.addEventListener("pointerdown", press, { capture: true, signal });
  const key = (event) => {
    if (!active || !KEYS.has(event.key) || event.target.closest?.(TYPING)) return;
    if (event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
    if (event.key === "Escape") active = false;
    event.preventDefault();
    event.stopImmediatePropagation();
    model.send({ kind: "key", key: event.key });
  };
  window.addEventListener("keydown", key, { capture: true, signal });

  const click = (event) => {
    const label = [...root.querySelectorAll(".y2tick text")].find((text) => within(text, event));
    if (!label) return;
    const plot = places(root);
    const row = rowAt(plot, event.clientY);
    const gutter = event.clientX < label.getBoundingClientRect().left + 16;
    model.send({ kind: "label", row, fold: gutter || event.detail === 2 });
  };
  root.addEventListener("click", click, { signal });
  root.addEventListener("dblclick", (event) => inPlot(root, event) && model.send({ kind: "whole" }), { signal });

  // Plotly measures the width once, perhaps before there is one.
  let width = 0;
  const sizes = new ResizeObserver(() => {
    if (Math.abs(root.clientWidth - width) < 2) return;
    width = root.clientWidth;
    window.dispatchEvent(new Event("resize"));
  });
  sizes.observe(root);
  signal.addEventListener("abort", () => sizes.disconnect());
}

function scroll(model, steps) {
  const now = model.get("first_row");
  const next = Math.min(Math.max(now + steps, 0), model.get("last_row"));
  if (next === now) return false;
  model.set("first_row", next);
  model.save_changes();
  return true;
}

function zoomTime(model, plot, clientX, factor) {
  const [low, high] = plot.x.range;
  const at = low + ((clientX - plot.left) / plot.x._length) * (high - low);
  show(model, [at - (at - low) * factor, at + (high - at) * factor]);
}

function moveTime(model, plot, pixels) {
  const [low, high] = plot.x.range;
  const by = (pixels / plot.x._length) * (high - low);
  show(model, [low + by, high + by]);
}

function show(model, range) {
  model.set("time_range", range);
  model.save_changes();
}

// Where plotly has put the axes of the rows.
function places(root) {
  const element = root.querySelector(".js-plotly-plot");
  const layout = element?._fullLayout;
  if (!layout?.xaxis2 || !layout?.yaxis2) return null;
  const box = element.getBoundingClientRect();
  const [x, y] = [layout.xaxis2, layout.yaxis2];
  return { element, x, y, left: box.left + x._offset, top: box.top + y._offset };
}

function rowAt(plot, clientY) {
  const [bottom, top] = plot.y.range;
  return Math.round(top + ((clientY - plot.top) / plot.y._length) * (bottom - top));
}

function inPlot(root, event) {
  const plot = places(root);
  if (!plot) return false;
  const [x, y] = [event.clientX - plot.left, event.clientY - plot.top];
  return x >= 0 && x <= plot.x._length && y >= 0 && y <= plot.y._length;
}

function within(element, event) {
  const box = element.getBoundingClientRect();
  return event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top - 3 && event.clientY <= box.bottom + 3;
}

export default { render };
