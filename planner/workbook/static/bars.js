// ---------------------------------------------------------------- bars as a table

/** Draws bars that follow on each other as a real table: a fraction of plotly's time at every
    slider step, sharp at any size, and a screen reader can walk it. Saving still uses plotly. */
class BarTable extends Chart {
  constructor(def, app) {
    super(def, app);
    this.plot.removeAttribute("role");
    this.plot.style.height = "auto";
    this.plot.style.minHeight = `${def.height}px`;
    this.light = true;
  }

  async paint() {
    this.dirty = false;
    this.drawn = true;
    const { data, layout } = this.spec;
    const labels = JSON.stringify(data.map((trace) => trace.y));
    if (labels !== this.labels) this.#build(data);
    this.labels = labels;
    data.forEach((trace, group) => this.#group(trace, layout, group));
  }

  #build(data) {
    this.groups = data.map((trace) => {
      const head = h("th", { scope: "rowgroup", colspan: 2 });
      const rows = trace.y.map((label) => {
        const bar = h("span", { class: "pl-bar" });
        const value = h("span", { class: "pl-bar-value" });
        const limit = h("span", { class: "pl-bar-limit" });
        const words = trace.customdata && h("small"); // what the bar stands for, from what to what
        return { bar, value, limit, words, node: h("tr", {}, h("th", { scope: "row", text: label }, words), h("td", {}, limit, bar, value)) };
      });
      return { head, rows, node: h("tbody", {}, h("tr", {}, head), ...rows.map((row) => row.node)) };
    });
    this.plot.replaceChildren(h("table", { class: "pl-bars" }, h("caption", { class: "pl-hidden", text: this.def.title }), h("colgroup", {}, h("col", { class: "pl-bars-names" }), h("col")), ...this.groups.map((group) => group.node)));
  }

  #group(trace, layout, at) {
    const { head, rows } = this.groups[at];
    const [from, end] = layout[trace.xaxis.replace("x", "xaxis")].range;
    const line = layout.shapes.find((shape) => shape.xref === trace.xaxis);
    const width = (value) => `${((100 * value) / (end - from)).toFixed(2)}%`;
    const share = (value) => width(value - from);
    const [, strong, rest] = /^<b>(.*)<\/b>(.*)$/.exec(layout.annotations[at].text);
    if (head.textContent !== strong + rest) head.replaceChildren(h("strong", { text: strong }), rest);
    rows.forEach(({ bar, value, limit, words }, i) => {
      const [start, size] = [trace.base[i], trace.x[i]];
      Object.assign(bar.style, { left: share(start), width: width(size), background: trace.marker.color[i] });
      // Where there is no room to the right of a bar, its number stands to the left.
      const before = start + size > 0.78 * end && start > 0.25 * end;
      Object.assign(value.style, before ? { left: "auto", right: width(end - start) } : { left: share(start + size), right: "auto" });
      setText(value, trace.text[i]);
      limit.hidden = !line;
      if (line) Object.assign(limit.style, { left: share(line.x0), background: line.line.color });
      if (words) setText(words, trace.customdata[i]);
    });
  }
}
