// Sorting and filtering of tables that stand in a page: what is written there stays text, only rows move.
(() => {
  "use strict";
  const FEW = 8;

  function enliven(box) {
    const table = box.querySelector("table");
    if (!table || box.dataset.interactive === "on") return;
    box.dataset.interactive = "on";
    const body = table.tBodies[0];
    const rows = [...body.rows];
    if (rows.length > 1) [...table.tHead.rows[0].cells].forEach((head, at) => sortable(head, at, body, rows));
    if (rows.length > FEW) filterable(box, table, rows);
  }

  function sortable(head, at, body, rows) {
    if (!("sort" in head.dataset)) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    let places = null;
    button.addEventListener("click", () => {
      const now = { ascending: "descending", descending: "" }[head.getAttribute("aria-sort")] ?? "ascending";
      for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
      if (now) head.setAttribute("aria-sort", now);
      places ??= new Map(rows.map((row) => [row, Number(row.cells[at].dataset.place ?? NaN)]));
      const order = now ? sorted(rows, places, now === "descending" ? -1 : 1) : rows;
      const moved = document.createDocumentFragment();
      for (const row of order) moved.append(row);
      body.append(moved);
    });
  }

  // What is null stands last either way; rows that are alike keep the order in which they came.
  function sorted(rows, places, sign) {
    return [...rows].sort((one, other) => {
      const a = places.get(one);
      const b = places.get(other);
      if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
      return sign * (a - b);
    });
  }

  function filterable(box, table, rows) {
    const label = document.createElement("label");
    const input = document.createElement("input");
    const told = document.createElement("output");
    label.className = "filter";
    input.type = "search";
    label.append("Filter rows ", input, told);
    box.insertBefore(label, table);
    let texts = null;
    input.addEventListener("input", () => {
      texts ??= rows.map((row) => row.textContent.toLowerCase());
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      rows.forEach((row, at) => {
        const fits = words.every((word) => texts[at].includes(word));
        if (row.hidden === fits) row.hidden = !fits;
        shown += fits;
      });
      told.textContent = words.length ? `${shown.toLocaleString("en")} of ${rows.length.toLocaleString("en")}` : "";
    });
  }

  const all = () => document.querySelectorAll(".tracelab-table[data-interactive]").forEach(enliven);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", all);
  else all();
})();
