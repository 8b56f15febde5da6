// One scene of the page: a question in the plane, its answer, and the core that answers it.

const TRIES = 100;

class PlaneScene {
  constructor(data) {
    this.data = data;
    this.core = new Core(data);
    this.count = data.objects;
    this.examples = "layouts";
    this.heading = "A memory that compares";
    this.begin = "Drag a point.";
    this.preset = "nth-farthest --preset plane";
    this.source = "Task and core: Santoro et al. 2018, Relational recurrent neural networks. What the memory holds is read by " +
      "linear regressions, fitted on fresh layouts and shown where it explains at least half of the variance on others.";
    this.random = generator(7);
    this.step = this.count;
    this.circles = true;
    this.showHeld = false; // until steps are looked at
    this.plane = new Plane(this.count, (label, point) => this.movePoint(label, point),
      (label) => this.change({ reference: label }));
    this.sequence = new Sequence(this.count, (step) => this.goTo(step));
    this.inside = new Inside(this.core, data);
    this.verdict = html("p", { class: "verdict", role: "status", "aria-live": "polite" });
    this.shares = html("div", { class: "shares" });
    this.tried = html("p", { class: "tried", role: "status", "aria-live": "polite" });
    this.element = html("div", { class: "scene" }, this.left(), this.inside.element);
    this.question = this.firstQuestion();
    this.update();
  }

  tour() {
    return tourSteps(this);
  }

  quiz() {
    return quizQuestions(this);
  }

  finding() {
    const { count, core, data: { score } } = this;
    return [`${count} points come in one at a time; a memory of ${core.slots} slots that look at each other then ` +
      "names the n\u2011th farthest from the ringed one. It is right in ", html("strong", {}, percent(score.accuracy, 1)),
    ` of ${score.examples.toLocaleString("en")} fresh layouts; a model that ignores distances is right in ${percent(score.trivial, 1)}.`];
  }

  // The first layout for the second farthest that is answered rightly, is no close call, and has its reference as
  // the last but one.
  firstQuestion() {
    for (let i = 0; i < 500; i++) {
      const one = randomQuestion(this.count, this.random);
      const at = one.order.indexOf(one.reference);
      const away = distances(one).sort((a, b) => a - b);
      const clear = away.slice(1).every((value, k) => value - away[k] > 0.8 / this.count);
      const middle = at === Math.max(1, this.count - 2) && one.n === 1;
      if (middle && clear && predict(this.core, one) === trueAnswer(one)) return one;
    }
    return randomQuestion(this.count, this.random);
  }

  left() {
    this.rank = select(Array.from({ length: this.count }, (_, n) => [n, rankName(n, this.count)]), 0,
      (n) => this.change({ n }), "Which rank is asked for");
    this.from = select(Array.from({ length: this.count }, (_, label) => [label, LETTERS[label]]), 0,
      (reference) => this.change({ reference }), "The reference");
    const box = (text, on, change) => {
      const input = html("input", { type: "checkbox", onchange: () => change(input.checked) });
      input.checked = on;
      return [input, html("label", {}, input, ` ${text}`)];
    };
    const [, circles] = box("distances", true, (on) => this.set({ circles: on }));
    const [heldBox, held] = box("what the memory holds", false, (on) => this.set({ showHeld: on }));
    this.heldBox = heldBox;
    return html("section", { class: "question", "aria-label": "The question" },
      html("p", { class: "asked", "data-part": "question" }, "Which point is the ", this.rank, " from ", this.from, "?"),
      this.verdict,
      html("div", { "data-part": "plane" }, this.plane.element,
        html("p", { class: "legend" }, [["ring", "reference"], ["square", "true answer"], ["diamond", "the model's answer"]]
          .map(([kind, text]) => html("span", {}, html("i", { class: `key ${kind}` }), text)),
        this.heldKey = html("span", {}, "\u2715 \u25cc what the memory holds")),
        html("p", { class: "tools" },
          button("new points", () => this.ask(randomQuestion(this.count, this.random)), { class: "new" }),
          button("shuffle the order", () => this.change({ order: shuffled(this.count, this.random) })),
          circles, held)),
      html("div", { "data-part": "sequence" }, html("h4", {}, "One point a step, in this order"), this.sequence.element),
      html("div", {}, this.sharesHead = html("h4", {}), this.shares),
      html("div", { "data-part": "try" }, html("p", { class: "tools" },
        button(`try ${TRIES} random layouts`, () => this.tryMany(), { class: "try" }),
        this.wrongButton = button("show one that it gets wrong", () => this.ask(this.wrong.pop()), { hidden: true })), this.tried));
  }

