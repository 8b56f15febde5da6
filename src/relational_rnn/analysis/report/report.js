"use strict";
// The page of a run. All numbers are in the JSON block #data; nothing is loaded from anywhere.
// SVG is written as text and parsed by the browser: the parser knows its namespace, which needs no address.

const DATA = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
const percent = (share) => (100 * share).toFixed(1) + " %";
const escaped = (text) =>
  String(text).replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);
const calm = matchMedia("(prefers-reduced-motion: reduce)");

// A short way to write elements: make("p", {class: "note"}, "text", child).
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

function fill(select, entries, chosen) {
  select.replaceChildren(...entries.map(([value, text]) => make("option", { value }, text)));
  if (chosen !== undefined && entries.some(([value]) => String(value) === String(chosen))) select.value = chosen;
}

// The marks of the models are those of the figures: colour alone never tells two models apart.
function mark(shape, x, y, colour, r = 5) {
  const paths = {
    s: `M${x - r} ${y - r}h${2 * r}v${2 * r}h${-2 * r}z`,
    D: `M${x} ${y - 1.3 * r}l${1.3 * r} ${1.3 * r}l${-1.3 * r} ${1.3 * r}l${-1.3 * r} ${-1.3 * r}z`,
    "^": `M${x} ${y - 1.2 * r}l${1.2 * r} ${2.2 * r}h${-2.4 * r}z`,
    v: `M${x} ${y + 1.2 * r}l${1.2 * r} ${-2.2 * r}h${-2.4 * r}z`,
    P: `M${x - r / 2.5} ${y - 1.2 * r}h${r / 1.25}v${0.8 * r}h${0.8 * r}v${r / 1.25}h${-0.8 * r}v${0.8 * r}` +
      `h${-r / 1.25}v${-0.8 * r}h${-0.8 * r}v${-r / 1.25}h${0.8 * r}z`,
    X: `M${x - r} ${y - r}L${x + r} ${y + r}M${x + r} ${y - r}L${x - r} ${y + r}`,
  };
  const edge = `stroke="var(--page)" stroke-width="1.2"`;
  if (shape in paths && shape !== "X") return `<path d="${paths[shape]}" fill="${colour}" ${edge}/>`;
  if (shape === "X") return `<path d="${paths.X}" stroke="${colour}" stroke-width="2.5"/>`;
  return `<circle cx="${x}" cy="${y}" r="${r}" fill="${colour}" ${edge}/>`;
}

const markAlone = (model) => `<svg width="16" height="16" aria-hidden="true">${mark(model.mark, 8, 8, model.colour)}</svg>`;

// Cividis: even steps in brightness, the same for all colour vision, and legible when printed in grey.
const RAMP = ["00224e", "123570", "3b496c", "575d6d", "707173", "8a8678", "a59c74", "c3b369", "e1cc55", "fee838"];
const channels = (hex) => [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16));

function ramp(share) {
  const at = clamp(share, 0, 1) * (RAMP.length - 1);
  const [low, high] = [Math.floor(at), Math.ceil(at)].map((n) => channels(RAMP[n]));
  return `rgb(${low.map((c, n) => Math.round(c + (high[n] - c) * (at - Math.floor(at)))).join(",")})`;
}

const rampBar = () => `<span class="ramp" style="background:linear-gradient(to right,${RAMP.map((c) => "#" + c)})"></span>`;

// Drawings are as wide as their place, so that their text keeps its size; they are made again when that changes.
function redrawn(element, draw) {
  let width = 0;
  new ResizeObserver(() => {
    if (element.clientWidth === width) return;
    width = element.clientWidth;
    if (width) draw(width);
  }).observe(element);
}

// What is wider than its place says so, above its first line.
function startScrollHints() {
  const look = () => {
    for (const one of document.querySelectorAll(".scroll, pre")) one.classList.toggle("wider", one.scrollWidth > one.clientWidth + 1);
  };
  const places = new ResizeObserver(look);
  document.querySelectorAll(".scroll, pre, details").forEach((one) => places.observe(one));
}

function startTheme() {
  const root = document.documentElement, button = byId("theme"), dark = matchMedia("(prefers-color-scheme: dark)");
  const set = (theme) => {
    root.dataset.theme = theme;
    button.textContent = theme === "dark" ? "Light" : "Dark";
    button.setAttribute("aria-label", `Switch to ${theme === "dark" ? "light" : "dark"} colours`);
  };
  let chosen = false; // until then the page follows the system
  set(dark.matches ? "dark" : "light");
  dark.addEventListener("change", () => chosen || set(dark.matches ? "dark" : "light"));
  button.addEventListener("click", () => {
    chosen = true;
    set(root.dataset.theme === "dark" ? "light" : "dark");
  });
}
