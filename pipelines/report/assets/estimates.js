// From the sample to the corpus: sums by weight, each with half the width of a 95 % interval.
const Estimates = (() => {
  const Z = 1.96;

  // {name: {count, half}} of the drawn rows, by `nameOf(i)`; rows without a name are left out.
  function totals(nameOf) {
    const seen = new Map();
    for (const i of Corpus.drawn) {
      const name = nameOf(i);
      if (name === null) continue;
      if (!seen.has(name)) seen.set(name, new Map());
      const strata = seen.get(name), stratum = Corpus.columns.stratum[i];
      strata.set(stratum, (strata.get(stratum) || 0) + 1);
    }
    const found = {};
    for (const [name, strata] of seen) {
      let count = 0, variance = 0;
      for (const [number, hits] of strata) {
        const { images, rows } = DATA.strata[number];
        count += (images * hits) / rows;
        // All rows of the stratum, or all images in the sample: nothing is guessed.
        if (hits === rows || images === rows) continue;
        const share = (hits + 1) / (rows + 2);
        variance += images * images * (1 - rows / images) * share * (1 - share) / (rows + 1);
      }
      found[name] = { count, half: Z * Math.sqrt(variance) };
    }
    return found;
  }

  const said = ({ count, half }) =>
    half < 0.5 ? inWords(count) : `${inWords(count)} ± ${inWords(Math.max(1, half))}`;

  return { totals, said };
})();
