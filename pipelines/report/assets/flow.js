// Where every image went, as bands: listed, kinds or dropped or rejected, rungs or reasons, phases.
const Flow = (() => {
  const WIDTH = 1160, GAP = 9, SLOT = 19, BAR = 13, TALL = 470;
  const COLUMNS = [0, 300, 620, 985];

  function nodes() {
    const { kept, dropped, rejected } = DATA.flow;
    const found = new Map();
    const add = (id, level, name, value, hue, filter) => {
      if (!found.has(id)) found.set(id, { id, level, name, value: 0, hue, filter, out: 0, into: 0 });
      found.get(id).value += value;
    };
    const links = new Map();
    const link = (from, to, value, hue, filter) => {
      const id = `${from}>${to}`;
      if (!links.has(id)) links.set(id, { from, to, value: 0, hue, filter });
      links.get(id).value += value;
    };
    for (const { kind, rung, images } of kept) {
      const start = kind === "text_synth" ? "rendered" : "listed";
      add(start, 0, start, images, "listed", start === "rendered" ? { kind } : { kind: "listed" });
      add(kind, 1, kind, images, kind, { fate: "selected", kind });
      add(`r${rung}`, 2, `rung ${rung}`, images, `r${rung}`, { fate: "selected", rung: String(rung) });
      link(start, kind, images, kind, { fate: "selected", kind });
      link(kind, `r${rung}`, images, kind, { fate: "selected", kind, rung: String(rung) });
    }
    for (const [fate, parts] of [["dropped", dropped], ["rejected", rejected]]) {
      for (const { slug, images } of parts) {
        add("listed", 0, "listed", images, "listed", { kind: "listed" });
        add(fate, 1, fate, images, fate, { fate });
        add(`${fate} ${slug}`, 2, slug, images, fate, { fate, slug });
        link("listed", fate, images, fate, { fate });
        link(fate, `${fate} ${slug}`, images, fate, { fate, slug });
      }
    }
    return { found, links: [...links.values()] };
  }

  // Shares of the phases' samples: {phase: {rung: share of all phases}}.
  function shown() {
    const all = DATA.phases.reduce((sum, phase) => sum + phase.samples, 0);
    return DATA.phases.map((phase) => {
      const rungs = {};
      for (const point of phase.points) for (const [, rung, , share] of point) {
        rungs[rung] = (rungs[rung] || 0) + (share * phase.samples) / all / phase.points.length;
      }
      return { name: phase.name, samples: phase.samples, rungs };
    });
  }

  const path = (x0, a0, b0, x1, a1, b1) => {
    const m = (x0 + x1) / 2;
    return `M${x0},${a0}C${m},${a0} ${m},${a1} ${x1},${a1}V${b1}C${m},${b1} ${m},${b0} ${x0},${b0}Z`;
  };

  function draw() {
    const { found, links } = nodes();
    const total = [...found.values()].filter((n) => n.level === 0).reduce((s, n) => s + n.value, 0);
    if (!total) return make("p", { class: "quiet" }, "Nothing was listed.");
    const scale = (TALL - 60) / total;
    const order = (n) => {
      const kinds = KINDS.indexOf(n.name);
      if (n.level === 1) return kinds >= 0 ? kinds : n.name === "dropped" ? 10 : 11;
      return n.id.startsWith("r") && n.name.startsWith("rung") ? Number(n.name.slice(5)) / 1e4
        : (n.id.startsWith("dropped") ? 10 : 20) - n.value / (total + 1);
    };
    const levels = [0, 1, 2].map((level) =>
      [...found.values()].filter((n) => n.level === level).sort((a, b) => order(a) - order(b)));
    let bottom = 0;
    for (const level of levels) {
      let y = 8;
      for (const node of level) {
        node.high = Math.max(2.5, node.value * scale);
        node.y = y;
        y += Math.max(SLOT, node.high + GAP);
      }
      bottom = Math.max(bottom, y);
    }
    const chosen = (filter) => () => Gallery.show(filter);
    const bands = links.map((l) => {
      const from = found.get(l.from), to = found.get(l.to);
      return { ...l, from, to };
    }).sort((a, b) => a.to.y - b.to.y || a.from.y - b.from.y);
    const parts = bands.map((l) => {
      const high = (node) => Math.max(1.2, (node.high * l.value) / node.value);
      const a = l.from.y + l.from.out, b = l.to.y + l.to.into;
      const ha = high(l.from), hb = high(l.to);
      l.from.out += ha; l.to.into += hb;
      return button(`${l.from.name} to ${l.to.name}: ${inWords(l.value)} images`, chosen(l.filter),
        svg("path", { class: "ribbon", fill: colour(l.hue),
          d: path(COLUMNS[l.from.level] + BAR, a, a + ha, COLUMNS[l.to.level], b, b + hb) }));
    });
    // The phases, from the rungs: heights on the right are shares of the samples shown.
    const phases = shown(), kept = levels[2].filter((n) => n.name.startsWith("rung"));
    const rungsHigh = kept.reduce((s, n) => s + n.high, 0) || 1;
    const span = Math.max(rungsHigh, phases.length * 40);
    let y = 8;
    const right = phases.map((phase) => {
      const sum = Object.values(phase.rungs).reduce((s, v) => s + v, 0);
      const high = Math.max(4, sum * span);
      const node = { ...phase, y, high, into: 0 };
      y += Math.max(2.2 * SLOT, high + GAP);
      return node;
    });
    bottom = Math.max(bottom, y);
    const flows = [];
    for (const node of kept) {
      const rung = node.name.slice(5);
      const all = phases.reduce((s, p) => s + (p.rungs[rung] || 0), 0);
      for (const phase of right) {
        const share = phase.rungs[rung] || 0;
        if (!share) continue;
        const ha = Math.max(1.2, node.high * share / all);
        const hb = Math.max(1.2, phase.high * share / Object.values(phase.rungs).reduce((s, v) => s + v, 0));
        flows.push(button(`rung ${rung} in ${phase.name}: ${(100 * share).toFixed(1)} % of training`,
          chosen({ fate: "selected", rung, phase: phase.name }),
          svg("path", { class: "ribbon", fill: colour(`r${rung}`), d: path(
            COLUMNS[2] + BAR, node.y + node.out, node.y + node.out + ha,
            COLUMNS[3], phase.y + phase.into, phase.y + phase.into + hb) })));
        node.out += ha; phase.into += hb;
      }
    }
    const bars = levels.flat().map((n) => button(
      `${n.name}: ${inWords(n.value)} images`, chosen(n.filter),
      svg("rect", { x: COLUMNS[n.level], y: n.y, width: BAR, height: n.high, rx: 1.5, fill: colour(n.hue) }),
      svg("text", { x: COLUMNS[n.level] + BAR + 6, y: n.y + Math.max(n.high / 2, 4) + 4 }, `${n.name} `,
        svg("tspan", { fill: colour("quiet") }, inWords(n.value)))));
    const ends = right.map((p) => button(`${p.name}: ${inWords(p.samples)} samples`,
      chosen({ fate: "selected", phase: p.name }),
      svg("rect", { x: COLUMNS[3], y: p.y, width: BAR, height: p.high, rx: 1.5, fill: colour("listed") }),
      svg("text", { x: COLUMNS[3] + BAR + 6, y: p.y + Math.max(p.high / 2, 8) }, p.name),
      svg("text", { class: "quiet", x: COLUMNS[3] + BAR + 6, y: p.y + Math.max(p.high / 2, 8) + 15 },
        `${inWords(p.samples)} samples`)));
    const heads = ["images", "kind or fate", "rung or reason", DATA.phases.length ? "phases of training" : ""]
      .map((text, n) => svg("text", { class: "quiet", x: COLUMNS[n], y: -8 }, text));
    return svg("svg", { viewBox: `0 -24 ${WIDTH} ${bottom + 26}`, role: "group", "aria-label": "Flow of images" },
      heads, parts, flows, bars, ends);
  }

  return { start: () => document.getElementById("flow-chart").append(draw()) };
})();
