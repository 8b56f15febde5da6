// What a model does at each step of an example: one slider moves attention, gates and slots together.

const inner = { run: 0, model: null, example: 0, block: 0, head: "mean", step: 0, timer: null };
const numbers = new Map(); // base64 is read once

function decoded(part) {
  if (!numbers.has(part)) numbers.set(part, Uint8Array.from(atob(part.bytes), (c) => c.charCodeAt(0)));
  return numbers.get(part);
}

// The number at some indices of a recorded part.
function valueAt(part, indices) {
  const at = indices.reduce((sum, index, axis) => sum * part.shape[axis] + index, 0);
  return (decoded(part)[at] / 255) * part.top;
}

const insideOf = () => DATA.runs[inner.run].inside;
const watched = () => insideOf().models[inner.model];
const labelOf = () => DATA.runs[inner.run].models.find((model) => model.name === inner.model).label;
const stepCount = () => (watched().attention ?? watched().norms ?? watched().boards).shape[1];
const wordAt = (step) => insideOf().steps[inner.example][step] ?? "";
const stepName = (step) => `step ${insideOf().first + step + 1}`;

function attentionAt(step, row, column) {
  const part = watched().attention, heads = part.shape[3];
  const one = (head) => valueAt(part, [inner.example, step, inner.block, head, row, column]);
  if (inner.head !== "mean") return one(Number(inner.head));
  let sum = 0;
  for (let head = 0; head < heads; head++) sum += one(head);
  return sum / heads;
}

// Rows and columns of the map. A Transformer has a row a step, of which those up to now are known.
function mapAxes() {
  const [, steps, , , slots, columns] = watched().attention.shape;
  if (watched().transformer) {
    const names = Array.from({ length: steps }, (_, step) => wordAt(step) || String(insideOf().first + step + 1));
    return { rows: names, columns: names };
  }
  const name = (n) => (n < slots ? `slot ${n + 1}` : columns - slots > 1 ? `input ${n - slots + 1}` : "input");
  const names = Array.from({ length: columns }, (_, n) => name(n));
  return { rows: names.slice(0, slots), columns: names };
}

const cellOf = (row, column) =>
  watched().transformer ? attentionAt(row, 0, column) : attentionAt(inner.step, row, column);

// What the brightest colour stands for. Of slots it is the largest weight over all steps: the scale stays the
// same while time moves. The more steps a Transformer sees the less each gets, so there every row has its own.
function mapTops() {
  const [, steps, , , slots, columns] = watched().attention.shape;
  const top = (step, row) => Math.max(...Array.from({ length: columns }, (_, column) => attentionAt(step, row, column)));
  const tops = [];
  for (let step = 0; step < steps; step++) {
    for (let row = 0; row < slots; row++) tops.push(top(step, row));
  }
  return watched().transformer ? (row) => tops[row] || 1 : () => Math.max(...tops) || 1;
}

function drawMap(width) {
  const { rows, columns } = mapAxes(), left = watched().transformer ? 84 : 52, over = 26;
  const size = clamp((width - left - 6) / columns.length, 4, 76), tall = Math.min(size, 46);
  const cells = [];
  inner.topOf = mapTops();
  inner.roomy = size >= 34;
  rows.forEach((name, row) => {
    if (row % Math.ceil(15 / tall) === 0) cells.push(`<text x="${left - 6}" y="${over + (row + 0.5) * tall + 4}" text-anchor="end">${escaped(name.slice(0, 11))}</text>`);
    columns.forEach((_, column) => {
      const x = left + column * size, y = over + row * tall;
      cells.push(`<rect data-cell="${row},${column}" x="${x}" y="${y}" width="${size + 0.5}" height="${tall + 0.5}"/>`);
      if (inner.roomy) cells.push(`<text data-text="${row},${column}" x="${x + size / 2}" y="${y + tall / 2 + 5}" text-anchor="middle"></text>`);
    });
  });
  if (columns.every((name) => 8 * name.length <= size)) {
    columns.forEach((name, column) => {
      cells.push(`<text x="${left + (column + 0.5) * size}" y="${over - 8}" text-anchor="middle">${escaped(name)}</text>`);
    });
  } else {
    const across = watched().transformer ? "steps that are looked at, first to last" : "slots, then the input";
    cells.push(`<text class="quiet" x="${left}" y="${over - 8}">${across}</text>`);
  }
  cells.push(`<rect class="cursor" id="now" x="${left}" y="0" width="${size * columns.length}" height="${tall}"/>`);
  inner.rowAt = (row) => over + row * tall;
  byId("map").innerHTML = `<svg width="${left + size * columns.length + 4}" height="${over + tall * rows.length + 4}" role="img" aria-label="Attention at the present step">${cells.join("")}</svg>`;
  const most = watched().transformer ? "the largest of each row" : `${percent(inner.topOf(0))}, the largest in this example`;
  byId("scale").innerHTML = `0 %${rampBar()}${most}`;
  showMap();
}

