// The trial: settings that differ from the plan's, and what every row would become under them.
const Trial = (() => {
  const base = DATA.settings, settings = { ...base };
  const { columns, rows, drawn } = Corpus;
  const judged = rows.filter((i) => columns.fate[i] !== "rejected" && columns.kind[i] !== "text_synth");
  const decide = Rules.make(DATA, columns, settings);
  const kind = [...columns.kind], slug = [...columns.slug];
  // What other images decided (duplicates, quotas), or tiles: that stays while the rules let it pass.
  const later = [], rule = [];
  let disagree = 0;
  for (const i of judged) {
    const [kindNow, slugNow] = decide(i);
    rule[i] = slugNow;
    later[i] = slugNow === null ? columns.slug[i] : null;
    if (kindNow !== columns.kind[i] || (slugNow !== null && slugNow !== columns.slug[i])) disagree += 1;
  }
  if (disagree) console.error(`the page decides otherwise than the plan on ${disagree} rows`);

  const listeners = [];
  let waiting = false;
  function run() {
    for (const i of judged) {
      const [kindNow, slugNow] = decide(i);
      kind[i] = kindNow;
      rule[i] = slugNow;
      slug[i] = slugNow === null ? later[i] : slugNow;
    }
  }
  function announce() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; run(); show(); listeners.forEach((f) => f()); });
  }
  function set(name, value) {
    if (settings[name] === value) return;
    settings[name] = value;
    announce();
  }
  const changed = () => Object.keys(settings).filter((name) => settings[name] !== base[name]);
  const flags = () => changed().map((name) => `--plan.${name} ${settings[name]}`).join(" ");
  function reset() { Object.assign(settings, base); announce(); }

  // Whether a changed setting may decide an image of this stratum anew.
  const order = DATA.rules.map(([slug]) => slug);
  function unsure({ name }) {
    const [fate, first, second] = name.split("/");
    const kindOf = fate === "selected" ? first : second, place = order.indexOf(first);
    return DATA.thresholds.some((t) => settings[t.setting] !== base[t.setting] && t.kinds.includes(kindOf)
      && (fate === "selected" || place < 0 || place >= Math.min(...t.slugs.map((slug) => order.indexOf(slug)))));
  }

  const isChanged = (i) => slug[i] !== columns.slug[i] || kind[i] !== columns.kind[i];
  const verdict = (kinds, slugs) => (i) =>
    columns.fate[i] === "rejected" || columns.kind[i] === "text_synth" ? null
      : slugs[i] === null ? `kept ${kinds[i]}` : slugs[i];
  // {verdict: {count, half}} of what was decoded, as the plan has it or as the trial would.
  const planned = Estimates.totals(verdict(columns.kind, columns.slug));
  const now = () => Estimates.totals(verdict(kind, slug), unsure);
  const kept = (slugs, sure) => Estimates.totals((i) =>
    columns.fate[i] === "rejected" || columns.kind[i] === "text_synth" || slugs[i] !== null ? null : "kept",
  sure).kept || { count: 0, half: 0 };

  const bar = document.getElementById("whatif");
  let open = false;
  function show() {
    bar.hidden = changed().length === 0;
    if (bar.hidden) return;
    const before = kept(columns.slug), after = kept(slug, unsure), counts = now();
    const names = [...new Set([...Object.keys(planned), ...Object.keys(counts)])].sort();
    const none = { count: 0, half: 0 };
    const copy = make("button", { type: "button", class: "plain", id: "copy-flags", onclick: () => copyFlags(copy) }, "Copy flags");
    bar.replaceChildren(
      make("div", { class: "line" },
        make("code", { id: "flags" }, flags()),
        make("span", { id: "trial-kept", role: "status", "data-before": Math.round(before.count), "data-after": Math.round(after.count) },
          `kept ${inWords(before.count)} → `, make("b", {}, Estimates.said(after)), ` (${signed(after.count - before.count)})`),
        make("span", { class: "spring" }),
        make("button", { type: "button", class: "plain", onclick: () => Gallery.show({ changed: "yes" }) }, "See what changes"),
        copy,
        make("button", { type: "button", class: "plain", onclick: reset }, "Reset")),
      make("details", { open, ontoggle: (event) => { open = event.target.open; } },
        make("summary", {}, "What changes, by kind and reason"),
        make("table", { id: "trial-table" },
          make("thead", {}, make("tr", {}, ["", "plan", "trial", "change"].map((head, n) =>
            make("th", { scope: "col", class: n ? "n" : null }, head)))),
          make("tbody", {}, names.map((name) => {
            const was = planned[name] || none, is = counts[name] || none;
            const same = Math.abs(is.count - was.count) < 0.5;
            return make("tr", { "data-name": name, "data-count": Math.round(is.count), hidden: same },
              make("td", {}, name), make("td", { class: "n" }, inWords(was.count)),
              make("td", { class: "n" }, Estimates.said(is)),
              make("td", { class: "n" }, signed(is.count - was.count)));
          })))));
  }
  async function copyFlags(pressed) {
    const text = flags();
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Pages from disk may not have the clipboard: then by selection.
      const area = make("textarea", { style: "position:fixed;opacity:0" }, text);
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    pressed.textContent = "Copied";
  }

  return { order, settings, base, planned, now, unsure, set, kind, slug, rule, isChanged, flags, disagree, changed, onChange: (f) => listeners.push(f) };
})();
