// ---------------------------------------------------------------- tables of a plan

/** Rows of words and numbers that follow the plan; kept by their ids, so that nothing jumps. */
class DataTable extends Chart {
  constructor(def, app) {
    super(def, app);
    this.plot.removeAttribute("role");
    this.plot.removeAttribute("aria-label");
    this.plot.removeAttribute("style");
    this.plot.className = "pl-plot pl-data";
    this.head = h("thead");
    this.body = h("tbody");
    this.told = h("p", { class: "pl-told", "aria-live": "polite", hidden: true });
    this.notes = h("div", { class: "pl-notes" });
    this.region = h("div", { class: "pl-data-scroll", tabindex: "0", role: "region", "aria-label": def.title },
      h("table", { class: "pl-data-table" }, h("caption", { class: "pl-hidden", text: def.title }), this.head, this.body));
    this.plot.append(this.region);
    this.node.append(this.told, this.notes);
    const save = this.node.querySelector(".pl-save");
    save.title = "Download as CSV";
    save.setAttribute("aria-label", `Download ${def.title} as CSV`);
    save.replaceChildren(icon(ICONS.down));
    this.rows = new Map();
  }

  accept(spec) {
    this.spec = spec;
    this.dirty = true;
    setText(this.caption, spec.caption || "");
  }

  async paint() {
    this.dirty = false;
    this.drawn = true;
    const { heads, rows, notes, terms } = this.spec;
    const shape = JSON.stringify([heads, notes, terms]);
    if (shape !== this.shape) this.#frame(heads, notes || [], terms || []);
    this.shape = shape;
    const nodes = rows.map((row) => this.#row(row, heads));
    if (nodes.length !== this.body.children.length || nodes.some((node, i) => node !== this.body.children[i])) this.body.replaceChildren(...nodes);
    const known = new Set(rows.map((row) => row.id));
    for (const id of this.rows.keys()) if (!known.has(id)) this.rows.delete(id);
  }

  save() { this.app.wire.tell("download", { format: "table", id: this.def.id }); }

  #frame(heads, notes, terms) {
    this.rows.clear();
    this.region.hidden = !heads.length;
    this.told.hidden = true;
    this.head.replaceChildren(h("tr", {}, ...heads.map((head) => h("th", { scope: "col", class: classes(head), text: head.text }))));
    this.notes.replaceChildren(
      ...notes.map((text) => h("p", { text })),
      ...(terms.length ? [h("dl", {}, ...terms.flatMap((one) => [h("dt", { text: one.term }), ...one.texts.map((text) => h("dd", { text }))]))] : []));
  }

  /** The kept row with this id, its cells filled again where they say something new. */
  #row(row, heads) {
    let kept = this.rows.get(row.id);
    if (!kept) {
      const cells = heads.map((head, i) => h(i ? "td" : "th", { scope: i ? null : "row", class: classes(head) }));
      kept = { cells, said: [], node: h("tr", { "data-row": row.id }, ...cells) };
      this.rows.set(row.id, kept);
    }
    kept.node.className = row.look ? `pl-${row.look}` : "";
    row.cells.forEach((cell, i) => {
      const said = JSON.stringify(cell);
      if (said === kept.said[i]) return;
      kept.said[i] = said;
      this.fill(kept.cells[i], typeof cell === "string" ? { text: cell } : cell, row, heads[i]);
    });
    return kept.node;
  }

  fill(node, cell, row, head) {
    node.dataset.tone = cell.tone || "";
    const mark = TONE_SHAPES[cell.tone] && h("span", { class: "pl-mark", "aria-hidden": "true", text: TONE_SHAPES[cell.tone] });
    const tell = () => this.#tell(`${row.name || row.id}, ${head.text}: ${cell.title}`);
    const words = cell.title
      ? h("button", { type: "button", class: "pl-cell", title: cell.title, text: cell.text, onfocus: tell, onclick: tell, onmouseenter: tell })
      : document.createTextNode(cell.text);
    node.replaceChildren(...[mark, words, cell.note && h("small", { text: cell.note })].filter(Boolean));
  }

  #tell(text) {
    this.told.hidden = false;
    setText(this.told, text);
  }
}

