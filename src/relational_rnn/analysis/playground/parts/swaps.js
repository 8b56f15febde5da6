// The second scene: objects in a row, swaps of two places one at a time, and the order after each of them.
// As relational_rnn.tasks.group_word has it: an order says what stands at each place, a swap exchanges two places.

const placesOf = (swap) => swap.flatMap((from, place) => (from === place ? [] : [place]));

// The order after each swap of a sequence.
function ordersAfter(data, order) {
  let row = data.orders[0];
  return order.map((k) => (row = data.swaps[k].map((from) => row[from])));
}

const encodeSwaps = (data, order) => order.map((k) => Float64Array.from(data.swaps, (_, i) => (i === k ? 1 : 0)));
const swapName = (data, k) => placesOf(data.swaps[k]).map((place) => place + 1).join("\u2194");
const lettersOf = (row) => row.map((object) => LETTERS[object]).join(" ");
const chipsOf = (row) => html("span", { class: "rowof" }, row.map((object) => chip(object)));
const bestOf = ({ answer }) => answer.scores.indexOf(Math.max(...answer.scores));

const likely = (answer) => [...answer.shares.keys()].sort((a, b) => answer.shares[b] - answer.shares[a]).slice(0, 5);

function swapWords(data) {
  return {
    input: "u = [ which swap ]", answers: "orders",
    inputWhy: "All that the model gets in this step: which two places are swapped. It is never told what stands where.",
    mlpWhy: "A small network works on each row by itself: here what stands where can change places.",
    answerWhy: `The head reads the slots and scores all ${data.orders.length} orders; the five likeliest are shown. It was trained on every step.`,
    showInput: (core, step) => [heat([step.input], ["u"], data.swaps.map((_, k) => swapName(data, k)), { show: String })],
    showAnswer: (core, { answer }) => {
      const top = likely(answer);
      const names = top.map((at) => lettersOf(data.orders[at]));
      const scores = top.map((at) => answer.scores[at]);
      return [heat([scores], ["score"], names, { most: most([scores]), show: number }),
        heat([top.map((at) => answer.shares[at])], ["share"], names, { caption: "after softmax over all orders" })];
    },
  };
}

class SwapInside extends Inside {
  words() {
    return swapWords(this.scene);
  }

  inputName(question, at) {
    return swapName(this.scene, question.order[at - 1]);
  }

  came(question, at) {
    return [`places ${placesOf(this.scene.swaps[question.order[at - 1]]).map((place) => place + 1).join(" and ")} are swapped`];
  }

  givesName() {
    return null;
  }

  // What the head reads from the memory: the orders that it holds for likeliest.
  holdings(question, at, step) {
    const top = likely(step.answer).filter((order, n) => n === 0 || step.answer.shares[order] >= 0.005);
    return [html("p", { class: "note" }, "The order, as the head reads it from all slots together:"),
      html("ul", {}, top.map((order) => html("li", {}, chipsOf(this.scene.orders[order]), ` ${percent(step.answer.shares[order], 1)}`)))];
  }
}

class SwapSequence extends Sequence {
  constructor(data, go) {
    super(1, go, "Swaps, in order");
    this.data = data;
  }

  draw(question, step) {
    this.count = this.slider.max = question.order.length;
    super.draw(question, step);
  }

  written(question, at) {
    return swapName(this.data, question.order[at]);
  }

  looks() {
    return "swap";
  }

  says(question, at) {
    return `places ${swapName(this.data, question.order[at]).replace("\u2194", " and ")} are swapped`;
  }
}

class SwapScene {
  constructor(data) {
    Object.assign(this, { data, core: new Core(data), count: data.orders[0].length, random: generator(7) });
    this.examples = "sequences";
    this.heading = "A memory that keeps track";
    this.begin = "Drag an object onto a neighbour.";
    this.preset = "group-word --preset swaps";
    this.source = "The task: products of swaps in a group of permutations, Merrill, Petty & Sabharwal 2024, The illusion of state " +
      "in state-space models. The core: Santoro et al. 2018, Relational recurrent neural networks.";
    this.inside = new SwapInside(this.core, data);
    this.sequence = new SwapSequence(data, (step) => this.goTo(step));
    this.verdict = html("p", { class: "verdict", role: "status", "aria-live": "polite" });
    this.tried = html("p", { class: "tried", role: "status", "aria-live": "polite" });
    this.row = html("div", { class: "places", role: "group", "aria-label": "Objects in their places. Drag one onto another, or focus it and press an arrow key." });
    this.told = html("div", { class: "scroll" });
    this.element = html("div", { class: "scene" }, this.left(), this.inside.element);
    this.ask({ order: Array.from({ length: 6 }, () => this.drawSwap()) });
  }

  tour() {
    return swapTour(this);
  }

  quiz() {
    return swapQuiz(this);
  }

