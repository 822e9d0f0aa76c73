// Controls and keys.
(() => {
  const on = (id, kind, act) => byId(id).addEventListener(kind, act);
  Tables.start();
  byId("set").append(...DATA.sets.map(({ name }) => make("option", { value: name }, name)));
  on("set", "change", () => {
    byId("find").value = "";
    Rows.open(byId("set").value);
  });
  for (const id of ["metric", "model"]) on(id, "change", Rows.arrange);
  on("find", "input", Rows.arrange);
  on("turn", "click", () => {
    const turned = byId("turn").getAttribute("aria-pressed") === "true";
    byId("turn").setAttribute("aria-pressed", !turned);
    Rows.arrange();
  });
  on("before", "click", () => Rows.turn(-1));
  on("after", "click", () => Rows.turn(1));
  on("in", "click", () => Rows.zoom(2));
  on("out", "click", () => Rows.zoom(0.5));
  on("fit", "click", Rows.fit);
  on("difference", "click", Rows.difference);
  const gain = () => byId("rows").style.setProperty("--gain", byId("gain").value);
  on("gain", "change", gain);
  gain();
  on("flicker", "pointerdown", Rows.flicker);
  on("flicker", "keydown", (event) => { if ([" ", "Enter"].includes(event.key)) Rows.flicker(); });
  for (const kind of ["pointerup", "pointercancel", "blur"]) addEventListener(kind, Rows.stop);
  const ends = ["f", "F", " ", "Enter"];
  addEventListener("keyup", ({ key }) => { if (ends.includes(key)) Rows.stop(); });
  byId("rows").addEventListener("focusin", (event) => {
    const row = event.target.closest(".row");
    if (row) Rows.select(row);
  });

  const keys = {
    j: () => Rows.step(1), ArrowDown: () => Rows.step(1),
    k: () => Rows.step(-1), ArrowUp: () => Rows.step(-1),
    ArrowRight: () => Rows.turn(1), ArrowLeft: () => Rows.turn(-1),
    z: () => Rows.zoom(2), x: () => Rows.zoom(0.5), 0: Rows.fit,
    f: Rows.flicker, d: Rows.difference, "/": () => byId("find").focus(),
  };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { key, target } = event;
    if (target.matches("input") || (key === "Escape" && target.matches("select, summary"))) {
      if (key === "Escape" || key === "Enter") byId("rows").focus();
      return;
    }
    // Long texts scroll, and lists choose, by arrows.
    if (target.matches("dd, select") && key.startsWith("Arrow")) return;
    const act = keys[key.length === 1 ? key.toLowerCase() : key];
    if (!act) return;
    event.preventDefault();
    act();
  });
  Rows.open(DATA.sets[0].name);
})();
