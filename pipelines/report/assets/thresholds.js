// A card for every threshold: histogram with its line, live counts, pictures on both sides of it.
const Thresholds = (() => {
  const HEIGHT = 168, NEAR = 12;

  function card(t) {
    const { columns } = Corpus;
    const values = columns[t.column];
    // Rows that this threshold decides: decoded, of its kinds, and no rule before its own drops them.
    const turn = Math.min(...t.slugs.map((slug) => Trial.order.indexOf(slug)));
    const asked = (i) => t.kinds.includes(Trial.kind[i]) && columns.fate[i] !== "rejected"
      && columns.kind[i] !== "text_synth" && values[i] !== null && values[i] !== undefined
      && (Trial.rule[i] === null || Trial.order.indexOf(Trial.rule[i]) >= turn);
    const known = Corpus.drawn.some(asked);
    const id = `t-${t.setting}`;
    const root = make("article", { class: "card", id, "aria-labelledby": `${id}-title` });
    // Values beyond these are refused by the build as well.
    const clamp = (v) => Math.max(t.least, t.most === null ? v : Math.min(t.most, v));
    const input = make("input", { type: "number", id: `${id}-value`, step: t.step, min: t.least, max: t.most,
      value: Trial.base[t.setting], "aria-label": `${t.setting}`,
      onchange: () => {
        if (input.value === "" || input.validity.badInput) return;
        input.value = clamp(Number(input.value));
        Trial.set(t.setting, Number(input.value));
      } });
    const chart = make("div", { class: "histogram" });
    const told = make("p", { class: "told", role: "status" });
    const names = t.keeps === "both" ? ["general", "text_real"] : ["dropped", "kept"];
    const below = make("div", { class: "strip" }), above = make("div", { class: "strip" });
    const first = make("h4"), second = make("h4");
    root.append(
      make("header", {}, make("h3", { id: `${id}-title` }, t.title), make("code", {}, t.setting),
        make("span", { class: "value" }, `plan ${figure(Trial.base[t.setting])}`, input)),
      make("p", { class: "quiet about" }, t.about));
    if (!known) {
      root.append(make("p", { class: "quiet" }, "No image of these kinds has this score."));
      return { root, update: () => { input.value = Trial.settings[t.setting]; } };
    }
    root.append(legend(t.kinds), chart, told,
      make("div", { class: "sides" }, make("div", {}, first, below), make("div", {}, second, above)));

    let width = 0, at, handle, shade, counted;
    const now = () => Trial.settings[t.setting];
    const snap = (v) => Number((Math.round(v / t.step) * t.step).toFixed(4));
    const set = (v) => Trial.set(t.setting, Math.max(t.least, Math.min(t.high, snap(v))));

    function draw() {
      width = Math.max(300, chart.clientWidth || 1000);
      at = Histogram.axis({ ...t, width });
      counted = Histogram.bins(t.column, (i) => Trial.kind[i], asked, at);
      shade = svg("rect", { y: Histogram.TOP, height: HEIGHT - Histogram.TOP - Histogram.BOTTOM, fill: colour("paper"), opacity: 0.55, "pointer-events": "none" });
      handle = svg("g", { class: "handle", role: "slider", tabindex: 0, "aria-label": t.title, "aria-valuemin": t.least, "aria-valuemax": t.high,
        onkeydown: (event) => {
          const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 }[event.key];
          if (event.key === "Home") set(t.least);
          else if (event.key === "End") set(t.high);
          else if (steps) set(now() + steps * t.step);
          else return;
          event.preventDefault();
        } },
        svg("rect", { x: -14, y: 0, width: 28, height: HEIGHT - 6, fill: "transparent" }),
        svg("line", { class: "rule", y1: 6, y2: HEIGHT - Histogram.BOTTOM }),
        svg("circle", { class: "grip", r: 6, cy: 8 }));
      const drawing = svg("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, height: HEIGHT,
        onpointerdown: (event) => {
          drawing.setPointerCapture(event.pointerId);
          move(event);
          handle.focus({ preventScroll: true });
          drawing.addEventListener("pointermove", move);
          event.preventDefault();
        },
        onpointerup: () => drawing.removeEventListener("pointermove", move),
        onpointercancel: () => drawing.removeEventListener("pointermove", move) },
        Histogram.frame(at, width, HEIGHT), Histogram.bars(counted, at, HEIGHT), shade, handle);
      const move = (event) => {
        const box = drawing.getBoundingClientRect();
        set(at.value(((event.clientX - box.left) * width) / box.width));
      };
      chart.replaceChildren(drawing);
      place();
    }
    function place() {
      const x = at.x(now());
      handle.setAttribute("transform", `translate(${x},0)`);
      handle.setAttribute("aria-valuenow", now());
      if (t.keeps === "both") shade.setAttribute("width", 0);
      else if (t.keeps === "below") { shade.setAttribute("x", x); shade.setAttribute("width", Math.max(0, width - 8 - x)); }
      else { shade.setAttribute("x", Histogram.LEFT); shade.setAttribute("width", Math.max(0, x - Histogram.LEFT)); }
      if (document.activeElement !== input) input.value = now();
    }

    function near() {
      const cut = Math.fround(now());
      const mine = Corpus.drawn.filter(asked);
      const under = (i) => (t.keeps === "below" ? values[i] > cut : values[i] < cut);
      const away = (i) => Math.abs(values[i] - cut);
      const side = (test) => mine.filter((i) => test(i) && DATA.pictures.thumbnail[i])
        .sort((a, b) => away(a) - away(b) || a - b).slice(0, NEAR);
      return [side(under), side((i) => !under(i)), mine.filter(under)];
    }
    function pictures() {
      const [out, kept, all] = near();
      const unit = figure(now(), 4), over = t.keeps === "below";
      first.textContent = `Just ${over ? "above" : "below"} ${unit}: ${names[0]}`;
      second.textContent = `Just ${over ? "below" : "above"} ${unit}: ${names[1]}`;
      for (const [strip, found] of [[below, out], [above, kept]]) {
        strip.replaceChildren(...found.map((i) => Tile.make(i, { list: found, words: figure(values[i]) })));
        if (!found.length) strip.append(make("span", { class: "quiet" }, "none in the sample"));
      }
      const inside = new Set(all);
      const sum = Estimates.totals((i) => (asked(i) ? (inside.has(i) ? "out" : "in") : null), Trial.unsure);
      const none = { count: 0, half: 0 }, left = sum.out || none, right = sum.in || none;
      const share = (100 * left.count) / Math.max(1, left.count + right.count);
      told.replaceChildren(make("b", { "data-out": Math.round(left.count) }, Estimates.said(left)), t.keeps === "both"
        ? ` of ${inWords(left.count + right.count)} images lie below the line and are general (${share.toFixed(1)} %)`
        : ` of the ${inWords(left.count + right.count)} images that no earlier rule drops are dropped here (${share.toFixed(1)} %)`);
    }
    let later = 0, kindsFor = null;
    function update() {
      // Kinds change with the text density: then the bars do too.
      const kinds = Trial.settings.min_text_chars_per_256;
      if (kindsFor !== kinds && kindsFor !== null) { kindsFor = kinds; redraw(); } else kindsFor = kinds;
      place();
      cancelAnimationFrame(later);
      later = requestAnimationFrame(pictures);
    }
    function redraw() {
      const focused = document.activeElement === handle, box = chart.querySelector("svg");
      const bars = Histogram.bars(Histogram.bins(t.column, (i) => Trial.kind[i], asked, at), at, HEIGHT);
      // The drawing that is being dragged must stay: only its bars are new.
      box.replaceChildren(Histogram.frame(at, width, HEIGHT), ...bars.flat(Infinity), shade, handle);
      if (focused) handle.focus({ preventScroll: true });
    }
    return { root, update, draw: () => { if (!width || chart.clientWidth !== width) draw(); pictures(); } };
  }

  function other([column, title]) {
    const values = Corpus.columns[column];
    const found = Corpus.drawn.filter((i) => values[i] !== null && values[i] !== undefined);
    if (!found.length) return null;
    const sorted = found.map((i) => values[i]).sort((a, b) => a - b);
    const low = Math.min(0, sorted[0]), high = sorted[Math.floor(0.995 * (sorted.length - 1))] || 1;
    const width = 280, height = 110, at = Histogram.axis({ low, high: Math.max(high, low + 1e-6), scale: "linear", width });
    at.ticks = [low, (low + high) / 2, high].map((v) => Number(v.toPrecision(2)));
    const counts = Histogram.bins(column, (i) => Corpus.columns.kind[i], () => true, at);
    return make("figure", {}, make("figcaption", {}, title),
      svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${title} by kind` },
        Histogram.frame(at, width, height), Histogram.bars(counts, at, height)));
  }

  function start() {
    const list = document.getElementById("threshold-list");
    const cards = DATA.thresholds.map(card);
    list.append(...cards.map((c) => c.root));
    cards.forEach((c) => c.draw && c.draw());
    // While a line is dragged only the cards in sight follow; the others when they come into it.
    const sight = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        const found = cards.find((c) => c.root === target);
        found.seen = isIntersecting;
        if (isIntersecting && found.stale) { found.stale = false; found.update(); }
      }
    });
    cards.forEach((c) => sight.observe(c.root));
    Trial.onChange(() => cards.forEach((c) => { if (c.seen) c.update(); else c.stale = true; }));
    addEventListener("resize", () => cards.forEach((c) => c.draw && c.draw()));
    document.getElementById("others-title").after(legend(KINDS));
    document.getElementById("other-scores").append(...DATA.others.map(other).filter(Boolean));
  }
  return { start };
})();
