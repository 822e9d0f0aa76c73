// The rows of a set in the order asked for, a page at a time, and the one that is selected.
const Rows = (() => {
  const PAGE = 20;
  let part = null, order = [], first = 0, selected = null, differs = false, flipping = null;
  const holder = byId("rows");
  const near = new IntersectionObserver((seen) => {
    for (const { target, isIntersecting } of seen) {
      if (isIntersecting) { near.unobserve(target); target.row.near(); }
    }
  }, { rootMargin: "400px" });

  // What was chosen for another set stays chosen where this one has it.
  function options(select, values, first) {
    const before = select.options.length ? select.value : first;
    select.replaceChildren(...values.map(([value, text]) => make("option", { value }, text)));
    select.value = values.some(([value]) => value === before) ? before : first;
  }

  function open(name) {
    part = DATA.sets.find((one) => one.name === name);
    const known = DATA.metrics.filter((m) =>
      m.perPicture && part.models.some((model) => m.name in model.cells));
    options(byId("metric"), [...known.map((m) => [m.name, m.title]), ["", "name"]],
      known[0]?.name ?? "");
    // Of a model that gives back all as it was, no picture is worse than another.
    const lossy = part.models.find((model) => !Object.values(model.values).includes("inf"));
    options(byId("model"), part.models.map((model) => [model.name, model.name]),
      (lossy ?? part.models[0]).name);
    arrange();
  }

  function arrange() {
    const metric = DATA.metrics.find((m) => m.name === byId("metric").value);
    const made = part.made[byId("model").value], words = byId("find").value.toLowerCase();
    const turned = byId("turn").getAttribute("aria-pressed") === "true";
    order = part.names.map((_, i) => i)
      .filter((i) => part.names[i].toLowerCase().includes(words));
    const value = (i) => number(made[i]?.[metric.name]);
    if (metric) order.sort((a, b) => compare(value(a), value(b), metric.better, !turned));
    else if (turned) order.reverse();
    byId("turn").textContent = metric ? (turned ? "worst first" : "best first") : "turn round";
    byId("model").disabled = !metric;
    page(0);
  }

  function page(from, last = false) {
    stop();
    near.disconnect();
    first = from;
    const rows = order.slice(first, first + PAGE).map((i) => Row.build(part, i, told));
    holder.replaceChildren(...rows.map(({ element }) => element));
    if (!rows.length) holder.append(make("p", { class: "quiet" }, "No picture has such a name."));
    for (const { element } of rows) near.observe(element);
    selected = null;
    if (rows.length) choose(rows[last ? rows.length - 1 : 0]);
    const end = Math.min(first + PAGE, order.length);
    byId("place").textContent = order.length ? `${first + 1}–${end} of ${order.length}` : "0";
    byId("before").disabled = first === 0;
    byId("after").disabled = end >= order.length;
  }

  function turn(by) {
    const from = first + by * PAGE;
    if (from < 0 || from >= order.length) return false;
    page(from, by < 0);
    reveal();
    return true;
  }

  function told(view) {
    if (selected?.view === view) byId("scale").textContent = `${+view.scale.toFixed(1)}×`;
  }

  function choose(row) {
    if (row === selected) return;
    stop();
    if (selected) {
      selected.element.removeAttribute("aria-current");
      selected.element.tabIndex = -1;
      Row.differ(selected, false);
    }
    selected = row;
    row.element.setAttribute("aria-current", "true");
    row.element.tabIndex = 0;
    if (differs) Row.differ(row, true);
    told(row.view);
  }

  function select(element) {
    choose(element.row);
    if (!element.contains(document.activeElement)) element.focus({ preventScroll: true });
  }

  function reveal() {
    if (!selected) return;
    selected.element.focus({ preventScroll: true });
    selected.element.scrollIntoView({ block: "nearest" });
  }

  function step(by) {
    const next = by > 0 ? selected?.element.nextElementSibling
      : selected?.element.previousElementSibling;
    if (next) { choose(next.row); reveal(); } else turn(by);
  }

  function difference() {
    differs = !differs;
    byId("difference").setAttribute("aria-pressed", differs);
    if (selected) Row.differ(selected, differs);
  }

  // Held: the original at once, then by turns; let go: the models' pictures.
  function flicker() {
    if (flipping || !selected) return;
    const { element } = selected;
    Row.cover(selected);
    element.classList.add("flips");
    flipping = { element, timer: setInterval(() => element.classList.toggle("flips"), 350) };
    byId("flicker").classList.add("held");
  }

  function stop() {
    if (!flipping) return;
    clearInterval(flipping.timer);
    flipping.element.classList.remove("flips");
    flipping = null;
    byId("flicker").classList.remove("held");
  }

  const zoom = (factor) => selected?.view.zoom(factor);
  const fit = () => selected?.view.move(0, 0, 1);
  return { open, arrange, turn, select, step, difference, flicker, stop, zoom, fit };
})();
