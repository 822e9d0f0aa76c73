// The sample: rows by number, columns by name, pictures on demand. And small helpers to draw with.
const DATA = JSON.parse(document.getElementById("data").textContent);

const Corpus = (() => {
  const columns = {};
  for (const [name, column] of Object.entries(DATA.columns)) {
    columns[name] = Array.isArray(column)
      ? column
      : column.codes.map((code) => (code < 0 ? null : column.values[code]));
  }
  const count = columns.key.length;
  columns.aspect = columns.side.map((side, i) => (side ? columns.long_side[i] / side : null));
  const rows = Array.from({ length: count }, (_, i) => i);
  // Rows that stand for others: those of pairs that were not drawn stand for none.
  const drawn = rows.filter((i) => columns.stratum[i] !== null);
  const weight = rows.map((i) => {
    const stratum = DATA.strata[columns.stratum[i]];
    return stratum ? stratum.images / stratum.rows : 0;
  });

  const texts = {};
  function picture(sort, i) {
    const place = DATA.pictures[sort][i];
    if (!place) return null;
    if (!(sort in texts)) texts[sort] = document.getElementById(`pictures-${sort}`).textContent;
    return `data:image/webp;base64,${texts[sort].slice(place[0], place[1])}`;
  }

  const get = (name, i) => columns[name][i];
  return { columns, count, rows, drawn, weight, picture, get };
})();

const KINDS = ["general", "text_real", "document", "text_synth"];
const colour = (name) => `var(--${name})`;

// An element: make("a", {href: "#x", onclick: f}, "text", child, ...). SVG names go to `svg`.
function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
  return element;
}
const make = (tag, attributes, ...children) =>
  fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) =>
  fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

// A part of a drawing that can be chosen by mouse and keyboard.
function button(label, act, ...children) {
  return svg("g", {
    role: "button", tabindex: 0, "aria-label": label, onclick: act,
    onkeydown: (event) => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); act(event); }
    },
  }, svg("title", {}, label), ...children);
}

const whole = new Intl.NumberFormat("en");
const inWords = (n) => whole.format(Math.round(n));
function figure(value, digits = 3) {
  if (value === null || value === undefined) return "–";
  if (typeof value !== "number") return String(value);
  return Number.isInteger(value) ? whole.format(value) : String(Number(value.toPrecision(digits)));
}
const signed = (n) => (Math.round(n) === 0 ? "±0" : (n > 0 ? "+" : "−") + inWords(Math.abs(n)));

function legend(names) {
  return make("div", { class: "legend" }, names.map((name) =>
    make("span", {}, make("i", { style: `background:${colour(name)}` }), name)));
}
