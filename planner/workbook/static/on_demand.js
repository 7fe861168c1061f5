// ---------------------------------------------------------------- panels that are asked for

/** The common frame: a card as wide as the charts, whose body is made by the panel. */
class Panel {
  constructor(def, app) {
    Object.assign(this, { def, app });
    const titleId = freshId();
    this.said = h("p", { class: "pl-hidden", "aria-live": "polite" });
    this.old = h("p", { class: "pl-old", hidden: true, text: "For an earlier scenario" });
    this.head = h("div", { class: "pl-chart-head" }, h("h3", { id: titleId, text: def.title }), def.lead && h("p", { class: "pl-chart-lead", text: def.lead, title: def.lead }));
    this.body = h("div", { class: "pl-panel-body" });
    this.node = h("section", { class: "pl-chart pl-wide pl-panel", "data-panel": def.id, "aria-labelledby": titleId }, this.head, this.old, this.body, this.said);
    this.build();
  }
  /** Greys a result that belongs to an earlier scenario; it comes back with an undo. */
  age(old) {
    this.old.hidden = !old;
    this.body.classList.toggle("pl-aged", old);
  }
}

/** Formulas beside the simulation. The kernel works in slices, each asked for by the page. */
class SimulationPanel extends Panel {
  build() {
    this.run = h("button", { type: "button", class: "pl-button pl-button-main", text: "Run the simulation", onclick: () => this.#ask("start") });
    this.cancel = h("button", { type: "button", class: "pl-button", text: "Cancel", hidden: true, onclick: () => this.#ask("cancel") });
    this.bar = h("progress", { class: "pl-progress", max: 1, value: 0, "aria-label": "Progress of the simulation", hidden: true });
    this.words = h("p", { class: "pl-muted pl-panel-words" });
    this.head.append(h("div", { class: "pl-panel-tools" }, this.bar, this.cancel, this.run));
    this.body.append(this.words);
  }
  frame(fresh) { if (this.done) this.age(!fresh); }
  show(reply) {
    if (reply.status === "running" && !this.running) return; // cancelled meanwhile
    this.#working(reply.status === "running");
    if (reply.status === "running") {
      this.bar.value = reply.progress;
      this.#more();
      return;
    }
    if (reply.status === "done") this.#result(reply);
    else { setText(this.words, reply.text || ""); setText(this.said, reply.text || ""); }
  }
  #ask(action) {
    if (action === "start") { this.bar.value = 0; this.#working(true); this.done = false; this.age(false); this.body.replaceChildren(this.words); setText(this.words, ""); }
    else if (action === "cancel") this.running = false;
    this.app.wire.tell("simulate", { action });
  }
  /** The next slice, after whatever a slider has asked for. */
  #more() {
    const go = () => { if (this.running) this.app.wire.tell("simulate", { action: "more" }); };
    setTimeout(go, this.app.wire.flight ? 60 : 0);
  }
  #working(on) {
    this.running = on;
    this.bar.hidden = this.cancel.hidden = !on;
    this.run.disabled = on;
  }
  #result(reply) {
    this.done = true;
    const heads = ["", "Formula", "Simulation", "Difference", "Limit"];
    setText(this.words, reply.text);
    setText(this.said, reply.verdict);
    this.body.replaceChildren(
      h("p", { class: "pl-verdict", "data-tone": reply.tone }, h("span", { class: "pl-tone", "aria-hidden": "true", text: TONE_SHAPES[reply.tone] || "" }), h("span", { text: reply.verdict })),
      h("table", { class: "pl-table pl-numbers" },
        h("thead", {}, h("tr", {}, ...heads.map((text, i) => (text ? h("th", { scope: "col", text, class: i === 4 ? "pl-few" : null }) : h("td"))))),
        h("tbody", {}, ...reply.rows.map(([name, ...cells]) => h("tr", {}, h("th", { scope: "row", text: name }), ...cells.map((text, i) => h("td", { text, class: i === 3 ? "pl-few" : null })))))),
      this.words);
    this.age(false);
  }
}

/** The inverse question: a ranked table, made when the panel is open; a click takes its model. */
class ServedPanel extends Panel {
  build() {
    this.open = false;
    this.button = h("button", { type: "button", class: "pl-button", "aria-expanded": "false", text: "Show", onclick: () => this.#toggle() });
    this.head.append(h("div", { class: "pl-panel-tools" }, this.button));
    this.controls = h("div", { class: "pl-panel-controls" }, ...(this.def.controls || []).map((def) => this.app.control(def, "infrastructure").node));
    this.words = h("p", { class: "pl-muted pl-panel-words", text: "Asking the model…" });
    this.table = h("div", { class: "pl-scroll", tabindex: 0, role: "region", "aria-label": this.def.title });
    this.table.addEventListener("click", (event) => this.#choose(event.target.closest("tr[data-model]")));
    this.body.append(this.controls, this.words, this.table);
    this.body.hidden = true;
  }
  frame(fresh) {
    if (!fresh && this.rows) this.age(true);
    if (fresh && this.rows) this.age(false);
    if (this.open && !fresh) this.#soon();
    this.#mark();
  }
  show(reply) {
    if (reply.error) { setText(this.words, reply.error); setText(this.said, reply.error); this.table.hidden = true; this.rows = null; return this.age(false); }
    this.table.hidden = false;
    setText(this.words, reply.title);
    setText(this.said, reply.title);
    const top = this.table.scrollTop;
    const heads = reply.heads.map((head) => [head.text, head.wide ? "pl-few" : null]);
    this.rows = reply.rows.map((row) => h("tr", { "data-model": row.model, "data-precision": row.precision, class: row.all ? null : "pl-part" },
      ...row.cells.map((text, i) => h(i ? "td" : "th", { scope: i ? null : "row", class: heads[i][1] },
        i ? text : h("button", { type: "button", class: "pl-link", title: `Choose ${text}`, text }), !i && h("span", { class: "pl-carries", title: row.all ? "carries the whole demand" : "carries a part of the demand", text: row.all ? "✓ all" : "part" })))));
    this.table.replaceChildren(h("table", { class: "pl-table pl-numbers pl-served" },
      h("caption", { class: "pl-hidden", text: this.def.title }),
      h("thead", {}, h("tr", {}, ...heads.map(([text, few]) => h("th", { scope: "col", class: few, text })))),
      h("tbody", {}, ...this.rows)));
    this.table.scrollTop = top;
    this.age(false);
    this.#mark();
  }
  #toggle() {
    this.open = !this.open;
    this.body.hidden = !this.open;
    setText(this.button, this.open ? "Hide" : "Show");
    this.button.setAttribute("aria-expanded", String(this.open));
    if (this.open && !this.app.fresh.has("served")) this.#soon(0);
  }
  /** Once the sliders rest: a table of all models takes longer than a step. */
  #soon(wait = 250) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => (this.app.wire.flight ? this.#soon() : this.app.wire.tell("served")), wait);
  }
  #mark() {
    const { values } = this.app;
    for (const row of this.rows || [])
      row.toggleAttribute("aria-current", values["workload.model_source"] === "catalogue" && row.dataset.model === values["workload.model"] && row.dataset.precision === values["deployment.weight_precision"]);
  }
  #choose(row) {
    if (row) this.app.wire.ask("choose", { row: { model: row.dataset.model, precision: row.dataset.precision } });
  }
}

const PANELS = { simulation: SimulationPanel, served: ServedPanel };
