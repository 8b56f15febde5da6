// Accuracy, loss or return over training: a line a model, the range of its seeds behind it, values under the pointer.

const DASHES = ["", "9 4", "2.5 3", "10 3 2 3"]; // of several ways of one model

const niceStep = (top) => {
  const size = 10 ** Math.floor(Math.log10(top / 4));
  return [1, 2, 2.5, 5, 10].map((n) => n * size).find((step) => top / step <= 5);
};
const short = (n) => (n >= 1e6 ? +(n / 1e6).toPrecision(4) + " M" : n >= 1e4 ? +(n / 1e3).toPrecision(4) + " k" : +n.toPrecision(4));

// What a chart shows: a share on a scale from 0 to 1, a loss on a logarithmic one, or any number.
const VIEWS = {
  accuracy: { name: "Validation accuracy", words: percent, log: false },
  validation: { name: "Loss on validation examples", words: (loss) => loss.toPrecision(3), log: true },
  training: { name: "Loss on training batches", words: (loss) => loss.toPrecision(3), log: true },
  returns: { name: "Mean return on held-out levels", words: (sum) => sum.toFixed(2), log: false },
};

const COUNTED = { examples: "training examples seen", frames: "frames played" };

function curvesOf(run, view) {
  if (!VIEWS[view].log) return run.curves;
  return run.losses.map(({ label, model, colour, dash, ...lines }) => ({ label, model, colour, dash, ...lines[view] }));
}

// Of returns: from the lowest to the highest of the curves, with the players that are not far from them.
function scaleOfReturns(curves, players) {
  const all = curves.flatMap((curve) => [...curve.values, ...curve.low, ...curve.high]).concat(players);
  const low = Math.min(...all), room = 0.06 * (Math.max(...all) - low || 1), high = Math.max(...all) + room;
  const step = niceStep(high - low + room), first = Math.ceil((low - room) / step);
  const ticks = Array.from({ length: Math.floor(high / step) - first + 1 }, (_, n) => (first + n) * step);
  return { place: (sum) => (sum - low + room) / (high - low + room), ticks, words: (sum) => String(+sum.toPrecision(6)) };
}

function scaleOf(curves, log, players) {
  if (players) return scaleOfReturns(curves, players.map(([, sum]) => sum));
  if (!log) return { place: (share) => share, ticks: [0, 0.2, 0.4, 0.6, 0.8, 1], words: (share) => `${Math.round(100 * share)} %` };
  const all = curves.flatMap((curve) => [...curve.values, ...curve.low, ...curve.high]);
  const low = Math.log10(Math.min(...all)) - 0.05, high = Math.log10(Math.max(...all)) + 0.05;
  const place = (loss) => (Math.log10(loss) - low) / (high - low);
  const tens = Array.from({ length: Math.ceil(high) - Math.floor(low) + 1 }, (_, n) => 10 ** (Math.floor(low) + n));
  const digits = high - low > 2.5 ? [1] : [1, 2, 5];
  const ticks = tens.flatMap((ten) => digits.map((digit) => digit * ten)).filter((loss) => place(loss) >= 0 && place(loss) <= 1);
  if (ticks.length > 1) return { place, ticks, words: (loss) => String(+loss.toPrecision(1)) };
  const between = [0.1, 0.37, 0.63, 0.9].map((share) => 10 ** (low + share * (high - low))); // of a loss that hardly moved
  return { place, ticks: between, words: (loss) => loss.toPrecision(3) };
}

function chartOf(curves, axis, width, log, players) {
  const box = { left: 46, right: 14, top: 12, bottom: 42, width, height: clamp(width * 0.56, 230, 380) };
  const top = Math.max(...curves.flatMap((curve) => curve[axis]), 1e-9), scale = scaleOf(curves, log, players);
  box.x = (value) => box.left + (value / top) * (width - box.left - box.right);
  box.y = (value) => box.height - box.bottom - scale.place(value) * (box.height - box.top - box.bottom);
  box.end = top;
  box.scale = scale;
  return box;
}

// `levels` are [words, score] of what learns nothing: dashed lines.
function gridOf(axis, box, counted, levels) {
  const { left, right, width, height, bottom } = box, parts = [];
  for (const value of box.scale.ticks) {
    const y = box.y(value);
    parts.push(`<line class="grid" x1="${left}" x2="${width - right}" y1="${y}" y2="${y}"/>`);
    parts.push(`<text class="quiet" x="${left - 6}" y="${y + 4}" text-anchor="end">${box.scale.words(value)}</text>`);
  }
  const step = niceStep(box.end);
  for (let value = 0; value <= box.end * 1.001; value += step) {
    parts.push(`<text class="quiet" x="${box.x(value)}" y="${height - bottom + 18}" text-anchor="middle">${short(value)}</text>`);
  }
  const name = axis === "examples" ? COUNTED[counted] : "seconds of training";
  parts.push(`<text x="${(left + width - right) / 2}" y="${height - 5}" text-anchor="middle">${name}</text>`);
  for (const [words, score] of levels) {
    const y = box.y(score), below = box.scale.place(score) < 0.12 ? -6 : 15;
    parts.push(`<line class="axis" stroke-dasharray="5 4" stroke-width="1.5" x1="${left}" x2="${width - right}" y1="${y}" y2="${y}"/>`);
    parts.push(`<text class="quiet" x="${width - right}" y="${y + below}" text-anchor="end">${words}</text>`);
  }
  return parts.join("");
}

