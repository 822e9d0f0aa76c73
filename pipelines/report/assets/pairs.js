// Duplicates side by side with what was kept, the most different first.
const Pairs = (() => {
  const PAGE = 24;
  const { get } = Corpus;
  function pair({ a, b, slug, bits, fine_bits: fine }) {
    const size = (i) => `${get("width", i)} × ${get("height", i)}`;
    const apart = slug === "duplicate" ? "the same bytes" : `${bits} of 64, ${fine} of 256 bits apart`;
    return make("figure", { class: "pair" }, Tile.make(a, { list: [a, b], words: size(a) }), Tile.make(b, { list: [a, b], words: size(b) }),
      make("figcaption", {}, `${slug}: ${apart}`));
  }
  function start() {
    const holder = document.getElementById("pairs"), more = document.getElementById("more-pairs");
    const pairs = [...DATA.pairs].sort((x, y) => (y.bits || 0) + (y.fine_bits || 0) - (x.bits || 0) - (x.fine_bits || 0));
    if (!pairs.length) { holder.append(make("p", { class: "quiet" }, "No duplicates were found.")); return; }
    let shown = 0;
    const page = () => { holder.append(...pairs.slice(shown, shown + PAGE).map(pair)); shown += PAGE; more.hidden = shown >= pairs.length; };
    more.addEventListener("click", page);
    page();
  }
  return { start };
})();
