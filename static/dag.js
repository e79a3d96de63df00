// The pages of one DAG: arrow keys in the grid, the column under the pointer, pan and zoom of the graph.
// Everything here is an addition: without scripts the pages are links, forms and scroll bars.
"use strict";

(() => {
  const cells = (grid) => Array.from(grid.querySelectorAll("tr.bars, tbody tr"), (row) => row.children);

  // One tab stop for the whole grid; arrows, Home and End move inside it.
  function roving(grid) {
    const links = grid.querySelectorAll("a");
    if (!links.length) return;
    let current = grid.querySelector("a[tabindex='0']");
    links.forEach((link) => { link.tabIndex = -1; });
    const newest = Array.from(grid.querySelectorAll("tbody tr"), (row) => row.querySelectorAll("td a")).find((found) => found.length);
    current = current || (newest && newest[newest.length - 1]) || links[0];
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

  // Graph: drag moves, wheel with ctrl or cmd zooms, buttons too; what is around a box stands out.
  function panZoom(box) {
    const pane = box.querySelector(".graph-pane");
    const controls = document.querySelector(".zoom");
    if (!pane || box.dataset.ready) return;
    box.dataset.ready = "1";
    controls.hidden = false;
    box.classList.add("grab");
    const view = { x: 0, y: 0, k: 1 };
    let dragged = null;
    let moved = false;

    function draw() { pane.style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.k})`; }

    function zoom(factor, cx, cy) {
      const k = Math.min(4, Math.max(0.05, view.k * factor));
      view.x = cx - (cx - view.x) * k / view.k;
      view.y = cy - (cy - view.y) * k / view.k;
      view.k = k;
      draw();
    }

    function fit() {
      const svg = pane.querySelector("svg");
      const [width, height] = [svg.width.baseVal.value, svg.height.baseVal.value];
      view.k = Math.max(0.05, Math.min(1, box.clientWidth / width, box.clientHeight / height));
      view.x = Math.max(0, (box.clientWidth - width * view.k) / 2);
      view.y = Math.max(0, (box.clientHeight - height * view.k) / 2);
      draw();
    }

    function begin() {
      // as large as can be read, from the start of the DAG; "fit" shows all of it
      const svg = pane.querySelector("svg");
      const [width, height] = [svg.width.baseVal.value, svg.height.baseVal.value];
      if (height < box.clientHeight) box.style.height = `${Math.max(160, height + 2)}px`;
      fit();
      if (view.k < 0.6) { view.k = 0.6; view.x = Math.max(0, (box.clientWidth - width * 0.6) / 2); view.y = 0; draw(); }
    }

    box.addEventListener("wheel", (event) => {
      event.preventDefault();
      const place = box.getBoundingClientRect();
      if (event.ctrlKey || event.metaKey) {
        zoom(Math.exp(-event.deltaY / 300), event.clientX - place.left, event.clientY - place.top);
      } else {
        view.x -= event.shiftKey ? event.deltaY : event.deltaX;
        view.y -= event.shiftKey ? 0 : event.deltaY;
        draw();
      }
    }, { passive: false });
    box.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      dragged = { x: event.clientX - view.x, y: event.clientY - view.y, from: [event.clientX, event.clientY] };
      moved = false;
    });
    window.addEventListener("pointermove", (event) => {
      if (!dragged) return;
      moved = moved || Math.hypot(event.clientX - dragged.from[0], event.clientY - dragged.from[1]) > 4;
      if (moved) { view.x = event.clientX - dragged.x; view.y = event.clientY - dragged.y; draw(); }
    });
    window.addEventListener("pointerup", () => { dragged = null; });
    box.addEventListener("dragstart", (event) => event.preventDefault());
    box.addEventListener("click", (event) => { if (moved) { event.preventDefault(); moved = false; } }, true);
    box.addEventListener("focusin", (event) => {
      const node = event.target.closest(".node");
      if (!node || !node.matches(":focus-visible")) return;
      box.scrollTo(0, 0); // the browser scrolls what it cannot see; moving is ours
      const place = box.getBoundingClientRect();
      const at = node.getBoundingClientRect();
      if (at.left < place.left || at.right > place.right) view.x += place.left + place.width / 2 - (at.left + at.right) / 2;
      if (at.top < place.top || at.bottom > place.bottom) view.y += place.top + place.height / 2 - (at.top + at.bottom) / 2;
      draw();
    });
    box.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] }[event.key];
      if (step) { event.preventDefault(); view.x += step[0]; view.y += step[1]; draw(); }
      if (event.key === "+" || event.key === "-") zoom(event.key === "+" ? 1.25 : 0.8, box.clientWidth / 2, box.clientHeight / 2);
    });
    controls.addEventListener("click", (event) => {
      const wish = event.target.dataset.zoom;
      if (wish === "fit") fit();
      else if (wish) zoom(Number(wish), box.clientWidth / 2, box.clientHeight / 2);
    });
    begin();
  }

  function light(node) {
    const svg = node.closest("svg");
    const ids = new Set([node.dataset.id, ...node.dataset.before.split(" "), ...node.dataset.after.split(" ")]);
    svg.classList.add("lit");
    svg.querySelectorAll(".node").forEach((it) => it.classList.toggle("lit", ids.has(it.dataset.id) || it.matches(".group")));
    svg.querySelectorAll(".links path").forEach((it) => it.classList.toggle("lit",
      it.dataset.from === node.dataset.id || it.dataset.to === node.dataset.id));
  }

  document.addEventListener("pointerover", (event) => {
    const node = event.target.closest("svg.graph .node[data-before]");
    if (node) light(node);
    else document.querySelectorAll("svg.graph.lit").forEach((svg) => svg.classList.remove("lit"));
  });

  function start() {
    document.querySelectorAll("table.grid").forEach(roving);
    document.querySelectorAll(".graph-box").forEach(panZoom);
  }

  document.addEventListener("DOMContentLoaded", start);
  document.addEventListener("htmx:after:swap", start);
})();
