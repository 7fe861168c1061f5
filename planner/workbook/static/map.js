// ---------------------------------------------------------------- a heatmap as a table

/** Draws a heatmap with words as a real table: a fraction of plotly's time at every slider
    step, sharp at any size, and a screen reader can walk it. Saving still uses plotly. */
class MapTable extends Chart {
  constructor(def, app) {
    super(def, app);
    this.plot.removeAttribute("role");
    this.plot.classList.add("pl-map-table");
    this.plot.style.height = "auto";
    this.light = true;
    this.plot.addEventListener("click", (event) => this.#choose(event.target.closest("td")));
  }

  async paint() {
    this.dirty = false;
    this.drawn = true;
    const [trace] = this.spec.data;
    const labels = JSON.stringify([trace.x, trace.y]);
    if (labels !== this.labels) this.#build(trace);
    this.labels = labels;
    const [frame] = this.spec.layout.shapes;
    const [row, column] = [Math.round((frame.y0 + frame.y1) / 2), Math.round((frame.x0 + frame.x1) / 2)];
    this.cells.forEach((line, y) => line.forEach((cell, x) => {
      setText(cell, trace.text[y][x]);
      const value = trace.z[y][x];
      const heat = value === null ? "" : String((value - trace.zmin) / (trace.zmax - trace.zmin));
      if (cell.dataset.heat !== heat) { cell.dataset.heat = heat; cell.style.setProperty("--heat", heat || "0"); }
      const chosen = y === row && x === column;
      if (chosen !== cell.hasAttribute("aria-current")) cell.toggleAttribute("aria-current", chosen);
    }));
  }

  #build(trace) {
    const head = (scope, text) => h("th", { scope, text: text.replaceAll("<br>", " ") });
    this.cells = trace.y.map((_, y) => trace.x.map((_, x) => {
      const [gpu, precision] = trace.customdata[y][x];
      return h("td", { "data-gpu": gpu, "data-precision": precision, title: `Choose ${trace.y[y]}, ${trace.x[x].replaceAll("<br>", " ")}` });
    }));
    this.plot.replaceChildren(h("table", { class: "pl-grid" },
      h("caption", { class: "pl-hidden", text: this.def.title }),
      h("thead", {}, h("tr", {}, h("td"), ...trace.x.map((text) => head("col", text)))),
      h("tbody", {}, ...trace.y.map((text, y) => h("tr", {}, head("row", text), ...this.cells[y])))));
  }

  /** A click takes the GPU and the precision of the cell; the controls do the same by keyboard. */
  #choose(cell) {
    if (!cell?.dataset.gpu) return;
    this.app.changed("deployment.gpu", cell.dataset.gpu);
    this.app.changed("deployment.weight_precision", cell.dataset.precision);
  }
}
