// Kinds, rungs and size bands over the samples that training shows, phase after phase.
const Curriculum = (() => {
  const HIGH = 120, GAP = 46, LEFT = 100;
  const BANDS = ["5-7", "8-10", "11-14", "15-20"];
  const HUES = { "5-7": "general", "8-10": "document", "11-14": "text_synth", "15-20": "text_real" };
  const ROWS = [
    ["kinds", KINDS, ([kind]) => kind, (name) => name],
    ["rungs", ["256", "512", "1024", "2048"], ([, rung]) => String(rung), (name) => `r${name}`],
    ["size bands of text_synth", BANDS, ([kind, , part]) => (kind === "text_synth" ? BANDS.find((b) => part.split(" ").includes(b)) || null : null), (name) => HUES[name]],
  ];

  function draw(width) {
    const narrow = width < 700;
    const all = DATA.phases.reduce((sum, phase) => sum + phase.samples, 0);
    const x = (samples) => LEFT + ((width - LEFT - 4) * samples) / all;
    const parts = [];
    let top = 30;
    for (const [title, names, nameOf, hue] of ROWS) {
      const series = [];
      let before = 0;
      for (const phase of DATA.phases) {
        // Points lie in the middle of their step: the first and last reach to the phase's ends.
        phase.points.forEach((point, n) => {
          const sums = Object.fromEntries(names.map((name) => [name, 0]));
          for (const group of point) { const name = nameOf(group); if (name !== null) sums[name] += group[3]; }
          if (names === BANDS) {
            // Shares of the synthetic text alone: of all samples they would be a thin line.
            const sum = BANDS.reduce((s, name) => s + sums[name], 0);
            for (const name of BANDS) sums[name] = sum ? sums[name] / sum : 0;
          }
          const step = phase.samples / phase.points.length;
          series.push({ from: x(before + n * step), to: x(before + (n + 1) * step), sums });
        });
        before += phase.samples;
      }
      const used = names.filter((name) => series.some((s) => s.sums[name] > 0));
      if (!used.length) continue;
      const lines = title.split(" of ");
      parts.push(svg("text", { x: 0, y: top + 10, style: "font-weight:650" }, lines[0]));
      if (lines[1]) parts.push(svg("text", { class: "quiet", x: 0, y: top + 25 }, `of ${lines[1]}`));
      let key = top + (lines[1] ? 45 : 32);
      for (const name of used) {
        parts.push(svg("rect", { x: 0, y: key - 9, width: 10, height: 10, rx: 2, fill: colour(hue(name)) }), svg("text", { class: "quiet", x: 16, y: key }, name));
        key += 18;
      }
      const base = series.map(() => 0);
      for (const name of used) {
        const up = [], down = [];
        series.forEach((s, n) => {
          const low = top + HIGH * (1 - base[n]);
          base[n] += s.sums[name];
          const high = top + HIGH * (1 - base[n]);
          const middle = (s.from + s.to) / 2, first = n % 16 === 0, last = n % 16 === 15;
          const at = first ? s.from : last ? s.to : middle;
          up.push(`${at},${high}`); down.unshift(`${at},${low}`);
        });
        parts.push(svg("polygon", { points: [...up, ...down].join(" "), fill: colour(hue(name)), opacity: 0.85 }, svg("title", {}, name)));
      }
      parts.push(svg("rect", { x: LEFT, y: top, width: width - LEFT - 4, height: HIGH, fill: "none", stroke: colour("line") }));
      top += HIGH + GAP - 20;
    }
    let before = 0;
    DATA.phases.forEach((phase, n) => {
      parts.push(svg("line", { x1: x(before), x2: x(before), y1: 4, y2: top - 20, stroke: colour("ink"), "stroke-dasharray": "2 3", opacity: 0.5 }),
        svg("text", { x: x(before) + 5, y: 14 }, narrow ? n + 1 : phase.name),
        svg("text", { class: "quiet", x: x(before) + 5, y: top - 4 }, narrow ? "" : `${inWords(phase.samples)} samples`));
      before += phase.samples;
    });
    return svg("svg", { viewBox: `0 0 ${width} ${top + 4}`, role: "img", "aria-label": "Shares of kinds, rungs and size bands over the samples of training" }, parts);
  }
  function start() {
    const holder = document.getElementById("curriculum-charts");
    if (!DATA.phases.length) {
      holder.append(make("p", { class: "quiet" }, "The corpus holds no samples, so there is nothing to train."));
      return;
    }
    const fit = () => holder.replaceChildren(draw(Math.min(1160, Math.max(340, holder.clientWidth))));
    fit();
    addEventListener("resize", fit);
  }
  return { start };
})();
