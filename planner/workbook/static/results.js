// ---------------------------------------------------------------- headlines

class Headline {
  constructor(id, app) {
    this.title = h("h3", { class: "pl-headline-title" });
    this.value = h("span", { class: "pl-value" });
    this.unit = h("span", { class: "pl-value-unit" });
    this.text = h("p", { class: "pl-headline-text" });
    this.tone = h("span", { class: "pl-tone", "aria-hidden": "true" });
    this.tag = h("span", { class: "pl-tag" });
    this.basis = h("span", { class: "pl-basis", title: "How this number is known" });
    this.why = h("button", { type: "button", class: "pl-why-button", text: "Why?", "aria-haspopup": "dialog", onclick: () => app.why.open(this.term, this.why) });
    this.top = h("div", { class: "pl-headline-top" }, this.tone, h("p", { class: "pl-value-line" }, this.value, this.unit));
    this.node = h("li", { class: "pl-headline", "data-headline": id },
      h("div", { class: "pl-headline-head" }, this.title, this.tag, this.why), this.top, this.text, this.basis);
  }
  show(item) {
    setText(this.title, item.title || "");
    setText(this.value, String(item.value ?? ""));
    setText(this.unit, item.unit || "");
    setText(this.text, item.text || "");
    setText(this.tone, TONE_SHAPES[item.tone] || "");
    this.node.dataset.tone = item.tone || "plain";
    // A card without a number speaks to one team, and says which.
    const words = item.value === "" || item.value === undefined;
    this.top.hidden = words;
    this.node.classList.toggle("pl-words", words);
    this.tag.hidden = !words;
    this.title.hidden = words;
    this.tag.className = `pl-tag ${teamClass(item.audience)}`;
    setText(this.tag, item.audience || "");
    fillBasis(this.basis, item.basis);
    this.why.hidden = !item.why;
    this.term = item.why;
    this.why.setAttribute("aria-label", `Why? ${item.title || ""}: ${item.value} ${item.unit || ""}`.trim());
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
    const axis = { ...layout[name] };
    // Upright names need room; on a phone they lean.
    if (axis.tickangle === 0 && size.width < 420) Object.assign(axis, { tickangle: -50, automargin: true });
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
    Object.assign(this, { def, app, near: false, visible: false, dirty: false, size: null, drawn: false });
    const titleId = freshId();
    this.plot = h("div", { class: "pl-plot", role: "img", style: `height:${def.height || 260}px`, "aria-label": def.title });
    this.caption = h("figcaption", { class: "pl-caption" });
    this.key = h("ul", { class: "pl-key", hidden: true });
    const save = h("button", { type: "button", class: "pl-icon-button pl-save", title: "Save picture", "aria-label": `Save picture of ${def.title}`, onclick: () => this.save() }, icon(ICONS.picture));
    this.node = h("figure", { class: `pl-chart${def.wide ? " pl-wide" : ""}`, "data-chart": def.id, "aria-labelledby": titleId },
      h("div", { class: "pl-chart-head" }, h("h3", { id: titleId, text: def.title }), def.lead && h("p", { class: "pl-chart-lead", text: def.lead, title: def.lead }), save), this.key, this.plot, this.caption);
    app.sizes.observe(this.plot);
    app.nears.observe(this.node);
    app.sights.observe(this.plot);
    this.plot.chart = this.node.chart = this;
  }

  accept(spec) {
    this.spec = spec;
    this.dirty = true;
    const tall = spec.layout?.height; // a picture that grows with what it shows
    if (tall) this.plot.style.height = `${tall}px`;
    setText(this.caption, spec.caption || "");
    this.showKey(spec.layout?.meta?.key);
    this.plot.setAttribute("aria-label", spec.caption || this.def.title);
  }

  /** What stands for what, as a list that flows with the page; plotly's own legend stays out. */
  showKey(entries) {
    this.key.hidden = !entries?.length;
    const now = JSON.stringify(entries || []);
    if (now === this.keyed) return;
    this.keyed = now;
    this.key.replaceChildren(...(entries || []).map((one) => h("li", {},
      h("span", { class: "pl-key-box", style: `--key: ${one.colour}`, "data-pattern": one.pattern, "aria-hidden": "true" }), one.text)));
  }

  /** True when something new can soon be seen: charts farther off wait. */
  get due() { return Boolean(this.dirty && this.spec && this.near && this.size?.width > 40); }

  async paint(Plotly, theme) {
    this.dirty = false;
    const { data, layout } = this.figureOnPage(theme);
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

  /** As on the page: a key of the page's own takes the place of the legend. */
  figureOnPage(theme) {
    const figure = this.figure(theme, this.size);
    if (this.spec.layout?.meta?.key) {
      figure.layout.showlegend = false;
      figure.layout.margin.t = Math.min(figure.layout.margin.t, 12);
    }
    return figure;
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
    Object.assign(this, { id, trigger, trail: [] });
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
  /** An input has its own why; Back returns to the number that asked. */
  #follow(id) {
    this.trail.push(this.id);
    this.id = id;
    this.refresh();
    this.title.focus();
  }
  #back() {
    this.id = this.trail.pop();
    this.refresh();
    this.title.focus();
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
    const name = (i) => (i.why ? h("button", { type: "button", class: "pl-why-button", text: i.name, onclick: () => this.#follow(i.why) }) : i.name);
    this.body.replaceChildren(...[
      this.trail.length > 0 && h("button", { type: "button", class: "pl-why-button pl-why-back", text: "Back", onclick: () => this.#back() }),
      reply.value !== undefined && h("p", { class: "pl-why-value", text: String(reply.value) }),
      reply.formula && part("Formula", h("pre", { text: reply.formula })),
      reply.worked && part("With this plan's numbers", h("pre", { text: reply.worked })),
      reply.note && h("p", { text: reply.note }),
      reply.inputs?.length && part("Inputs", table(["Input", "Value", "Source", "Basis"], reply.inputs.map((i) => [name(i), String(i.value ?? ""), source(i), basisBadge(i.basis)]))),
      reply.terms?.length && part("In both teams' words", h("dl", { class: "pl-terms" }, ...reply.terms.flatMap(termWords))),
    ].filter(Boolean));
  }
}

/** One glossary term in the words of both teams. */
function termWords(term) {
  return [
    h("dt", { text: term.name }),
    h("dd", {}, teamTag("data science"), h("p", { text: term.data_science })),
    h("dd", {}, teamTag("infrastructure"), h("p", { text: term.infrastructure })),
  ];
}
