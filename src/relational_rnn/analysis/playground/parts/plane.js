// The plane: points to drag, the true and the model's answer, distances, and what the memory holds of them.

const SIZE = 460;
const EDGE = 26;
const HALF = (SIZE - 2 * EDGE) / 2;
const toScreen = ([x, y]) => [SIZE / 2 + HALF * x, SIZE / 2 - HALF * y];

class Plane {
  // `move(label, point)` is called while a point is dragged, `pick(label)` when one is pressed without moving.
  constructor(count, move, pick) {
    this.clip = `frame-${Plane.made = (Plane.made ?? 0) + 1}`;
    this.move = move;
    this.pick = pick;
    this.under = svg("g", { "aria-hidden": "true" });
    this.points = Array.from({ length: count }, (_, label) => this.handle(label));
    this.over = svg("g", { "aria-hidden": "true", class: "over" });
    const axes = [[-1, 0, 1, 0], [0, -1, 0, 1]].map(([a, b, c, d]) => {
      const [[x1, y1], [x2, y2]] = [toScreen([a, b]), toScreen([c, d])];
      return svg("line", { x1, y1, x2, y2, class: "axis" });
    });
    const frame = svg("rect", { x: EDGE, y: EDGE, width: 2 * HALF, height: 2 * HALF, class: "frame" });
    this.element = svg("svg", { viewBox: `0 0 ${SIZE} ${SIZE}`, class: "plane", role: "group",
      "aria-label": "The plane. Drag a point, or focus it and press the arrow keys." },
    frame, axes, this.under, this.points, this.over);
  }

  handle(label) {
    const shape = svg("g", { class: `point c${label}`, tabindex: 0, role: "button", "data-label": label },
      svg("circle", { r: 22, class: "reach" }), svg("circle", { r: 13, class: "dot" }),
      svg("text", { dy: "0.36em" }, LETTERS[label]));
    let from = null;
    shape.addEventListener("pointerdown", (event) => {
      from = [event.clientX, event.clientY];
      shape.setPointerCapture(event.pointerId);
      event.preventDefault();
      shape.focus();
    });
    shape.addEventListener("pointermove", (event) => {
      if (from && Math.hypot(event.clientX - from[0], event.clientY - from[1]) > 3) shape.dragged = true;
      if (from && shape.dragged) this.move(label, this.at(event));
    });
    const end = (event) => {
      if (from && !shape.dragged && event.type === "pointerup") this.pick(label);
      from = null;
      shape.dragged = false;
    };
    shape.addEventListener("pointerup", end);
    shape.addEventListener("pointercancel", end);
    shape.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
      if (event.key === "Enter" || event.key === " ") this.pick(label);
      else if (by) this.move(label, this.now[label].map((value, d) => value + by[d] * (event.shiftKey ? 0.2 : 0.05)));
      else return;
      event.preventDefault();
    });
    return shape;
  }

  at(event) {
    const box = this.element.getBoundingClientRect();
    const scale = SIZE / box.width;
    return [((event.clientX - box.left) * scale - SIZE / 2) / HALF, (SIZE / 2 - (event.clientY - box.top) * scale) / HALF];
  }

  // `seen` are the labels that have come, `held` what is read from the memory: {label: {place} or {distance}}.
  draw(question, { seen, truth, said, final, held, circles }) {
    this.now = question.points;
    const away = distances(question);
    const centre = toScreen(question.points[question.reference]);
    const N = question.points.length;
    this.points.forEach((shape, label) => {
      const [x, y] = toScreen(question.points[label]);
      shape.setAttribute("transform", `translate(${x.toFixed(2)} ${y.toFixed(2)})`);
      shape.classList.toggle("coming", !seen.includes(label));
      const what = label === question.reference ? "the reference" : `distance ${number(away[label])}`;
      shape.setAttribute("aria-label",
        `Point ${LETTERS[label]}, ${what}, at ${question.points[label].map(number).join(", ")}. ` +
        "Arrow keys move it, Enter makes it the reference.");
    });
    const rings = circles
      ? question.order.filter((label) => label !== question.reference).map((label) => svg("circle", {
        cx: centre[0], cy: centre[1], r: away[label] * HALF, class: `distance ${label === truth ? "right" : ""}` }))
      : [];
    const clip = svg("clipPath", { id: this.clip }, svg("rect", { x: EDGE, y: EDGE, width: 2 * HALF, height: 2 * HALF }));
    this.under.replaceChildren(clip, svg("g", { "clip-path": `url(#${this.clip})` }, rings, this.beliefs(held, question, centre)),
      question.n < N - 1 ? this.spoke(centre, toScreen(question.points[truth])) : "");
    const mark = (label, shape) => svg("g", { transform: `translate(${toScreen(question.points[label]).join(" ")})` }, shape);
    this.over.replaceChildren(
      mark(question.reference, svg("circle", { r: 18, class: "reference" })),
      mark(truth, svg("rect", { x: -22, y: -22, width: 44, height: 44, class: "truth" })),
      mark(said, svg("path", { d: "M0 -31 L31 0 L0 31 L-31 0 Z", class: `said ${final ? "" : "early"} ${said === truth ? "same" : ""}` })));
  }

  spoke([x1, y1], [x2, y2]) {
    return svg("line", { x1, y1, x2, y2, class: "spoke" });
  }

  // What a linear reading finds in the memory: a place as a small cross, a distance as a dashed circle.
  beliefs(held, question, centre) {
    return Object.entries(held).map(([label, { place, distance }]) => {
      if (distance !== undefined) {
        return svg("circle", { cx: centre[0], cy: centre[1], r: Math.max(0, distance) * HALF, class: `held c${label}` });
      }
      const [x, y] = toScreen(place);
      const [px, py] = toScreen(question.points[label]);
      return svg("g", { class: `held c${label}` },
        svg("line", { x1: px, y1: py, x2: x, y2: y, class: "miss" }),
        svg("path", { d: `M${x - 8} ${y - 8} L${x + 8} ${y + 8} M${x - 8} ${y + 8} L${x + 8} ${y - 8}`, class: "cross" }));
    });
  }
}
