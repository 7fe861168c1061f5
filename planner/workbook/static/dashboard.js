// The whole dashboard as one anywidget: controls, headlines, charts.
// The kernel does all arithmetic and sends frames; this file only shows them.
// Everything that comes from the kernel or the user reaches the page through
// textContent or attributes, never as markup.

const PRODUCT = "AI planning workbook";
const MAX_UPLOAD_BYTES = 2 * 1024 * 1024;
const QUIET_AFTER_MS = 10_000; // "still working"
const LOST_AFTER_MS = 40_000; // nothing heard at all
const BASIS_SHAPES = { measured: "●", interpolated: "◐", derived: "◇", "vendor claim": "△", assumed: "○" };
const TONE_SHAPES = { good: "✓", warn: "!", bad: "✕" };
const LOST = "The connection to the workbook is lost; reload to go on. Your link still opens this plan.";

// ---------------------------------------------------------------- page helpers

/** An element: h("p", {class: "x", text: "...", onclick: f}, child, ...). */
function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "text") node.textContent = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter(Boolean));
  return node;
}

/** A 16 px line icon from one SVG path. */
function icon(path) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  for (const [k, v] of Object.entries({ viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true", class: "pl-icon" }))
    svg.setAttribute(k, v);
  const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

const ICONS = {
  undo: "M6 3 2.5 6.5 6 10M3 6.5h6.5a4 4 0 0 1 0 8H7",
  redo: "M10 3l3.5 3.5L10 10M13 6.5H6.5a4 4 0 0 0 0 8H9",
  reset: "M13.5 8A5.5 5.5 0 1 1 11.7 4M12.5 1.5V4.5H9.5",
  link: "M6.5 9.5l3-3M7 4.5l1.2-1.2a3 3 0 0 1 4.3 4.3L11 9M9 11.5l-1.2 1.2a3 3 0 0 1-4.3-4.3L5 7",
  down: "M8 2v8.5M4.5 7.5 8 11l3.5-3.5M2.5 13.5h11",
  up: "M8 11V2.5M4.5 6 8 2.5 11.5 6M2.5 13.5h11",
  theme: "M8 1.8a6.2 6.2 0 1 0 0 12.4zM8 1.8a6.2 6.2 0 0 1 0 12.4",
  close: "M3.5 3.5l9 9M12.5 3.5l-9 9",
  picture: "M2 3h12v10H2zM2 11l3.5-3.5 3 3L11 8l3 3M5.5 6a.5.5 0 1 0 0-.1",
};

let serial = 0;
const freshId = () => `pl-${++serial}`;
const setText = (node, text) => { if (node.textContent !== text) node.textContent = text; };
const sameValue = (a, b) => a === b || (a !== null && b !== null && String(a) === String(b));
const teamClass = (team) => `pl-team-${String(team || "both").replace(/\W+/g, "-")}`;

/** A team's word with its coloured square; never colour alone. */
const teamTag = (team) => h("span", { class: `pl-tag ${teamClass(team)}`, text: team === "both" ? "both teams" : team });

function basisBadge(basis) {
  const badge = h("span", { class: "pl-basis", title: "How this number is known" });
  fillBasis(badge, basis);
  return badge;
}
function fillBasis(badge, basis) {
  badge.hidden = !basis;
  if (basis) setText(badge, `${BASIS_SHAPES[basis] || "○"} ${basis}`);
  badge.dataset.basis = basis || "";
}

/** localStorage may be forbidden; then the choice lasts until the page closes. */
const storage = {
  get(key) { try { return localStorage.getItem(key); } catch { return null; } },
  set(key, value) { try { localStorage.setItem(key, value); } catch { /* forbidden */ } },
};

const inVoila = () => document.body.dataset.voila === "voila";

/** The next animation frame, or soon when the tab is hidden and has none. */
function nextFrame(callback) {
  if (document.hidden) setTimeout(callback, 30);
  else requestAnimationFrame(callback);
}

// ---------------------------------------------------------------- numbers

const SUFFIXES = [[1e12, "T"], [1e9, "B"], [1e6, "M"]];
const plainNumber = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 6 });
const MULTIPLIERS = { k: 1e3, m: 1e6, g: 1e9, b: 1e9, t: 1e12 };

/** A number as people type it: 4096 -> "4,096", 7e10 -> "70B", 0.9 -> "90" in percent. */
function showNumber(value, control) {
  if (value === null || value === undefined || value === "") return "";
  if (typeof value !== "number") return String(value);
  if (control.format === "percent") return plainNumber.format(value * 100);
  for (const [size, letter] of SUFFIXES)
    if (Math.abs(value) >= size) return `${Number((value / size).toPrecision(4))}${letter}`;
  return plainNumber.format(value);
}

/** The number in "32k", "70b", "1,024", "90 %"; NaN when there is none. */
function readNumber(text, control) {
  const match = /^([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*([kmgbt]?)\s*(%?)$/i.exec(text.trim().replace(/[,_'\s](?=\d)/g, ""));
  if (!match) return NaN;
  const value = Number(match[1]) * (MULTIPLIERS[match[2].toLowerCase()] || 1);
  return control.format === "percent" || match[3] ? value / 100 : value;
}

/** Maps a slider's native range to values and back; logarithmic ranges run 0..1000. */
function sliderScale(control) {
  const { min, max, step = 0, ticks = [] } = control;
  const digits = step > 0 ? Math.max(0, Math.ceil(-Math.log10(step) - 1e-9)) : 12;
  const clamp = (v) => Math.min(max, Math.max(min, v));
  if (!String(control.scale || "linear").includes("log"))
    return {
      range: { min, max, step: step || "any" },
      toValue: (p) => Number(clamp(Number(p)).toFixed(digits)),
      toRange: (v) => clamp(v),
    };
  const low = min > 0 ? min : step || 1; // zero sits below the first logarithmic step
  const toRange = (v) => (v <= low ? (v < low ? 0 : min > 0 ? 0 : 1) : 1000 * Math.log(clamp(v) / low) / Math.log(max / low));
  const whole = control.scale === "integer log";
  const toValue = (position) => {
    const p = Number(position);
    if (p <= 0) return min;
    if (p >= 1000) return max;
    const near = ticks.find((t) => Math.abs(toRange(t) - p) < 8);
    if (near !== undefined) return near;
    const raw = low * (max / low) ** (p / 1000);
    const round = Number(raw.toPrecision(raw < 1000 ? 3 : 2));
    return clamp(whole ? Math.max(1, Math.round(round)) : step >= 1 ? Math.round(round / step) * step : round);
  };
  return { range: { min: 0, max: 1000, step: 1 }, toValue, toRange, log: true };
}

// ---------------------------------------------------------------- the wire

let lastSeq = 0; // one count for all views of a model, so that answers sort

/** Sends requests one at a time and keeps only the newest waiting value of a path. */
class Wire {
  constructor(model, on) {
    this.model = model;
    this.on = on; // {frame, reply, quiet, lost}
    this.queue = [];
    this.flight = null;
    this.receive = (content, buffers) => this.#receive(content, buffers);
    model.on("msg:custom", this.receive);
    this.timer = setInterval(() => this.#watch(), 1000);
  }

  set(path, value) {
    // Newer values replace waiting ones, but never jump over an undo in between.
    const barrier = this.queue.findLastIndex((q) => q.kind !== "set");
    const waiting = this.queue.find((q, i) => i > barrier && q.path === path);
    if (waiting) waiting.value = value;
    else this.queue.push({ kind: "set", path, value });
    this.#pump();
  }

  /** A request that a frame answers: undo, redo, reset, open, upload, hello. */
  ask(kind, extra = {}) { this.queue.push({ kind, ...extra }); this.#pump(); }

  /** A request with its own kind of answer; it does not wait in line. */
  tell(kind, extra = {}) { const seq = ++lastSeq; this.model.send({ kind, seq, ...extra }); return seq; }

  /** True while a newer value of this path is waiting or on its way. */
  owns(path) { return this.flight?.path === path || this.queue.some((q) => q.path === path); }

  /** Called when a frame is on screen: the next request may go. */
  painted(seq) {
    if (this.flight && seq >= this.flight.seq) this.flight = null;
    this.#pump();
  }

  close() { clearInterval(this.timer); this.model.off("msg:custom", this.receive); }

  #pump() {
    if (this.flight || !this.queue.length) return;
    const request = { ...this.queue.shift(), seq: ++lastSeq };
    this.flight = { seq: request.seq, path: request.path, since: performance.now() };
    this.model.send(request);
  }

  #receive(content, buffers) {
    this.on.lost(false);
    if (content.kind === "frame") {
      if (this.flight && content.seq >= this.flight.seq) this.flight.answered = true;
      this.on.frame(content);
    } else this.on.reply(content, buffers);
  }

  #watch() {
    const waited = this.flight && !this.flight.answered ? performance.now() - this.flight.since : 0;
    this.on.quiet(waited > QUIET_AFTER_MS);
    if (waited > LOST_AFTER_MS) this.on.lost(true);
  }
}

// ---------------------------------------------------------------- controls

/** The common frame of a control: label, help, hint, error, visibility. */
class Control {
  constructor(def, app) {
    Object.assign(this, { def, app, id: freshId(), value: undefined });
    this.hint = h("p", { class: "pl-hint", id: `${this.id}-hint` });
    this.problem = h("p", { class: "pl-problem", id: `${this.id}-problem`, hidden: true });
    const label = h("label", { class: "pl-label", for: this.id, id: `${this.id}-label`, text: def.label });
    const head = h("div", { class: "pl-control-head" }, label, def.unit && h("span", { class: "pl-unit", text: def.unit }));
    this.node = h("div", { class: `pl-control pl-control-${def.kind}`, "data-path": def.path }, head);
    if (def.help) this.#addHelp(head);
  }

  /** Builds the fields; apart from the constructor, for a subclass is complete only after it. */
  mount() {
    this.build();
    this.node.append(this.hint, this.problem);
    return this;
  }

  /** Fields of the control; all carry the description, the first carries the label. */
  describe(field) {
    field.setAttribute("aria-describedby", `${this.id}-hint ${this.id}-problem${this.def.help ? ` ${this.id}-help` : ""}`);
    (this.fields ||= []).push(field);
    return field;
  }

  send(value) {
    this.value = value;
    this.fail("");
    this.app.changed(this.def.path, value);
  }

  /** Shows the kernel's value unless the person's own newer one is under way. */
  update(value) {
    if (this.busy?.()) return;
    this.value = value;
    this.show(value);
  }

  fail(text) {
    this.problem.hidden = !text;
    setText(this.problem, text);
    for (const field of this.fields || []) field.toggleAttribute("aria-invalid", false), text && field.setAttribute("aria-invalid", "true");
  }

  setHint(text) { setText(this.hint, text || ""); }
  setOptions(options) { this.def = { ...this.def, options }; }

  #addHelp(head) {
    const help = h("p", { class: "pl-help", id: `${this.id}-help`, text: this.def.help, hidden: true });
    const button = h("button", {
      type: "button", class: "pl-help-button", "aria-expanded": "false", "aria-controls": help.id, "aria-label": `About ${this.def.label}`, text: "?",
      onclick: () => { help.hidden = !help.hidden; button.setAttribute("aria-expanded", String(!help.hidden)); },
    });
    head.append(button);
    this.node.append(help);
  }
}

class NumberControl extends Control {
  build() {
    this.box = this.describe(h("input", {
      type: "text", id: this.id, class: "pl-box", inputmode: "decimal", autocomplete: "off", spellcheck: "false",
      onchange: () => this.#read(),
      onkeydown: (event) => { if (event.key === "Escape") { this.show(this.value); this.fail(""); } },
    }));
    this.node.append(h("div", { class: "pl-row" }, this.box));
  }
  busy() { return this.app.wire.owns(this.def.path) || (document.activeElement === this.box && this.box.value !== this.shown); }
  show(value) { this.shown = this.box.value = showNumber(value, this.def); }
  #read() {
    const text = this.box.value.trim();
    const value = text === "" && this.def.nullable ? null : readNumber(text, this.def);
    if (Number.isNaN(value)) return this.fail(`“${text}” is not a number; write it like 4096, 32k or 70b.`);
    this.shown = this.box.value;
    this.box.value = showNumber(value, this.def);
    this.shown = this.box.value;
    this.moved?.(value);
    this.send(value);
  }
}

class SliderControl extends NumberControl {
  build() {
    super.build();
    this.scale = sliderScale(this.def);
    this.slider = this.describe(h("input", {
      type: "range", class: "pl-slider", ...this.scale.range, "aria-labelledby": `${this.id}-label`,
      oninput: () => this.#slide(this.scale.toValue(this.slider.value)),
      onpointerdown: () => { this.held = true; },
      onkeydown: (event) => this.scale.log && this.#key(event),
      onchange: () => this.#release(),
      onpointerup: () => this.#release(),
      onpointercancel: () => this.#release(),
    }));
    this.box.parentNode.prepend(this.slider);
    this.box.setAttribute("aria-label", `${this.def.label}, value`);
  }
  busy() { return this.held || super.busy(); }
  show(value) { super.show(value); this.moved(value); }
  moved(value) {
    const position = this.scale.toRange(Number(value));
    if (Math.abs(Number(this.slider.value) - position) > (this.scale.log ? 0.5 : 1e-12)) this.slider.value = position;
    this.#describeValue(value);
  }
  #describeValue(value) {
    this.slider.setAttribute("aria-valuetext", `${showNumber(value, this.def)} ${this.def.format === "percent" ? "%" : this.def.unit || ""}`.trim());
    const { min, max } = this.scale.range;
    this.slider.style.setProperty("--fill", `${(100 * (Number(this.slider.value) - min)) / (max - min || 1)}%`);
  }
  #slide(value) {
    this.#describeValue(value);
    this.shown = this.box.value = showNumber(value, this.def);
    if (value !== this.value) this.send(value);
  }
  #release() {
    this.held = false;
    const known = this.app.values[this.def.path];
    if (known !== undefined && !this.busy()) this.update(known);
  }
  /** On a logarithmic range one arrow press is a visible step, and never none. */
  #key(event) {
    const steps = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10 };
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    let position = this.scale.toRange(this.value);
    let value = this.value;
    for (let i = 0; i < 100 && value === this.value && position >= 0 && position <= 1000; i += 1) {
      position += 10 * step;
      value = this.scale.toValue(position);
    }
    this.slider.value = this.scale.toRange(value);
    this.#slide(value);
  }
}

