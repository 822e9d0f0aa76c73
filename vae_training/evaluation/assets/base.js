"use strict";
// The evaluation, and elements made of names that may hold anything: text is never read as HTML.
const DATA = JSON.parse(document.getElementById("data").textContent);

// JSON has no infinity: PSNR of equal pictures is written "inf".
const number = (value) => (value === "inf" ? Infinity : value ?? null);

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

const byId = (id) => document.getElementById(id);

const DIGITS = { psnr: 2, ssim: 4, lpips: 4, ned: 4, fid: 2 };
function told(metric, value) {
  if (value === null) return "–";
  return value === Infinity ? "∞" : value.toFixed(DIGITS[metric]);
}

// Order of a and b with the worst first; what has no value comes last in either order.
function compare(a, b, better, worstFirst) {
  if (a === null || b === null) return (a === null) - (b === null);
  const sign = worstFirst ? better : -better;
  return a === b ? 0 : (a < b ? -1 : 1) * sign;
}
