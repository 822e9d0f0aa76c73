// What is asked of a page, in a world of its own: the page's scripts can neither see nor change it.
// Lengths are CSS px. Arrays of numbers travel as base64 of float32.
(() => {
  const style = new CSSStyleSheet();
  const HIDDEN = `*, *::before, *::after, *::marker {
      -webkit-text-fill-color: transparent !important; -webkit-text-stroke-color: transparent !important;
      text-shadow: none !important; text-emphasis-color: transparent !important }
    svg text, svg text * { fill-opacity: 0 !important; stroke-opacity: 0 !important }`;
  const STILL = `*, *::before, *::after {
      animation: none !important; transition: none !important; caret-color: transparent !important;
      scroll-behavior: auto !important }`;
  const INLINE = new Set([
    'inline', 'inline-block', 'inline-flex', 'inline-grid', 'contents', 'ruby', 'ruby-text', 'math']);
  const SKIPPED = new Set([
    'SCRIPT', 'STYLE', 'NOSCRIPT', 'TEMPLATE', 'TEXTAREA', 'SELECT', 'OPTION', 'TITLE', 'IFRAME']);
  const FIGURES = 'img, svg, canvas, video, figure, object, embed';
  const FORMULAS = 'math, .katex, .MathJax, mjx-container, .MathJax_Display, .MathJax_SVG,' +
    ' img.tex, img.math, img.mwe-math-fallback-image-inline';
  const OPAQUE = 'img, canvas, video, iframe, frame, object, embed, textarea, select, input,' +
    ' svg image, meter, progress, audio';
  const range = document.createRange();
  const roots = [document];
  let texts = [];       // every text node that may show, in order
  let tops, bottoms;    // where each begins and ends, from the top of the document
  const sticky = [];    // elements that do not move as the document does
  const painted = [];   // elements with a picture as their ground
  const lined = [];     // elements whose underline has the colour of their text
  const facts = new Map();    // by element: how its text looks
  const fonts = [];
  const ascents = new Map();
  let pen = null;

  const root = () => document.scrollingElement || document.documentElement;

  function pack(numbers) {
    const bytes = new Uint8Array(Float32Array.from(numbers).buffer);
    let text = '';
    for (let i = 0; i < bytes.length; i += 32768) {
      text += String.fromCharCode.apply(null, bytes.subarray(i, i + 32768));
    }
    return btoa(text);
  }

  function collect(within) {
    const walk = document.createTreeWalker(within, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT, {
      acceptNode: (node) => SKIPPED.has(node.nodeName) ? NodeFilter.FILTER_REJECT
        : NodeFilter.FILTER_ACCEPT });
    for (let node = walk.currentNode; node; node = walk.nextNode()) {
      if (node.nodeType === Node.TEXT_NODE) {
        texts.push(node);
      } else if (node.shadowRoot) {
        roots.push(node.shadowRoot);
        collect(node.shadowRoot);
      }
    }
  }

  function prepare() {
    style.replaceSync(STILL);
    collect(document.documentElement);
    for (const one of roots) {
      one.adoptedStyleSheets = [...one.adoptedStyleSheets, style];
      for (const e of one.querySelectorAll('*')) {
        const css = getComputedStyle(e);
        if (css.position === 'fixed' || css.position === 'sticky') sticky.push(e);
        if (css.backgroundImage.includes('url(')) painted.push(e);
        if (css.textDecorationLine !== 'none' && css.textDecorationColor === css.color) {
          lined.push([e, css.webkitTextFillColor]);
        }
      }
    }
    // It would go with the text, and be taken for ink of it.
    for (const [e, colour] of lined) e.style.setProperty('text-decoration-color', colour, 'important');
  }

  // Where lines of text stand: pairs of top and bottom, sorted and merged, up to `limit`.
  function lines(limit) {
    const shown = [], from = [], to = [], rows = new Uint8Array(Math.ceil(limit) + 2);
    const up = root().scrollTop;
    let end = 0;
    for (const node of texts) {
      range.selectNodeContents(node);
      const rects = range.getClientRects();
      let low = Infinity, high = -Infinity;
      for (const rect of rects) {
        const top = rect.top + up, bottom = rect.bottom + up;
        if (rect.width <= 0 || bottom <= 0 || top >= limit) continue;
        low = Math.min(low, top);
        high = Math.max(high, bottom);
        rows.fill(1, Math.max(0, Math.floor(top + .5)), Math.ceil(Math.min(bottom - .5, limit)));
      }
      if (high > low) {
        shown.push(node);
        from.push(low);
        to.push(high);
        end = Math.max(end, high);
      }
    }
    texts = shown;
    tops = Float32Array.from(from);
    bottoms = Float32Array.from(to);
    const pairs = [];
    for (let y = 0, on = 0; y < rows.length; y++) {
      if (rows[y] !== on) { pairs.push(y); on = rows[y]; }
    }
    for (const one of roots) {
      for (const e of one.querySelectorAll(`${FIGURES}, ${OPAQUE}, hr, table`)) {
        const r = e.getBoundingClientRect();
        if (r.width > 0 && r.height > 0 && r.top + up < limit) end = Math.max(end, r.bottom + up);
      }
    }
    const body = document.body ? document.body.getBoundingClientRect().bottom + up : 0;
    return { rows: pack(pairs), end, body, height: root().scrollHeight };
  }

  // Changes when anything has moved, as good as always.
  function layout() {
    const sides = texts.length ? (range.selectNodeContents(texts[texts.length >> 1]),
      range.getBoundingClientRect()) : { left: 0, top: 0 };
    return [root().scrollHeight, root().scrollTop, sides.left, sides.top].join(' ');
  }

  function ascent(font) {
    if (!ascents.has(font)) {
      pen = pen || document.createElement('canvas').getContext('2d');
      pen.font = font;
      ascents.set(font, pen.measureText('x').fontBoundingBoxAscent);
    }
    return ascents.get(font);
  }

  function fontNumber(family) {
    const name = family.split(',')[0].trim().replace(/^["']|["']$/g, '');
    const place = fonts.indexOf(name);
    return place >= 0 ? place : fonts.push(name) - 1;
  }

  // How much larger than its style says an element is drawn, and whether its lines lie flat.
  function transformOf(element) {
    let matrix = new DOMMatrix();
    if (element instanceof SVGElement && element.getScreenCTM) {
      const m = element.getScreenCTM();
      if (m) matrix = new DOMMatrix([m.a, m.b, m.c, m.d, 0, 0]);
    } else {
      for (let e = element; e instanceof Element; e = e.parentElement) {
        const css = getComputedStyle(e);
        if (css.transform !== 'none') matrix = new DOMMatrix(css.transform).multiply(matrix);
        if (css.scale !== 'none') {
          const [x, y] = css.scale.split(' ').map(Number);
          matrix = new DOMMatrix().scale(x, y === undefined ? x : y).multiply(matrix);
        }
        if (css.rotate !== 'none') matrix = new DOMMatrix().rotate(parseFloat(css.rotate)).multiply(matrix);
      }
    }
    const scale = Math.sqrt(Math.abs(matrix.a * matrix.d - matrix.b * matrix.c));
    return { scale, flat: Math.abs(matrix.b) < 1e-3 * Math.abs(matrix.a) && matrix.a > 0 };
  }

  function factsOf(element) {
    let known = facts.get(element);
    if (known) return known;
    const css = getComputedStyle(element);
    let box = element;
    while (box.parentElement && INLINE.has(getComputedStyle(box).display)) box = box.parentElement;
    const { scale, flat } = transformOf(element);
    const zoom = element.currentCSSZoom || 1;
    const size = parseFloat(css.fontSize);
    const upper = css.textTransform.includes('uppercase') || css.fontVariantCaps.includes('small-caps');
    known = {
      box,
      shown: size > 0 && element.checkVisibility({
        opacityProperty: true, visibilityProperty: true, contentVisibilityAuto: true }),
      em: size * zoom * scale,
      flat: flat && css.writingMode === 'horizontal-tb',
      ascent: ascent(`${css.fontStyle} ${css.fontWeight} ${size}px ${css.fontFamily}`) * zoom * scale,
      font: fontNumber(css.fontFamily),
      change: upper ? 'upper' : css.textTransform.includes('lowercase') ? 'lower'
        : css.textTransform.includes('capitalize') ? 'capital' : '',
    };
    facts.set(element, known);
    return known;
  }

  function asShown(character, before, change) {
    const changed = change === 'upper' || (change === 'capital' && !/[\p{L}\p{N}'’]/u.test(before))
      ? character.toUpperCase() : change === 'lower' ? character.toLowerCase() : character;
    return [...changed].length === 1 ? changed : character;
  }

  // The characters between two heights of the window. For each: left, top, right, bottom of its
  // place, baseline, em, font, number of its block, and whether its line lies flat.
  function read(top, bottom, margin) {
    facts.clear();
    const up = root().scrollTop, width = innerWidth;
    const shown = [], numbers = [], blocks = new Map();
    for (let n = 0; n < texts.length; n++) {
      // Fixed and sticky text moves against the document, so it is asked again.
      const node = texts[n], element = node.parentElement;
      if (!element) continue;
      if (bottoms[n] - up < top - margin || tops[n] - up > bottom + margin) {
        if (!sticky.some((one) => one.contains(element))) continue;
      }
      range.selectNodeContents(node);
      const whole = range.getBoundingClientRect();
      if (whole.bottom <= top || whole.top >= bottom || whole.right <= 0 || whole.left >= width) continue;
      const look = factsOf(element);
      if (!look.shown) continue;
      if (!blocks.has(look.box)) blocks.set(look.box, blocks.size);
      const block = blocks.get(look.box), data = node.data;
      let before = '';
      for (const [from, to] of window_(node, top, bottom)) {
        for (let i = from; i < to;) {
          const character = String.fromCodePoint(data.codePointAt(i));
          range.setStart(node, i);
          range.setEnd(node, i + character.length);
          i += character.length;
          const rects = range.getClientRects();
          const rect = rects[rects.length - 1];
          if (rect && rect.width > 0 && rect.top >= top - 1 && rect.bottom <= bottom + 1
              && rect.left >= -1 && rect.right <= width + 1) {
            shown.push(/\s/.test(character) ? ' ' : asShown(character, before, look.change));
            numbers.push(rect.left, rect.top, rect.right, rect.bottom, rect.top + look.ascent,
              look.em, look.font, block, look.flat ? 1 : 0);
          }
          before = character;
        }
      }
    }
    return { text: shown.join(''), numbers: pack(numbers), fonts };
  }

  // The part of a long text whose lines meet the window: pieces of 500 characters are asked whole.
  function* window_(node, top, bottom) {
    const length = node.data.length, step = 500;
    for (let from = 0; from < length;) {
      let to = Math.min(length, from + step);
      if (to < length && node.data.codePointAt(to - 1) > 0xFFFF) to++;
      if (length > step) {
        range.setStart(node, from);
        range.setEnd(node, to);
        const rect = range.getBoundingClientRect();
        if (rect.bottom > top && rect.top < bottom) yield [from, to];
      } else {
        yield [from, to];
      }
      from = to;
    }
  }

  // Runs of text that no node holds (markers, `content`): [text, left, top, width, height, style,
  // weight, size, family], from the top of the document.
  function generated(runs, top, bottom) {
    const up = root().scrollTop, across = root().scrollLeft;
    const shown = [], numbers = [];
    runs.forEach(([text, left, y, width, height, italic, weight, size, family], place) => {
      const above = y - up;
      if (above < top || above + height > bottom) return;
      const font = `${italic} ${weight} ${size} ${family}`, em = parseFloat(size);
      const rise = ascent(font);
      pen.font = font;
      const stretch = width / (pen.measureText(text).width || 1);
      let from = 0, before = '';
      for (const character of text) {
        before += character;
        const to = pen.measureText(before).width * stretch;
        if (left - across + from >= 0 && left - across + to <= innerWidth) {
          shown.push(/\s/.test(character) ? ' ' : character);
          numbers.push(left - across + from, above, left - across + to, above + height, above + rise,
            em, fontNumber(family), place, 1);
        }
        from = to;
      }
    });
    return { text: shown.join(''), numbers: pack(numbers), fonts };
  }

  // Rectangles in the window, as kind and four sides.
  function regions(top, bottom) {
    const found = [];
    const add = (kind, element) => {
      if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) return;
      const r = element.getBoundingClientRect();
      if (r.width >= 4 && r.height >= 4 && r.bottom > top && r.top < bottom && r.right > 0
          && r.left < innerWidth) {
        found.push([kind, Math.max(0, r.left), Math.max(top, r.top), Math.min(innerWidth, r.right),
          Math.min(bottom, r.bottom)]);
      }
    };
    for (const one of roots) {
      for (const e of one.querySelectorAll(FIGURES)) {
        if (!e.parentElement || !e.parentElement.closest(`figure, svg, ${FORMULAS}`)) {
          if (!e.matches(FORMULAS)) add('figure', e);
        }
      }
      for (const e of one.querySelectorAll('table')) {
        if (e.getAttribute('role') !== 'presentation') add('table', e);
      }
      for (const e of one.querySelectorAll(FORMULAS)) {
        if (!e.parentElement || !e.parentElement.closest(FORMULAS)) add('formula', e);
      }
      for (const e of one.querySelectorAll(OPAQUE)) {
        if (e.type !== 'checkbox' && e.type !== 'radio' && e.type !== 'hidden') add('picture', e);
      }
    }
    for (const e of painted) add('picture', e);
    return found;
  }

  globalThis.corpus = {
    loaded: () => document.readyState === 'complete' && document.fonts.status === 'loaded',
    prepare, lines, layout, read, generated, regions,
    scroll: (y) => { root().scrollTop = y; root().scrollLeft = 0; return root().scrollTop; },
    hideText: (hide) => { style.replaceSync(hide ? STILL + HIDDEN : STILL); return true; },
  };
})();
