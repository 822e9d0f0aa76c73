// Starts the parts; colours; and what a run took, when `run.js` lies beside the page.
(() => {
  const root = document.documentElement, dark = matchMedia("(prefers-color-scheme: dark)");
  const pressed = document.getElementById("theme");
  let theme = "system";
  function paint() {
    root.dataset.theme = theme === "system" ? (dark.matches ? "dark" : "light") : theme;
    pressed.setAttribute("aria-label", `Colours: ${theme === "system" ? "as the system" : theme}`);
    pressed.textContent = { system: "◐", light: "☀", dark: "☾" }[theme];
  }
  pressed.addEventListener("click", () => {
    const other = dark.matches ? ["system", "light", "dark"] : ["system", "dark", "light"];
    theme = other[(other.indexOf(theme) + 1) % 3];
    paint();
  });
  dark.addEventListener("change", paint);
  paint();

  // Where the flow has no room its table takes its place.
  if (matchMedia("(max-width: 760px)").matches) document.querySelector("#flow details").open = true;
  for (const part of [Flow, Gallery, Thresholds, Pairs, Curriculum]) part.start();
})();

// Called by `run.js`.
function showRun({ command, stages }) {
  const holder = document.getElementById("run");
  holder.hidden = false;
  holder.append(make("table", {}, make("caption", {}, "Time, as each stage last worked"),
    make("thead", {}, make("tr", {}, ["stage", "seconds", "done", "per second", "workers"].map((head, n) =>
      make("th", { scope: "col", class: n ? "n" : null }, head)))),
    make("tbody", {}, stages.map(({ stage, seconds, done, workers }) => make("tr", {}, make("td", {}, stage),
      make("td", { class: "n" }, seconds.toFixed(1)), make("td", { class: "n" }, done ? inWords(done) : ""),
      make("td", { class: "n" }, done ? figure(done / Math.max(seconds, 1e-3)) : ""), make("td", { class: "n" }, workers))))),
    command ? make("p", { class: "quiet" }, "Made with ", make("code", {}, command)) : null);
}
