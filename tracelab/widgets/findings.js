// The list of findings, and the one that is chosen: what was seen, what to do, and which of its exemplars is shown.
// However many findings there are, only the rows in view, and some around them, are here. All text is set as text.
const ROW = 46; // pixels
const HIGHEST = 8e6; // browsers draw nothing that is much higher
const REST = 60; // milliseconds without a scroll after which rows are asked for
const COPIED = 1500; // milliseconds for which it says that something was copied

function render({ model, el }) {
  const stop = new AbortController();
  new Findings(model, el, stop.signal);
  return () => stop.abort();
}

class Findings {
  constructor(model, el, signal) {
    Object.assign(this, { model, el, signal, active: 0, moves: -1 });
    this.list = add(el, "div", "list");
    Object.assign(this.list, { tabIndex: 0, role: "listbox", ariaLabel: "Findings" });
    this.filler = add(this.list, "div", "filler");
    this.all = add(this.filler, "div", "all");
    this.note = add(el, "div", "note");
    this.note.setAttribute("role", "status");
    this.card = add(el, "section", "card");
    this.card.setAttribute("aria-live", "polite");
    const [show, tell] = [() => this.sync(), () => this.describe()];
    const heard = { "change:block": show, "change:view": show, "change:card": tell };
    for (const [name, act] of Object.entries(heard)) model.on(name, act);
    signal.addEventListener("abort", () => Object.entries(heard).forEach(([name, act]) => model.off(name, act)));
    this.list.addEventListener("scroll", () => this.scrolled(), { signal });
    this.list.addEventListener("click", (event) => this.clicked(event), { signal });
    window.addEventListener("keydown", (event) => this.key(event), { signal, capture: true });
    this.sync();
    this.describe();
  }

  get view() { return this.model.get("view"); }
  get height() { return Math.min(this.view.total * ROW, HIGHEST); }
  get room() { return this.list.clientHeight; }

  // The row at the upper edge: a fraction, but where there are more rows than a page may be high.
  get top() {
    const { scrollTop } = this.list;
    if (this.height === this.view.total * ROW) return scrollTop / ROW;
    return (scrollTop / Math.max(this.height - this.room, 1)) * Math.max(this.view.total - this.room / ROW, 0);
  }

  sync() {
    const { view } = this;
    this.list.hidden = !view.total;
    this.list.style.height = `${Math.min(view.total, view.in_view) * ROW}px`;
    this.filler.style.height = `${this.height}px`;
    this.note.textContent = view.note;
    this.note.hidden = !view.note;
    this.active = Math.min(Math.max(this.active, 0), Math.max(view.total - 1, 0));
    const block = this.model.get("block");
    if (block.serial !== this.block?.serial) {
      this.block = block;
      this.all.replaceChildren(...block.rows.map((row, i) => line(row, block.first + i)));
    }
    if (view.moves !== this.moves) {
      this.moves = view.moves;
      this.active = view.chosen ?? 0;
      this.reveal(this.active);
    }
    this.paint();
  }

  paint() {
    const { block, view, list, top } = this;
    this.all.style.transform = `translateY(${list.scrollTop - (top - block.first) * ROW}px)`;
    for (const part of this.all.children) {
      const row = Number(part.dataset.row);
      part.setAttribute("aria-selected", String(row === view.chosen));
      part.classList.toggle("active", row === this.active);
      if (row === this.active) list.setAttribute("aria-activedescendant", part.id);
    }
  }

  scrolled() {
    this.paint();
    const { block, view, top } = this;
    const [first, last] = [Math.floor(top), Math.min(Math.ceil(top + view.in_view), view.total)];
    if (first >= block.first && last <= block.first + block.rows.length) return;
    clearTimeout(this.asking);
    this.asking = setTimeout(() => {
      if (this.signal.aborted) return;
      this.number = (this.number ?? Date.now()) + 1;
      this.model.set("place", [Math.floor(this.top), this.number]);
      this.model.save_changes();
    }, REST);
  }

  reveal(row) {
    const { list, height, view } = this;
    const room = Math.min(view.total, view.in_view) * ROW;
    const scale = height === view.total * ROW ? ROW : (height - room) / Math.max(view.total - view.in_view, 1);
    if (row < this.top) list.scrollTop = row * scale;
    else if (row + 1 > this.top + view.in_view) list.scrollTop = (row + 1 - view.in_view) * scale;
  }