class TextControl extends Control {
  build() {
    this.box = this.describe(h("input", { type: "text", id: this.id, class: "pl-box pl-box-wide", autocomplete: "off", onchange: () => this.send(this.box.value) }));
    this.node.append(h("div", { class: "pl-row" }, this.box));
  }
  busy() { return this.app.wire.owns(this.def.path) || document.activeElement === this.box; }
  show(value) { this.box.value = value ?? ""; }
}

class ToggleControl extends Control {
  build() {
    this.box = this.describe(h("input", { type: "checkbox", role: "switch", id: this.id, class: "pl-switch", onchange: () => this.send(this.box.checked) }));
    this.node.firstChild.append(this.box);
  }
  busy() { return this.app.wire.owns(this.def.path); }
  show(value) { this.box.checked = Boolean(value); }
}

class ChoiceControl extends Control {
  build() {
    this.select = this.describe(h("select", { id: this.id, class: "pl-select", onchange: () => this.send(this.choices[this.select.selectedIndex].value) }));
    this.node.append(h("div", { class: "pl-row" }, this.select));
    this.#fill();
  }
  busy() { return this.app.wire.owns(this.def.path); }
  setOptions(options) { super.setOptions(options); this.#fill(); if (this.value !== undefined) this.show(this.value); }
  show(value) { this.select.selectedIndex = this.choices.findIndex((c) => sameValue(c.value, value)); }
  #fill() {
    const empty = this.def.nullable ? [{ value: null, label: this.def.null_label || "Automatic" }] : [];
    this.choices = [...empty, ...(this.def.options || [])];
    const groups = new Map();
    this.select.replaceChildren();
    for (const choice of this.choices) {
      const option = h("option", { text: choice.note ? `${choice.label} (${choice.note})` : choice.label });
      if (!choice.group) { this.select.append(option); continue; }
      if (!groups.has(choice.group)) { groups.set(choice.group, h("optgroup", { label: choice.group })); this.select.append(groups.get(choice.group)); }
      groups.get(choice.group).append(option);
    }
    // Grouping may reorder: the index of an <option> must stay the index of its choice.
    this.choices = [...this.choices.filter((c) => !c.group), ...[...groups.keys()].flatMap((g) => this.choices.filter((c) => c.group === g))];
    if (groups.size) this.select.prepend(...[...this.select.children].filter((c) => c.tagName === "OPTION"));
  }
}

