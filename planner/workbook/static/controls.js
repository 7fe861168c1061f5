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
      type: "text", id: this.id, class: "pl-box", inputmode: "decimal", placeholder: this.def.nullable ? this.def.null_label || "Automatic" : null, autocomplete: "off", spellcheck: "false",
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
      onkeydown: (event) => this.#key(event),
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
  /** Arrows are answered here, for a notebook takes them from a native range. On a logarithmic
      range one press is a visible step, and never none. */
  #key(event) {
    const steps = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10 };
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    if (!this.scale.log) {
      const { min, max, step: least } = this.scale.range;
      const next = this.scale.toValue(Number(this.value) + step * (least === "any" ? (max - min) / 100 : least));
      this.slider.value = this.scale.toRange(next);
      return this.#slide(next);
    }
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
    const pick = () => this.app.pickFile(this.def.upload, this.def.accept, (text) => this.fail(text), { path: this.def.path });
    this.button = this.describe(h("button", { type: "button", id: this.id, class: "pl-button", text: "Choose a file…", onclick: pick }));
    this.node.append(h("div", { class: "pl-row" }, this.button));
  }
  show(value) { setText(this.button, value ? String(value) : "Choose a file…"); }
}

/** The person's own prices, which the table of prices sets; here each can be taken back. */
class QuotesControl extends Control {
  build() {
    this.list = this.describe(h("ul", { class: "pl-quotes", id: this.id, tabindex: "-1" }));
    this.node.append(this.list);
  }
  busy() { return false; } // the table of prices changes it too
  show(value) {
    const quotes = Object.entries(value || {});
    const rows = quotes.map(([id, price]) => h("li", {},
      h("span", { text: id }), h("span", { class: "pl-quote-price", text: plainNumber.format(price) }),
      h("button", { type: "button", class: "pl-why-button", text: "Remove", "aria-label": `Remove your quote of ${id}`, onclick: () => this.send(withoutKey(this.value, id)) })));
    this.list.replaceChildren(...(rows.length ? rows : [h("li", { class: "pl-muted", text: this.def.empty })]));
  }
}

const withoutKey = (record, key) => Object.fromEntries(Object.entries(record || {}).filter(([name]) => name !== key));

const CONTROLS = { slider: SliderControl, number: NumberControl, text: TextControl, switch: ToggleControl, choice: ChoiceControl, search: SearchControl, file: FileControl, quotes: QuotesControl };
