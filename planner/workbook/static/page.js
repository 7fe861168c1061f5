// The whole dashboard as one anywidget: controls, headlines, charts. One module in ten
// files, joined in this order: page, wire, controls, rows, results, map, bars, tables, on_demand, app.
// The kernel does all arithmetic and sends frames; the page only shows them.
// Everything that comes from the kernel or the user reaches the page through
// textContent or attributes, never as markup.

const PRODUCT = "AI planning workbook";
const MAX_UPLOAD_BYTES = 2 * 1024 * 1024;
const MAX_LOG_BYTES = 8e6; // a message of more than 10 MB would close the connection
const QUIET_AFTER_MS = 10_000; // "still working"
const LOST_AFTER_MS = 40_000; // nothing heard at all
const BASIS_SHAPES = { measured: "●", interpolated: "◐", derived: "◇", "vendor claim": "△", assumed: "○" };
const TONE_SHAPES = { good: "✓", warn: "!", bad: "✕" };
const LOST = "The connection to the workbook is lost; reload to go on. Your link still opens this plan.";

// ---------------------------------------------------------------- page helpers

/** An element: h("p", {class: "x", text: "...", onclick: f}, child, ...). */
function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "text") node.textContent = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter(Boolean));
  return node;
}

/** A 16 px line icon from one SVG path. */
function icon(path) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  for (const [k, v] of Object.entries({ viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true", class: "pl-icon" }))
    svg.setAttribute(k, v);
  const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

const ICONS = {
  undo: "M6 3 2.5 6.5 6 10M3 6.5h6.5a4 4 0 0 1 0 8H7",
  redo: "M10 3l3.5 3.5L10 10M13 6.5H6.5a4 4 0 0 0 0 8H9",
  reset: "M13.5 8A5.5 5.5 0 1 1 11.7 4M12.5 1.5V4.5H9.5",
  link: "M6.5 9.5l3-3M7 4.5l1.2-1.2a3 3 0 0 1 4.3 4.3L11 9M9 11.5l-1.2 1.2a3 3 0 0 1-4.3-4.3L5 7",
  down: "M8 2v8.5M4.5 7.5 8 11l3.5-3.5M2.5 13.5h11",
  up: "M8 11V2.5M4.5 6 8 2.5 11.5 6M2.5 13.5h11",
  theme: "M8 1.8a6.2 6.2 0 1 0 0 12.4zM8 1.8a6.2 6.2 0 0 1 0 12.4",
  close: "M3.5 3.5l9 9M12.5 3.5l-9 9",
  picture: "M2 3h12v10H2zM2 11l3.5-3.5 3 3L11 8l3 3M5.5 6a.5.5 0 1 0 0-.1",
};

let serial = 0;
const freshId = () => `pl-${++serial}`;
const setText = (node, text) => { if (node.textContent !== text) node.textContent = text; };
const sameValue = (a, b) => a === b || (a !== null && b !== null && String(a) === String(b));
const teamClass = (team) => `pl-team-${String(team || "both").replace(/\W+/g, "-")}`;

/** A team's word with its coloured square; never colour alone. */
const teamTag = (team) => h("span", { class: `pl-tag ${teamClass(team)}`, text: team === "both" ? "both teams" : team });

function basisBadge(basis) {
  const badge = h("span", { class: "pl-basis", title: "How this number is known" });
  fillBasis(badge, basis);
  return badge;
}
function fillBasis(badge, basis) {
  badge.hidden = !basis;
  if (basis) setText(badge, `${BASIS_SHAPES[basis] || "○"} ${basis}`);
  badge.dataset.basis = basis || "";
}

/** localStorage may be forbidden; then the choice lasts until the page closes. */
const storage = {
  get(key) { try { return localStorage.getItem(key); } catch { return null; } },
  set(key, value) { try { localStorage.setItem(key, value); } catch { /* forbidden */ } },
};

const inVoila = () => document.body.dataset.voila === "voila";

/** The next animation frame, or soon when the tab is hidden and has none. */
function nextFrame(callback) {
  if (document.hidden) setTimeout(callback, 30);
  else requestAnimationFrame(callback);
}

// ---------------------------------------------------------------- numbers

const SUFFIXES = [[1e12, "T"], [1e9, "B"], [1e6, "M"]];
const plainNumber = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 6 });
const SHOWN_TIMES = { percent: 100, milliseconds: 1000, minutes: 1 / 60, terabytes: 1e-12 }; // of a fraction, of seconds, of bytes
const MULTIPLIERS = { k: 1e3, m: 1e6, g: 1e9, b: 1e9, t: 1e12 };

/** A number as people type it: 4096 -> "4,096", 7e10 -> "70B", 0.9 -> "90" in percent. */
function showNumber(value, control) {
  if (value === null || value === undefined || value === "") return "";
  if (typeof value !== "number") return String(value);
  if (control.format in SHOWN_TIMES) return plainNumber.format(value * SHOWN_TIMES[control.format]);
  for (const [size, letter] of SUFFIXES)
    if (Math.abs(value) >= size) return `${Number((value / size).toPrecision(4))}${letter}`;
  return plainNumber.format(value);
}

/** The number in "32k", "70b", "1,024", "90 %"; NaN when there is none. */
function readNumber(text, control) {
  const match = /^([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*([kmgbt]?)\s*(%?)$/i.exec(text.trim().replace(/[,_'\s](?=\d)/g, ""));
  if (!match) return NaN;
  const value = Number(match[1]) * (MULTIPLIERS[match[2].toLowerCase()] || 1);
  return match[3] ? value / 100 : value / (SHOWN_TIMES[control.format] || 1);
}

/** Maps a slider's native range to values and back; logarithmic ranges run 0..1000. */
function sliderScale(control) {
  const { min, max, step = 0, ticks = [] } = control;
  const digits = step > 0 ? Math.max(0, Math.ceil(-Math.log10(step) - 1e-9)) : 12;
  const clamp = (v) => Math.min(max, Math.max(min, v));
  if (!String(control.scale || "linear").includes("log"))
    return {
      range: { min, max, step: step || "any" },
      toValue: (p) => Number(clamp(Number(p)).toFixed(digits)),
      toRange: (v) => clamp(v),
    };
  const low = min > 0 ? min : step || 1; // zero sits below the first logarithmic step
  const toRange = (v) => (v <= low ? (v < low ? 0 : min > 0 ? 0 : 1) : 1000 * Math.log(clamp(v) / low) / Math.log(max / low));
  const whole = control.scale === "integer log";
  const toValue = (position) => {
    const p = Number(position);
    if (p <= 0) return min;
    if (p >= 1000) return max;
    const near = ticks.find((t) => Math.abs(toRange(t) - p) < 8);
    if (near !== undefined) return near;
    const raw = low * (max / low) ** (p / 1000);
    const round = Number(raw.toPrecision(raw < 1000 ? 3 : 2));
    return clamp(whole ? Math.max(1, Math.round(round)) : step >= 1 ? Math.round(round / step) * step : round);
  };
  return { range: { min: 0, max: 1000, step: 1 }, toValue, toRange, log: true };
}