/** An ARIA combobox: type to filter, arrows, Enter, Escape. */
class SearchControl extends Control {
  build() {
    this.list = h("div", { role: "listbox", id: `${this.id}-list`, class: "pl-listbox", "aria-label": this.def.label, popover: "manual" });
    this.box = this.describe(h("input", {
      type: "text", id: this.id, class: "pl-box pl-box-wide pl-combo", role: "combobox", autocomplete: "off", spellcheck: "false",
      "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": this.list.id,
      onfocus: () => this.box.select(),
      onclick: () => this.#open(""),
      oninput: () => this.#open(this.box.value),
      onkeydown: (event) => this.#key(event),
      onblur: () => { this.#close(); this.show(this.value); },
    }));
    // The pointer must not take the focus away before the click arrives.
    this.list.addEventListener("pointerdown", (event) => event.preventDefault());
    this.list.addEventListener("click", (event) => { const row = event.target.closest("[role=option]"); if (row) this.#pick(row.choice); });
    this.node.append(h("div", { class: "pl-row" }, this.box), this.list);
  }
  busy() { return this.app.wire.owns(this.def.path) || this.opened; }
  choices() { return [...(this.def.nullable ? [{ value: null, label: this.def.null_label || "Automatic" }] : []), ...(this.def.options || [])]; }
  setOptions(options) { super.setOptions(options); if (!this.busy() && this.value !== undefined) this.show(this.value); }
  show(value) { this.box.value = this.choices().find((c) => sameValue(c.value, value))?.label ?? value ?? ""; }

  #open(text) {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    const found = this.choices().filter((c) => { const all = `${c.label} ${c.group || ""} ${c.note || ""}`.toLowerCase(); return words.every((w) => all.includes(w)); });
    const groups = new Map();
    for (const choice of found) groups.set(choice.group || "", [...(groups.get(choice.group || "") || []), choice]);
    this.list.replaceChildren(...[...groups].map(([name, choices]) =>
      h("div", { role: "group", "aria-label": name || this.def.label }, name && h("div", { class: "pl-listgroup", text: name, "aria-hidden": "true" }), ...choices.map((c) => this.#row(c)))));
    if (!found.length) this.list.append(h("p", { class: "pl-empty", text: "Nothing matches; try a shorter word." }));
    this.rows = [...this.list.querySelectorAll("[role=option]")];
    if (!this.opened) { this.opened = true; this.list.showPopover?.(); this.#place(); addEventListener("scroll", this.onscroll = (e) => { if (e.target !== this.list) this.#place(); }, true); }
    this.box.setAttribute("aria-expanded", "true");
    this.#activate(Math.max(0, words.length ? 0 : this.rows.findIndex((r) => sameValue(r.choice.value, this.value))));
  }
  #row(choice) {
    const row = h("div", { role: "option", id: freshId(), class: "pl-option", "aria-selected": String(sameValue(choice.value, this.value)) },
      h("span", { text: choice.label }), choice.note && h("span", { class: "pl-note", text: choice.note }));
    row.choice = choice;
    return row;
  }
  #place() {
    const box = this.box.getBoundingClientRect();
    const below = innerHeight - box.bottom - 12;
    const up = below < 180 && box.top > below;
    Object.assign(this.list.style, {
      left: `${box.left}px`, width: `${Math.max(box.width, Math.min(300, innerWidth - box.left - 8))}px`, maxHeight: `${Math.min(380, up ? box.top - 12 : below)}px`,
      top: up ? "auto" : `${box.bottom + 4}px`, bottom: up ? `${innerHeight - box.top + 4}px` : "auto",
    });
  }
  #close() {
    if (!this.opened) return;
    this.opened = false;
    this.list.hidePopover?.();
    removeEventListener("scroll", this.onscroll, true);
    this.box.setAttribute("aria-expanded", "false");
    this.box.removeAttribute("aria-activedescendant");
  }
  #activate(index) {
    this.rows[this.at]?.classList.remove("pl-active");
    this.at = index;
    const row = this.rows[index];
    if (!row) return this.box.removeAttribute("aria-activedescendant");
    row.classList.add("pl-active");
    row.scrollIntoView({ block: "nearest" });
    this.box.setAttribute("aria-activedescendant", row.id);
  }
  #pick(choice) {
    this.#close();
    this.show(choice.value);
    this.box.value = choice.label;
    if (!sameValue(choice.value, this.value)) this.send(choice.value);
  }
  #key(event) {
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 };
    if (event.key in moves) {
      event.preventDefault();
      if (!this.opened) return this.#open("");
      this.#activate(Math.min(this.rows.length - 1, Math.max(0, this.at + moves[event.key])));
    } else if (event.key === "Enter" && this.opened) {
      event.preventDefault();
      if (this.rows[this.at]) this.#pick(this.rows[this.at].choice);
    } else if (event.key === "Escape" && this.opened) {
      event.preventDefault();
      event.stopPropagation();
      this.#close();
      this.show(this.value);
    }
  }
}

