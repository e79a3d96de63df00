// The pages of one DAG: arrow keys in the grid, the column under the pointer, pan and zoom of the graph.
// Everything here is an addition: without scripts the pages are links, forms and scroll bars.
"use strict";

(() => {
  const cells = (grid) => Array.from(grid.querySelectorAll("tr.bars, tbody tr"), (row) => row.children);
  const STOP = "a, input";
  const lettersOff = () => document.documentElement.dataset.keys === "off";

  // One tab stop for the whole grid; arrows, Home, End and Page keys move inside it.
  function roving(grid) {
    const stops = grid.querySelectorAll(STOP);
    if (!stops.length) return;
    let current = grid.querySelector("a[tabindex='0'], input[tabindex='0']");
    stops.forEach((stop) => { stop.tabIndex = -1; });
    const newest = Array.from(grid.querySelectorAll("tbody tr"), (row) => row.querySelectorAll("td > *")).find((found) => found.length);
    current = current || (newest && newest[newest.length - 1]) || stops[0];
    current.tabIndex = 0;
  }

  function placeOf(rows, cell) {
    const y = rows.findIndex((row) => Array.prototype.includes.call(row, cell));
    return [y, Array.prototype.indexOf.call(rows[y], cell)];
  }

  // The next stop in a direction, at most `far` steps away: there, or the last one before it.
  function move(grid, from, [down, right], far = 1) {
    const rows = cells(grid);
    let [y, x] = placeOf(rows, from.closest("td, th"));
    let found = null;
    for (let step = 0; step < far || !found; step += 1) {
      y += down; x += right;
      if (y < 0 || y >= rows.length || x < 0 || x >= rows[y].length) break;
      const stop = rows[y][x].querySelector(STOP);
      if (stop && (far === 1 || rows[y][x].tagName === "TD")) found = stop;
      if (stop && far === 1) break;
    }
    if (!found) return;
    from.tabIndex = -1;
    found.tabIndex = 0;
    found.focus();
    found.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  const STEPS = {
    ArrowUp: [[-1, 0]], ArrowDown: [[1, 0]], ArrowLeft: [[0, -1]], ArrowRight: [[0, 1]], k: [[-1, 0]], j: [[1, 0]],
    Home: [[0, -1], 1e4], End: [[0, 1], 1e4], PageUp: [[-1, 0], 10], PageDown: [[1, 0], 10],
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]");
    const grid = event.target.closest("table.grid");
    const letter = event.key.length === 1;
    if (letter && lettersOff()) return;
    if (grid && event.target.matches(STOP) && STEPS[event.key]) {
      event.preventDefault();
      move(grid, event.target, ...STEPS[event.key]);
    } else if (grid && selectByKey(grid, event.target, event.key)) {
      event.preventDefault();
    } else if (!typing && (event.key === "[" || event.key === "]")) {
      const link = document.querySelector(`a[data-key="${event.key}"]`);
      if (link) link.click();
    }
  });

  // Selection in the grid: x, shift+x for all between, ctrl or shift and click. Its form lists what is selected.
  const picked = new Set();
  let anchor = null;
  const form = () => document.getElementById("cells");

  function nameOf(cell) {
    const head = cell.closest("table").querySelector("tr.bars").children[cell.cellIndex];
    const run = head && head.querySelector("[data-run]");
    return cell.querySelector("a.c") && run ? `${cell.parentElement.dataset.id}@${run.dataset.run}` : null;
  }

  // A cell; from the bar of a run its column, from the name of a group its row.
  function names(grid, cell) {
    if (cell.tagName === "TD") return [nameOf(cell)].filter(Boolean);
    const body = Array.from(grid.querySelectorAll("tbody tr"));
    const all = cell.closest("thead") ? body.map((row) => row.children[cell.cellIndex]) : Array.from(cell.parentElement.children);
    return all.filter((it) => it && it.tagName === "TD").map(nameOf).filter(Boolean);
  }

  function toggle(grid, cell) {
    const wanted = names(grid, cell);
    const off = wanted.every((name) => picked.has(name));
    wanted.forEach((name) => (off ? picked.delete(name) : picked.add(name)));
    anchor = cell;
    paint();
  }

  function pickBetween(grid, cell) {
    const rows = cells(grid);
    const [y1, x1] = placeOf(rows, anchor && grid.contains(anchor) ? anchor : cell);
    const [y2, x2] = placeOf(rows, cell);
    for (let y = Math.min(y1, y2); y <= Math.max(y1, y2); y += 1) {
      for (let x = Math.min(x1, x2); x <= Math.max(x1, x2); x += 1) {
        if (rows[y][x].tagName === "TD") names(grid, rows[y][x]).forEach((name) => picked.add(name));
      }
    }
    paint();
  }

  function paint() {
    const bar = form();
    if (!bar || document.querySelector("table.grid input")) return;
    document.querySelectorAll("table.grid tbody td").forEach((cell) => {
      if (!cell.firstElementChild) return;
      const on = picked.size > 0 && picked.has(nameOf(cell));
      cell.classList.toggle("picked", on);
      if (on) cell.setAttribute("aria-selected", "true"); else cell.removeAttribute("aria-selected");
    });
    bar.hidden = !picked.size;
    bar.querySelectorAll("button").forEach((button) => { button.disabled = !picked.size; });
    const said = bar.querySelector("[data-picked]");
    said.textContent = said.dataset.words.replace("{n}", picked.size);
  }

  function selectByKey(grid, stop, key) {
    const cell = stop.closest("td, th");
    if (!cell || !form()) return false;
    if (stop.matches("input")) {
      if (key === "x") { stop.click(); return true; }
    } else if (key === "x") { toggle(grid, cell); return true;
    } else if (key === "X") { pickBetween(grid, cell); return true;
    } else if (key === "Escape" && picked.size) { picked.clear(); paint(); return true;
    } else if (key === "C" || key === "S" || key === "F") {
      if (!picked.size) toggle(grid, cell);
    }
    const button = form().querySelector(`[data-key="${key}"]`);
    if (button && !button.disabled) { button.click(); return true; }
    return false;
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest("table.grid a.c");
    if (!link || !form() || !(event.ctrlKey || event.metaKey || event.shiftKey)) return;
    event.preventDefault();
    const grid = link.closest("table");
    if (event.shiftKey) pickBetween(grid, link.closest("td")); else toggle(grid, link.closest("td"));
  });
  document.addEventListener("submit", (event) => {
    if (event.target !== form() || !picked.size) return;
    event.target.querySelectorAll("input[name=ti]").forEach((it) => it.remove());
    picked.forEach((name) => {
      const field = document.createElement("input");
      Object.assign(field, { type: "hidden", name: "ti", value: name });
      event.target.append(field);
    });
  }, true);

  // The slider over the past: moving it fills in the field above, letting it go shows that minute.
  function minute(slider) {
    if (slider.value === slider.max) return "";
    return new Date(Date.parse(slider.dataset.past) + slider.value * 60000).toISOString().slice(0, 16);
  }
  document.addEventListener("input", (event) => {
    if (!event.target.matches("[data-past]")) return;
    document.querySelector("[data-past-text]").textContent = minute(event.target).replace("T", " ");
  });
  document.addEventListener("change", (event) => {
    if (!event.target.matches("[data-past]")) return;
    const shown = document.getElementById("shown");
    shown.elements.at.value = minute(event.target);
    shown.requestSubmit();
  });

  // A state of the legend makes what is in it stand out.
  function shine(state) {
    document.querySelectorAll(".lights").forEach((box) => {
      if (box.dataset.lit === undefined) box.dataset.lit = (box.className.match(/lit-\w+/) || [""])[0];
      const wanted = state ? `lit-${state}` : box.dataset.lit;
      box.className = `lights ${wanted}`;
    });
  }
  ["pointerover", "focusin"].forEach((kind) => document.addEventListener(kind, (event) => {
    const link = event.target.closest("[data-light]");
    if (link) shine(link.dataset.light);
  }));
  ["pointerout", "focusout"].forEach((kind) => document.addEventListener(kind, (event) => {
    if (event.target.closest("[data-light]")) shine("");
  }));

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

    // All of it where its letters can be read (9 px of the 11 they have); else as small as they can be, around what
    // failed, runs or waits, or from the start of the DAG. "fit" shows all of it.
    const READABLE = 9 / 11;
    const WORTH = ["failed", "running", "up_for_retry", "upstream_failed", "awaiting_input", "queued", "scheduled"];
    function begin() {
      const svg = pane.querySelector("svg");
      const [width, height] = [svg.width.baseVal.value, svg.height.baseVal.value];
      box.style.height = "";
      const all = Math.min(1, box.clientWidth / width, box.clientHeight / height);
      view.k = Math.max(READABLE, all);
      if (height * view.k < box.clientHeight) box.style.height = `${Math.max(160, height * view.k + 2)}px`;
      const mark = WORTH.map((state) => svg.querySelector(`.node .state-${state}, .node.state-${state}`)).find(Boolean);
      const boxes = Array.from(svg.querySelectorAll(".node:not(.group)"));
      const edge = (it) => it.getBoundingClientRect().left + it.getBoundingClientRect().top;
      const node = (mark && mark.closest(".node")) || boxes.sort((one, other) => edge(one) - edge(other))[0];
      const [whole, part] = [svg.getBoundingClientRect(), (node || svg).getBoundingClientRect()];
      const shown = whole.width / width;
      const place = (room, size, middle) => size <= room ? (room - size) / 2
        : Math.min(0, Math.max(room - size, room / 2 - middle * view.k));
      view.x = place(box.clientWidth, width * view.k, ((part.left + part.right) / 2 - whole.left) / shown);
      view.y = place(box.clientHeight, height * view.k, ((part.top + part.bottom) / 2 - whole.top) / shown);
      draw();
    }

    let own = false; // somebody has moved it: it stays as it is
    ["wheel", "pointerdown", "keydown"].forEach((kind) => box.addEventListener(kind, () => { own = true; }));
    let wide = box.clientWidth;
    begin();
    new ResizeObserver(() => { if (!own && box.clientWidth !== wide) { wide = box.clientWidth; begin(); } }).observe(box);

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
      own = true;
      const wish = event.target.dataset.zoom;
      if (wish === "fit") fit();
      else if (wish) zoom(Number(wish), box.clientWidth / 2, box.clientHeight / 2);
    });
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

  // Gantt: the line of now, and what runs, move on with the clock of the server. At the right edge it is drawn anew.
  function advance() {
    const box = document.querySelector("#dag-gantt[data-start]");
    if (!box || document.hidden) return;
    if (box.dataset.read !== box.dataset.now) {
      box.dataset.read = box.dataset.now;
      box.skew = Date.parse(box.dataset.now) - Date.now();
    }
    const now = Date.now() + box.skew;
    const x = box.dataset.width * (now - Date.parse(box.dataset.start)) / 1000 / box.dataset.seconds;
    if (x > box.dataset.width) {
      box.removeAttribute("data-start");
      box.dispatchEvent(new Event("edge"));
      return;
    }
    box.querySelectorAll("line.now").forEach((line) => { line.setAttribute("x1", x); line.setAttribute("x2", x); });
    box.querySelectorAll("rect[data-live]").forEach((bar) => bar.setAttribute("width", Math.max(1.5, x - bar.getAttribute("x"))));
    box.querySelectorAll("tr").forEach((row) => {
      const rest = row.querySelector("rect[data-rest]");
      if (!rest || (!row.querySelector("rect[data-live]") && Number(rest.getAttribute("x")) > x)) return;
      rest.setAttribute("width", Math.max(0, rest.dataset.rest - x));
      rest.setAttribute("x", x);
    });
  }
  setInterval(advance, 1000);

  function start() {
    document.querySelectorAll("table.grid").forEach(roving);
    document.querySelectorAll("[data-past]").forEach((slider) => { slider.hidden = false; });
    paint();
    document.querySelectorAll(".graph-box").forEach(panZoom);
    // where the calendar is wider than the window: what was, and a little of what is to come
    document.querySelectorAll(".calendar .today").forEach((day) => {
      const box = day.closest(".grid-box");
      box.scrollBy(day.getBoundingClientRect().left - box.getBoundingClientRect().left - box.clientWidth * 0.75, 0);
    });
  }

  document.addEventListener("DOMContentLoaded", start);
  document.addEventListener("htmx:after:swap", start);
})();
