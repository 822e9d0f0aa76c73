// Models by metrics, a table per set; a click on a head sorts by it, best first, then turned.
// Below it what the means do not tell, and the differences of models.
const Tables = (() => {
  function table(part) {
    const metrics = DATA.metrics.filter((m) => part.models.some((model) => m.name in model.cells));
    const columns = [
      { title: "model", get: (model) => model.name, better: -1 },
      { title: "pictures", get: (model) => model.measured, better: 1 },
      ...metrics.map((m) => ({
        title: `${m.title} ${m.better > 0 ? "↑" : "↓"}`, about: m.about, metric: m.name,
        better: m.better, get: (model) => number(model.values[m.name]),
      })),
    ];
    const best = {};
    for (const m of metrics) {
      const values = part.models.map((x) => number(x.values[m.name])).filter((v) => v !== null);
      best[m.name] = m.better > 0 ? Math.max(...values) : Math.min(...values);
    }
    const lines = part.models.map((model) => ({ model, element: line(model, columns, best) }));
    const body = make("tbody", {}, lines.map(({ element }) => element));
    const heads = columns.map((column) => {
      const button = make("button", { type: "button", title: column.about }, column.title);
      const head = make("th", { scope: "col", "aria-sort": "none" }, button);
      let turned = true;
      button.addEventListener("click", () => {
        turned = head.getAttribute("aria-sort") !== "none" && !turned;
        for (const other of heads) other.setAttribute("aria-sort", "none");
        const up = (turned ? column.better : -column.better) > 0;
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const value = ({ model }) => column.get(model);
        lines.sort((a, b) => compare(value(a), value(b), column.better, turned));
        body.append(...lines.map(({ element }) => element));
      });
      return head;
    });
    return make("table", { "aria-label": part.name },
      make("thead", {}, make("tr", {}, heads)), body);
  }

  function line(model, columns, best) {
    const cells = columns.slice(2).map(({ metric }) => {
      const [, mean, interval] = /^(.*?)( \[.*)?$/.exec(model.cells[metric] ?? "–");
      const first = number(model.values[metric]) === best[metric];
      return make("td", { class: first ? "n best" : "n" }, mean,
        interval ? make("small", {}, interval) : null);
    });
    const count = model.measured === model.pictures
      ? `${model.measured}` : `${model.measured} of ${model.pictures}`;
    return make("tr", { "data-model": model.name }, make("th", { scope: "row" }, model.name),
      make("td", { class: "n" }, count), cells);
  }

  // Differences over the same pictures: their intervals tell more than two intervals of means.
  function paired(part) {
    const metrics = DATA.metrics.filter((m) => part.differences.some((d) => d.metric === m.name));
    const pairs = new Map();
    for (const entry of part.differences) {
      const key = JSON.stringify([entry.a, entry.b]);
      pairs.set(key, { ...pairs.get(key), [entry.metric]: entry });
    }
    const cell = (metric, entry) => {
      if (!entry || entry.mean === null) return make("td", { class: "n" }, "–");
      const signed = (value) => (value > 0 ? "+" : "") + told(metric, value);
      const sure = entry.low !== null && entry.low * entry.high > 0;
      return make("td", { class: sure ? "n best" : "n" }, signed(entry.mean),
        entry.low === null ? null
          : make("small", {}, ` [${told(metric, entry.low)}, ${told(metric, entry.high)}]`));
    };
    return make("details", { class: "paired" }, make("summary", {}, "paired differences"),
      make("p", { class: "quiet" }, "Mean of a − b over pictures that both have; bold where the",
        " interval leaves out zero. Pairs with an infinite PSNR are left out."),
      make("div", { class: "scroll" }, make("table", { "aria-label": `differences, ${part.name}` },
        make("thead", {}, make("tr", {}, ["a − b", ...metrics.map((m) => m.title)].map((title) =>
          make("th", { scope: "col" }, title)))),
        make("tbody", {}, [...pairs].map(([key, found]) => make("tr", {},
          make("th", { scope: "row" }, JSON.parse(key).join(" − ")),
          metrics.map((m) => cell(m.name, found[m.name]))))))));
  }

  function start() {
    for (const part of DATA.sets) {
      byId("tables").append(make("h2", {}, part.name, make("small", {}, part.about)),
        make("div", { class: "scroll" }, table(part)));
      if (part.notes.length) {
        byId("tables").append(make("ul", { class: "notes" },
          part.notes.map((note) => make("li", {}, note))));
      }
      if (part.differences.length) byId("tables").append(paired(part));
    }
  }
  return { start };
})();