class FileControl extends Control {
  build() {
    const pick = () => this.app.pickFile("config", this.def.accept || ".json,application/json", (text) => this.fail(text), { path: this.def.path });
    this.button = this.describe(h("button", { type: "button", id: this.id, class: "pl-button", text: "Choose a file…", onclick: pick }));
    this.node.append(h("div", { class: "pl-row" }, this.button));
  }
  show(value) { setText(this.button, value ? String(value) : "Choose a file…"); }
}

const CONTROLS = { slider: SliderControl, number: NumberControl, text: TextControl, toggle: ToggleControl, choice: ChoiceControl, search: SearchControl, file: FileControl };

// ---------------------------------------------------------------- headlines

class Headline {
  constructor(id, app) {
    this.value = h("span", { class: "pl-value" });
    this.unit = h("span", { class: "pl-value-unit" });
    this.text = h("p", { class: "pl-headline-text" });
    this.tone = h("span", { class: "pl-tone", "aria-hidden": "true" });
    this.tag = h("span", { class: "pl-tag" });
    this.basis = h("span", { class: "pl-basis", title: "How this number is known" });
    this.why = h("button", { type: "button", class: "pl-why-button", text: "Why?", "aria-haspopup": "dialog", onclick: () => app.why.open(this.term, this.why) });
    this.node = h("li", { class: "pl-headline", "data-headline": id },
      h("div", { class: "pl-headline-head" }, this.tag, this.basis),
      h("div", { class: "pl-headline-top" }, this.tone, h("p", { class: "pl-value-line" }, this.value, this.unit), this.why),
      this.text);
  }
  show(item) {
    setText(this.value, String(item.value ?? ""));
    this.value.classList.toggle("pl-value-long", String(item.value ?? "").length > 9);
    setText(this.unit, item.unit || "");
    setText(this.text, item.text || "");
    setText(this.tone, TONE_SHAPES[item.tone] || "");
    this.node.dataset.tone = item.tone || "plain";
    this.tag.className = `pl-tag ${teamClass(item.audience)}`;
    setText(this.tag, !item.audience || item.audience === "both" ? "both teams" : item.audience);
    fillBasis(this.basis, item.basis);
    this.why.hidden = !item.why;
    this.term = item.why;
    this.why.setAttribute("aria-label", `Why ${item.value} ${item.unit || ""}?`);
  }
}

// ---------------------------------------------------------------- charts

/** plotly.js once per page: already there, preloaded by the page, or from the kernel. */
function loadPlotly(app) {
  if (window.Plotly?.react) return Promise.resolve(window.Plotly);
  return (window.plannerPlotly ||= fromPage().catch(() => fromKernel(app)));
}
function fromPage() {
  return new Promise((resolve, reject) => {
    const script = document.querySelector("script[data-planner-plotly]");
    if (!script || script.dataset.failed) return reject(new Error("not served by this page"));
    const done = () => (window.Plotly?.react ? resolve(window.Plotly) : reject(new Error("no plotly in the script")));
    script.addEventListener("load", done);
    script.addEventListener("error", reject);
  });
}
async function fromKernel(app) {
  const bytes = await new Promise((resolve) => { app.onPlotly = resolve; app.wire.tell("plotly"); });
  const url = URL.createObjectURL(new Blob([bytes], { type: "text/javascript" }));
  await new Promise((resolve, reject) => document.head.append(h("script", { src: url, onload: resolve, onerror: reject })));
  URL.revokeObjectURL(url);
  return window.Plotly;
}

/** The page's colours and font, for charts; read once per change of theme. */
function chartTheme(root) {
  const style = getComputedStyle(root);
  const css = (name) => style.getPropertyValue(name).trim();
  return {
    css, font: style.fontFamily, ink: css("--pl-ink"), muted: css("--pl-muted"), grid: css("--pl-grid"), line: css("--pl-line-strong"), surface: css("--pl-surface"),
    colorway: [1, 2, 3, 4, 5, 6, 7, 8].map((n) => css(`--pl-c${n}`)),
    heat: [0, 1, 2, 3, 4].map((n) => [n / 4, css(`--pl-heat${n}`)]),
  };
}

