// A tile in a gallery, and one image at a time: 1:1, whole with its tiles, or with its characters.
const Tile = {
  make(i, { list, words }) {
    const picture = Corpus.picture("thumbnail", i);
    const out = Corpus.get("fate", i) === "selected" ? null : Corpus.get("slug", i);
    const was = `${Corpus.get("key", i)}: ${out || Corpus.get("kind", i)}`;
    return make("button", { type: "button", class: "tile", title: was, "data-row": i, onclick: () => Viewer.show(i, list) },
      make("span", { class: picture ? "frame" : "frame none" },
        picture ? make("img", { src: picture, alt: was, loading: "lazy", decoding: "async" }) : "no picture"),
      words ? make("span", { class: "words" }, words) : null);
  },
};

const Viewer = (() => {
  const dialog = document.getElementById("viewer");
  let list = [], at = 0, view = null;

  function show(i, among) {
    list = among; at = Math.max(0, among.indexOf(i)); view = null;
    draw();
    if (!dialog.open) dialog.showModal();
  }
  function step(by) {
    if (!list.length) return;
    at = (at + by + list.length) % list.length; view = null;
    draw();
  }
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "ArrowRight") step(1);
    else if (event.key === "ArrowLeft") step(-1);
    else return;
    event.preventDefault();
  });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

  const box = (x, y, width, height, name, title) =>
    svg("rect", { x, y, width, height, class: name }, svg("title", {}, title));
  const overlay = (width, height, ...parts) =>
    svg("svg", { class: "overlay", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none" }, ...parts);

  // Lines of text with their estimated characters, and the tiles that were cut.
  function pageOverlay(i) {
    const width = Corpus.get("width", i), height = Corpus.get("height", i);
    return overlay(width, height,
      (DATA.boxes[i] || []).map(([x, y, w, h, chars]) => box(x, y, w, h, "text-line", `${chars} characters estimated`)),
      (DATA.tiles[i] || []).map(([x, y, w, h, chars]) => box(x, y, w, h, "tile-rect", `tile ${w}×${h} at ${x},${y}${chars === null ? "" : `: ${chars} characters`}`)));
  }
  function letters(i, width, height, read) {
    const shown = (text) => () => { read.textContent = text; };
    return overlay(width, height, DATA.lines[i].map(([text, em, ...chars]) =>
      chars.filter(([, x, y]) => x < width && y < height).map(([char, x0, y0, x1, y1]) =>
        fill(box(x0, y0, x1 - x0, y1 - y0, "", char), { onpointerenter: shown(`${char}  in “${text}”, em ${em} px`) }, []))));
  }

  const lines = (i, width, height) => overlay(width, height,
    DATA.found[i].map((corners) => svg("polygon", { points: corners.join(" "), class: "line" })));

  function stage(i) {
    const detail = Corpus.picture("detail", i), page = Corpus.picture("whole", i), small = Corpus.picture("thumbnail", i);
    const views = [];
    if (detail) views.push(["1:1", detail]);
    if (page) views.push([DATA.tiles[i] ? "whole, with tiles" : "whole, with lines", page]);
    if (small && !page) views.push(["small", small]);
    if (!views.length) return make("div", { class: "stage" }, make("p", { class: "quiet" }, "No picture of this image is on the page."));
    const chosen = views.find(([name]) => name === view) || views[0];
    const read = make("div", { class: "read quiet" });
    const image = make("img", { src: chosen[1], alt: Corpus.get("key", i) });
    const holder = make("div", { class: "box" }, image);
    if (chosen[1] === page) holder.append(pageOverlay(i));
    if (chosen[1] === detail && DATA.lines[i]) {
      image.addEventListener("load", () => holder.append(letters(i, image.naturalWidth, image.naturalHeight, read)), { once: true });
      read.textContent = "Point at a character to read its label.";
    } else if (chosen[1] === detail) {
      const [width, height] = DATA.pictures.sizes[i];
      read.textContent = `A crop at 1:1 from the middle of ${width} × ${height} px.`;
      if (DATA.found[i]) {
        image.addEventListener("load", () => holder.append(lines(i, image.naturalWidth, image.naturalHeight)), { once: true });
        read.textContent += DATA.found[i].length ? " Outlined: the lines of text that the detector finds in it." : " The detector finds no line of text in it.";
      }
    } else if (chosen[1] === page) {
      read.textContent = "Dashed: lines of text; point at one for its characters. Red: the tiles that were cut.";
    }
    return make("div", { class: "stage" },
      make("div", { class: "bar" }, views.length > 1 ? views.map(([name]) => make("button", {
        type: "button", class: "plain", "aria-pressed": String(name === chosen[0]), onclick: () => { view = name; draw(); } }, name)) : null),
      holder, read);
  }

  function facts(i) {
    const get = (name) => Corpus.get(name, i);
    const out = get("fate") === "selected" ? null : get("slug");
    const pairs = [
      ["became", out ? `${get("fate")}: ${out}` : "kept"], ["why", get("why")], ["duplicate of", get("duplicate_of")],
      ["kind", get("kind")], ["rung", get("rung") && String(get("rung"))], ["bucket", get("bucket")], ["tiles", get("samples")],
      ["size", get("width") ? `${get("width")} × ${get("height")} px` : null], ["format", get("format")],
      ["colour space", get("colour_space") ? get("colour_space") + (get("colour_converted") ? ", converted" : "") : null],
      ["note", get("decode_note")], ["language", get("language")], ["size band", get("size_band")],
      ...DATA.scores.map(([name, title]) => [title, get(name)]), ["script", get("script")],
      ["source", get("source")], ["member", get("member")], ["address", get("uri")], ["shard", get("shard")],
    ].filter(([, value]) => value !== null && value !== undefined);
    return make("div", { class: "facts" },
      make("div", { class: "bar" },
        make("button", { type: "button", class: "plain", onclick: () => step(-1), "aria-label": "Previous" }, "←"),
        make("button", { type: "button", class: "plain", onclick: () => step(1), "aria-label": "Next" }, "→"),
        make("span", { style: "flex:1" }),
        make("button", { type: "button", class: "plain", onclick: () => dialog.close(), autofocus: true }, "Close")),
      make("dl", {}, make("dt", {}, "key"), make("dd", {}, make("code", {}, get("key"))),
        pairs.map(([name, value]) => [make("dt", {}, name), make("dd", {}, typeof value === "number" ? figure(value) : value)])),
      Trial.isChanged(i) ? make("p", { class: "said" }, make("b", {}, "Trial"), Trial.slug[i] ? `would be dropped: ${Trial.slug[i]}` : `would pass as ${Trial.kind[i]}`) : null);
  }

  function draw() {
    const i = list[at], focused = document.activeElement;
    const name = dialog.contains(focused) ? focused.textContent : "Close";
    dialog.replaceChildren(make("div", { class: "viewer" }, stage(i), facts(i)));
    // What had the focus is gone with the old picture, and keys would go elsewhere.
    const buttons = [...dialog.querySelectorAll("button")];
    if (dialog.open) (buttons.find((button) => button.textContent === name) || buttons.at(-1)).focus();
  }
  return { show };
})();
