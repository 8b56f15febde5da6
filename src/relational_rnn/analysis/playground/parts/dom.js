// Elements, numbers in words, and pictures of rows of numbers.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== false));
  return element;
}

const html = (name, attributes = {}, ...children) => fill(document.createElement(name), attributes, children);
const svg = (name, attributes = {}, ...children) =>
  fill(document.createElementNS(SVG, name), attributes, children);

const button = (text, press, attributes = {}) => html("button", { type: "button", onclick: press, ...attributes }, text);

function select(options, value, change, label) {
  const made = html("select", { "aria-label": label, onchange: () => change(Number(made.value)) });
  made.append(...options.map(([key, text]) => html("option", { value: key }, text)));
  made.value = value;
  return made;
}

const percent = (share, digits = 0) => `${(100 * share).toFixed(digits)}\u00a0%`;
const number = (value) => (Object.is(value, -0) ? 0 : value).toFixed(2).replace("-", "\u2212");
const chip = (label) => html("span", { class: `chip c${label}` }, LETTERS[label]);
const slotName = (n) => `slot ${n + 1}`;

// A row of numbers as coloured cells: blue below zero, orange above, the deeper the larger; `most` is full colour.
function strip(values, most = 1, name = "") {
  const told = name && `${name}: ${values.length} numbers from ${number(Math.min(...values))} to ${number(Math.max(...values))}`;
  const cells = Array.from(values, (value) => {
    const share = Math.min(1, Math.abs(value) / most);
    return html("i", { style: `--s:${share.toFixed(3)}`, class: value < 0 ? "below" : "above", title: number(value) });
  });
  return html("span", { class: "strip", role: "img", "aria-label": told || null }, cells);
}

// A bar from 0 to 1 with its number.
function bar(share, text, kind = "") {
  const width = `width:${(100 * Math.min(1, Math.max(0, share))).toFixed(1)}%`;
  return html("span", { class: `bar ${kind}` }, html("i", { style: width }), html("b", {}, text));
}

// A table of numbers with names at both edges; the cell's shade says how large its share of `most` is.
function heat(rows, rowNames, columnNames, { most = 1, caption = "", show = percent, mark = -1 } = {}) {
  const head = html("tr", {}, html("td"), columnNames.map((name) => html("th", { scope: "col" }, name)));
  const body = rows.map((row, r) => html("tr", { class: r === mark ? "marked" : null },
    html("th", { scope: "row" }, rowNames[r]),
    Array.from(row, (value) => {
      const share = Math.min(1, Math.abs(value) / most);
      const kind = `cell ${value < 0 ? "below" : "above"}`;
      return html("td", { class: kind, style: `--s:${share.toFixed(3)}` }, show(value));
    })));
  return html("table", { class: "heat" }, caption ? html("caption", {}, caption) : null, html("tbody", {}, head, body));
}

const still = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;