/** A copy of a spec in which colours written as "var(--pl-c1)" are the theme's own. */
function resolveColours(node, css) {
  if (typeof node === "string") return node.startsWith("var(") ? css(node.slice(4, -1)) : node;
  if (Array.isArray(node)) return typeof node[0] === "number" ? node : node.map((item) => resolveColours(item, css));
  if (!node || typeof node !== "object" || ArrayBuffer.isView(node)) return node;
  const copy = {};
  for (const key of Object.keys(node)) copy[key] = resolveColours(node[key], css);
  return copy;
}

/** The layout with the theme's defaults under the spec's own words. */
function themedLayout(layout, theme, size) {
  const out = {
    ...layout, ...size, autosize: false, dragmode: false, uirevision: "planner",
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", colorway: layout.colorway || theme.colorway,
    font: { size: 13, ...layout.font, family: theme.font, color: theme.ink },
    margin: { l: 56, r: 12, t: 8, b: 40, pad: 0, ...layout.margin },
    hoverlabel: { bgcolor: theme.surface, bordercolor: theme.line, align: "left", ...layout.hoverlabel, font: { size: 13, family: theme.font, color: theme.ink } },
    legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", traceorder: "normal", ...layout.legend, font: { size: 12, color: theme.ink } },
  };
  for (const name of new Set(["xaxis", "yaxis", ...Object.keys(layout).filter((k) => /^[xy]axis\d*$/.test(k))])) {
    const axis = layout[name] || {};
    out[name] = { gridcolor: theme.grid, zerolinecolor: theme.line, linecolor: theme.line, zeroline: false, fixedrange: true, ...axis,
      tickfont: { size: 12, color: theme.muted, ...axis.tickfont }, title: { ...(typeof axis.title === "string" ? { text: axis.title } : axis.title), font: { size: 12, color: theme.muted } } };
  }
  out.annotations = (layout.annotations || []).map((a) => ({ ...a, font: { size: 12, color: theme.ink, ...a.font } }));
  return out;
}

function themedTrace(trace, theme) {
  if (trace.type !== "heatmap") return trace;
  return { colorscale: theme.heat, textfont: { size: 12, color: theme.ink }, ...trace, colorbar: { outlinewidth: 0, thickness: 10, ...trace.colorbar, tickfont: { size: 11, color: theme.muted } } };
}

class Chart {
  constructor(def, app) {
    Object.assign(this, { def, app, visible: false, dirty: false, size: null, drawn: false });
    const titleId = freshId();
    this.plot = h("div", { class: "pl-plot", role: "img", style: `height:${def.height || 260}px`, "aria-label": def.title });
    this.caption = h("figcaption", { class: "pl-caption" });
    const save = h("button", { type: "button", class: "pl-icon-button pl-save", title: "Save picture", "aria-label": `Save picture of ${def.title}`, onclick: () => this.save() }, icon(ICONS.picture));
    this.node = h("figure", { class: `pl-chart${def.wide ? " pl-wide" : ""}`, "data-chart": def.id, "aria-labelledby": titleId },
      h("div", { class: "pl-chart-head" }, h("h3", { id: titleId, text: def.title }), def.lead && h("p", { class: "pl-chart-lead", text: def.lead }), save), this.plot, this.caption);
    app.sizes.observe(this.plot);
    app.sights.observe(this.node);
    this.plot.chart = this.node.chart = this;
  }

  accept(spec) {
    this.spec = spec;
    this.dirty = true;
    setText(this.caption, spec.caption || "");
    this.plot.setAttribute("aria-label", spec.caption || this.def.title);
  }

  /** True when something new can be seen: charts off screen wait. */
  get due() { return Boolean(this.dirty && this.spec && this.visible && this.size?.width > 40); }

  async paint(Plotly, theme) {
    this.dirty = false;
    const { data, layout } = this.figure(theme, this.size);
    const config = { displayModeBar: false, responsive: false, doubleClick: false, showTips: false };
    const draw = this.drawn ? Plotly.react : Plotly.newPlot;
    this.drawn = true;
    try { await draw(this.plot, data, layout, config); } catch (error) { console.error(`chart ${this.def.id}`, error); }
  }

  figure(theme, size) {
    return {
      data: resolveColours(this.spec.data, theme.css).map((trace) => themedTrace(trace, theme)),
      layout: themedLayout(resolveColours(this.spec.layout || {}, theme.css), theme, size),
    };
  }

  save() {
    if (!window.Plotly || !this.spec) return;
    const { data, layout } = this.figure(this.app.theme(), { width: this.size.width, height: this.size.height + 34 });
    Object.assign(layout, { paper_bgcolor: this.app.theme().surface, title: { text: this.def.title, x: 0.02, y: 0.97, yanchor: "top", font: { size: 16 } }, margin: { ...layout.margin, t: (layout.margin.t || 0) + 34 } });
    window.Plotly.downloadImage({ data, layout }, { format: "png", scale: 2, width: layout.width, height: layout.height, filename: `${this.app.page.id}-${this.def.id}` });
  }
}

// ---------------------------------------------------------------- "Why?"

