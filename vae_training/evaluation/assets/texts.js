// Two texts as one: what both have, what only the original has, what only the model has. By the
// table of Levenshtein's distance over code points, so that what is marked is what NED counts.
const Texts = (() => {
  // Two bytes a cell: longer texts are shown unmarked rather than stop the page.
  const MOST_CELLS = 36e6;

  function pieces(before, after) {
    const a = Array.from(before), b = Array.from(after);
    let start = 0, end = 0;
    const least = Math.min(a.length, b.length);
    while (start < least && a[start] === b[start]) start++;
    while (end < least - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
    const x = a.slice(start, a.length - end), y = b.slice(start, b.length - end);
    if ((x.length + 1) * (y.length + 1) > MOST_CELLS) return null;
    const found = [["same", a.slice(0, start)], ...middle(x, y), ["same", a.slice(a.length - end)]];
    return joined(end ? found : found.slice(0, -1));
  }

  function middle(x, y) {
    const wide = y.length + 1, cost = new Uint16Array((x.length + 1) * wide);
    for (let j = 0; j < wide; j++) cost[j] = j;
    for (let i = 1; i <= x.length; i++) {
      cost[i * wide] = i;
      for (let j = 1; j < wide; j++) {
        const at = i * wide + j;
        const other = Math.min(cost[at - 1], cost[at - wide]) + 1;
        cost[at] = Math.min(other, cost[at - wide - 1] + (x[i - 1] === y[j - 1] ? 0 : 1));
      }
    }
    const found = [];
    let i = x.length, j = y.length;
    while (i || j) {
      const at = i * wide + j;
      const same = i && j && x[i - 1] === y[j - 1];
      if (i && j && cost[at] === cost[at - wide - 1] + (same ? 0 : 1)) {
        i--; j--;
        if (same) found.push(["same", [x[i]]]);
        else found.push(["added", [y[j]]], ["gone", [x[i]]]);
      } else if (i && cost[at] === cost[at - wide] + 1) found.push(["gone", [x[--i]]]);
      else found.push(["added", [y[--j]]]);
    }
    return found.reverse();
  }

  // Neighbours of one kind together; between two that both have, first all that is gone.
  function joined(found) {
    const made = [];
    let gone = [], added = [];
    const flush = () => {
      if (gone.length) made.push(["gone", gone.join("")]);
      if (added.length) made.push(["added", added.join("")]);
      gone = []; added = [];
    };
    for (const [kind, letters] of found) {
      if (kind === "gone") gone.push(...letters);
      else if (kind === "added") added.push(...letters);
      else if (letters.length) {
        flush();
        if (made.length && made.at(-1)[0] === "same") made.at(-1)[1] += letters.join("");
        else made.push(["same", letters.join("")]);
      }
    }
    flush();
    return made;
  }

  const TAGS = { same: "span", gone: "del", added: "ins" };
  function marked(before, after) {
    const found = pieces(before, after);
    if (!found) return [make("span", {}, after), make("em", {}, " (too long to be marked)")];
    return found.map(([kind, text]) => make(TAGS[kind], {}, text));
  }
  return { pieces, marked };
})();
