// ---------------------------------------------------------------- tables to fill in

const ROW_ICONS = { rise: "M8 13V3.5M4 7l4-4 4 4", sink: "M8 3v9.5M4 9l4 4 4-4" };

/** One row: a line that says what it is, and below it the controls of its fields once opened. */
class RowView {
  constructor(table) {
    Object.assign(this, { table, index: 0, value: {}, controls: null, failing: "" });
    this.bodyId = freshId();
    this.name = h("span", { class: "pl-row-name", id: freshId() });
    this.said = h("span", { class: "pl-row-said" });
    this.button = h("button", { type: "button", class: "pl-row-open", "aria-expanded": "false", "aria-controls": this.bodyId, onclick: () => this.toggle(), onkeydown: (event) => this.#key(event) }, this.name, this.said);
    const tool = (path, onclick) => h("button", { type: "button", class: "pl-icon-button pl-row-tool", onclick }, icon(path));
    this.up = tool(ROW_ICONS.rise, () => this.#move(-1));
    this.down = tool(ROW_ICONS.sink, () => this.#move(1));
    this.problem = h("p", { class: "pl-problem", hidden: true });
    this.fields = h("div", { class: "pl-row-fields" });
    this.rest = h("div", { class: "pl-row-fields" });
    this.more = h("details", { class: "pl-row-more" }, h("summary", { text: "Where it may run" }), this.rest);
    this.body = h("div", { class: "pl-row-body", id: this.bodyId, role: "group", "aria-labelledby": this.name.id, hidden: true }, this.fields, this.more,
      h("div", { class: "pl-row-actions" },
        h("button", { type: "button", class: "pl-button", text: "Duplicate", onclick: () => table.ask("copy", this.index) }),
        h("button", { type: "button", class: "pl-button", text: "Remove", onclick: () => table.ask("remove", this.index) })));
    this.node = h("li", { class: "pl-row-item" }, h("div", { class: "pl-row-head" }, this.button, this.up, this.down), this.problem, this.body);
    // What the controls of this row see of the page: its own fields, by their place in the table.
    const row = this;
    this.app = {
      wire: table.app.wire,
      get values() { return Object.fromEntries((row.controls || []).map((one) => [one.def.path, row.now(one.def)])); },
      changed(path, value) { row.#changed(path, value); },
    };
  }

  /** A field's value as the kernel knows it. */
  now(def) { return def.name in this.value ? this.value[def.name] : def.default; }

  show(index, value, said, failing) {
    const moved = this.index !== index;
    Object.assign(this, { index, value });
    this.node.dataset.row = index;
    setText(this.name, value.name);
    setText(this.said, `${TONE_SHAPES[said?.tone] || ""} ${said?.text || ""}`.trim());
    this.said.dataset.tone = said?.tone || "";
    const last = this.table.rows.length - 1;
    for (const [button, words, off] of [[this.up, "up", index === 0], [this.down, "down", index === last]]) {
      button.setAttribute("aria-label", `Move ${value.name} ${words}`);
      button.title = `Move ${words}`;
      button.setAttribute("aria-disabled", String(off));
    }
    for (const control of this.controls || []) {
      if (moved) control.node.dataset.path = control.def.path;
      if (control.def.name !== failing) control.update(this.now(control.def));
    }
    this.#reveal();
  }

  /** The sentence stands beside the field that it is about, and what was typed stays. */
  fail(text, name) {
    if (text) this.toggle(true);
    for (const control of this.controls || []) {
      const own = Boolean(text) && control.def.name === name;
      if (own && control.def.more) this.more.open = true;
      if (own || !control.fields?.[0]?.matches(":focus")) control.fail(own ? text : "");
    }
    const beside = Boolean(text) && (this.controls || []).some((one) => one.def.name === name && !one.node.hidden);
    this.problem.hidden = !text || beside;
    setText(this.problem, text && !beside ? text : "");
    this.node.toggleAttribute("data-failed", Boolean(text));
  }

  toggle(open = this.body.hidden) {
    if (open && !this.controls) this.#build();
    this.body.hidden = !open;
    this.button.setAttribute("aria-expanded", String(open));
  }

  #build() {
    const { def: table } = this.table;
    const row = this;
    this.controls = table.fields.map((field) => {
      const def = { ...field, get path() { return `${table.path}/${row.index}/${field.name}`; } };
      const control = new (CONTROLS[field.kind] || TextControl)(def, this.app).mount();
      control.node.classList.toggle("pl-half", Boolean(field.half));
      control.update(this.now(field));
      // Two rows have fields of one label: each is called by its row's name too.
      for (const one of control.fields || []) {
        one.id ||= freshId();
        const own = one.getAttribute("aria-labelledby") || (one.hasAttribute("aria-label") ? one.id : `${control.id}-label`);
        one.setAttribute("aria-labelledby", `${own} ${this.name.id}`);
      }
      return control;
    });
    for (const one of this.controls) (one.def.more ? this.rest : this.fields).append(one.node);
    this.#reveal();
  }

  /** Only the fields that count for what the row is. */
  #reveal() {
    for (const control of this.controls || []) {
      const rule = control.def.shown_when;
      if (!rule) continue;
      const other = this.controls.find((one) => one.def.name === rule.path);
      control.node.hidden = !rule.values.some((value) => sameValue(value, other?.value));
    }
  }

  #changed(path, value) {
    this.table.app.wire.set(path, value);
    this.#reveal();
  }

  #move(by) {
    const to = this.index + by;
    if (to < 0 || to >= this.table.rows.length) return;
    this.table.ask("move", this.index, { to });
  }

  #key(event) {
    const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    if (event.altKey) this.#move(by);
    else this.table.rows[this.index + by]?.button.focus();
  }
}

