// The form that starts a run: its fields and the JSON below them say the same. What differs from the default is in it.
"use strict";

(() => {
  const parsed = (text) => { try { return JSON.parse(text); } catch { return undefined; } };
  const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
  const fields = (form) => Array.from(form.querySelectorAll("[data-param]"));
  const conf = (form) => form.elements[form.dataset.conf];

  // what a field says, as the server reads it; undefined for what is no value
  function read(field) {
    const { kind, nullable, default: text } = field.dataset;
    const value = field.value;
    if (kind === "check") return field.checked;
    if (kind === "choice" || kind === "several") {
      const chosen = Array.from(field.selectedOptions, (it) => parsed(it.dataset.json));
      return kind === "several" ? chosen : chosen[0];
    }
    if (kind === "lines") return value.split("\n").map((it) => it.trim()).filter(Boolean);
    if (kind === "number" && field.validity.badInput) return undefined;
    if (kind === "number" || kind === "json") return value.trim() ? parsed(value) : null;
    if (!value && nullable !== undefined) return null;
    const usual = parsed(text || "null");
    if (kind === "datetime" && value.length === 16) return String(usual).slice(0, 16) === value ? usual : `${value}:00+00:00`;
    return kind === "time" && value.length === 5 ? `${value}:00` : value;
  }

  function write(field, value) {
    const { kind } = field.dataset;
    if (kind === "check") field.checked = Boolean(value);
    else if (kind === "choice" || kind === "several") {
      const chosen = kind === "several" && Array.isArray(value) ? value : [value];
      Array.from(field.options).forEach((it) => { it.selected = chosen.some((one) => same(one, parsed(it.dataset.json))); });
    } else if (kind === "lines" && Array.isArray(value)) field.value = value.join("\n");
    else if (kind === "json") field.value = value === null ? "" : JSON.stringify(value);
    else field.value = kind === "datetime" ? String(value ?? "").slice(0, 16) : value ?? "";
  }

  function toJson(form) {
    const box = conf(form);
    const all = box.value.trim() ? parsed(box.value) : {};
    if (!isObject(all)) return;
    for (const field of fields(form)) {
      const value = read(field);
      if (field.dataset.kind === "json") field.setCustomValidity(value === undefined ? form.dataset.notJson : "");
      if (value === undefined) continue;
      if (field.dataset.default !== undefined && same(value, parsed(field.dataset.default))) delete all[field.dataset.param];
      else if (field.dataset.default !== undefined || value !== "") all[field.dataset.param] = value;
      else delete all[field.dataset.param];
    }
    box.value = Object.keys(all).length ? JSON.stringify(all, null, 2) : "";
  }

  function fromJson(form) {
    const box = conf(form);
    const all = box.value.trim() ? parsed(box.value) : {};
    box.setCustomValidity(isObject(all) ? "" : form.dataset.noObject);
    if (!isObject(all)) return;
    for (const field of fields(form)) {
      const { param, default: text } = field.dataset;
      field.setCustomValidity("");
      if (param in all) write(field, all[param]);
      else write(field, text === undefined ? null : parsed(text));
    }
  }

  document.addEventListener("input", (event) => {
    const form = event.target.form;
    if (!form || !form.dataset.conf) return;
    if (event.target === conf(form)) fromJson(form);
    else if (event.target.dataset.param !== undefined) toJson(form);
  });

  const start = () => document.querySelectorAll("form[data-conf]").forEach(toJson);
  document.addEventListener("DOMContentLoaded", start);
  document.addEventListener("asyncflow:shown", start);
})();