  finding() {
    const { score, longer } = this.data;
    return [`${this.count} objects stand in a row and change places, two at a time; a memory of ${this.core.slots} slots is told the swaps ` +
      "and must say the order after each. It is right in ", html("strong", {}, percent(score.accuracy, 1)),
    ` of the orders of ${score.examples.toLocaleString("en")} fresh sequences of ${score.length} swaps, as long as in training; whoever follows only ` +
    `whether the number of swaps is odd, in ${percent(score.trivial, 1)}. Of ${longer.length} swaps it has ${percent(longer.accuracy, 1)}.`];
  }

  drawSwap() {
    return Math.floor(this.random() * this.data.swaps.length);
  }

  left() {
    const { swaps } = this.data;
    return html("section", { class: "question", "aria-label": "The swaps" },
      html("p", { class: "asked", "data-part": "question" }, "What is the order now?"), this.verdict,
      html("div", { "data-part": "places" }, this.row,
        html("div", { class: "tools", role: "group", "aria-label": "Add a swap" }, "swap places ",
          [...swaps.keys()].sort((a, b) => placesOf(swaps[a])[0] - placesOf(swaps[b])[0]).map((k) => button(swapName(this.data, k), () => this.add(k), { class: "add", "aria-label": `Swap places ${swapName(this.data, k).replace("\u2194", " and ")}` }))),
        html("p", { class: "tools" }, this.undoButton = button("undo", () => this.undo(), { class: "undo" }),
          button(`${this.data.length} random swaps`, () => this.ask({ order: Array.from({ length: this.data.length }, () => this.drawSwap()) }), { class: "new" }),
          button("add 10 more", () => this.ask({ order: [...this.question.order, ...Array.from({ length: 10 }, () => this.drawSwap())] })))),
      html("div", { "data-part": "sequence" }, html("h4", {}, "One swap a step, in this order"), this.sequence.element),
      html("div", { "data-part": "answers" }, html("h4", {}, "True order and answer after each swap"), this.told),
      html("div", { "data-part": "try" }, html("p", { class: "tools" },
        button(`try ${TRIES} sequences of ${2 * this.data.length} swaps`, () => this.tryMany(), { class: "try" })), this.tried));
  }

  // A press at the last step adds a swap; at an earlier one it replaces what came after.
  add(k) {
    this.ask({ order: [...this.question.order.slice(0, this.step), k] });
  }

  undo() {
    if (this.question.order.length > 1) this.ask({ order: this.question.order.slice(0, -1) });
  }

  ask(question) {
    this.sequence.stop();
    this.question = question;
    this.step = question.order.length;
    this.steps = this.core.run(encodeSwaps(this.data, question.order));
    this.truths = ordersAfter(this.data, question.order);
    this.draw();
  }

  goTo(step) {
    this.step = step;
    this.draw();
  }

  said(step) {
    return this.data.orders[bestOf(this.steps[step - 1])];
  }

  isRight(step) {
    return lettersOf(this.said(step)) === lettersOf(this.truths[step - 1]);
  }

  draw() {
    const { question, step, data } = this;
    const { answer } = this.steps[step - 1];
    const right = this.isRight(step);
    const wrong = this.truths.filter((_, at) => !this.isRight(at + 1)).length;
    this.verdict.className = `verdict ${right ? "good" : "bad"}`;
    this.verdict.replaceChildren(`After ${step} ${step === 1 ? "swap" : "swaps"} the model says `, chipsOf(this.said(step)), ` (${percent(Math.max(...answer.shares))}): `,
      html("b", {}, right ? "\u2713 right" : "\u2717 wrong"),
      `. ${this.truths.length - wrong} of ${this.truths.length} steps are right${step > data.length ? `; it was trained on ${data.length} swaps` : ""}.`);
    this.undoButton.disabled = question.order.length === 1;
    this.drawRow();
    this.sequence.draw(question, step);
    const cell = (at, row) => html("td", { class: at + 1 === step ? "nowstep" : null }, chipsOf(row));
    this.told.replaceChildren(html("table", { class: "plain orders" }, html("tbody", {},
      this.truths.map((row, at) => html("tr", {}, html("th", { scope: "row" }, button(String(at + 1), () => this.goTo(at + 1), { "aria-label": `Step ${at + 1}` })),
        cell(at, row), cell(at, this.said(at + 1)), html("td", {}, html("b", { class: this.isRight(at + 1) ? "yes" : "no" }, this.isRight(at + 1) ? "\u2713" : "\u2717")))))));
    this.told.querySelector("tbody").prepend(html("tr", {}, ["", "true", "the model's", ""].map((name) => html("th", { scope: "col" }, name))));
    const now = this.told.querySelectorAll("tr")[step];
    this.told.scrollTop = now.offsetTop + now.offsetHeight - this.told.clientHeight; // the present step is in view
    this.inside.draw(question, step, this.steps[step - 1]);
  }

