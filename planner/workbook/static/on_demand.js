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

/** Slow work that the page asks for piece by piece or asks after, with its progress and an end. */
class JobPanel extends Panel {
  build() {
    const { def } = this;
    this.run = h("button", { type: "button", class: "pl-button pl-button-main", text: def.button, onclick: () => this.#ask("start") });
    this.cancel = h("button", { type: "button", class: "pl-button", text: "Cancel", hidden: true, onclick: () => this.#ask("cancel") });
    this.bar = h("progress", { class: "pl-progress", max: 1, value: 0, "aria-label": `Progress of ${def.title}`, hidden: true });
    this.words = h("p", { class: "pl-muted pl-panel-words" });
    this.head.append(h("div", { class: "pl-panel-tools" }, this.bar, this.cancel, this.run));
    if (def.controls) this.head.after(h("div", { class: "pl-panel-controls" }, ...def.controls.map((one) => this.app.control(one, one.team).node)));
    if (def.height) this.picture();
    this.body.append(this.words);
  }
  /** What the kernel is told: the kind of request, and the rest of it. */
  request(action) { return ["job", { id: this.def.id, action }]; }
  /** A pause between questions: work in a thread goes on by itself. */
  get pause() { return 150; }
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
    this.app.wire.tell(...this.request(action));
  }
  /** The next slice, after whatever a slider has asked for. */
  #more() {
    const go = () => { if (this.running) this.app.wire.tell(...this.request("more")); };
    setTimeout(go, this.app.wire.flight ? Math.max(60, this.pause) : this.pause);
  }
  #working(on) {
    this.running = on;
    this.bar.hidden = this.cancel.hidden = !on;
    this.run.disabled = on;
  }
  #result(reply) {
    this.done = true;
    setText(this.words, reply.text);
    setText(this.said, reply.verdict);
    this.body.replaceChildren(...[
      h("p", { class: "pl-verdict", "data-tone": reply.tone }, h("span", { class: "pl-tone", "aria-hidden": "true", text: TONE_SHAPES[reply.tone] || "" }), h("span", { text: reply.verdict })),
      reply.chart && this.chart?.node,
      reply.rows?.length && this.#table(reply.heads, reply.rows),
      this.words].filter(Boolean));
    this.age(false);
    if (reply.chart && this.chart) { this.chart.accept(reply.chart); if (this.app.plotly && this.chart.size) this.chart.paint(this.app.plotly, this.app.theme()); }
  }
  #table(heads, rows) {
    const last = heads.length - 1;
    const few = (i) => (i === last && last > 3 ? "pl-few" : null);
    return h("table", { class: "pl-table pl-numbers" },
      h("thead", {}, h("tr", {}, ...heads.map((text, i) => (text ? h("th", { scope: "col", text, class: few(i) }) : h("td"))))),
      h("tbody", {}, ...rows.map(([name, ...cells]) => h("tr", {}, h("th", { scope: "row", text: name }), ...cells.map((text, i) => h("td", { text, class: few(i + 1) }))))));
  }
  /** A picture of the result, drawn and themed as all others are. */
  picture() {
    const { def } = this;
    this.chart = new Chart({ id: `${def.id}-picture`, title: def.title, height: def.height }, this.app);
    this.chart.node.classList.add("pl-inner");
    this.app.charts.set(this.chart.def.id, this.chart);
  }
}

/** Formulas beside the simulation. The kernel works in slices, each asked for by the page. */
class SimulationPanel extends JobPanel {
  request(action) { return ["simulate", { action }]; }
  get pause() { return 0; }
}

/** Files of what is on screen, each with what it is for. */
class FilesPanel extends Panel {
  build() {
    this.list = h("ul", { class: "pl-files" });
    this.words = h("p", { class: "pl-muted pl-panel-words" });
    this.body.append(this.list, this.words);
  }
  frame(_fresh, files) {
    const said = JSON.stringify(files);
    if (!files || said === this.known) return;
    this.known = said;
    setText(this.words, files.length ? "" : "Nothing is placed yet, so there is nothing to take along.");
    this.list.replaceChildren(...files.map((file) => h("li", {},
      h("button", { type: "button", class: "pl-button", onclick: () => this.app.wire.tell("download", { format: "placement", id: file.name }) }, icon(ICONS.down), h("span", { text: file.label })),
      h("span", { class: "pl-muted", text: file.name }))));
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

const PANELS = { simulation: SimulationPanel, served: ServedPanel, orders: JobPanel, proof: JobPanel, files: FilesPanel };
