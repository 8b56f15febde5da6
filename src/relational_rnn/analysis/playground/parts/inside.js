// The core at one step: who attends to what, and what each slot held, kept and holds.

const lengthOf = (row) => Math.sqrt(dot(row, row));
const changes = (step) => step.after.map((row, n) => lengthOf(row.map((value, d) => value - step.before[n][d])));

const phase = (question, step) => (question.order.slice(0, step).includes(question.reference) ? "distance" : "place");

// What linear readings find in all slots together: {label: {score, place} or {score, distance}}.
function readMemory(scene, question, step, memory) {
  const what = phase(question, step);
  const flat = memory.flatMap((row) => [...row]);
  const found = {};
  for (const label of question.order.slice(0, step)) {
    const reading = scene.readings[what].readings[label];
    if (!reading || (what === "distance" && label === question.reference)) continue;
    const value = reading.weights.map((row, k) => dot(row, flat) + reading.offset[k]);
    found[label] = { score: reading.score, [what]: what === "place" ? value : value[0] };
  }
  return found;
}

class Inside {
  constructor(core, scene) {
    this.core = core;
    this.scene = scene;
    this.slot = 0;
    this.told = html("p", { class: "told", role: "status", "aria-live": "polite" });
    this.attention = html("div", { class: "heads" });
    this.held = html("div", { class: "held-list" });
    this.slots = html("div", { class: "scroll" });
    this.operations = new Operations(core, this.words(), () => this.draw(...this.last), (n) => this.look(n));
    this.element = html("section", { class: "inside", "aria-label": "Inside the core" },
      html("h3", {}, "Inside the core"), this.told,
      html("div", { "data-part": "attention" }, html("h4", {}, "Who looks at whom"),
        html("p", { class: "note" }, "A row is a slot that looks; the darker a cell, the more it takes from there."),
        this.attention),
      html("div", {}, html("h4", {}, "What the memory holds"), this.held, this.slots),
      html("div", { "data-part": "operations" }, html("h4", {}, "How: open any operation of this step"), this.operations.element));
  }

  // Show a slot's numbers in the operations.
  look(n) {
    this.slot = n;
    this.draw(...this.last);
  }

  draw(question, at, step) {
    this.last = [question, at, step];
    const { core } = this;
    const block = step.blocks.at(-1);
    const moved = changes(step);
    const busiest = moved.indexOf(Math.max(...moved));
    this.tell(question, at, block, moved, busiest);
    const columns = Array.from({ length: core.slots }, (_, n) => String(n + 1));
    if (core.appended) columns.push(this.inputName(question, at));
    this.attention.replaceChildren(...(block.heads
      ? block.heads.map(({ weights }, h) => heat(weights.slice(0, core.slots), columns.slice(0, core.slots), columns,
        { caption: `head ${h + 1}`, show: (share) => Math.round(100 * share), mark: this.slot }))
      : [html("p", {}, "Attention is switched off in this model: every slot takes the mean of all rows.")]));
    this.held.replaceChildren(...this.holdings(question, at, step));
    this.slots.replaceChildren(this.table(question, at, step, moved));
    this.operations.draw(step, this.slot, question);
  }

  words() {
    return PLANE_WORDS;
  }

  inputName(question, at) {
    return `in ${LETTERS[question.order[at - 1]]}`;
  }

  came(question, at) {
    const label = question.order[at - 1];
    return [chip(label), " comes in", label === question.reference ? ", the reference" : ""];
  }

  // The last column of the table of slots; none where nothing is read from a slot alone.
  givesName(question, at) {
    return `each ${phase(question, at)} from it alone, %`;
  }

  tell(question, at, block, moved, busiest) {
    const parts = [`Step ${at} of ${question.order.length}: `, ...this.came(question, at), `. Slot ${busiest + 1} changes most`];
    const input = this.core.appended && block.heads
      ? block.heads.map(({ weights }) => weights[busiest].at(-1)) : null;
    if (input) {
      const h = input.indexOf(Math.max(...input));
      parts.push(`; its head ${h + 1} takes ${percent(input[h])} from the input`);
    }
    this.told.replaceChildren(...parts, ".");
  }

  // Each point as it is read from all slots together, beside the truth.
  holdings(question, at, step) {
    const what = phase(question, at);
    const held = Object.entries(readMemory(this.scene, question, at, step.after));
    const away = distances(question);
    const told = what === "place" ? "Places, read from all slots together:" : "Distances from the reference, read from all slots together:";
    if (!held.length) return [html("p", { class: "note" }, `No ${what} that a linear reading finds.`)];
    return [html("p", { class: "note" }, told), html("ul", {}, held.map(([label, found]) => {
      const [read, right] = found.place
        ? [found.place.map(number).join(", "), question.points[label].map(number).join(", ")]
        : [number(found.distance), number(away[label])];
      return html("li", { title: `explains ${percent(found.score)} of the variance` }, chip(label), ` ${read} `, html("small", {}, `true ${right}`));
    }))];
  }

  // How well a slot alone gives each point that has come, by its share of the variance.
  gives(question, at, n) {
    const what = phase(question, at);
    const seen = question.order.slice(0, at).filter((label) => what === "place" || label !== question.reference).sort();
    return html("span", { class: "gives" }, seen.map((label) => {
      const share = Math.max(0, this.scene.readings[what].slots[n][label]);
      return html("span", { class: `give c${label}`, style: `--s:${share.toFixed(2)}`, title: `${LETTERS[label]}: ${percent(share)} of the variance` },
        `${LETTERS[label]} ${Math.round(100 * share)}`);
    }));
  }

  table(question, at, step, moved) {
    const top = Math.max(...moved, 1e-9);
    const scale = most(step.after);
    const gates = this.core.gated ? [["lets in", step.inputGate], ["keeps", step.forgetGate]] : [];
    const given = this.givesName(question, at);
    const head = ["", "content", "changed", ...gates.map(([name]) => name), given].filter((name) => name !== null);
    const rows = step.after.map((row, n) => {
      return html("tr", { class: n === this.slot ? "marked" : null },
        html("th", { scope: "row" }, button(slotName(n), () => {
          this.look(n);
          this.slots.querySelectorAll("th button")[n].focus();
        }, { "aria-pressed": String(n === this.slot), title: "show this slot's numbers below" })),
        html("td", { class: "wide" }, strip(row, scale, slotName(n))),
        html("td", { "data-name": "changed" }, bar(moved[n] / top, moved[n].toFixed(1))),
        gates.map(([name, values]) => html("td", { "data-name": name }, bar(mean(values[n]), percent(mean(values[n]))))),
        given && html("td", { class: "holds", "data-name": given }, this.gives(question, at, n)));
    });
    return html("table", { class: "slots" }, html("thead", {}, html("tr", {}, head.map((name) => html("th", { scope: "col" }, name)))),
      html("tbody", {}, rows));
  }
}
