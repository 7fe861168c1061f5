// ---------------------------------------------------------------- a page to read

/** Words, tables and pictures in order; charts are drawn when they come into sight. */
class Report {
  constructor(model, root) {
    Object.assign(this, { model, root, charts: [] });
    const content = model.get("content");
    this.wire = { tell: (kind) => model.send({ kind, seq: 1 }) };
    this.receive = (reply, buffers) => { if (reply.kind === "plotly") this.onPlotly?.(buffers[0]); };
    model.on("msg:custom", this.receive);
    root.classList.add("planner", "pl-report");
    root.dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    const scenario = new URLSearchParams(location.search).get("s"); // the plan goes along to the next page
    const query = scenario ? `?s=${encodeURIComponent(scenario)}` : "";
    root.append(
      h("nav", { class: "pl-report-links", "aria-label": "Workbook" }, ...content.links.map((one) => h("a", { href: one.href + query, text: one.title, title: one.lead, "aria-current": one.current ? "page" : null }))),
      h("h1", { text: content.title }),
      h("p", { class: "pl-report-lead", text: content.lead }),
      ...content.blocks.map((block) => this.#block(block)),
    );
    this.sights = new IntersectionObserver((entries) => entries.forEach((entry) => { if (entry.isIntersecting) this.#draw(entry.target); }), { rootMargin: "300px" });
    this.sizes = new ResizeObserver((entries) => entries.forEach((entry) => { if (entry.target.data) window.Plotly.Plots.resize(entry.target); }));
    for (const plot of this.charts) { this.sights.observe(plot); this.sizes.observe(plot); }
  }

  destroy() {
    this.sights.disconnect();
    this.sizes.disconnect();
    this.model.off("msg:custom", this.receive);
    for (const plot of this.charts) if (plot.data) window.Plotly?.purge(plot);
  }

  #block(block) {
    const parts = [h("p", { text: block.text })];
    if (block.figure) {
      const plot = h("div", { class: "pl-report-plot", role: "img", "aria-label": block.title });
      plot.spec = block.figure;
      this.charts.push(plot);
      parts.push(plot);
    }
    if (block.rows.length) parts.push(this.#table(block));
    if (!block.folded) return h("section", {}, h("h2", { text: block.title }), ...parts);
    return h("section", {}, h("details", {}, h("summary", {}, h("h2", { text: block.title })), ...parts));
  }

  #table(block) {
    const head = h("tr", {}, ...block.header.map((text) => h("th", { scope: "col", text })));
    const number = (text) => text.length < 20 && /^[-+≈$]?[\d.,]+/.test(text); // a sentence may begin with one, too
    const body = block.rows.map((row) => h("tr", {}, ...row.map((text, at) => h(at ? "td" : "th", { text, scope: at ? null : "row", "data-head": at ? block.header[at] : null, class: number(text) ? "pl-number" : null }))));
    return h("div", { class: block.stacked ? "pl-report-table pl-stacked" : "pl-report-table", tabindex: "0", role: "region", "aria-label": block.title }, h("table", {}, h("thead", {}, head), h("tbody", {}, ...body)));
  }

  async #draw(plot) {
    if (plot.drawn) return;
    plot.drawn = true;
    const Plotly = await loadPlotly(this);
    const theme = chartTheme(this.root);
    const axis = { gridcolor: theme.grid, linecolor: theme.line, zeroline: false };
    const { layout } = plot.spec;
    const paper = { paper_bgcolor: "transparent", plot_bgcolor: "transparent", autosize: true, font: { family: theme.font, color: theme.ink, size: 12 } };
    await Plotly.newPlot(plot, plot.spec.data, { ...layout, ...paper, xaxis: { ...axis, ...layout.xaxis }, yaxis: { ...axis, ...layout.yaxis } }, { displayModeBar: false, responsive: false });
  }
}

export default {
  render({ model, el }) {
    const root = h("div");
    el.append(root);
    const report = new Report(model, root);
    return () => report.destroy();
  },
};
