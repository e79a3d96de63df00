// The pages of one DAG: arrow keys in the grid, the column under the pointer, pan and zoom of the graph.
// Everything here is an addition: without scripts the pages are links, forms and scroll bars.
"use strict";

(() => {
  const cells = (grid) => Array.from(grid.querySelectorAll("thead tr.bars, tbody tr"), (row) => row.children);

  // One tab stop for the whole grid; arrows, Home and End move inside it.
  function roving(grid) {
    const links = grid.querySelectorAll("a");
    if (!links.length) return;
    let current = grid.querySelector("a[tabindex='0']");
    links.forEach((link) => { link.tabIndex = -1; });
    current = current || grid.querySelector("tbody td a") || links[0];
    current.tabIndex = 0;
  }

  function move(grid, from, down, right) {
    const rows = cells(grid);
    const cell = from.closest("td, th");
    let y = rows.findIndex((row) => Array.prototype.includes.call(row, cell));
    let x = Array.prototype.indexOf.call(rows[y], cell);
    for (;;) {
      y += down; x += right;
      if (y < 0 || y >= rows.length || x < 0 || x >= rows[y].length) return;
      const link = rows[y][x].querySelector("a");
      if (link) {
        from.tabIndex = -1;
        link.tabIndex = 0;
        link.focus();
        link.scrollIntoView({ block: "nearest", inline: "nearest" });
        return;
      }
    }
  }

  const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], k: [-1, 0], j: [1, 0] };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.closest("input, textarea, select, [contenteditable]");
    const grid = event.target.closest("table.grid");
    if (grid && event.target.matches("a") && STEPS[event.key]) {
      event.preventDefault();
      move(grid, event.target, ...STEPS[event.key]);
    } else if (!typing && (event.key === "[" || event.key === "]")) {
      const link = document.querySelector(`a[data-key="${event.key}"]`);
      if (link) link.click();
    }
  });

  // The column under the pointer stands out, as its row does by CSS.
  let near = [];
  document.addEventListener("pointerover", (event) => {
    const cell = event.target.closest("table.grid td, table.grid thead th");
    near.forEach((it) => it.classList.remove("near"));
    near = [];
    if (!cell || !cell.cellIndex) return;
    const rows = cells(cell.closest("table"));
    near = rows.map((row) => row[cell.cellIndex]).filter(Boolean);
    near.forEach((it) => it.classList.add("near"));
  });

  function start() {
    document.querySelectorAll("table.grid").forEach(roving);
  }

  document.addEventListener("DOMContentLoaded", start);
  document.addEventListener("htmx:after:swap", start);
})();