/** Rows in the order of their priority; kept by their names, so that what is open stays open. */
class RowsControl extends Control {
  build() {
    const { def } = this;
    // The section's title says it already; what the order means is worth a line in sight.
    this.node.firstChild.classList.add("pl-hidden");
    this.node.querySelector(".pl-help-button").remove();
    this.node.querySelector(".pl-help").hidden = false;
    this.rows = [];
    this.list = h("ol", { class: "pl-rows", id: this.id, tabindex: "-1", "aria-labelledby": `${this.id}-label` });
    this.empty = h("p", { class: "pl-muted pl-rows-empty", text: def.empty });
    this.told = h("p", { class: "pl-hidden", "aria-live": "polite" });
    const add = (text, preset) => h("button", { type: "button", class: "pl-button pl-rows-preset", text, onclick: () => this.ask("add", 0, { preset }) });
    this.adders = h("div", { class: "pl-rows-add", role: "group", "aria-label": `Add a ${def.noun}` },
      h("span", { class: "pl-label", "aria-hidden": "true", text: "Add" }), ...def.presets.map((name) => add(name, name)), add("Another", ""));
    this.node.append(this.list, this.empty, this.adders, this.told);
  }

  /** Everything of a frame that is about this table. */
  receive(values, said, error) {
    const kept = new Map(this.rows.map((row) => [row.value.name, row]));
    const before = this.rows;
    const taken = new Set();
    const next = values.map((value) => { const row = kept.get(value.name); if (row) taken.add(row); return row; });
    this.rows = next.map((row, i) => {
      if (row) return row;
      const renamed = before[i] && !taken.has(before[i]) && before.length === values.length ? before[i] : null;
      return renamed || new RowView(this);
    });
    this.#place();
    this.rows.forEach((row, i) => row.show(i, values[i], said?.[i], error?.row === i ? error.name : ""));
    this.empty.hidden = this.rows.length > 0;
    const own = error && this.rows[error.row] ? this.rows[error.row] : null;
    for (const row of this.rows) row.fail(row === own ? error.text : "", error?.name);
    this.fail(error && !own ? error.text : "");
    this.#after(before, Boolean(error));
  }

  ask(action, row, extra = {}) {
    this.asked = { action, row, ...extra };
    this.app.wire.ask("rows", { path: this.def.path, action, row, ...extra });
  }

  /** Moves nodes without taking the focus from the one that holds it. */
  #place() {
    const held = this.list.contains(document.activeElement) ? document.activeElement : null;
    this.rows.forEach((row, i) => { if (this.list.children[i] !== row.node) this.list.insertBefore(row.node, this.list.children[i] || null); });
    while (this.list.children.length > this.rows.length) this.list.lastChild.remove();
    if (held && held.isConnected && document.activeElement !== held) held.focus();
  }

  /** Where the person goes on: in the new row, or at the one that stands where one was. */
  #after(before, refused) {
    const { asked } = this;
    const same = before.length === this.rows.length;
    if (!asked || (same && !refused && asked.action !== "move")) return; // the answer is still on its way
    this.asked = null;
    if (same) {
      if (!refused) setText(this.told, `${this.rows[asked.to]?.value.name} is now number ${asked.to + 1}.`);
      return;
    }
    if (asked.action === "remove") {
      const next = this.rows[Math.min(asked.row, this.rows.length - 1)];
      (next ? next.button : this.adders.querySelector("button")).focus();
      setText(this.told, `${before[asked.row]?.value.name} is removed; undo brings it back.`);
      return;
    }
    const made = this.rows.find((row) => !before.includes(row));
    if (!made) return;
    for (const row of this.rows) row.toggle(row === made);
    const box = made.controls[0].fields[0];
    box.focus();
    box.select?.();
    setText(this.told, `${made.value.name} is added.`);
  }
}

CONTROLS.rows = RowsControl;
