// Models by metrics, a table per set; a click on a head sorts by it, best first, then turned.
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
    return make("table", { "data-set": part.name },
      make("caption", {}, part.name, make("small", {}, ` ${part.about}`)),
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

  function start() {
    for (const part of DATA.sets) {
      byId("tables").append(make("div", { class: "scroll" }, table(part)));
      if (part.notes.length) {
        byId("tables").append(make("ul", { class: "notes" },
          part.notes.map((note) => make("li", {}, note))));
      }
    }
  }
  return { start };
})();