  set(values) {
    Object.assign(this, values);
    this.draw();
  }

  ask(question) {
    this.sequence.stop();
    this.question = question;
    this.step = this.count;
    this.wrongButton.disabled = !this.wrong?.length;
    this.update();
  }

  change(values) {
    this.question = { ...this.question, ...values };
    this.update();
  }

  movePoint(label, point) {
    const points = this.question.points.map((old, one) =>
      (one === label ? point.map((value) => Math.fround(Math.min(1, Math.max(-1, value)))) : old));
    this.change({ points });
  }

  goTo(step) {
    if (step !== this.step) this.showHeld = this.heldBox.checked = true;
    this.step = step;
    this.draw();
  }

  update() {
    this.steps = this.core.run(encode(this.question));
    this.draw();
  }

  draw() {
    const { question, step, count } = this;
    const [now, end] = [this.steps[step - 1], this.steps[count - 1]];
    const best = ({ answer }) => answer.scores.indexOf(Math.max(...answer.scores));
    const truth = trueAnswer(question);
    const said = best(now);
    const final = step === count;
    this.rank.value = question.n;
    this.from.value = question.reference;
    this.plane.draw(question, { seen: question.order.slice(0, step), truth, said, final, circles: this.circles,
      held: this.showHeld ? readMemory(this.data, question, step, now.after) : {} });
    this.heldKey.hidden = !this.showHeld;
    this.sequence.draw(question, step);
    this.inside.draw(question, step, now);
    const right = best(end) === truth;
    const sure = percent(end.answer.shares[best(end)]);
    this.verdict.className = `verdict ${right ? "good" : "bad"}`;
    this.verdict.replaceChildren("True answer ", chip(truth), ". The model says ", chip(best(end)), ` (${sure}): `,
      html("b", {}, right ? "\u2713 right" : "\u2717 wrong"), right ? "." : `. ${this.margin()}`);
    this.sharesHead.textContent = final ? "The model's answer" : `Its answer, if the sequence ended after step ${step}`;
    this.shares.replaceChildren(...[...now.answer.shares].map((share, label) => html("div", {},
      chip(label), bar(share, percent(share), `c${label}`), label === truth ? html("span", { class: "key square", title: "true answer" }) : "")));
  }

  // How close a call the question is.
  margin() {
    const away = distances(this.question);
    const order = ranking(this.question);
    const near = [order[this.question.n - 1], order[this.question.n + 1]].filter((label) => label !== undefined);
    const gaps = near.map((label) => Math.abs(away[label] - away[order[this.question.n]]));
    return `The next point in order is ${number(Math.min(...gaps))} nearer or farther.`;
  }

  tryMany() {
    this.wrong = [];
    for (let i = 0; i < TRIES; i++) {
      const question = randomQuestion(this.count, this.random);
      if (predict(this.core, question) !== trueAnswer(question)) this.wrong.push(question);
    }
    this.tried.textContent = `${TRIES - this.wrong.length} of ${TRIES} right, just now and in this page. ` +
      `Without distances: ${Math.round(TRIES * this.data.score.trivial)} of ${TRIES} on average.`;
    this.wrongButton.hidden = false;
    this.wrongButton.disabled = !this.wrong.length;
  }
}