  clicked(event) {
    const part = event.target.closest(".finding");
    if (!part || String(getSelection())) return;
    this.active = Number(part.dataset.row);
    this.open();
  }

  open() {
    this.paint();
    this.model.send({ kind: "open", row: this.active });
  }

  // The notebook has meanings of its own for these keys, and hears them before anybody else does.
  key(event) {
    const at = document.activeElement;
    if (!this.el.contains(at) || event.ctrlKey || event.altKey || event.metaKey) return;
    if (at.tagName === "BUTTON" && ["Enter", " "].includes(event.key)) {
      event.stopImmediatePropagation();
      return;
    }
    const { view } = this;
    const steps = {
      ArrowDown: 1, ArrowUp: -1, PageDown: view.in_view, PageUp: -view.in_view, Home: -view.total, End: view.total,
    };
    const others = {
      Enter: () => this.open(),
      " ": () => this.open(),
      ArrowLeft: () => this.model.send({ kind: "step", by: -1 }),
      ArrowRight: () => this.model.send({ kind: "step", by: 1 }),
      Escape: () => this.model.send({ kind: "close" }),
    };
    if (!(event.key in steps) && !(event.key in others)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (event.key in others) {
      if (view.total) others[event.key]();
      return;
    }
    this.active = Math.min(Math.max(this.active + steps[event.key], 0), Math.max(view.total - 1, 0));
    this.reveal(this.active);
    this.paint();
  }

  // What is chosen, in full.
  describe() {
    const card = this.model.get("card");
    const held = this.card.contains(document.activeElement) ? document.activeElement.dataset.does : null;
    this.card.hidden = !card.rule;
    this.card.replaceChildren();
    if (!card.rule) return;
    const head = add(this.card, "div", "head");
    add(head, "span", `chip ${card.severity}`, card.severity);
    add(head, "span", "title", card.title);
    add(head, "code", "rule", card.rule);
    add(this.card, "p", "says", card.says);
    add(this.card, "p", "facts", card.facts);
    if (card.why) add(this.card, "p", "why", card.why);
    if (card.explanation) add(this.card, "p", "explained", card.explanation);
    if (card.fix) this.mend(card.fix);
    if (card.exemplar) this.walk(card);
    if (held) this.card.querySelector(`[data-does="${held}"]:not(:disabled)`)?.focus({ preventScroll: true });
  }

  mend(fix) {
    const part = add(this.card, "div", "fix");
    const words = add(part, "p", "words");
    add(words, "b", "", "What to do ");
    add(words, "span", "", fix);
    const copy = button(part, "copy", "copy", "Copy what to do");
    copy.addEventListener("click", async () => {
      copy.textContent = (await copied(fix, part)) ? "copied" : "not copied";
      setTimeout(() => { copy.textContent = "copy"; }, COPIED);
    });
  }

  walk(card) {
    const part = add(this.card, "div", "walk");
    const step = (by) => () => this.model.send({ kind: "step", by });
    const back = button(part, "back", "‹", "Previous exemplar");
    back.addEventListener("click", step(-1));
    add(part, "span", "which", card.exemplar);
    const on = button(part, "on", "›", "Next exemplar");
    on.addEventListener("click", step(1));
    [back.disabled, on.disabled] = [!card.before, !card.behind];
    add(part, "span", "ids", card.ids);
    if (card.note) add(this.card, "p", "said", card.note);
  }
}

function line(row, number) {
  const part = document.createElement("div");
  Object.assign(part, { className: "finding", role: "option", id: `tracelab-finding-${row.key}`, title: row.says });
  part.dataset.row = number;
  const first = add(part, "div", "first");
  add(first, "span", `chip ${row.severity}`, row.severity);
  add(first, "span", "rule", row.rule);
  add(first, "span", "where", row.where);
  add(first, "span", "count", row.count);
  add(first, "span", "share", row.share);
  add(part, "div", "says", row.says);
  return part;
}

function button(parent, does, words, title) {
  const part = add(parent, "button", does, words);
  Object.assign(part, { type: "button", title, ariaLabel: title });
  part.dataset.does = does;
  return part;
}

// Pages that came over plain HTTP have no clipboard; there the browser copies what is selected.
async function copied(text, near) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = add(near, "textarea", "hidden");
    field.value = text;
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
}

function add(parent, tag, kind, words) {
  const part = document.createElement(tag);
  if (kind) part.className = kind;
  if (words) part.textContent = words;
  parent.append(part);
  return part;
}

export default { render };
