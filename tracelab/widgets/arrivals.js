// The list of traces that arrive. Rows that stay are kept, with what has the focus; all text is set as text.
const COLUMNS = [["start", "start (UTC)"], ["trace", "trace"], ["duration", "duration"], ["spans", "spans"], ["marks", ""]];

function render({ model, el }) {
  const table = add(el, "table");
  const head = add(add(table, "thead"), "tr");
  for (const [kind, words] of COLUMNS) add(head, "th", kind, words);
  const body = add(table, "tbody");
  const note = add(el, "div", "note");
  note.setAttribute("role", "status");
  const lines = new Map();

  const sync = () => {
    const rows = model.get("rows");
    const held = document.activeElement?.closest?.("tr");
    const wanted = new Set(rows.map((row) => row.trace_id));
    for (const [id, line] of lines) {
      if (wanted.has(id)) continue;
      line.remove();
      lines.delete(id);
    }
    rows.forEach((row, place) => {
      const line = lines.get(row.trace_id) ?? made(row.trace_id);
      write(line, row);
      if (body.children[place] !== line) body.insertBefore(line, body.children[place] ?? null);
    });
    if (held && body.contains(held) && document.activeElement !== held) held.focus({ preventScroll: true });
    table.hidden = !rows.length;
    mark();
  };
  const mark = () => {
    for (const [id, line] of lines) line.setAttribute("aria-selected", String(id === model.get("chosen")));
  };
  const say = () => {
    note.textContent = model.get("note");
    note.hidden = !note.textContent;
  };
  const made = (id) => {
    const line = document.createElement("tr");
    line.tabIndex = 0;
    line.dataset.trace = id;
    line.append(...COLUMNS.map(([kind]) => Object.assign(document.createElement("td"), { className: kind })));
    lines.set(id, line);
    return line;
  };
  const open = (line) => model.send({ kind: "open", trace_id: line.dataset.trace });

  body.addEventListener("click", (event) => {
    const line = event.target.closest("tr");
    if (line && !String(getSelection())) open(line);
  });
  // The notebook has meanings of its own for these keys.
  el.addEventListener("keydown", (event) => {
    const line = event.target.closest("tbody tr");
    const next = { ArrowDown: line?.nextElementSibling, ArrowUp: line?.previousElementSibling }[event.key];
    if (!line || !["ArrowDown", "ArrowUp", "Enter", " "].includes(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.key === "Enter" || event.key === " ") open(line);
    else next?.focus();
  });

  const listeners = { "change:rows": sync, "change:chosen": mark, "change:note": say };
  for (const [name, act] of Object.entries(listeners)) model.on(name, act);
  sync();
  say();
  model.send({ kind: "here" });
  return () => {
    for (const [name, act] of Object.entries(listeners)) model.off(name, act);
    model.send({ kind: "gone" });
  };
}

function write(line, row) {
  const [start, trace, duration, spans, marks] = line.children;
  const known = JSON.stringify(row);
  if (line.dataset.known === known) return;
  line.dataset.known = known;
  start.textContent = row.start;
  duration.textContent = row.duration;
  spans.textContent = row.spans;
  trace.replaceChildren();
  add(trace, "span", "square").style.background = row.color;
  add(trace, "span", "name", row.name);
  add(trace, "span", "service", row.service);
  trace.title = `${row.service}: ${row.name}\n${row.trace_id}`;
  marks.replaceChildren();
  if (row.errors) add(marks, "span", "errors", row.errors);
  if (row.slow) add(marks, "span", "slow", "slow").title = row.slow;
  if (row.incomplete) add(marks, "span", "incomplete", "incomplete").title = row.incomplete;
}

function add(parent, tag, kind, words) {
  const part = document.createElement(tag);
  if (kind) part.className = kind;
  if (words) part.textContent = words;
  parent.append(part);
  return part;
}

export default { render };