/** Bars of several parts as a real table, with a key that flows; parts below zero stand left of it.
    A fraction of plotly's time at every step, and legible on a phone. Saving still uses plotly. */
class StackTable extends Chart {
  constructor(def, app) {
    super(def, app);
    this.plot.removeAttribute("role");
    this.plot.removeAttribute("style");
    this.key = h("ul", { class: "pl-key", "aria-label": "Parts" });
    this.body = h("tbody");
    this.plot.append(this.key, h("table", { class: "pl-bars pl-stack" }, h("caption", { class: "pl-hidden", text: def.title }), h("colgroup", {}, h("col", { class: "pl-bars-names" }), h("col"), h("col", { class: "pl-bars-totals" })), this.body));
  }

  async paint() {
    this.dirty = false;
    this.drawn = true;
    const { data, layout } = this.spec;
    const shape = JSON.stringify(data.map((trace) => [trace.name, trace.y]));
    if (shape !== this.shape) this.#build(data);
    this.shape = shape;
    const range = layout.xaxis.range || [0, 1];
    const share = (value) => `${((100 * value) / (range[1] - range[0])).toFixed(2)}%`;
    this.rows.forEach((row, i) => {
      let [below, above] = [0, 0];
      data.forEach((trace, part) => {
        const value = trace.x[i];
        const left = value < 0 ? (below += value) : above;
        if (value > 0) above += value;
        const style = { left: share(left - range[0]), width: share(Math.abs(value)), background: trace.marker.color, opacity: trace.marker.opacity[i] };
        Object.assign(row.parts[part].style, style);
        row.parts[part].hidden = !value;
        const [money, standing] = trace.customdata[i];
        row.parts[part].title = `${trace.name} ${money}${standing.replace("<br>", "; ")}`;
      });
      setText(row.total, layout.annotations[i].text);
      row.zero.style.left = share(-range[0]);
    });
  }

  #build(data) {
    this.key.replaceChildren(...data.map((trace) => {
      const swatch = h("span", { class: "pl-swatch", "aria-hidden": "true" });
      swatch.style.background = trace.marker.color;
      return h("li", {}, swatch, trace.name);
    }));
    this.rows = (data[0]?.y || []).map((label) => {
      const parts = data.map(() => h("span", { class: "pl-bar" }));
      const total = h("td", { class: "pl-bar-total" });
      const zero = h("span", { class: "pl-bar-zero" });
      return { parts, total, zero, node: h("tr", {}, h("th", { scope: "row", text: label }), h("td", {}, ...parts, zero), total) };
    });
    this.body.replaceChildren(...this.rows.map((row) => row.node));
  }
}

const classes = (head) => [head.number && "pl-number", head.date && "pl-date", head.few && "pl-few"].filter(Boolean).join(" ") || null;

/** Prices with a box for the person's own, which replaces the published one and its range. */
class PriceTable extends DataTable {
  fill(node, cell, row, head) {
    if (!cell.quote) return super.fill(node, cell, row, head);
    let box = node.querySelector("input");
    if (!box) {
      const problem = h("p", { class: "pl-problem", hidden: true });
      box = h("input", { type: "text", class: "pl-box pl-own-price", inputmode: "decimal", autocomplete: "off", placeholder: "–", "aria-label": `Your own price: ${row.name}, ${row.unit}`,
        onchange: () => this.#read(box, problem, row),
        onkeydown: (event) => { if (event.key === "Escape") { box.value = box.shown; problem.hidden = true; } } });
      node.replaceChildren(box, problem);
    }
    box.shown = cell.text;
    if (document.activeElement !== box) box.value = cell.text;
    return undefined;
  }

  #read(box, problem, row) {
    const text = box.value.trim();
    const value = text === "" ? null : readNumber(text, {});
    const wrong = value !== null && !(value >= 0);
    problem.hidden = !wrong;
    box.toggleAttribute("aria-invalid", false);
    if (wrong) {
      box.setAttribute("aria-invalid", "true");
      setText(problem, `“${text}” is no price.`);
      return;
    }
    box.value = value === null ? "" : String(value);
    const { [row.id]: _, ...others } = this.app.values["finance.quotes"] || {};
    this.app.changed("finance.quotes", value === null ? others : { ...others, [row.id]: value });
  }
}
