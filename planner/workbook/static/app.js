// ---------------------------------------------------------------- the dashboard

const CHART_KINDS = { table: MapTable, bars: BarTable, stack: StackTable, data: DataTable, prices: PriceTable };
const REST_MS = 200; // after so long without a step, charts just out of sight are drawn too

class App {
  constructor(model, root) {
    Object.assign(this, { model, root, page: model.get("page") || {}, values: {}, query: "", painted: -1, openSeq: 0, waiting: null, fresh: new Set(), controls: new Map(), headlines: new Map(), charts: new Map(), panels: new Map() });
    this.sizes = new ResizeObserver((entries) => this.#resized(entries));
    this.nears = new IntersectionObserver((entries) => this.#sighted(entries, "near"), { rootMargin: "300px" });
    this.sights = new IntersectionObserver((entries) => this.#sighted(entries, "visible"));
    this.wire = new Wire(model, {
      frame: (frame) => this.receive(frame),
      reply: (reply, buffers) => this.#reply(reply, buffers),
      quiet: (on) => { this.status.working.hidden = !on; },
      lost: (on) => this.#lost(on),
      seen: () => [...this.charts.values()].filter((chart) => chart.visible || (chart.light && chart.near)).map((chart) => chart.def.id),
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
    this.nears.disconnect();
    this.sights.disconnect();
    this.unlisten.abort();
    for (const chart of this.charts.values()) if (chart.drawn && chart.plot.data) window.Plotly?.purge(chart.plot);
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
    this.fresh = new Set(frame.fresh || []);
    this.behind = Boolean(frame.behind);
    for (const [id, panel] of this.panels) panel.frame(this.fresh.has(id), frame.files);
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

  /** Charts in sight at once; those near it when the sliders rest. */
  #paintCharts() {
    if (!this.plotly) return Promise.resolve();
    clearTimeout(this.resting);
    const all = [...this.charts.values()];
    const due = all.filter((chart) => chart.due && (chart.visible || chart.light));
    const later = all.filter((chart) => chart.due && !due.includes(chart));
    const behind = later.length > 0 || this.behind;
    this.root.toggleAttribute("data-behind", behind);
    const rest = () => {
      if (this.wire.flight) return (this.resting = setTimeout(rest, REST_MS)); // a step is under way
      this.root.toggleAttribute("data-behind", this.behind);
      if (this.behind) this.wire.ask("rest");
      for (const chart of later) if (chart.due) chart.paint(this.plotly, this.theme());
      return undefined;
    };
    if (behind) this.resting = setTimeout(rest, REST_MS);
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
        if (control.receive) { control.receive(this.values[path] || [], frame.rows?.[path], failed ? frame.error : null); if (failed) control.node.closest("details")?.setAttribute("open", ""); continue; }
        if (!failed && path in this.values) control.update(this.values[path]);
        if (failed) control.node.closest("details")?.setAttribute("open", "");
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
    this.headlineList.dataset.count = items.length;
    this.headlineList.toggleAttribute("data-many", items.length > 9);
    while (this.headlineList.children.length > items.length) this.headlineList.lastChild.remove();
    setText(this.strip, items.slice(0, 3).map((i) => [i.value, i.unit].filter(Boolean).join(" ")).join("  ·  "));
    clearTimeout(this.speaking); // say it once the numbers rest, not at every step of a drag
    this.speaking = setTimeout(() => setText(this.spoken, items.map((i) => `${i.title || i.audience || ""}: ${i.value} ${i.unit || ""} ${i.text || ""}`).join(" ")), 1200);
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
    else if (reply.kind === "simulation" || reply.kind === "served") this.panels.get(reply.kind)?.show(reply);
    else if (reply.kind === "job") this.panels.get(reply.id)?.show(reply);
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
      const most = what === "log" ? MAX_LOG_BYTES : MAX_UPLOAD_BYTES;
      if (file.size > most) return fail(`“${file.name}” is larger than ${Math.floor(most / 1e6)} MB; choose a smaller file.`);
      const content = what === "log" ? { bytes: await file.arrayBuffer() } : { text: await file.text() };
      this.wire.ask("upload", { what, name: file.name, ...content, ...extra });
    });
    input.click();
  }

  async copyLink() {
    if (!this.query) return this.notice("This plan is too large for a link; download it as a file instead.");
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

  #sighted(entries, what) {
    for (const entry of entries) entry.target.chart[what] = entry.isIntersecting;
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
    for (const def of page.charts || []) this.charts.set(def.id, new (CHART_KINDS[def.kind] || Chart)(def, this));
    for (const def of page.panels || []) this.panels.set(def.id, new PANELS[def.id](def, this));
    const charts = this.charts.size ? h("div", { class: "pl-charts" }, ...[...(page.charts || []).map((def) => this.charts.get(def.id)), ...this.panels.values()].map((c) => c.node)) : null;
    const intro = h("div", { class: "pl-intro" }, h("h1", { text: page.title || "" }), page.lead && h("p", { class: "pl-lead", text: page.lead }));
    const start = page.kind === "start";
    const results = [this.lastGood, this.headlineList, this.spoken];
    const main = start
      ? [intro, this.#map(), this.#examples(), h("h2", { class: "pl-h2", text: "The shared scenario" }), this.#controls(true), h("h2", { class: "pl-h2", text: "What it comes to" }), h("div", { class: "pl-results" }, ...results), charts]
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
      ...this.page.links.map((link) => h("a", { href: link.href, "data-href": link.href, "aria-current": link.current ? "page" : null, title: `${link.title} ${link.lead}`, text: link.tab })));
  }

  #map() {
    const cards = (this.page.links || []).filter((link) => !link.current).map((link) => {
      const inside = [h("strong", { text: link.title }), h("span", { text: link.lead || "" })];
      return h("li", {}, inVoila() ? h("a", { class: "pl-card", href: link.href, "data-href": link.href }, ...inside) : h("div", { class: "pl-card" }, ...inside));
    });
    return h("nav", { "aria-label": "Map of the workbook" }, h("ul", { class: "pl-map" }, ...cards));
  }

  /** Buttons that open a shipped example in the scenario card. */
  #examples() {
    if (!this.page.examples?.length) return null;
    const buttons = this.page.examples.map((one) => h("button", { type: "button", class: "pl-button", title: one.lead, text: one.title, onclick: () => this.wire.ask("example", { name: one.name }) }));
    return h("div", { class: "pl-examples", role: "group", "aria-label": "Start from an example" }, h("span", { class: "pl-label", text: "Start from" }), ...buttons);
  }

  #status() {
    const line = (name, role) => (this.status[name] = h("p", { class: `pl-status pl-status-${name}`, role, hidden: true }));
    this.status = {};
    const node = h("div", { class: "pl-statuses" }, line("lost", "alert"), line("error", "alert"), line("notice", "status"), line("working", "status"));
    this.status.working.textContent = "Still working…";
    return node;
  }

  /** One control in a section of a team, kept so that every frame reaches it. */
  control(def, team) {
    const Kind = CONTROLS[def.kind] || TextControl;
    const control = new Kind({ team, ...def }, this).mount();
    if (def.team && def.team !== team) control.node.firstChild.append(teamTag(def.team));
    control.node.classList.toggle("pl-half", Boolean(def.half));
    this.controls.set(def.path, [...(this.controls.get(def.path) || []), control]);
    return control;
  }

  #controls(open) {
    // A phone shows what data science asks for; the rest opens with a tap.
    const narrow = innerWidth < 620;
    const section = (def, index) => {
      const controls = (def.controls || []).map((c) => this.control(c, def.team).node);
      return h("details", { class: `pl-section ${teamClass(def.team)}`, open: !def.collapsed && (open || !narrow || index < 2) }, h("summary", {}, h("h2", { text: def.title }), teamTag(def.team)), h("div", { class: "pl-section-body" }, ...controls));
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
