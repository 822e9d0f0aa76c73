// A picture: its original, what each model made of it, and the texts read in them.
const Row = (() => {
  function picture(src, alt) {
    const image = make("img", { loading: "lazy", decoding: "async", draggable: "false", alt });
    image.addEventListener("error", () => {
      image.closest(".frame").dataset.said = "the browser cannot show this file";
    });
    image.src = src;
    return image;
  }

  function frame(size, src, alt, said) {
    const holder = make("div", { class: "frame" }, make("div", { class: "stack" }));
    holder.style.aspectRatio = `${size[0]} / ${size[1]}`;
    if (src) holder.firstElementChild.append(picture(src, alt));
    if (said) holder.dataset.said = said;
    return holder;
  }

  function made(part, model, i, size) {
    const found = part.made[model.name]?.[i] ?? { slug: "missing", why: "" };
    const failed = found.slug ? `${found.slug}: ${found.why}` : "";
    const alt = `${part.names[i]} by ${model.name}`;
    const holder = frame(size, failed ? null : found.src, alt, failed);
    const figures = DATA.metrics.filter((m) => m.perPicture && m.name in found).map((m) =>
      make("span", { class: "figure" }, `${m.title.split(" ")[0]} `,
        make("b", {}, told(m.name, number(found[m.name])))));
    return make("figure", { "data-model": model.name },
      make("figcaption", {}, make("strong", {}, model.name), figures), holder);
  }

  function texts(part, i) {
    const before = part.texts[i];
    if (before === null) return null;
    const lines = [make("dt", {}, "original"), make("dd", { tabindex: 0 }, before)];
    for (const model of part.models) {
      const found = part.made[model.name]?.[i];
      if (!found || found.ned === undefined) continue;
      lines.push(make("dt", {}, model.name, make("b", {}, told("ned", found.ned))),
        make("dd", { tabindex: 0, "data-model": model.name },
          Texts.marked(before, found.text ?? before)));
    }
    return lines;
  }

  function build(part, i, changed) {
    const size = part.sizes[i] ?? [1, 1];
    const first = part.originals[i];
    const original = make("figure", { class: "original" },
      make("figcaption", {}, make("strong", {}, "original")),
      frame(size, first, part.names[i], first ? "" : "there is no original"));
    const figures = [original, ...part.models.map((model) => made(part, model, i, size))];
    const read = part.texts[i] === null ? null : make("dl", { class: "texts" });
    const words = part.sizes[i] ? `${size[0]} × ${size[1]} px` : "";
    const element = make("article", { class: "row", tabindex: -1, "data-name": part.names[i],
      "aria-label": part.names[i] },
      make("h3", {}, part.names[i], make("small", {}, words)),
      make("div", { class: "figures" }, figures), read);
    const frames = figures.map((figure) => figure.querySelector(".frame"));
    const row = { element, frames, original: first, view: new View(frames, size, changed) };
    element.row = row;
    // Pictures and texts of rows that nobody scrolls to cost nothing.
    row.near = () => {
      if (read && !read.childElementCount) read.append(...texts(part, i));
      row.view.show();
    };
    return row;
  }

  // The original over each model's picture, seen while the row flips.
  function cover(row) {
    for (const frame of row.frames.slice(1)) {
      const stack = frame.firstElementChild;
      if (!stack.querySelector(".over") && stack.querySelector("img") && row.original) {
        const over = picture(row.original, "");
        over.loading = "eager";
        over.classList.add("over");
        stack.append(over);
      }
    }
  }

  // |a - b| by compositing: from disk, a page may draw pictures but not read their pixels. The
  // gain is a filter over the canvas, which multiplies and clips.
  async function differ(row, shown) {
    row.element.classList.toggle("differs", shown);
    if (!shown) {
      for (const canvas of row.element.querySelectorAll("canvas")) canvas.remove();
      return;
    }
    const [before, ...others] = row.frames.map((frame) => frame.querySelector("img:not(.over)"));
    if (!before) return;
    for (const image of others.filter((image) => image)) {
      for (const one of [before, image]) one.loading = "eager";
      try {
        await Promise.all([before.decode(), image.decode()]);
      } catch {
        continue;
      }
      if (!row.element.classList.contains("differs")) return;
      if (image.parentElement.querySelector("canvas")) continue;
      const { naturalWidth: width, naturalHeight: height } = before;
      const canvas = make("canvas", { width, height, role: "img", "aria-label": "difference" });
      const context = canvas.getContext("2d");
      context.drawImage(before, 0, 0);
      context.globalCompositeOperation = "difference";
      context.drawImage(image, 0, 0);
      image.parentElement.append(canvas);
    }
  }
  return { build, cover, differ };
})();
