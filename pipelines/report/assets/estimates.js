// From the sample to the corpus: sums by weight, each with half the width of a 95 % interval.
const Estimates = (() => {
  const Z = 1.96;

  // {name: {count, half}} of the drawn rows, by `nameOf(i)`; rows without a name are left out.
  // `unsure(stratum)`: where the rows not drawn may have another name than all that were drawn.
  function totals(nameOf, unsure = () => false) {
    const seen = new Map();
    for (const i of Corpus.drawn) {
      const name = nameOf(i);
      if (name === null) continue;
      if (!seen.has(name)) seen.set(name, DATA.strata.map(() => 0));
      seen.get(name)[Corpus.columns.stratum[i]] += 1;
    }
    const open = DATA.strata.map((stratum) => stratum.rows < stratum.images && unsure(stratum));
    const found = {};
    for (const [name, strata] of seen) {
      let count = 0, variance = 0;
      // What no open stratum has shown is none of their outcomes.
      const may = strata.some((hits, number) => hits && open[number]);
      strata.forEach((hits, number) => {
        const { images, rows } = DATA.strata[number];
        count += (images * hits) / rows;
        if (images === rows || (!(may && open[number]) && (hits === 0 || hits === rows))) return;
        const share = (hits + 1) / (rows + 2);
        variance += images * images * (1 - rows / images) * share * (1 - share) / (rows + 1);
      });
      found[name] = { count, half: Z * Math.sqrt(variance) };
    }
    return found;
  }

  const said = ({ count, half }) =>
    half < 0.5 ? inWords(count) : `${inWords(count)} ± ${inWords(Math.max(1, half))}`;

  return { totals, said };
})();
