// Validation accuracy over training: a line a model, the range of its seeds behind it, values under the pointer.

const DASHES = ["", "9 4", "2.5 3", "10 3 2 3"]; // of several ways of one model

const niceStep = (top) => {
  const size = 10 ** Math.floor(Math.log10(top / 4));
  return [1, 2, 2.5, 5, 10].map((n) => n * size).find((step) => top / step <= 5);
};
const short = (n) => (n >= 1e6 ? +(n / 1e6).toPrecision(4) + " M" : n >= 1e4 ? +(n / 1e3).toPrecision(4) + " k" : +n.toPrecision(4));

function chartOf(run, axis, width) {
  const box = { left: 46, right: 14, top: 12, bottom: 42, width, height: clamp(width * 0.56, 230, 380) };
  const top = Math.max(...run.curves.flatMap((curve) => curve[axis]), 1e-9);
  box.x = (value) => box.left + (value / top) * (width - box.left - box.right);
  box.y = (share) => box.height - box.bottom - share * (box.height - box.top - box.bottom);
  box.end = top;
  return box;
}

function gridOf(run, axis, box) {
  const { left, right, width, height, bottom } = box, parts = [];
  for (let share = 0; share <= 1.001; share += 0.2) {
    const y = box.y(share);
    parts.push(`<line class="grid" x1="${left}" x2="${width - right}" y1="${y}" y2="${y}"/>`);
    parts.push(`<text class="quiet" x="${left - 6}" y="${y + 4}" text-anchor="end">${Math.round(100 * share)} %</text>`);
  }
  const step = niceStep(box.end);
  for (let value = 0; value <= box.end * 1.001; value += step) {
    parts.push(`<text class="quiet" x="${box.x(value)}" y="${height - bottom + 18}" text-anchor="middle">${short(value)}</text>`);
  }
  const name = axis === "examples" ? "training examples seen" : "seconds of training";
  parts.push(`<text x="${(left + width - right) / 2}" y="${height - 5}" text-anchor="middle">${name}</text>`);
  const y = box.y(run.trivial);
  parts.push(`<line class="axis" stroke-dasharray="5 4" stroke-width="1.5" x1="${left}" x2="${width - right}" y1="${y}" y2="${y}"/>`);
  parts.push(`<text class="quiet" x="${width - right}" y="${y + (run.trivial < 0.12 ? -6 : 15)}" text-anchor="end">trivial score ${percent(run.trivial)}</text>`);
  return parts.join("");
}

function lineOf(curve, axis, box, model) {
  const points = curve[axis].map((value, n) => [box.x(value), box.y(curve.accuracy[n])]);
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

function startCurves(figure, run) {
  const models = Object.fromEntries(run.models.map((model) => [model.name, model]));
  const seen = {};
  for (const curve of run.curves) {
    seen[curve.model] = (seen[curve.model] ?? -1) + 1;
    curve.dash = DASHES[seen[curve.model] % DASHES.length];
  }
  const chart = figure.querySelector(".chart"), tip = figure.querySelector(".tip"), select = figure.querySelector("select");
  let box, stops, at = null;
  const draw = (width) => {
    const axis = select.value;
    box = chartOf(run, axis, width);
    stops = [...new Set(run.curves.flatMap((curve) => curve[axis]))].sort((a, b) => a - b);
    const lines = run.curves.map((curve) => lineOf(curve, axis, box, models[curve.model])).join("");
    chart.innerHTML = `<svg width="${width}" height="${box.height}" aria-hidden="true">${gridOf(run, axis, box)}${lines}<line class="axis where" y1="${box.top}" y2="${box.height - box.bottom}" hidden/></svg>`;
    show(null);
  };
  const show = (index) => {
    at = index;
    const line = chart.querySelector(".where");
    tip.hidden = index === null;
    line.style.display = index === null ? "none" : "";
    if (index === null) return;
    const axis = select.value, value = stops[index], x = box.x(value);
    line.setAttribute("x1", x);
    line.setAttribute("x2", x);
    const rows = run.curves.map((curve) => {
      const n = nearest(curve[axis], value);
      return `<div>${markAlone({ ...models[curve.model], colour: curve.colour })}${escaped(curve.label)} <b>${percent(curve.accuracy[n])}</b></div>`;
    });
    tip.innerHTML = `<div>${axis === "examples" ? `${Math.round(value).toLocaleString("en")} examples` : `${Math.round(value)} s`}</div>${rows.join("")}`;
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
  select.addEventListener("change", () => draw(chart.clientWidth));
  redrawn(chart, draw);
}
