// Seven steps through the page. Each sets the scene to where its sentence can be seen.

// In words how well places or distances are read: from all slots, and from the best one alone.
function toldReading({ slots, readings }, what) {
  const found = readings.map((one, label) => [one, Math.max(...slots.map((row) => row[label]))]).filter(([one]) => one);
  if (!found.length) return `In this model no linear reading finds a ${what}.`;
  const [all, one] = [mean(found.map(([{ score }]) => score)), mean(found.map(([, best]) => best))];
  return `A linear reading of all slots explains ${percent(all)} of a ${what}'s variance, of the best slot alone ${percent(one)}.`;
}

function tourSteps(scene) {
  const { data, core, count } = scene;
  const at = () => scene.question.order.indexOf(scene.question.reference) + 1;
  return stepsOf(scene, [
    { part: "question", step: () => count, title: "The question",
      text: `Order all points by their distance from the ringed one, and name the one at a given rank. You see it at a ` +
        `glance. The model never sees the plane: it gets one point a step.` },
    { part: "sequence", step: () => 1, title: "One point at a time",
      text: `This is step 1. Faint points have not come yet. An input is two coordinates, a letter and the question; ` +
        `open \u201cinput\u201d among the operations to see the ${core.config.input_size} numbers.`, open: "input" },
    { part: "plane", step: () => at() - 1 || 1, title: "Slots remember",
      text: `The memory is ${core.slots} slots of ${core.width} numbers. Until the ringed point comes, whole places must be ` +
        `remembered. ${toldReading(data.readings.place, "place")} The crosses in the plane are these readings.` },
    { part: "attention", step: at, title: "Slots look at each other",
      text: `Now the reference comes in. In each head every slot takes a mix from the slots and the input: the numbers of ` +
        `a row are percentages. This is how what is stored meets what has just come.` },
    { part: "plane", step: at, title: "Places become distances",
      text: `Places were read before; from here on distances are. ${toldReading(data.readings.distance, "distance")} The dashed ` +
        `circles are these readings: compare each with its point.` },
    { part: "operations", step: at, title: "Gates decide what stays", open: core.gated ? "gates" : "memory",
      text: core.gated ? `A slot blends the new with the old: i lets in, f keeps. Choose a slot in the table to see its numbers, ` +
        `and open any operation for its formula.` : `This model has no gates; open any operation for its formula.` },
    { part: "plane", step: () => count, title: "Now break it",
      text: `It is right in ${percent(data.score.accuracy, 1)} of ${data.score.examples.toLocaleString("en")} fresh layouts, ` +
        `${percent(data.score.closest)} of the tenth with the closest calls. Drag a point until two distances are nearly ` +
        `equal, or let it try ${TRIES} layouts, below, and look at one that it gets wrong.` },
  ]);
}

// Steps that set their scene: the operation that is open, the step, and the part that is lit.
function stepsOf(scene, steps) {
  const { operations } = scene.inside;
  return steps.map((one) => ({ ...one, enter: () => {
    scene.sequence.stop();
    operations.open = operations.list.some(({ key }) => key === one.open) ? one.open : null;
    scene.goTo(one.step());
    return scene.element.querySelector(`[data-part=${one.part}]`);
  } }));
}

class Tour {
  constructor() {
    this.title = html("h2", { id: "tour-title", tabindex: -1 });
    this.text = html("p");
    this.back = button("back", () => this.show(this.at - 1));
    this.next = button("next", () => (this.at === this.steps.length - 1 ? this.end() : this.show(this.at + 1)), { class: "main" });
    this.element = html("aside", { class: "tour", role: "dialog", "aria-labelledby": "tour-title", hidden: true },
      this.title, this.text, html("div", { class: "tools" }, this.back, this.next, button("leave the tour", () => this.end())));
    document.addEventListener("keydown", (event) => {
      if (!this.element.hidden && event.key === "Escape") this.end();
    });
  }

  start(scene, opener) {
    this.steps = scene.tour();
    this.opener = opener;
    this.element.hidden = false;
    document.body.classList.add("touring");
    this.show(0);
  }

  show(at) {
    this.at = at;
    const one = this.steps[at];
    const part = one.enter();
    this.title.textContent = `${at + 1} of ${this.steps.length}: ${one.title}`;
    this.text.textContent = one.text;
    this.back.disabled = at === 0;
    this.next.textContent = at === this.steps.length - 1 ? "done" : "next";
    this.mark(part);
    this.title.focus({ preventScroll: true });
  }

  // The part ends just above the tour, so that as much as possible of what is before it, mostly the picture, can
  // be seen; a part that is taller than that begins at the top.
  mark(part) {
    document.querySelectorAll(".lit").forEach((one) => one.classList.remove("lit"));
    if (!part) return;
    part.classList.add("lit");
    const { top, bottom } = part.getBoundingClientRect();
    const below = bottom - this.element.getBoundingClientRect().top + 14;
    window.scrollBy({ top: Math.min(below, top - 14), behavior: still() ? "auto" : "smooth" });
  }

  end() {
    this.element.hidden = true;
    document.body.classList.remove("touring");
    this.mark(null);
    this.opener.focus();
  }
}
