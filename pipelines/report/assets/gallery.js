// The pictures of any part of the sample: filters, search, sorting, a page at a time.
const Gallery = (() => {
  const PAGE = 60;
  const { columns } = Corpus;
  const EMPTY = { fate: "", slug: "", kind: "", rung: "", source: "", phase: "", changed: "", text: "", sort: "draw" };
  let state = { ...EMPTY }, found = [], shown = 0;
  const form = document.getElementById("filters"), grid = document.getElementById("gallery");
  const without = document.getElementById("rows-without"), more = document.getElementById("more");
  const search = document.querySelector("#find input");

  const distinct = (name) => [...new Set(Corpus.drawn.map((i) => columns[name][i]))].filter((v) => v !== null).sort((a, b) => (a > b) - (a < b));
  function select(name, label, options) {
    const box = make("select", { name, onchange: () => show({ ...state, [name]: box.value }, false) },
      options.map(([value, text]) => make("option", { value }, text)));
    return make("label", {}, label, box);
  }
  const any = (name) => [["", "any"], ...distinct(name).map((v) => [String(v), String(v)])];

  // What a phase of the curriculum shows, by kind and rung.
  const PHASES = Object.fromEntries(DATA.phases.map((phase) => [phase.name, new Set(
    phase.points.flat().filter(([, , , share]) => share > 0).map(([kind, rung]) => `${kind} ${rung}`))]));

  function matches(i) {
    const is = (name) => !state[name] || String(columns[name][i]) === state[name];
    // "listed" is every kind that was not rendered, rejected images included.
    const kind = state.kind === "listed" ? columns.kind[i] !== "text_synth" : is("kind");
    if (!(kind && is("fate") && is("slug") && is("rung") && is("source"))) return false;
    if (state.phase && !(columns.fate[i] === "selected" && PHASES[state.phase].has(`${columns.kind[i]} ${columns.rung[i]}`))) return false;
    if (state.changed && !Trial.isChanged(i)) return false;
    if (!state.text) return true;
    const text = state.text.toLowerCase();
    return ["key", "member", "source", "uri", "slug", "why"].some((name) => (columns[name][i] || "").toLowerCase().includes(text));
  }
  const SORTS = {
    draw: ["by chance", (i) => columns.place[i]], clarity: ["least clear first", (i) => columns.clarity[i]],
    sharp: ["clearest first", (i) => -columns.clarity[i]], chars: ["densest text first", (i) => -columns.chars_per_mpx[i]],
    side: ["smallest first", (i) => columns.side[i]], large: ["largest first", (i) => -columns.side[i]],
  };

  function words(i) {
    if (columns.fate[i] !== "selected") return columns.slug[i];
    if (columns.kind[i] === "text_synth") return `${columns.language[i]} ${columns.size_band[i]} px`;
    if (columns.kind[i] === "general") return columns.clarity[i] === null ? columns.kind[i] : `clarity ${figure(columns.clarity[i], 2)}`;
    return columns.chars_per_mpx[i] === null ? columns.kind[i] : `${figure(Math.round(columns.chars_per_mpx[i]))} chars/Mpx`;
  }

  function page() {
    const next = found.slice(shown, shown + PAGE);
    shown += next.length;
    const rejected = next.filter((i) => columns.fate[i] === "rejected");
    grid.append(...next.filter((i) => columns.fate[i] !== "rejected").map((i) => {
      const tile = Tile.make(i, { list: found, words: words(i) });
      if (Trial.isChanged(i)) tile.firstChild.append(make("span", { class: Trial.slug[i] ? "badge out" : "badge" }, Trial.slug[i] || `passes: ${Trial.kind[i]}`));
      return tile;
    }));
    if (rejected.length) {
      if (!without.firstChild) {
        without.append(make("table", {}, make("caption", {}, "Rejected: not decoded, so without a picture"),
          make("thead", {}, make("tr", {}, ["reason", "source", "member", "why"].map((h) => make("th", { scope: "col" }, h)))), make("tbody")));
      }
      without.querySelector("tbody").append(...rejected.map((i) => make("tr", { "data-row": i },
        ["slug", "source", "member", "why"].map((name) => make("td", {}, columns[name][i])))));
    }
    more.hidden = shown >= found.length;
  }

  function show(wanted, scroll = true) {
    state = { ...EMPTY, ...wanted };
    for (const box of form.elements) if (box.name in state) box.value = state[box.name];
    search.value = state.text;
    const key = SORTS[state.sort][1];
    const value = (i) => { const v = key(i); return v === null || Number.isNaN(v) ? Infinity : v; };
    found = (state.text ? Corpus.rows : Corpus.drawn).filter(matches).sort((a, b) => value(a) - value(b) || a - b);
    const sum = found.reduce((s, i) => s + Corpus.weight[i], 0);
    document.getElementById("found").textContent = Math.round(sum) > found.length
      ? `${inWords(found.length)} rows of the sample, which stand for about ${inWords(sum)} images`
      : `${inWords(found.length)} images`;
    grid.replaceChildren(); without.replaceChildren(); shown = 0;
    page();
    if (scroll) document.getElementById("pictures").scrollIntoView();
  }

  function start() {
    form.append(
      select("fate", "became", [["", "any"], ["selected", "kept"], ["dropped", "dropped"], ["rejected", "rejected"]]),
      select("slug", "reason", any("slug")), select("kind", "kind", [["", "any"], ["listed", "all but rendered"], ...any("kind").slice(1)]), select("rung", "rung", any("rung")),
      select("source", "source", any("source")),
      select("phase", "phase", [["", "any"], ...Object.keys(PHASES).map((name) => [name, name])]),
      select("changed", "trial", [["", "any"], ["yes", "changed only"]]),
      select("sort", "order", Object.entries(SORTS).map(([name, [text]]) => [name, text])),
      make("button", { type: "button", class: "plain", onclick: () => show({}, false) }, "Clear"));
    form.addEventListener("submit", (event) => event.preventDefault());
    document.getElementById("find").addEventListener("submit", (event) => { event.preventDefault(); show({ text: search.value.trim() }); });
    let wait = 0;
    search.addEventListener("input", () => { clearTimeout(wait); wait = setTimeout(() => show({ text: search.value.trim() }, false), 200); });
    more.addEventListener("click", page);
    for (const link of document.querySelectorAll("[data-show]")) link.addEventListener("click", () => show(JSON.parse(link.dataset.show)));
    Trial.onChange(() => { if (state.changed) show(state, false); });
    show({}, false);
  }
  return { start, show };
})();