function lineOf(curve, axis, box, model) {
  const points = curve[axis].map((value, n) => [box.x(value), box.y(curve.values[n])]);
  const path = (list) => list.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L");
  let band = "";
  if (curve.low.length) {
    const edge = (name) => curve[axis].map((value, n) => [box.x(value), box.y(curve[name][n])]);
    band = `<path d="M${path([...edge("high"), ...edge("low").reverse()])}z" fill="${curve.colour}" opacity=".18"/>`;
  }
  const every = Math.ceil(points.length / 8), last = points.length - 1;
  const marks = points.filter((_, n) => n === last || (n % every === 0 && last - n > every / 2));
  return (
    `${band}<path d="M${path(points)}" fill="none" stroke="${curve.colour}" stroke-width="2.4" stroke-dasharray="${curve.dash}"/>` +
    marks.map(([x, y]) => mark(model.mark, x, y, curve.colour)).join("")
  );
}

const nearest = (values, wanted) =>
  values.reduce((best, value, n) => (Math.abs(value - wanted) < Math.abs(values[best] - wanted) ? n : best), 0);

// Several ways to train one model share its colour; each has a dash of its own, the same for accuracy and loss.
function setDashes(run) {
  const count = {}, dashes = {};
  for (const { label, model } of run.curves) {
    count[model] = (count[model] ?? -1) + 1;
    dashes[label] = DASHES[count[model] % DASHES.length];
  }
  for (const one of [...run.curves, ...run.losses]) one.dash = dashes[one.label] ?? "";
}

function startCurves(figure, run) {
  const models = Object.fromEntries(run.models.map((model) => [model.name, model]));
  setDashes(run);
  const chart = figure.querySelector(".chart"), tip = figure.querySelector(".tip");
  const views = figure.querySelector(".view"), axes = figure.querySelector(".axis-of");
  views.parentElement.hidden = !run.losses.length;
  const counted = run.counted ?? "examples";
  let view, axis, curves, box, stops, at = null;
  const draw = (width) => {
    view = VIEWS[views.value];
    axis = view.log ? "examples" : axes.value; // no seconds are kept between evaluations
    axes.parentElement.hidden = view.log || !run.curves[0]?.seconds.length;
    curves = curvesOf(run, views.value);
    box = chartOf(curves, axis, width, view.log, run.players);
    stops = [...new Set(curves.flatMap((curve) => curve[axis]))].sort((a, b) => a - b);
    const lines = curves.map((curve) => lineOf(curve, axis, box, models[curve.model])).join("");
    const trivial = view.log || run.trivial === null ? [] : [[`trivial score ${percent(run.trivial)}`, run.trivial]];
    const grid = gridOf(axis, box, counted, run.players ?? trivial);
    chart.setAttribute("aria-label", `${view.name}, over training`);
    chart.innerHTML = `<svg width="${width}" height="${box.height}" aria-hidden="true">${grid}${lines}<line class="axis where" y1="${box.top}" y2="${box.height - box.bottom}" hidden/></svg>`;
    show(null);
  };
  const show = (index) => {
    at = index;
    const line = chart.querySelector(".where");
    tip.hidden = index === null;
    line.style.display = index === null ? "none" : "";
    if (index === null) return;
    const value = stops[index], x = box.x(value);
    line.setAttribute("x1", x);
    line.setAttribute("x2", x);
    const rows = curves.map((curve) => {
      const n = nearest(curve[axis], value);
      return `<div>${markAlone({ ...models[curve.model], colour: curve.colour })}${escaped(curve.label)} <b>${view.words(curve.values[n])}</b></div>`;
    });
    tip.innerHTML = `<div>${axis === "examples" ? `${Math.round(value).toLocaleString("en")} ${counted}` : `${Math.round(value)} s`}</div>${rows.join("")}`;
    tip.style.top = `${chart.offsetTop + box.top}px`;
    tip.style.left = `${x > box.width / 2 ? Math.max(0, x - tip.offsetWidth - 10) : x + 10}px`;
  };
  chart.addEventListener("pointermove", (event) => {
    const x = event.clientX - chart.getBoundingClientRect().left;
    show(nearest(stops.map(box.x), x));
  });
  chart.addEventListener("pointerleave", () => show(null));
  chart.addEventListener("blur", () => show(null));
  chart.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!move) return;
    event.preventDefault();
    show(at === null ? (move > 0 ? 0 : stops.length - 1) : clamp(at + move, 0, stops.length - 1));
  });
  figure.querySelector(".legend").innerHTML = run.curves
    .map((curve) => {
      const line = `<path d="M1 8h38" stroke="${curve.colour}" stroke-width="2.4" stroke-dasharray="${curve.dash}"/>`;
      const sample = line + mark(models[curve.model].mark, 20, 8, curve.colour);
      return `<li><svg width="40" height="16" aria-hidden="true">${sample}</svg>${escaped(curve.label)}</li>`;
    })
    .join("");
  for (const select of [views, axes]) select.addEventListener("change", () => draw(chart.clientWidth));
  redrawn(chart, draw);
}