  // The objects as they stand after the present step; one that is dragged onto another place swaps with it.
  drawRow() {
    const focused = [...this.row.children].indexOf(document.activeElement);
    this.row.replaceChildren(...this.truths[this.step - 1].map((object, place) => {
      const one = button(html("b", { class: `chip c${object}` }, LETTERS[object]), () => {}, { class: "place", "data-place": place,
        "aria-label": `Place ${place + 1}: object ${LETTERS[object]}. Arrow keys swap it with a neighbour.` });
      one.append(html("small", {}, String(place + 1)));
      one.addEventListener("pointerdown", (event) => { this.from = place; event.preventDefault(); one.focus(); });
      one.addEventListener("keydown", (event) => {
        const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
        if (!by) return;
        event.preventDefault();
        if (this.swap(place, place + by)) this.row.children[place + by].focus();
      });
      return one;
    }));
    this.row.onpointermove = (event) => {
      this.row.querySelectorAll(".target").forEach((one) => one.classList.remove("target"));
      if (this.from !== undefined) this.placeAt(event)?.classList.add("target");
    };
    this.row.onpointerup = (event) => {
      const to = this.placeAt(event);
      if (this.from !== undefined && to) this.swap(this.from, Number(to.dataset.place));
      this.from = undefined;
    };
    if (focused >= 0) this.row.children[focused].focus();
  }

  placeAt({ clientX, clientY }) {
    return document.elementFromPoint(clientX, clientY)?.closest(".place");
  }

  // Add the swap of two places, where the task has it: of neighbours that are farther apart, none.
  swap(a, b) {
    const k = this.data.swaps.findIndex((swap) => swap[a] === b && a !== b);
    if (k >= 0) this.add(k);
    return k >= 0;
  }

  tryMany() {
    const length = 2 * this.data.length;
    let right = 0;
    for (let i = 0; i < TRIES; i++) {
      const order = Array.from({ length }, () => this.drawSwap());
      const memory = encodeSwaps(this.data, order).reduce((rows, input) => this.core.step(rows, input).after, this.core.initialMemory());
      right += lettersOf(this.data.orders[bestOf({ answer: this.core.answer(memory) })]) === lettersOf(ordersAfter(this.data, order).at(-1));
    }
    this.tried.textContent = `${right} of ${TRIES} last orders right, just now and in this page; it was trained on ${this.data.length} swaps.`;
  }
}

function swapTour(scene) {
  const { data, core } = scene;
  const last = () => scene.question.order.length;
  return stepsOf(scene, [
    { part: "places", step: last, title: "The question", text: `Objects stand in a row, and two places are swapped at a time. Press a button, ` +
      "drag an object onto its neighbour, or press the arrow keys on one. What is the order now?" },
    { part: "sequence", step: () => 1, title: "One swap at a time", open: "input", text: "This is step 1. The model is told which places are " +
      `swapped: one of ${data.swaps.length}, no letter and no picture. The order must be in its memory.` },
    { part: "answers", step: () => Math.min(2, last()), title: "An answer at every step", text: "The head reads the memory after each swap. " +
      `Left the true order, right what the model says: one of ${data.orders.length}.` },
    { part: "attention", step: last, title: "Slots look at each other", text: "The same swap does something else to every order. So what comes in " +
      "must meet what is stored: each slot takes a mix from the slots and the input; the numbers of a row are percentages." },
    { part: "operations", step: last, title: "Gates decide what stays", open: core.gated ? "gates" : "memory", text: core.gated
      ? "A slot blends the new with the old: i lets in, f keeps. Choose a slot in the table, and open any operation." : "This model has no gates; open any operation." },
    { part: "operations", step: last, title: "From memory to an order", open: "answer", text: "The head scores every order and softmax makes shares of the scores. " +
      "Its five likeliest are shown." },
    { part: "places", step: last, title: "Now break it", text: `It was trained on ${data.length} swaps and has ${percent(data.score.accuracy, 1)} of the orders right there. ` +
      `Press \u201cadd 10 more\u201d a few times: the true order stays easy to follow, the model's memory drifts (${percent(data.longer.last, 1)} right after ${data.longer.length}).` },
  ]);
}

function swapQuiz({ data, count, core }) {
  return [
    { ask: "Why is counting how often each swap came not enough?", choices: ["the order of the swaps matters", "there are too many swaps", "it is enough"], right: 0,
      why: "1\u21942 and then 2\u21943 gives another order than 2\u21943 and then 1\u21942. So every step must change what is stored." },
    { ask: `How many orders must ${count} objects' memory tell apart?`, choices: [String(count), String(count * count), String(data.orders.length)], right: 2,
      why: `${count} objects have ${data.orders.length} orders; the head has one score for each.` },
    { ask: `Someone's model has ${percent(data.score.trivial, 1)} of the orders right. What does it follow?`,
      choices: ["the whole order", "whether the number of swaps is odd", "the place of one object"], right: 1,
      why: "A swap turns an even order into an odd one. Following that alone, and the first step, has this share right." },
    data.longer.last < data.score.last - 0.01 && { ask: `Trained on ${data.length} swaps, how often is it right after the last of ${2 * data.length}?`,
      choices: [percent(data.score.last, 1), percent(data.longer.last, 1), percent(1 / data.orders.length, 1)], right: 1,
      why: `Less often than over all ${2 * data.length} steps, for errors stay once they are made. What the ${core.slots} slots have learned is close to swapping, not swapping itself.` },
  ].filter(Boolean);
}
