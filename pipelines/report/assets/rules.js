// Runs the plan's rules on the sample: the same expressions, as 32-bit floats, first reason wins.
"use strict";

const Rules = (() => {
  const unknown = (value) => value === null || value === undefined;

  // Unknown unless both are known, as in SQL.
  const known = (left, right, test) => (i) => {
    const a = left(i), b = right(i);
    return unknown(a) || unknown(b) ? null : test(a, b);
  };

  const OPERATORS = {
    "<": (a, b) => a < b,
    ">": (a, b) => a > b,
    ">=": (a, b) => a >= b,
    "=": (a, b) => a === b,
    "<>": (a, b) => a !== b,
    "*": (a, b) => Math.fround(a * b),
  };

  // An expression as a function of a row's number. `settings` is read at every call.
  function compile(part, columns, settings) {
    const whole = (p) => compile(p, columns, settings);
    if (typeof part === "number") {
      const value = Math.fround(part);
      return () => value;
    }
    if (!Array.isArray(part)) return () => part;
    const [operator, ...parts] = part;
    if (operator === "column") {
      const values = columns[parts[0]];
      return (i) => (typeof values[i] === "number" ? Math.fround(values[i]) : values[i]);
    }
    if (operator === "setting") return () => Math.fround(settings[parts[0]]);
    if (operator === "case") {
      const cases = parts.slice(0, -1).map(([when, then]) => [whole(when), whole(then)]);
      const otherwise = whole(parts[parts.length - 1]);
      return (i) => {
        for (const [when, then] of cases) if (when(i) === true) return then(i);
        return otherwise(i);
      };
    }
    const [left, right] = parts.map(whole);
    if (operator === "and" || operator === "or") {
      const settled = operator === "or";
      return (i) => {
        const a = left(i);
        if (a === settled) return settled;
        const b = right(i);
        if (b === settled) return settled;
        return unknown(a) || unknown(b) ? null : !settled;
      };
    }
    if (!OPERATORS[operator]) throw new Error(`no such operator in a rule: ${operator}`);
    return known(left, right, OPERATORS[operator]);
  }

  // `decide(i)` gives [kind, slug or null] of row i. `columns` maps names to arrays.
  function make(declared, columns, settings) {
    const kinds = [];
    const kindOf = compile(declared.kind, columns, settings);
    const read = { ...columns, kind: kinds };
    const rules = declared.rules.map(([slug, when]) => [slug, compile(when, read, settings)]);
    return (i) => {
      kinds[i] = kindOf(i);
      for (const [slug, when] of rules) if (when(i) === true) return [kinds[i], slug];
      return [kinds[i], null];
    };
  }

  return { make };
})();