function showMap() {
  if (!watched().attention) return;
  const map = byId("map"), transformer = watched().transformer;
  for (const cell of map.querySelectorAll("[data-cell]")) {
    const [row, column] = cell.dataset.cell.split(",").map(Number);
    const known = !transformer || (row <= inner.step && column <= row);
    if (transformer && cell.known === known) continue; // a step that was read stays as it is
    cell.known = known;
    cell.setAttribute("fill", known ? ramp(cellOf(row, column) / inner.topOf(row)) : "var(--shade)");
  }
  for (const text of map.querySelectorAll("[data-text]")) {
    const [row, column] = text.dataset.text.split(",").map(Number);
    const known = !transformer || (row <= inner.step && column <= row), value = known ? cellOf(row, column) : 0;
    text.textContent = known ? Math.round(100 * value) : "";
    text.style.fill = value / inner.topOf(row) > 0.5 ? "#000" : "#fff";
  }
  const now = byId("now");
  now.style.display = transformer ? "" : "none";
  now.setAttribute("y", inner.rowAt(transformer ? inner.step : 0));
}

// A strip has a row a slot and a column a step; beside it stand the numbers of the present step.
const STRIPS = [
  ["input_gate", "Input gate", "How much of what is new each slot takes in, mean of its features."],
  ["forget_gate", "Forget gate", "How much of what it held each slot keeps, mean of its features."],
  ["norms", "Size of each slot", "Euclidean norm of what it holds."],
];

function drawStrips(width) {
  const parts = STRIPS.filter(([name]) => watched()[name]);
  byId("strips").replaceChildren(...parts.map(([name, title, words]) => stripOf(name, title, words, width)));
  showStrips();
}

// A gate stays in a narrow range: a scale from 0 to 1 would show one grey.
function rangeOf(part) {
  const [, steps, slots] = part.shape, values = [];
  for (let step = 0; step < steps; step++) {
    for (let slot = 0; slot < slots; slot++) values.push(valueAt(part, [inner.example, step, slot]));
  }
  return [Math.min(...values), Math.max(...values)];
}

// The numbers of the steps above a strip; where they would touch, every second, fifth, tenth, ... of them.
function stepNumbers(steps, left, size) {
  const first = insideOf().first + 1, room = 8 * String(first + steps).length + 8;
  const every = [1, 2, 5, 10, 20, 50, 100, 200, 500].find((n) => n * size >= room) ?? steps;
  const numbered = Array.from({ length: steps }, (_, step) => step).filter((step) => every === 1 || (first + step) % every === 0);
  const told = numbered.map((step) => `<text class="quiet" x="${left + (step + 0.5) * size}" y="13" text-anchor="middle">${first + step}</text>`);
  return `<text class="quiet" x="${left - 6}" y="13" text-anchor="end">step</text>${told.join("")}`;
}