/** A non-modal side panel: the formula, this plan's numbers, sources, both teams' words. */
class WhyPanel {
  constructor(app) {
    this.app = app;
    const titleId = freshId();
    this.title = h("h2", { id: titleId, tabindex: "-1" });
    this.badge = basisBadge("");
    this.body = h("div", { class: "pl-why-body" });
    const close = h("button", { type: "button", class: "pl-icon-button", "aria-label": "Close", title: "Close (Escape)", onclick: () => this.close() }, icon(ICONS.close));
    this.node = h("section", {
      role: "dialog", "aria-labelledby": titleId, class: "pl-why", popover: "manual",
      onkeydown: (event) => { if (event.key === "Escape") { event.stopPropagation(); this.close(); } },
    }, h("div", { class: "pl-why-head" }, this.title, this.badge, close), this.body);
  }
  open(id, trigger) {
    Object.assign(this, { id, trigger });
    setText(this.title, "Why?");
    this.body.replaceChildren(h("p", { class: "pl-muted", text: "Asking the model…" }));
    this.node.showPopover?.();
    this.node.classList.add("pl-open");
    this.title.focus();
    this.refresh();
  }
  /** Asked again after every change, so that the worked line stays this plan's. */
  refresh() {
    if (!this.id) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.app.wire.tell("why", { id: this.id }), this.app.wire.flight ? 300 : 0);
  }
  close() {
    if (!this.id) return;
    this.id = null;
    this.node.classList.remove("pl-open");
    this.node.hidePopover?.();
    this.trigger?.focus();
  }
  show(reply) {
    if (reply.id !== this.id) return;
    setText(this.title, reply.title || "Why?");
    fillBasis(this.badge, reply.basis);
    const part = (name, node) => h("div", { class: "pl-why-part" }, h("h3", { text: name }), node);
    const table = (heads, rows) => h("table", { class: "pl-table" },
      h("thead", {}, h("tr", {}, ...heads.map((text) => h("th", { scope: "col", text })))),
      h("tbody", {}, ...rows.map((cells) => h("tr", {}, ...cells.map((cell) => (cell instanceof Node ? h("td", {}, cell) : h("td", { text: cell ?? "" })))))));
    const source = (i) => [i.source, i.as_of].filter(Boolean).join(", ");
    this.body.replaceChildren(...[
      reply.value !== undefined && h("p", { class: "pl-why-value", text: String(reply.value) }),
      reply.formula && part("Formula", h("pre", { text: reply.formula })),
      reply.worked && part("With this plan's numbers", h("pre", { text: reply.worked })),
      reply.inputs?.length && part("Inputs", table(["Input", "Value", "Source", "Basis"], reply.inputs.map((i) => [i.name, String(i.value ?? ""), source(i), basisBadge(i.basis)]))),
      reply.terms?.length && part("In both teams' words", table(["Term", "Data science", "Infrastructure"], reply.terms.map((t) => [t.name, t.data_science, t.infrastructure]))),
    ].filter(Boolean));
  }
}

// ---------------------------------------------------------------- the dashboard

class App {
  constructor(model, root) {
    Object.assign(this, { model, root, page: model.get("page") || {}, values: {}, query: "", painted: -1, openSeq: 0, waiting: null, controls: new Map(), headlines: new Map(), charts: new Map() });
    this.sizes = new ResizeObserver((entries) => this.#resized(entries));
    this.sights = new IntersectionObserver((entries) => this.#sighted(entries), { rootMargin: "300px" });
    this.wire = new Wire(model, {
      frame: (frame) => this.receive(frame),
      reply: (reply, buffers) => this.#reply(reply, buffers),
      quiet: (on) => { this.status.working.hidden = !on; },
      lost: (on) => this.#lost(on),
    });
    this.why = new WhyPanel(this);
    this.#build();
    this.#themeSetup();
    this.#listen();
    this.#start();
  }

  // -- starting

  #start() {
    const search = location.search.slice(1);
    const shared = inVoila() && new URLSearchParams(search).get("s");
    loadPlotly(this).then((Plotly) => { this.plotly = Plotly; this.#paintCharts(); }, (error) => { console.error(error); this.notice("The charts could not be loaded; the numbers are live."); });
    if (shared) {
      // Kernels are warmed before anyone comes, so only the page knows its link.
      this.openSeq = lastSeq + 1;
      this.wire.ask("open", { query: search });
      return;
    }
    const first = this.model.get("first");
    if (first?.values) this.receive({ seq: 0, ...first });
    if (!inVoila() || !first?.values) this.wire.ask("hello"); // a notebook reopened later: where is the plan now?
  }

  destroy() {
    this.wire.close();
    this.sizes.disconnect();
    this.sights.disconnect();
    this.unlisten.abort();
    for (const chart of this.charts.values()) if (chart.drawn) window.Plotly?.purge(chart.plot);
  }

  // -- frames in, pixels out

  receive(frame) {
    const seq = frame.seq || 0;
    if (seq < this.openSeq || (seq && seq < this.painted)) return;
    this.openSeq = 0;
    // Frames carry only changed charts: an unpainted one is folded into the next.
    const kept = this.waiting;
    this.waiting = kept ? { ...kept, ...frame, charts: { ...kept.charts, ...frame.charts }, options: { ...kept.options, ...frame.options } } : frame;
    if (!kept) nextFrame(() => this.#paint());
  }

  #paint() {
    const frame = this.waiting;
    this.waiting = null;
    if (!frame) return;
    this.painted = Math.max(this.painted, frame.seq || 0);
    Object.assign(this.values, frame.values);
    this.#showControls(frame);
    this.#showHeadlines(frame.headlines);
    this.#showState(frame);
    for (const [id, spec] of Object.entries(frame.charts || {})) this.charts.get(id)?.accept(spec);
    this.root.dataset.ready = "true";
    this.#paintCharts().then(() => {
      this.root.dataset.paintedSeq = String(this.painted);
      document.dispatchEvent(new CustomEvent("planner:painted", { detail: { seq: this.painted, charts: Boolean(this.plotly) } }));
      // Let the browser show this frame before the next request goes out.
      setTimeout(() => this.wire.painted(this.painted), 0);
      this.why.refresh();
    });
  }

  #paintCharts() {
    if (!this.plotly) return Promise.resolve();
    const due = [...this.charts.values()].filter((chart) => chart.due);
    return Promise.all(due.map((chart) => chart.paint(this.plotly, this.theme()))).then(() => {
      if (due.length && !this.root.dataset.charts) {
        this.root.dataset.charts = "drawn";
        document.dispatchEvent(new CustomEvent("planner:charts"));
      }
    });
  }

