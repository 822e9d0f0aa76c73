// A histogram of one column, bars stacked by kind, and a line on it that can be dragged.
const Histogram = (() => {
  const BINS = 64, LEFT = 46, BOTTOM = 22, TOP = 14;

  function axis({ low, high, scale, width }) {
    const to = scale === "log" ? (v) => Math.log10(v + 1) : (v) => v;
    const back = scale === "log" ? (u) => 10 ** u - 1 : (u) => u;
    const a = to(low), b = to(high), inner = width - LEFT - 8;
    return {
      x: (v) => LEFT + (inner * (Math.min(b, Math.max(a, to(v))) - a)) / (b - a),
      value: (x) => back(a + ((b - a) * Math.min(1, Math.max(0, (x - LEFT) / inner)))),
      bin: (v) => Math.min(BINS - 1, Math.max(0, Math.floor((BINS * (to(v) - a)) / (b - a)))),
      left: (bin) => LEFT + (inner * bin) / BINS,
      step: inner / BINS,
      ticks: scale === "log"
        ? [0, 10, 32, 64, 100, 128, 256, 512, 1000, 1024, 2048, 4096, 10000, 30000].filter((v) =>
          v >= low && v <= high && (low === 0) === [0, 10, 100, 1000, 10000, 30000].includes(v))
        : high === 255 ? [0, 50, 100, 150, 200, 255]
          : Array.from({ length: 6 }, (_, n) => low + ((high - low) * n) / 5),
    };
  }

  // Images by bin and kind: [bin][kind index].
  function bins(column, kindOf, keep, at) {
    const counts = Array.from({ length: BINS }, () => [0, 0, 0, 0]);
    const values = Corpus.columns[column];
    for (const i of Corpus.drawn) {
      const kind = KINDS.indexOf(kindOf(i));
      if (values[i] === null || values[i] === undefined || kind < 0 || !keep(i)) continue;
      counts[at.bin(values[i])][kind] += Corpus.weight[i];
    }
    return counts;
  }

  function bars(counts, at, height) {
    // A full bin must not flatten all others: it is cut off, with a notch.
    const sums = counts.map((bin) => bin.reduce((s, v) => s + v, 0));
    const sorted = [...sums].sort((a, b) => b - a);
    const most = Math.max(1, Math.min(sorted[0], 2.5 * (sorted[3] || sorted[0])));
    const inner = height - TOP - BOTTOM, drawn = [];
    counts.forEach((bin, n) => {
      let y = height - BOTTOM;
      bin.forEach((count, k) => {
        if (!count) return;
        const high = Math.min(y - TOP, Math.max(0.8, (inner * count) / most));
        if (high <= 0) return;
        y -= high;
        drawn.push(svg("rect", { x: at.left(n) + 0.5, y, width: Math.max(1, at.step - 1), height: high, fill: colour(KINDS[k]) }));
      });
      if (sums[n] > most) {
        drawn.push(svg("path", { d: `M${at.left(n) - 1},${TOP + 5}l${at.step + 2},-4`, stroke: "var(--card)", "stroke-width": 2 },
          svg("title", {}, `${inWords(sums[n])} images`)));
      }
    });
    const label = svg("text", { class: "quiet", x: LEFT - 6, y: TOP + 9, "text-anchor": "end" },
      most >= 1e4 ? most.toExponential(0).replace("e+", "e") : inWords(most));
    return [drawn, label];
  }

  function frame(at, width, height) {
    const y = height - BOTTOM, last = at.ticks.at(-1);
    // On a narrow screen the last number needs its room.
    const ticks = at.ticks.filter((v) => v === last || at.x(last) - at.x(v) > 8 * figure(v).length + 24);
    return svg("g", { class: "axis" },
      svg("line", { x1: LEFT, x2: width - 8, y1: y, y2: y }),
      ticks.map((v, n) => svg("text", { class: "quiet", x: at.x(v), y: height - 5,
        "text-anchor": n && v === last ? "end" : "middle" }, figure(Number(v.toPrecision(6))))));
  }

  return { axis, bins, bars, frame, TOP, BOTTOM, LEFT };
})();
