// The log of a try: lines that come while it is written, reading on at both ends, folds, full screen, links to lines.
// And the merged log of a run, whose lines come in numbered batches.
// Without scripts the page has links for its parts, and shows what there was when it was made.
"use strict";

(() => {
  const box = document.getElementById("log");
  if (!box) return;
  const MOST = 5000; // lines that are kept in the page: with each new one, the browser lays all of them out
  const live = document.getElementById("live"), sign = document.getElementById("following");
  let end = Number(box.dataset.end), start = Number(box.dataset.start), size = Number(box.dataset.size);
  const merged = box.classList.contains("merged");
  let level = box.dataset.level, into = null, following = Boolean(box.dataset.live), chosen = null;

  // ---- adding lines --------------------------------------------------------------------------------------------------
  const parsed = (html) => { const made = document.createElement("template"); made.innerHTML = html; return made.content; };
  const open = (from) => from.querySelectorAll("details[data-on]");
  into = Array.from(open(box)).pop() || box;
  // What comes while the page is still busy with what came before is shown with one look at the page, and the page
  // rests longer than it worked: however fast a log grows, a tab has time for its reader.
  let waiting = [], rest = 0;
  function append(told) {
    end = told.end; size = told.size; level = told.level;
    waiting.push(told);
    if (waiting.length === 1) setTimeout(show, rest);
  }
  function show() {
    const begun = performance.now(), news = waiting;
    waiting = [];
    news.forEach(merged ? add : put);
    shorten(true);
    if (following) box.scrollTop = box.scrollHeight;
    rest = Math.min(2 * (performance.now() - begun), 1000);
  }
  function put(told) {
    const unfinished = document.getElementById(`b${told.from}`);
    if (unfinished) unfinished.remove(); // the line was not whole when it was shown
    if (told.start > told.from) {
      const gap = document.createElement("div");
      gap.className = "gap";
      gap.textContent = `… ${(told.start - told.from).toLocaleString(document.documentElement.lang)} B …`;
      into.append(gap);
    }
    for (const node of Array.from(parsed(told.html).childNodes)) {
      if (node.matches("hr.endgroup")) {
        if (into !== box) { into.removeAttribute("data-on"); into = into.parentElement; }
        continue;
      }
      into.append(node);
      const inner = node.matches("details[data-on]") ? [node, ...open(node)].pop() : null;
      if (inner) into = inner;
    }
    const none = document.getElementById("no-log");
    if (none) none.remove();
  }
  function shorten(top) {
    const lines = box.querySelectorAll(".line");
    const many = lines.length - MOST;
    if (many <= 0) return;
    if (merged) { // with the names above them; the first line that is left keeps its own
      let name = null;
      while (box.firstElementChild !== lines[many]) {
        if (box.firstElementChild.matches(".from")) name = box.firstElementChild;
        box.firstElementChild.remove();
      }
      if (name) box.prepend(name);
      return;
    }
    const gone = top ? Array.from(lines).slice(0, many) : Array.from(lines).slice(-many);
    gone.forEach((line) => line.remove());
    const first = box.querySelector(".line");
    box.querySelectorAll(".gap, .from, details:not([data-on])").forEach((it) => { // what stood around them
      const before = it.compareDocumentPosition(first) & Node.DOCUMENT_POSITION_FOLLOWING;
      if (it.matches("details") ? !it.querySelector(".line") : top && before) it.remove();
    });
    if (top) start = Number(box.querySelector(".line").id.slice(1)); else end = Number(gone[0].id.slice(1));
  }

  // ---- what comes through the stream, and what was missed --------------------------------------------------------------
  let asking = false;
  async function ask(query) {
    const answer = await fetch(`${box.dataset.more}&${query}`, { credentials: "same-origin" });
    return answer.ok ? answer.json() : null;
  }
  async function later() {
    if (asking) return;
    asking = true;
    try {
      for (;;) {
        const told = await ask(`from=${end}&after_level=${level}`);
        if (!told || told.end <= end) break;
        append(told);
        if (!box.dataset.live || told.end >= told.size) break;
      }
    } finally { asking = false; }
  }
  if (live && box.dataset.live) live.addEventListener("log", (event) => {
    const text = event.detail.data;
    const told = text ? JSON.parse(text) : null;
    if (merged) { mix(told); return; }
    if (told) size = told.size;
    if (!following && box.querySelectorAll(".line").length >= MOST) return; // nobody's lines are taken away while they read
    if (told && told.from === end && !asking) append(told);
    else if (!told || told.end > end) later();
  });
  // ---- the log of a run: batches that are numbered, and the whole page again when one is missing -----------------------
  let [feed, number] = merged ? (box.dataset.since || "-").split("-") : [], held = [], asked = 0, left = false;
  number = Number(number);
  function mix(told) {
    if (asking) held.push(told);
    else if (!told || told.feed !== feed || told.number > number + 1) anew();
    else if (told.number === number + 1) {
      number = told.number;
      left = left || (!following && box.querySelectorAll(".line").length >= MOST); // who reads loses no line over it
      if (left || !told.html) return;
      waiting.push(told);
      if (waiting.length === 1) setTimeout(show, rest);
    }
  }
  function add(told) {
    const made = parsed(told.html), names = box.getElementsByClassName("from"), first = made.firstElementChild;
    const last = names.length ? names[names.length - 1].getAttribute("href") : null;
    if (first.getAttribute("href") === last) first.remove(); // goes on with the same
    const none = document.getElementById("no-log");
    if (none) none.remove();
    box.append(made);
  }
  async function anew() {
    asking = true;
    try {
      const rest = asked + 2000 - Date.now(); // who cannot keep up asks now and then
      if (rest > 0) await new Promise((done) => setTimeout(done, rest));
      asked = Date.now();
      held = [];
      waiting = [];
      left = false;
      const answer = await fetch(location.href, { credentials: "same-origin" });
      const page = answer.ok ? new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("log") : null;
      if (page) {
        box.replaceChildren(...page.childNodes);
        [feed, number] = (page.dataset.since || "-").split("-");
        number = Number(number);
        const none = document.getElementById("no-log");
        if (none && box.firstElementChild) none.remove();
        if (following) box.scrollTop = box.scrollHeight;
      }
    } finally { asking = false; }
    for (const told of held.splice(0)) mix(told);
  }

  async function earlier() {
    if (merged || asking || start <= 0 || box.dataset.sieved) return;
    asking = true;
    try {
      const told = await ask(`before=${start}`);
      if (!told || told.start >= start) return;
      const from = box.scrollHeight - box.scrollTop;
      box.prepend(parsed(told.html));
      start = told.start;
      box.scrollTop = box.scrollHeight - from;
      if (!following && !waiting.length) shorten(false);
    } finally { asking = false; }
  }

  // ---- scrolling: it follows while its end is seen; at its ends more is read --------------------------------------------
  box.addEventListener("scroll", () => {
    const below = box.scrollHeight - box.scrollTop - box.clientHeight;
    if (box.dataset.live) { following = below < 40; sign.hidden = following; }
    if (left && following && !asking) anew();
    if (box.scrollTop < 200) earlier();
    if (below < 200 && !box.dataset.sieved && end < size) later();
  }, { passive: true });
  new ResizeObserver(() => { if (following) box.scrollTop = box.scrollHeight; }).observe(box);

  // ---- buttons, which are keys, too -----------------------------------------------------------------------------------
  const acts = {
    end(button) {
      if (button.dataset.href && !box.dataset.live && end < size) { location.href = button.dataset.href; return; }
      following = Boolean(box.dataset.live);
      box.scrollTop = box.scrollHeight;
    },
    fold() {
      const folds = Array.from(box.querySelectorAll("details.fold"));
      const some = folds.some((fold) => !fold.open);
      folds.forEach((fold) => { fold.open = some; });
    },
    full(button) {
      const on = document.body.classList.toggle("log-full");
      button.setAttribute("aria-pressed", on);
      box.focus();
    },
    link(button) {
      if (!chosen) return;
      const address = new URL(chosen.querySelector("a").href, location.href).href;
      history.replaceState(null, "", address);
      if (navigator.clipboard) navigator.clipboard.writeText(address).catch(() => {});
      window.asyncflowSay(address);
    },
    toggle(button) {
      const on = box.classList.toggle(button.dataset.log);
      button.setAttribute("aria-pressed", on);
    },
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-log]");
    if (button) (acts[button.dataset.log] || acts.toggle)(button);
    const line = event.target.closest("#log .line");
    if (line) choose(line);
  });
  function choose(line) {
    if (chosen) chosen.classList.remove("chosen");
    chosen = line;
    line.classList.add("chosen");
    const link = document.querySelector("[data-log='link']");
    if (link) link.hidden = false;
  }
  box.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && document.body.classList.contains("log-full")) acts.full(document.querySelector("[data-log='full']"));
    if (event.key !== "ArrowUp" && event.key !== "ArrowDown" || !event.shiftKey) return;
    event.preventDefault(); // shift and an arrow choose a line
    const lines = Array.from(box.querySelectorAll(".line"));
    const next = lines[lines.indexOf(chosen) + (event.key === "ArrowDown" ? 1 : -1)] || lines[lines.length - 1];
    if (next) { choose(next); next.scrollIntoView({ block: "nearest" }); }
  });
  document.querySelectorAll("[data-send]").forEach((field) => field.addEventListener("change", () => field.form.requestSubmit()));

  // ---- where to begin -------------------------------------------------------------------------------------------------
  const wanted = document.getElementById(location.hash.slice(1) || box.dataset.hit || "-");
  if (wanted && box.contains(wanted)) {
    following = false;
    for (let fold = wanted.closest("details"); fold && box.contains(fold); fold = fold.parentElement.closest("details")) fold.open = true;
    choose(wanted);
    wanted.scrollIntoView({ block: "center" });
  } else if (!new URLSearchParams(location.search).has("at")) box.scrollTop = box.scrollHeight;
})();
