// What scripts add to pages that work without them: dialogs in place, keys, the clock, the state of the live stream.
"use strict";

(() => {
  const root = document.documentElement;
  const $ = (selector, from = document) => from.querySelector(selector);
  const say = (text) => { const said = $("#said"); if (said) said.textContent = text; };

  // ---- the reader's own zone, for the next page; and this one, when it was made without ------------------------------
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "";
  const known = document.cookie.split("; ").find((part) => part.startsWith("asyncflow_browser_zone="));
  if (zone && known !== `asyncflow_browser_zone=${encodeURIComponent(zone)}`) {
    document.cookie = `asyncflow_browser_zone=${encodeURIComponent(zone)}; path=/; max-age=31536000; samesite=lax`;
    if (document.cookie.includes("asyncflow_zone=browser") && document.cookie.includes("asyncflow_browser_zone=")) location.reload();
  }

  // ---- clock, and how long ago things were ---------------------------------------------------------------------------
  const clock = $("#clock");
  const relative = new Intl.RelativeTimeFormat(root.lang, { style: "narrow", numeric: "always" });
  const SHORT = { day: "d", hour: "h", minute: "min", second: "s" }; // in English as the server says it: 8 min, not 8m
  const said = (count, unit) => root.lang !== "en" ? relative.format(count, unit)
    : count > 0 ? `in ${count} ${SHORT[unit]}` : `${-count} ${SHORT[unit]} ago`;
  const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  function tick() {
    const now = Date.now();
    if (clock) clock.textContent = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: clock.dataset.zone }).format(now);
    document.querySelectorAll("time.ago").forEach((time) => {
      const seconds = (Date.parse(time.dateTime) - now) / 1000;
      const [unit, size] = UNITS.find(([, many]) => Math.abs(seconds) >= many) || UNITS[3];
      time.textContent = said(Math.trunc(seconds / size), unit);
    });
  }
  setInterval(tick, 10000);

  // ---- where one is, in bars that are wider than the window ------------------------------------------------------------
  function inSight() {
    document.querySelectorAll(".tabs [aria-current], .sections [aria-current]").forEach((it) => {
      const bar = it.parentElement;
      const [own, all] = [it.getBoundingClientRect(), bar.getBoundingClientRect()];
      if (own.right > all.right) bar.scrollLeft += own.right - all.right + own.width;
      else if (own.left < all.left) bar.scrollLeft -= all.left - own.left + own.width;
    });
  }
  inSight();
  addEventListener("resize", () => requestAnimationFrame(inSight));

  // how long what goes on has taken so far
  const sizes = [86400, 3600, 60, 1], words = clock ? clock.dataset.units.split("|") : [];
  function lasted(seconds) {
    const at = Math.max(0, sizes.findIndex((size) => seconds >= size)), whole = sizes[at];
    if (seconds < 60) return words[3].replace("{n}", seconds);
    const rest = Math.floor((seconds % whole) / sizes[at + 1]);
    return words[at].replace("{n}", Math.floor(seconds / whole)) + (rest ? ` ${words[at + 1].replace("{n}", rest)}` : "");
  }
  setInterval(() => {
    if (words.length) document.querySelectorAll("time.lasting").forEach((time) => {
      time.textContent = lasted(Math.max(0, Math.floor((Date.now() - Date.parse(time.dateTime)) / 1000)));
    });
  }, 1000);

  // ---- the live stream: a dot that turns red when it is silent ---------------------------------------------------------
  const live = $("#live"), pulse = $("#pulse");
  const mark = (bad) => pulse && pulse.classList.toggle("bad", bad);
  // The server says something each 15 s at least. A stream that is silent for longer is no stream any more: a laptop has
  // slept, a network is gone. It is opened anew; htmx waits between two attempts, up to five seconds, each tab another time.
  const lost = $("#lost"), SILENT = 40000, CALM = 2000;
  let stream = null, heard = Date.now(), telling = 0;
  function tellLost() {
    const at = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit", timeZone: clock.dataset.zone }).format(heard);
    lost.textContent = lost.dataset.words.replace("{time}", at);
    lost.hidden = false;
  }
  function lose() {
    mark(true);
    if (!telling) telling = setTimeout(tellLost, CALM); // a server that starts anew is back in a moment
  }
  function hear() { heard = Date.now(); clearTimeout(telling); telling = 0; lost.hidden = true; mark(false); }
  function hurry() { if (stream && stream.delayCanceller) stream.delayCanceller(); }
  if (live) {
    live.addEventListener("htmx:sse:error", lose);
    live.addEventListener("htmx:sse:before:connection", (event) => { stream = event.detail.connection; });
    live.addEventListener("htmx:sse:after:connection", (event) => { stream = event.detail.connection; hear(); });
    live.addEventListener("htmx:sse:before:message", () => { heard = Date.now(); });
    live.addEventListener("health", (event) => mark(event.detail.data === "bad"));
    setInterval(() => {
      if (document.hidden || telling || Date.now() - heard < SILENT) return;
      lose();
      if (stream && stream.reader) stream.reader.cancel();
    }, 5000);
    addEventListener("online", hurry);
    addEventListener("focus", hurry);
  }

  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); }); // back to a page that was asleep

  // what an event has caused says so: what was made for another tab after the same event will do
  document.addEventListener("htmx:config:request", (event) => {
    const from = event.detail.ctx.sourceEvent;
    const seen = from && from.target === live && from.detail && from.detail.data;
    if (seen) event.detail.ctx.request.headers["Asyncflow-Seen"] = seen;
  });

  // ---- dialogs: what the link or form leads to, in place ----------------------------------------------------------------
  const dialog = $("#dialog");
  let opener = null;
  async function show(address, from, form) {
    const answer = await fetch(address, { headers: { "HX-Request": "true" }, credentials: "same-origin" }).catch(() => null);
    if (!answer) { tellLost(); return; }
    if (!answer.ok && !(answer.headers.get("content-type") || "").includes("html")) { location.href = address; return; }
    const text = await answer.text();
    if (form && (!form.isConnected || get(form) !== address)) return; // more was written meanwhile; its own preview follows
    const held = dialog.open && dialog.contains(document.activeElement) ? document.activeElement : null; // in a preview
    const open = Array.from(dialog.querySelectorAll("details"), (it) => it.open);
    dialog.innerHTML = text;
    if (held) dialog.querySelectorAll("details").forEach((it, at) => { it.open = it.open || Boolean(open[at]); });
    const title = $("h1, h2", dialog);
    if (title) { title.id = "dialog-title"; dialog.setAttribute("aria-labelledby", "dialog-title"); }
    htmx.process(dialog);
    if (!dialog.open) { opener = from; dialog.showModal(); }
    const again = held && held.name && $(`[name="${CSS.escape(held.name)}"]:not([type=hidden]):not([type=radio]), [name="${CSS.escape(held.name)}"]:checked`, dialog);
    const first = again || $("[autofocus]", dialog) || $("input:not([type=hidden]), select, textarea, button:not(.close)", dialog);
    if (first) first.focus();
    dialog.dispatchEvent(new Event("asyncflow:shown", { bubbles: true }));
  }
  function get(form, submitter) {
    const fields = new URLSearchParams(new FormData(form, submitter));
    const address = (submitter && submitter.getAttribute("formaction")) || form.getAttribute("action") || location.pathname;
    return `${address}?${fields}`;
  }
  document.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    const link = event.target.closest("a[data-dialog]");
    if (link && dialog) { event.preventDefault(); show(link.href, link); }
    if (event.target.closest("[data-close]") && dialog.open) { event.preventDefault(); dialog.close(); }
  });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    const inside = form.closest("#dialog");
    if (form.method === "dialog") return;
    if (form.method === "get" && (inside || form.matches("[data-dialog-form]"))) {
      event.preventDefault();
      show(get(form, event.submitter), event.submitter);
    } else if (form.matches("[data-dialog-form]") && !inside) {
      event.preventDefault(); // a switch that asks first: its question is at the same address
      show(form.action, event.submitter);
    } else if (form.matches("[data-inplace], [data-download]") || (event.submitter && event.submitter.matches("[data-inplace]"))) {
      return; // the page stays: it may be sent again
    } else if (form.method === "post") {
      if (form.dataset.sent) { event.preventDefault(); return; } // a double click
      form.dataset.sent = "1";
      setTimeout(() => { delete form.dataset.sent; }, 5000);
    }
  });
  document.addEventListener("change", (event) => {
    const form = event.target.form;
    if (event.target.dataset.submits) { form.requestSubmit(form.elements[event.target.dataset.submits]); return; }
    if (form && form.matches("#dialog form[data-preview]")) show(get(form), null, form);
    if (event.target.matches("[data-all]")) {
      document.querySelectorAll("td.pick input").forEach((box) => { box.checked = event.target.checked; });
    }
  });
  if (dialog) dialog.addEventListener("close", () => { dialog.innerHTML = ""; if (opener && opener.isConnected) opener.focus(); });

  // ---- copy --------------------------------------------------------------------------------------------------------------
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    const text = button && document.getElementById(button.dataset.copy);
    if (text) navigator.clipboard.writeText(text.textContent).then(() => say(button.dataset.said), () => getSelection().selectAllChildren(text));
  });

  // ---- keys ----------------------------------------------------------------------------------------------------------
  const rows = () => Array.from(document.querySelectorAll("tr[data-href]"));
  function walk(step) {
    const all = rows();
    if (!all.length) return;
    const at = all.findIndex((row) => row.classList.contains("at"));
    const next = all[Math.max(0, Math.min(all.length - 1, at < 0 ? 0 : at + step))];
    all.forEach((row) => row.classList.toggle("at", row === next));
    const link = $("td.name a, a", next);
    if (link) link.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  }
  // what a key does to the row one is at: its own link, or the button for all that are ticked; else what it does to the page
  function ofRow(row, key) {
    const own = $(`[data-key="${key}"]`, row);
    const box = $("td.pick input", row);
    const button = !own && box && box.form && $(`[data-key="${key}"], [data-row-key="${key}"]`, box.form);
    if (button && !document.querySelector("td.pick input:checked")) box.checked = true;
    return own || button;
  }
  function act(key) {
    const row = $("tr.at");
    const target = (row && ofRow(row, key)) || $(`main [data-key="${key}"]`);
    if (!target || target.hidden) return false;
    if (target.matches("input")) { target.focus(); target.select(); } else target.click();
    return true;
  }
  let before = "";
  // the reader's own keys: a key stands for another, or for nothing, before any script hears of it
  const own = JSON.parse(root.dataset.keymap || "{}");
  window.addEventListener("keydown", (event) => {
    if (!event.isTrusted || event.key.length > 1 || event.ctrlKey || event.metaKey || event.altKey || before === "g") return;
    if (event.target.closest && event.target.closest("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]")) return;
    const off = root.dataset.keys === "off" && event.key !== " ";
    if (!off && !(event.key in own)) return;
    event.stopImmediatePropagation();
    if (off || !own[event.key]) return;
    event.preventDefault();
    event.target.dispatchEvent(new KeyboardEvent("keydown", { key: own[event.key], bubbles: true, cancelable: true }));
  }, true);
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      $("#find").focus();
      $("#find").select();
      return;
    }
    const typing = event.target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]");
    if (event.key === "Escape" && typing) { typing.blur(); return; }
    if (event.key === "ArrowDown" && typing && typing.id === "find") { const link = $("#found a"); if (link) { event.preventDefault(); link.focus(); } return; }
    if (event.target.closest("#found") && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      const links = Array.from(document.querySelectorAll("#found a"));
      const to = links[links.indexOf(event.target) + (event.key === "ArrowDown" ? 1 : -1)];
      event.preventDefault();
      (to || $("#find")).focus();
      return;
    }
    if (typing || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (root.dataset.keys === "off" || (dialog && dialog.open) || $("#keys").open) return;
    if (before === "g") {
      before = "";
      const section = $(`[data-go="${event.key}"]`);
      if (section) { event.preventDefault(); section.click(); }
      return;
    }
    if (event.key === "g") { before = "g"; setTimeout(() => { before = ""; }, 1500); return; }
    if (event.key === "?") { event.preventDefault(); $("#keys").showModal(); return; }
    if (event.target.closest("table.grid")) return;
    const grid = $("table.grid [tabindex='0']"); // its own keys move on from there
    if (grid && event.target === document.body && ["j", "k", "ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"].includes(event.key)) {
      event.preventDefault();
      grid.focus();
      return;
    }
    if (event.key === "j" || event.key === "k") { event.preventDefault(); walk(event.key === "j" ? 1 : -1); return; }
    if (event.key === "x") {
      const box = $("tr.at td.pick input");
      if (box) { box.click(); event.preventDefault(); }
      return;
    }
    if (act(event.key)) event.preventDefault();
  });

  // in a row that is wider than the screen, where one is comes into sight
  document.querySelectorAll(".sections, .tabs").forEach((bar) => {
    const at = $("[aria-current]", bar);
    if (at && bar.scrollWidth > bar.clientWidth) bar.scrollLeft = at.offsetLeft - bar.offsetLeft - 40;
  });

  tick();
  window.asyncflowSay = say;
})();
