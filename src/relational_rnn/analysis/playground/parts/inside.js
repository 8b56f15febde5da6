// The core at one step: who attends to what, and what each slot held, kept and holds.

const lengthOf = (row) => Math.sqrt(dot(row, row));
const changes = (step) => step.after.map((row, n) => lengthOf(row.map((value, d) => value - step.before[n][d])));

// What linear readings find in the slots: {label: {slot, score, place} or {slot, score, distance}}.
function readSlots(scene, question, step, memory) {
  const seen = question.order.slice(0, step);
  const what = seen.includes(question.reference) ? "distance" : "place";
  const found = {};
  for (const label of seen) {
    const reading = scene.readings[what].readings[label];
    if (!reading || (what === "distance" && label === question.reference)) continue;
    const value = reading.weights.map((row, k) => dot(row, memory[reading.slot]) + reading.offset[k]);
    found[label] = { slot: reading.slot, score: reading.score, [what]: what === "place" ? value : value[0] };
  }
  return found;
}

class Inside {
  constructor(core, scene) {
    this.core = core;
    this.scene = scene;
    this.slot = 0;
    this.told = html("p", { class: "told" });
    this.attention = html("div", { class: "heads" });
    this.slots = html("div", { class: "scroll" });
    this.operations = new Operations(core, () => this.draw(...this.last));
    this.element = html("section", { class: "inside", "aria-label": "Inside the core" },
      html("h3", {}, "Inside the core"), this.told,
      html("div", { "data-part": "attention" }, html("h4", {}, "Who looks at whom"),
        html("p", { class: "note" }, "A row is a slot that looks; the darker a cell, the more it takes from there."),
        this.attention),
      html("div", { "data-part": "slots" }, html("h4", {}, "What each slot holds"), this.slots),
      html("div", { "data-part": "operations" }, html("h4", {}, "How: open any operation of this step"), this.operations.element));
  }

  draw(question, at, step) {
    this.last = [question, at, step];
    const { core } = this;
    const block = step.blocks.at(-1);
    const moved = changes(step);
    const busiest = moved.indexOf(Math.max(...moved));
    this.tell(question, at, block, moved, busiest);
    const columns = Array.from({ length: core.slots }, (_, n) => String(n + 1));
    if (core.appended) columns.push(`in ${LETTERS[question.order[at - 1]]}`);
    this.attention.replaceChildren(...(block.heads
      ? block.heads.map(({ weights }, h) => heat(weights.slice(0, core.slots), columns.slice(0, core.slots), columns,
        { caption: `head ${h + 1}`, show: (share) => Math.round(100 * share), mark: this.slot }))
      : [html("p", {}, "Attention is switched off in this model: every slot takes the mean of all rows.")]));
    this.slots.replaceChildren(this.table(question, at, step, moved));
    this.operations.draw(step, this.slot, question);
  }

  tell(question, at, block, moved, busiest) {
    const label = question.order[at - 1];
    const parts = [`Step ${at} of ${question.order.length}: `, chip(label), " comes in",
      label === question.reference ? ", the reference" : "", `. Slot ${busiest + 1} changes most`];
    const input = this.core.appended && block.heads
      ? block.heads.map(({ weights }) => weights[busiest].at(-1)) : null;
    if (input) {
      const h = input.indexOf(Math.max(...input));
      parts.push(`; its head ${h + 1} takes ${percent(input[h])} from the input`);
    }
    this.told.replaceChildren(...parts, ".");
  }

  table(question, at, step, moved) {
    const held = readSlots(this.scene, question, at, step.after);
    const away = distances(question);
    const top = Math.max(...moved, 1e-9);
    const scale = most(step.after);
    const holds = (n) => Object.entries(held).filter(([, found]) => found.slot === n).map(([label, found]) => {
      const [told, right] = found.place
        ? [`at ${found.place.map(number).join(", ")}`, question.points[label].map(number).join(", ")]
        : [`${number(found.distance)} away`, number(away[label])];
      return html("span", { class: "holding" }, chip(label), ` ${told} `, html("small", {}, `(true ${right})`));
    });
    const gates = this.core.gated ? [["lets in", step.inputGate], ["keeps", step.forgetGate]] : [];
    const head = ["", "content", "changed", ...gates.map(([name]) => name), "a linear reading finds"];
    const rows = step.after.map((row, n) => {
      const content = holds(n);
      return html("tr", { class: n === this.slot ? "marked" : null },
        html("th", { scope: "row" }, button(slotName(n), () => {
          this.slot = n;
          this.draw(...this.last);
          this.slots.querySelectorAll("th button")[n].focus();
        }, { "aria-pressed": String(n === this.slot), title: "show this slot's numbers below" })),
        html("td", { class: "wide" }, strip(row, scale, slotName(n))),
        html("td", { "data-name": "changed" }, bar(moved[n] / top, moved[n].toFixed(1))),
        gates.map(([name, values]) => html("td", { "data-name": name }, bar(mean(values[n]), percent(mean(values[n]))))),
        html("td", { class: "holds" }, content.length ? content : html("small", {}, "nothing")));
    });
    return html("table", { class: "slots" }, html("thead", {}, html("tr", {}, head.map((name) => html("th", { scope: "col" }, name)))),
      html("tbody", {}, rows));
  }
}