function stripOf(name, title, words, width) {
  const part = watched()[name], [, steps, slots] = part.shape;
  const left = 52, right = 46, size = (width - left - right) / steps, tall = clamp(150 / slots, 9, 26);
  const over = 20, rows = [stepNumbers(steps, left, size)], [low, high] = rangeOf(part);
  for (let slot = 0; slot < slots; slot++) {
    const middle = over + (slot + 0.5) * tall + 4;
    const label = slots === 1 ? "cell" : `slot ${slot + 1}`;
    if (tall >= 12) rows.push(`<text x="${left - 6}" y="${middle}" text-anchor="end">${label}</text>`);
    for (let step = 0; step < steps; step++) {
      const value = valueAt(part, [inner.example, step, slot]);
      rows.push(`<rect x="${left + step * size}" y="${over + slot * tall}" width="${size + 0.5}" height="${tall + 0.5}" fill="${ramp((value - low) / (high - low || 1))}"/>`);
    }
    if (tall >= 12) rows.push(`<text data-slot="${slot}" x="${width - right + 6}" y="${middle}"></text>`);
  }
  rows.push(`<rect class="cursor" y="${over}" width="${size}" height="${slots * tall}"/>`);
  const strip = make("div", { class: "strip", "data-part": name });
  strip.innerHTML = `<h3>${title}</h3><p class="note">${words} <span class="scale">${low.toFixed(2)}${rampBar()}${high.toFixed(2)},</span> lowest to highest in this example.</p>
    <svg width="${width}" height="${over + slots * tall + 3}" role="img" aria-label="${title} of each slot over the steps">${rows.join("")}</svg>`;
  strip.cursorAt = (step) => left + step * size;
  const svg = strip.querySelector("svg");
  svg.addEventListener("click", (event) => {
    const x = event.clientX - svg.getBoundingClientRect().left;
    goTo(Math.floor((x - left) / size));
  });
  return strip;
}

function showStrips() {
  for (const strip of byId("strips").children) {
    strip.querySelector(".cursor").setAttribute("x", strip.cursorAt(inner.step));
    for (const text of strip.querySelectorAll("[data-slot]")) {
      text.textContent = valueAt(watched()[strip.dataset.part], [inner.example, inner.step, Number(text.dataset.slot)]).toFixed(2);
    }
  }
}

// The present step in a sentence, which is also what a screen reader says.
function statusText() {
  if (episodeOf()) return episodeText();
  const word = wordAt(inner.step), what = word === "?" ? "expects an answer" : word ? `reads “${word}”` : "";
  const begin = `${stepName(inner.step)[0].toUpperCase()}${stepName(inner.step).slice(1)} ${what}`.trim();
  if (!watched().attention) return begin + ".";
  const { rows, columns } = mapAxes(), transformer = watched().transformer;
  let best = [0, 0, -1];
  for (let row = 0; row < (transformer ? 1 : rows.length); row++) {
    const at = transformer ? inner.step : row;
    for (let column = 0; column < (transformer ? at + 1 : columns.length); column++) {
      if (cellOf(at, column) > best[2]) best = [at, column, cellOf(at, column)];
    }
  }
  const aim = wordAt(best[1]), target = transformer
    ? `${best[1] === inner.step ? "itself" : stepName(best[1])}${aim ? ` (“${aim}”)` : ""}`
    : best[0] === best[1] ? "itself" : columns[best[1]].replace("input", "the input");
  return `${begin}. ${transformer ? "It" : `S${rows[best[0]].slice(1)}`} gives ${percent(best[2])} of its attention to ${target}${transformer ? "" : ", the most of all"}.`;
}

function goTo(step) {
  inner.step = clamp(step, 0, stepCount() - 1);
  byId("step").value = inner.step;
  byId("step").setAttribute("aria-valuetext", `${stepName(inner.step)} ${wordAt(inner.step)}`);
  byId("count").textContent = `${stepName(inner.step)} of ${insideOf().first + stepCount()}`;
  [...byId("tape").children].forEach((chip, n) => {
    chip.className = n === inner.step ? "now" : n > inner.step ? "later" : "";
  });
  byId("status").textContent = statusText();
  showMap();
  showStrips();
  if (episodeOf()) showEpisode();
}

function play(on) {
  clearInterval(inner.timer);
  inner.timer = null;
  if (on && calm.matches) goTo((inner.step + 1) % stepCount()); // who wants little motion gets one step a press
  else if (on) {
    if (inner.step === stepCount() - 1) goTo(0);
    inner.timer = setInterval(() => (inner.step < stepCount() - 1 ? goTo(inner.step + 1) : play(false)), episodeOf() ? 170 : 700);
  }
  byId("play").textContent = calm.matches ? "Next step" : inner.timer ? "❚❚ Pause" : "▶ Play";
}
