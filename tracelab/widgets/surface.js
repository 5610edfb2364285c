// What lies over the figure of the gantt: names, selection, tooltip, scrollbar; and what the wheel, keys and clicks ask.
// Times, trees and drawings are computed in Python. Here the rows that were sent are shifted, since no answer of the
// kernel and no drawing of plotly is quick enough for a wheel.
const TURN = 20; // pixels of the wheel for one row
const PAUSE = 250; // milliseconds after which a new scroll begins
const REST = 150; // milliseconds without a scroll, or a letter, after which Python is told
const OFTEN = 250; // milliseconds between two questions for rows
const REACH = 8; // pixels beside a bar where its tooltip still comes
const HIGHEST = 8e6; // browsers draw nothing that is much higher
const BARS = 1; // the place of the bars among the figure's traces
const INDENT = 12; // pixels by which a name stands behind that of its parent
const DEEPEST = 0.45; // share of the names' width that the deepest may be indented by
const KEYS = new Set(["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "PageUp", "PageDown", "Home", "End", "Escape", "Enter"]);
const TYPING = "input, textarea, select, [contenteditable=true]";

function render({ model, el }) {
  const stop = new AbortController();
  const attach = () => {
    const root = el.closest(".tracelab-gantt");
    const graph = root?.querySelector(".js-plotly-plot");
    if (graph?._fullLayout?.yaxis2 && graph.on) new Rows(model, el, root, graph, stop.signal);
    else if (!stop.signal.aborted) requestAnimationFrame(attach);
  };
  attach();
  return () => stop.abort();
}

class Rows {
  constructor(model, el, root, graph, signal) {
    Object.assign(this, { model, el, root, graph, signal, top: 0, moves: -1, block: null, outside: -Infinity, rest: 0 });
    this.frame = graph.closest(".tracelab-rows");
    this.behind = add(el, "behind");
    this.lights = add(this.behind, "all");
    this.selected = add(this.lights, "selected");
    this.pointed = add(this.lights, "pointed");
    this.names = add(el, "names");
    this.all = add(this.names, "all");
    this.count = add(el, "count");
    this.note = add(el, "note");
    this.bar = add(el, "bar");
    this.filler = add(this.bar, "filler");
    this.tip = add(el, "tip");
    this.tip.setAttribute("role", "tooltip");
    this.tip.hidden = this.pointed.hidden = true;

    // Names change in the moment in which plotly has drawn the bars that belong to them.
    const drawn = () => this.sync();
    graph.on("plotly_afterplot", drawn);
    model.on("change:block", drawn);
    model.on("change:view", drawn);
    signal.addEventListener("abort", () => {
      graph.removeListener?.("plotly_afterplot", drawn);
      model.off("change:block", drawn);
      model.off("change:view", drawn);
    });
    this.listen();
    this.sync();
  }

  get view() { return this.model.get("view"); }
  get lowest() { return Math.max(this.view.total - this.view.in_view, 0); }

  // Show what was sent, if the figure shows it too.
  sync() {
    const block = this.model.get("block");
    if (block.serial !== this.block?.serial && block.serial === this.graph.layout.meta) {
      this.block = block;
      this.pixels = null;
    }
    if (this.view.moves !== this.moves) {
      this.moves = this.view.moves;
      this.top = this.view.top;
    }
    this.top = Math.min(this.top, this.lowest);
    this.measure();
    const { xaxis2: x, yaxis2: y } = this.graph._fullLayout;
    const pixels = y._length / this.view.in_view;
    const indent = Math.min(INDENT, (DEEPEST * x._offset) / Math.max(this.view.deepest, 1));
    if (this.block && (this.pixels !== pixels || this.indent !== indent)) {
      Object.assign(this, { pixels, indent });
      this.write();
    }
    this.paint();
  }

  // Put the parts where plotly has put its axes.
  measure() {
    const { xaxis2: x, yaxis2: y, yaxis: above } = this.graph._fullLayout;
    const place = (part, style) => Object.assign(part.style, style);
    const rows = { top: `${y._offset}px`, height: `${y._length}px` };
    const height = Math.min(this.view.total * TURN, HIGHEST);
    place(this.behind, rows);
    place(this.names, { ...rows, width: `${x._offset - 2}px` });
    place(this.bar, { ...rows, visibility: this.lowest ? "visible" : "hidden" });
    place(this.filler, { height: `${Math.max(height, y._length)}px`, width: "1px" });
    place(this.note, { top: rows.top, left: `${x._offset}px`, width: `${x._length}px` });
    place(this.count, { top: `${above._offset}px`, height: `${above._length}px`, width: `${x._offset - 20}px` });
  }

  write() {
    const { block, pixels, indent } = this;
    const rows = block.name.map((name, i) => {
      const row = document.createElement("div");
      row.className = block.error[i] ? "name error" : "name";
      row.style.top = `${i * pixels}px`;
      row.style.paddingLeft = `${block.depth[i] * indent}px`;
      add(row, "fold", block.below[i] ? (block.closed[i] ? "▸" : "▾") : "");
      if (block.fragment[i]) add(row, "sign", "⚠");
      if (block.early[i]) add(row, "sign early", "◀");
      add(row, "words", shown(name));
      if (block.closed[i] && block.below[i]) add(row, "hidden", `(+${block.below[i].toLocaleString("en")})`);
      return row;
    });
    this.all.replaceChildren(...rows);
  }

  // What changes with every turn of the wheel, and nothing else.
  paint() {
    const { view, top, pixels } = this;
    const drawn = this.graph._fullLayout.yaxis2.range[1];
    this.graph.style.setProperty("--tracelab-shift", `${(drawn + 0.5 - top) * pixels}px`);
    this.all.style.transform = `translateY(${((this.block?.first ?? 0) - top) * pixels}px)`;
    this.light(this.selected, view.selected);
    this.light(this.pointed, null);
    this.tip.hidden = true;
    const last = Math.min(top + view.in_view, view.total);
    const [from, to, all] = [Math.min(top + 1, last), last, view.total].map((n) => n.toLocaleString("en"));
    this.count.textContent = view.total ? `rows ${from} to ${to} of ${all}` : "no rows";
    this.note.textContent = shown(view.note);
    this.note.hidden = !view.note;
    const at = this.lowest ? (top / this.lowest) * (this.bar.scrollHeight - this.bar.clientHeight) : 0;
    if (Math.abs(this.bar.scrollTop - at) >= 1) this.bar.scrollTop = at;
  }

  light(part, row) {
    const { pixels } = this;
    part.hidden = row === null;
    if (!part.hidden) Object.assign(part.style, { top: `${(row - this.top) * pixels}px`, height: `${pixels}px` });
  }

  scrollTo(row) {
    const top = Math.min(Math.max(row, 0), this.lowest);
    if (top === this.top) return false;
    this.top = top;
    this.paint();
    const { block, view } = this;
    const end = block ? block.first + block.name.length : 0;
    const near = view.in_view / 2;
    const enough = block && block.first <= Math.max(top - near, 0) && Math.min(top + view.in_view + near, view.total) <= end;
    // Rows that are missing are asked for at once, but plotly takes a while to draw each answer: not too often.
    const since = performance.now() - (this.asked ?? -Infinity);
    clearTimeout(this.telling);
    this.telling = setTimeout(() => {
      this.asked = performance.now();
      this.tell("place", [this.top]);
    }, enough ? REST : Math.max(OFTEN - since, 0));
    return true;
  }

  tell(name, values) {
    if (this.signal.aborted) return;
    this.number = (this.number ?? Date.now()) + 1;
    this.model.set(name, [...values, this.number]);
    this.model.save_changes();
  }

  // What is at a point of the screen: the row, and whether it is in the rows, the names, or at the row's bar.
  at(event) {
    const { xaxis2: x, yaxis2: y } = this.graph._fullLayout;
    const box = this.graph.getBoundingClientRect();
    const [left, up] = [event.clientX - box.left, event.clientY - box.top - y._offset];
    const row = this.top + Math.floor(up / (y._length / this.view.in_view));
    const inside = up >= 0 && up < y._length && left >= 0 && left < x._offset + x._length && row < this.view.total;
    const names = inside && left < x._offset;
    return { row, inside, names, x: left - x._offset, bar: inside && !names && this.atBar(row, left - x._offset, x) };
  }

  atBar(row, left, x) {
    const bars = this.graph._fullData[BARS];
    const at = row - (this.block?.first ?? 0);
    if (!bars?.base || this.block?.serial !== this.graph.layout.meta || !(at < bars.base.length && at >= 0)) return false;
    const start = x.d2p(bars.base[at]);
    return left >= start - REACH && left <= x.d2p(bars.base[at] + bars.x[at]) + REACH;
  }

  listen() {
    const { root, frame, signal, model, graph } = this;
    const on = (target, kind, act, options) => target.addEventListener(kind, act.bind(this), { signal, ...options });
    on(document, "wheel", this.elsewhere, { capture: true, passive: true });
    on(frame, "wheel", this.wheel, { capture: true, passive: false });
    on(window, "pointerdown", this.press, { capture: true });
    on(window, "pointermove", this.move, { capture: true });
    on(window, "pointerup", this.release, { capture: true });
    on(frame, "pointerleave", this.leave);
    on(frame, "dblclick", (event) => this.at(event).inside && !this.at(event).names && model.send({ kind: "whole" }));
    on(window, "keydown", this.key, { capture: true });
    on(root, "input", this.type, { capture: true });
    on(this.bar, "scroll", () => {
      const room = this.bar.scrollHeight - this.bar.clientHeight;
      const row = room ? Math.round((this.bar.scrollTop / room) * this.lowest) : 0;
      // A scrollbar has whole pixels, fewer than there may be rows.
      if (Math.abs((this.top / Math.max(this.lowest, 1)) * room - this.bar.scrollTop) >= 1) this.scrollTo(row);
    });

    // Plotly measures the width once, perhaps before there is one.
    let width = 0;
    const sizes = new ResizeObserver(() => {
      if (Math.abs(root.clientWidth - width) < 2) return;
      width = root.clientWidth;
      window.dispatchEvent(new Event("resize"));
      model.set("width", Math.round(width));
      model.save_changes();
    });
    sizes.observe(root);
    signal.addEventListener("abort", () => sizes.disconnect());
    graph.style.touchAction = "pan-y";
  }

  // A scroll that began on the page goes on with the page, although the pointer has come over the rows.
  elsewhere(event) {
    if (!this.frame.contains(event.target)) this.outside = event.timeStamp;
  }

  wheel(event) {
    if (event.target === this.bar || this.bar.contains(event.target)) return;
    if (event.timeStamp - this.outside < PAUSE) {
      this.outside = event.timeStamp;
      return;
    }
    const unit = event.deltaMode === 0 ? 1 : TURN;
    const zoom = event.ctrlKey || event.altKey || event.metaKey;
    const across = event.shiftKey ? event.deltaX + event.deltaY : event.deltaX;
    if (zoom) this.zoom(event.clientX, Math.exp((event.deltaY * unit) / 400));
    else if (event.shiftKey || Math.abs(across) > Math.abs(event.deltaY)) this.shift(across * unit);
    else {
      this.rest += (event.deltaY * unit) / TURN;
      const steps = Math.trunc(this.rest);
      this.rest -= steps;
      if (!this.scrollTo(this.top + steps) && steps) return; // at the end: let the page go on
    }
    event.preventDefault();
    event.stopPropagation();
  }

  zoom(clientX, factor) {
    const x = this.graph._fullLayout.xaxis2;
    const [low, high] = x.range;
    const left = clientX - this.graph.getBoundingClientRect().left - x._offset;
    const at = low + (Math.min(Math.max(left, 0), x._length) / x._length) * (high - low);
    this.tell("times", [at - (at - low) * factor, at + (high - at) * factor]);
  }

  shift(pixels) {
    const x = this.graph._fullLayout.xaxis2;
    const by = (pixels / x._length) * (x.range[1] - x.range[0]);
    this.tell("times", [x.range[0] + by, x.range[1] + by]);
  }

  // JupyterLab keeps the focus on the cell and would move from cell to cell, so keys are ours from a click on the rows
  // to a click elsewhere, or Escape. Whoever clicks on a row has done typing.
  press(event) {
    const at = this.frame.contains(event.target) && event.target !== this.bar ? this.at(event) : null;
    this.active = Boolean(at?.inside);
    this.pressed = this.active && event.button === 0 ? { ...at, clientX: event.clientX, clientY: event.clientY, top: this.top } : null;
    const typing = document.activeElement;
    if (this.active && typing?.matches?.(TYPING) && this.root.contains(typing)) typing.blur();
  }

  move(event) {
    const { pressed } = this;
    if (pressed && event.buttons & 1) {
      const by = event.clientY - pressed.clientY;
      this.dragged ||= Math.hypot(event.clientX - pressed.clientX, by) > 4;
      if (this.dragged && this.graph._fullLayout.dragmode === "pan") this.scrollTo(pressed.top - Math.round(by / this.pixels));
      return;
    }
    if (this.frame.contains(event.target)) this.hover(event);
    else this.leave();
  }

  release(event) {
    const { pressed, dragged } = this;
    this.pressed = null;
    this.dragged = false;
    if (!pressed || dragged || !this.frame.contains(event.target) && !event.target.closest?.(".dragcover")) return;
    const name = this.all.children[pressed.row - (this.block?.first ?? 0)];
    const fold = pressed.names && name && event.clientX < name.querySelector(".fold").getBoundingClientRect().right;
    const twice = pressed.names && !fold && this.clicked?.row === pressed.row && event.timeStamp - this.clicked.time < 400;
    this.clicked = { row: pressed.row, time: event.timeStamp };
    this.model.send({ kind: "row", row: pressed.row, fold: Boolean(fold || twice), top: this.top });
  }

  leave() {
    this.tip.hidden = this.pointed.hidden = true;
  }

  hover(event) {
    const at = this.at(event);
    this.light(this.pointed, at.inside ? at.row : null);
    const lines = at.names || at.bar ? this.block?.tip[at.row - this.block.first] : null;
    this.tip.hidden = !lines;
    if (!lines) return;
    if (this.told !== lines) {
      this.told = lines;
      this.tip.replaceChildren();
      lines.forEach((line, i) => add(this.tip, i ? "line" : "first", shown(line).slice(0, 600)));
    }
    const box = this.el.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const left = x + 14 + this.tip.offsetWidth > box.width ? Math.max(x - 14 - this.tip.offsetWidth, 0) : x + 14;
    const below = event.clientY + 18 + this.tip.offsetHeight < window.innerHeight;
    Object.assign(this.tip.style, { left: `${left}px`, top: `${below ? y + 16 : y - 12 - this.tip.offsetHeight}px` });
  }

  key(event) {
    if (!this.active || !KEYS.has(event.key) || event.target.closest?.(TYPING)) return;
    if (event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
    if (event.key === "Escape") this.active = false;
    event.preventDefault();
    event.stopImmediatePropagation();
    const pages = { PageDown: this.view.in_view, PageUp: -this.view.in_view, Home: -this.view.total, End: this.view.total };
    if (event.key in pages) this.scrollTo(this.top + pages[event.key]);
    else this.model.send({ kind: "key", key: event.key, top: this.top });
  }

  // What is typed is acted on when the typing pauses, not letter by letter.
  type(event) {
    if (event.paused || !event.target.matches?.(TYPING)) return;
    event.stopImmediatePropagation();
    const again = Object.assign(new Event("input", { bubbles: true }), { paused: true });
    clearTimeout(this.typing);
    // A choice from the list is no letter.
    this.typing = setTimeout(() => event.target.dispatchEvent(again), event.inputType === "insertReplacementText" ? 0 : REST);
  }
}

// Characters that would reorder or hide what stands beside them show as blanks.
function shown(text) {
  return text.replace(/\p{C}/gu, " ");
}

function add(parent, kind, text) {
  const part = document.createElement("div");
  part.className = kind;
  if (text !== undefined) part.textContent = text;
  parent.append(part);
  return part;
}

export default { render };