  #showControls(frame) {
    for (const [path, options] of Object.entries(frame.options || {})) this.controls.get(path)?.forEach((c) => c.setOptions(options));
    for (const [path, controls] of this.controls) {
      for (const control of controls) {
        const failed = frame.error?.path === path;
        if (!failed && path in this.values) control.update(this.values[path]);
        if (failed || !control.fields?.[0]?.matches(":focus")) control.fail(failed ? frame.error.text : "");
        if (frame.hints && path in frame.hints) control.setHint(frame.hints[path]);
        const rule = control.def.shown_when;
        if (rule) control.node.hidden = !rule.values.some((v) => sameValue(v, this.values[rule.path]));
      }
    }
  }

  #showHeadlines(items) {
    if (!items) return;
    items.forEach((item, index) => {
      if (!this.headlines.has(item.id)) this.headlines.set(item.id, new Headline(item.id, this));
      const headline = this.headlines.get(item.id);
      headline.show(item);
      const place = this.headlineList.children[index];
      if (place !== headline.node) this.headlineList.insertBefore(headline.node, place || null);
    });
    while (this.headlineList.children.length > items.length) this.headlineList.lastChild.remove();
    setText(this.strip, items.slice(0, 3).map((i) => [i.value, i.unit].filter(Boolean).join(" ")).join("   ·   "));
    clearTimeout(this.speaking); // say it once the numbers rest, not at every step of a drag
    this.speaking = setTimeout(() => setText(this.spoken, items.map((i) => `${i.value} ${i.unit || ""}. ${i.text || ""}`).join(" ")), 1200);
  }

  #showState(frame) {
    const { error, working } = this.status;
    setText(error, frame.error?.text || "");
    error.hidden = !frame.error;
    working.hidden = true;
    this.root.classList.toggle("pl-stale", Boolean(frame.stale));
    this.lastGood.hidden = !frame.stale;
    this.notice(frame.notice || "");
    this.buttons.undo.disabled = !frame.can_undo;
    this.buttons.redo.disabled = !frame.can_redo;
    if (typeof frame.query === "string" && frame.query !== this.query) this.#newQuery(frame.query);
  }

  #newQuery(query) {
    this.query = query;
    for (const anchor of this.root.querySelectorAll("a[data-href]")) anchor.href = anchor.dataset.href + (query ? `?${query}` : "");
    if (!inVoila()) return;
    clearTimeout(this.addressing); // browsers refuse a hundred address changes in a drag
    this.addressing = setTimeout(() => { try { history.replaceState(history.state, "", this.link()); } catch { /* sandboxed */ } }, 400);
  }

  link() { return `${location.origin}${location.pathname}${this.query ? `?${this.query}` : ""}`; }

  notice(text) { setText(this.status.notice, text); this.status.notice.hidden = !text; }

  #lost(on) {
    if (this.isLost === on) return;
    this.isLost = on;
    setText(this.status.lost, on ? LOST : "");
    this.status.lost.hidden = !on;
  }

  // -- requests out

  changed(path, value) {
    this.values[path] = value;
    this.wire.set(path, value);
  }

  #reply(reply, buffers) {
    if (reply.kind === "why") this.why.show(reply);
    else if (reply.kind === "download") this.#saveFile(reply);
    else if (reply.kind === "plotly") this.onPlotly?.(buffers[0]);
    else if (reply.kind === "notice" || reply.kind === "error") this.notice(reply.text);
  }

  #saveFile({ name, text, mime }) {
    const url = URL.createObjectURL(new Blob([text], { type: mime || "text/plain" }));
    h("a", { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  }

  pickFile(what, accept, fail, extra = {}) {
    const input = h("input", { type: "file", accept });
    input.addEventListener("change", async () => {
      const file = input.files[0];
      if (!file) return;
      if (file.size > MAX_UPLOAD_BYTES) return fail(`“${file.name}” is larger than 2 MB; choose a smaller file.`);
      this.wire.ask("upload", { what, name: file.name, text: await file.text(), ...extra });
    });
    input.click();
  }

  async copyLink() {
    const text = inVoila() ? this.link() : `?${this.query}`;
    if (await copyText(text)) return this.notice(inVoila() ? "The link to this plan is copied." : "Copied; add it to a dashboard's address to open this plan there.");
    const box = h("input", { type: "text", readonly: true, class: "pl-box pl-box-wide", value: text, "aria-label": "Link to this plan" });
    this.status.notice.replaceChildren("Copy this link: ", box);
    this.status.notice.hidden = false;
    box.focus();
    box.select();
  }

  // -- observers and keys

  #resized(entries) {
    for (const { target, contentRect: { width, height } } of entries) {
      const chart = target.chart;
      if (chart.size && Math.abs(chart.size.width - width) < 1 && Math.abs(chart.size.height - height) < 1) continue;
      chart.size = { width: Math.floor(width), height: Math.floor(height) };
      chart.dirty = Boolean(chart.spec);
    }
    nextFrame(() => this.#paintCharts());
  }

  #sighted(entries) {
    for (const entry of entries) entry.target.chart.visible = entry.isIntersecting;
    nextFrame(() => this.#paintCharts());
  }

  #listen() {
    this.unlisten = new AbortController();
    const { signal } = this.unlisten;
    document.addEventListener("keydown", (event) => this.#key(event), { signal });
    document.addEventListener("planner:socket", (event) => this.#lost(!event.detail.open), { signal });
    this.model.on("comm:close", () => this.#lost(true));
    addEventListener("offline", () => this.notice("This computer is offline."), { signal });
    addEventListener("online", () => this.notice(""), { signal });
  }

  #key(event) {
    if (!(event.ctrlKey || event.metaKey) || event.altKey) return;
    const target = event.composedPath()[0];
    if (!inVoila() && !this.root.contains(target)) return; // a notebook has its own undo
    if (target.matches?.("input:not([type=range]):not([type=checkbox]), textarea, [contenteditable]")) return;
    const key = event.key.toLowerCase();
    const kind = key === "z" ? (event.shiftKey ? "redo" : "undo") : key === "y" ? "redo" : null;
    if (!kind) return;
    event.preventDefault();
    event.stopPropagation();
    if (!this.buttons[kind].disabled) this.wire.ask(kind);
  }

  // -- theme

  theme() { return (this.colours ||= chartTheme(this.root)); }

  #themeSetup() {
    const dark = matchMedia("(prefers-color-scheme: dark)");
    this.applyTheme = () => {
      const choice = storage.get("planner-theme") || "system";
      const host = inVoila() ? dark.matches : document.body.dataset.jpThemeLight === "false" || (!document.body.dataset.jpThemeLight && dark.matches);
      const name = choice === "system" ? (host ? "dark" : "light") : choice;
      this.root.dataset.theme = name;
      if (inVoila()) document.documentElement.dataset.theme = name;
      this.themeSelect.value = choice;
      this.colours = null;
      for (const chart of this.charts.values()) chart.dirty = Boolean(chart.spec);
      nextFrame(() => this.#paintCharts());
    };
    dark.addEventListener("change", this.applyTheme);
    this.hostTheme = new MutationObserver(this.applyTheme);
    this.hostTheme.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
    this.applyTheme();
  }

  // -- building the page, once

  #build() {
    const { page } = this;
    this.root.classList.add("planner");
    this.root.dataset.kind = page.kind || "dashboard";
    this.root.dataset.host = inVoila() ? "voila" : "notebook";
    this.root.dataset.page = page.id || "";
    this.root.setAttribute("data-lm-suppress-shortcuts", "true"); // JupyterLab: our keys are ours
    if (inVoila() && page.title) document.title = `${page.title} · ${PRODUCT}`;
    this.headlineList = h("ul", { class: "pl-headlines", "aria-label": "Results" });
    this.spoken = h("p", { class: "pl-hidden", "aria-live": "polite" });
    this.strip = h("p", { class: "pl-strip", "aria-hidden": "true" });
    this.lastGood = h("p", { class: "pl-last-good", hidden: true, text: "Last good plan" });
    for (const def of page.charts || []) this.charts.set(def.id, new Chart(def, this));
    const charts = this.charts.size ? h("div", { class: "pl-charts" }, ...[...this.charts.values()].map((c) => c.node)) : null;
    const intro = h("div", { class: "pl-intro" }, h("h1", { text: page.title || "" }), page.lead && h("p", { class: "pl-lead", text: page.lead }));
    const start = page.kind === "start";
    const results = [this.lastGood, this.headlineList, this.spoken];
    const main = start
      ? [intro, this.#map(), h("div", { class: "pl-results" }, ...results), h("h2", { class: "pl-h2", text: "The shared scenario" }), this.#controls(true), charts]
      : [this.#controls(false), h("div", { class: "pl-results" }, intro, ...results), charts];
    this.root.replaceChildren(
      h("div", { class: "pl-frame" }, this.#header(), this.#status(), this.strip, h("div", { class: "pl-main" }, ...main.filter(Boolean))),
      this.why.node,
    );
  }

  #header() {
    const ask = (kind) => () => this.wire.ask(kind);
    const button = (name, label, onclick, title = label) => h("button", { type: "button", class: "pl-tool", title, "aria-label": label, onclick }, icon(ICONS[name]), h("span", { text: label }));
    this.buttons = { undo: button("undo", "Undo", ask("undo"), "Undo (Ctrl+Z)"), redo: button("redo", "Redo", ask("redo"), "Redo (Ctrl+Shift+Z)") };
    const format = h("select", { class: "pl-tool pl-tool-select", "aria-label": "Download the scenario", title: "Download the scenario",
      onchange: () => { if (format.value) this.wire.tell("download", { format: format.value }); format.value = ""; } },
      h("option", { value: "", text: "Download" }), h("option", { value: "yaml", text: "as YAML" }), h("option", { value: "json", text: "as JSON" }));
    this.themeSelect = h("select", { class: "pl-tool pl-tool-select", "aria-label": "Theme", title: "Theme",
      onchange: () => { storage.set("planner-theme", this.themeSelect.value); this.applyTheme(); } },
      ...["system", "light", "dark"].map((value) => h("option", { value, text: value[0].toUpperCase() + value.slice(1) })));
    const tools = h("div", { class: "pl-tools", role: "toolbar", "aria-label": "Plan" },
      this.buttons.undo, this.buttons.redo, button("reset", "Reset", ask("reset"), "Back to the default plan"),
      button("link", "Copy link", () => this.copyLink(), "Copy the link to this plan"),
      h("span", { class: "pl-tool-wrap" }, icon(ICONS.down), format),
      button("up", "Open file", () => this.pickFile("scenario", ".yaml,.yml,.json", (text) => this.notice(text)), "Open a scenario file"),
      h("span", { class: "pl-tool-wrap" }, icon(ICONS.theme), this.themeSelect));
    tools.querySelectorAll(".pl-tool")[3].classList.add("pl-tool-main");
    return h("header", { class: "pl-header" }, h("span", { class: "pl-product", text: PRODUCT }), this.#tabs(), tools);
  }

  #tabs() {
    if (!inVoila() || !this.page.links?.length) return null; // a notebook's files open from its own list
    return h("nav", { class: "pl-tabs", "aria-label": "Dashboards" },
      ...this.page.links.map((link) => h("a", { href: link.href, "data-href": link.href, "aria-current": link.current ? "page" : null, title: link.lead, text: link.title })));
  }

  #map() {
    const cards = (this.page.links || []).filter((link) => !link.current).map((link) => {
      const inside = [h("strong", { text: link.title }), h("span", { text: link.lead || "" })];
      return h("li", {}, inVoila() ? h("a", { class: "pl-card", href: link.href, "data-href": link.href }, ...inside) : h("div", { class: "pl-card" }, ...inside));
    });
    return h("nav", { "aria-label": "Map of the workbook" }, h("ul", { class: "pl-map" }, ...cards));
  }

  #status() {
    const line = (name, role) => (this.status[name] = h("p", { class: `pl-status pl-status-${name}`, role, hidden: true }));
    this.status = {};
    const node = h("div", { class: "pl-statuses" }, line("lost", "alert"), line("error", "alert"), line("notice", "status"), line("working", "status"));
    this.status.working.textContent = "Still working…";
    return node;
  }

  #controls(open) {
    const section = (def) => {
      const controls = (def.controls || []).map((c) => {
        const Kind = CONTROLS[c.kind] || TextControl;
        const control = new Kind({ team: def.team, ...c }, this).mount();
        if (c.team && c.team !== def.team) control.node.firstChild.append(teamTag(c.team));
        this.controls.set(c.path, [...(this.controls.get(c.path) || []), control]);
        return control.node;
      });
      return h("details", { class: `pl-section ${teamClass(def.team)}`, open: true }, h("summary", {}, h("h2", { text: def.title }), teamTag(def.team)), h("div", { class: "pl-section-body" }, ...controls));
    };
    return h("form", { class: open ? "pl-controls pl-controls-wide" : "pl-controls", "aria-label": "Scenario", onsubmit: (event) => event.preventDefault() }, ...(this.page.sections || []).map(section));
  }
}

/** Clipboard, also on plain http in a workshop's network, where the modern way is forbidden. */
async function copyText(text) {
  try { await navigator.clipboard.writeText(text); return true; } catch { /* not a secure page */ }
  const box = h("textarea", { class: "pl-hidden" });
  box.value = text;
  document.body.append(box);
  box.select();
  let done = false;
  try { done = document.execCommand("copy"); } catch { /* refused */ }
  box.remove();
  return done;
}

function render({ model, el }) {
  const root = h("div");
  el.append(root);
  const app = new App(model, root);
  return () => app.destroy();
}

export default { render };
